"""Models in the Gradio mirror: named endpoints, and what the events of the tab do, each for teacher and student."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps import gradio_kit, host
from apps.extra_port import ExtraPort
from apps.gradio_kit import Ui
from apps.gradio_models.adding import adding
from apps.gradio_models.asking import Asking
from apps.gradio_models.bringing import Bringing
from apps.gradio_models.cards import Cards
from apps.gradio_models.configuring import Configuring
from apps.gradio_models.desk import Desk, work
from apps.gradio_models.parts import shelf
from apps.gradio_models.publishing import Publishing
from apps.gradio_models.reaching import endpoints
from apps.gradio_models.running import Runs, running
from apps.gradio_models.serving import Serving, server
from apps.gradio_models.slots import Chooser, Doorman, Occupied
from apps.options import Options
from engine.computing import Choice
from engine.models.bundled import bundled_file
from engine.models.configuration import Configuration
from engine.models.hub import VISIT
from engine.person import Person
from engine.presets import Preset, Presets
from engine.ps import Busy, SlotNow, WaitingNow
from engine.settings import Settings
from tests.gradio.conftest import EchoEngine, Obedient, Site
from tests.models.gguf_files import gguf, tensor
from tests.patience import JOB_S
from tests.standins.hub_server import TOKEN, Repository, hub_server
from tests.standins.ollama_server import ollama_standin

MODEL = "smollm2-135m-instruct"
ME: Any = SimpleNamespace(headers={})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoEngine]:
    """An engine that finds nothing of this machine's other programs, and no hub."""
    home = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS"):
            patch.delenv(name, raising=False)
        opened = EchoEngine(Settings(home=home, model="echo", hub="http://127.0.0.1:9"), serve=True)
        opened.echo = Obedient()
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


def test_models_and_their_cards(client: Client) -> None:
    rows = {row["id"]: row for row in client.predict(api_name="/models_list")}
    assert rows["echo"]["state"] == "ready" and rows[MODEL]["state"] == "unloaded"
    told = client.predict(MODEL, 1024, 2, "q8_0", api_name="/models_card")
    assert told["details"]["architecture"] == "llama" and told["details"]["trained_context"] == 8192
    twice = client.predict(MODEL, 2048, 2, "q8_0", api_name="/models_card")
    assert twice["memory"]["kv"] > told["memory"]["kv"] > 0
    assert "details" not in client.predict("echo", api_name="/models_card")


def test_what_is_loaded_and_what_is_not(client: Client) -> None:
    assert client.predict(api_name="/models_ps") == []
    assert client.predict("echo", api_name="/models_load") == {}
    assert client.predict("echo", api_name="/models_unload") == {"unloaded": False}


def test_a_key_is_told_once_and_has_no_powers(client: Client, site: Site) -> None:
    told = client.predict("room 12", 7, 100, 0, api_name="/keys_create")
    found = site.engine.keys.check(told["key"])
    assert found is not None and found[0].role == "student" and found[1].requests_per_day == 100
    assert told["key"] not in str(client.predict(api_name="/models_list"))


def test_what_is_refused_is_a_sentence(client: Client) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("models_card", {"model": "/etc/passwd"}, "unknown_model"),
        ("models_card", {"model": MODEL, "kv_type": "int3"}, "bad_parameter"),
        ("models_load", {"model": "nothing"}, "unknown_model"),
        ("models_download", {"repository": "../x"}, "bad_input"),
        ("endpoints_test", {"endpoint": "nowhere"}, "not_found"),
        ("keys_create", {"days": 10**12}, "bad_parameter"),
        ("keys_create", {"requests_per_day": -1}, "bad_input"),
    ]
    for name, given, code in wrong:
        with pytest.raises(AppError, match=rf"\({code}\)"):
            client.predict(**given, api_name=f"/{name}")


class Page:
    """The tab's handlers over components that no browser shows."""

    def __init__(self, ui: Ui) -> None:
        with gr.Blocks(analytics_enabled=False) as blocks:
            bar = gradio_kit.sidebar(ui, blocks)
            self.desk = Desk(ui, bar, work(ui))
            with gr.Tabs(), gr.Tab():
                self.shelf, self.adding, self.running = shelf(ui), adding(ui), running(ui)
                self.endpoints, self.server = endpoints(ui), server(ui)
        self.cards, self.configuring = Cards(self.desk, self.shelf), Configuring(self.desk, self.shelf)
        self.bringing, self.runs = Bringing(self.desk, self.adding), Runs(self.desk, self.running)
        self.asking, self.serving = Asking(self.desk, self.endpoints), Serving(self.desk, self.server)
        self.publishing = Publishing(self.desk, self.server.published)
        self.occupied, self.doorman = Occupied(self.desk, self.server.slots), Doorman(self.desk, self.server.where.port)
        self.chooser = Chooser(self.desk, self.running.choice)
        self._blocks = blocks

    def values(self, **given: Any) -> dict[Any, Any]:
        """What a page would send: every component's value, those of these elements changed."""
        every = {box: getattr(box, "value", None) for box in self._blocks.blocks.values()}
        named = {str(box.elem_id): box for box in every if getattr(box, "elem_id", None)}
        return every | {named[name.replace("_", "-")]: value for name, value in given.items()}


@pytest.fixture(scope="module")
def page(engine: EchoEngine) -> Page:
    async def made() -> Page:  # without a running loop Gradio opens some that it never closes
        return Page(Ui(engine, "en", Options()))

    return asyncio.run(made())


@pytest.fixture
def student(page: Page, monkeypatch: pytest.MonkeyPatch) -> Person:
    person = page.desk.ui.engine.people.join("Zoé <b>", "student")
    monkeypatch.setattr(host, "person_of", lambda _: person)
    return person


def test_the_table_and_the_card(page: Page) -> None:
    parts, words = page.shelf, page.desk.ui.words
    told = page.cards.look(page.values(), ME)
    assert "SmolLM2" in told[parts.list.table] and "free" in told[parts.list.table]
    assert told[parts.list.chosen].value == "echo"
    assert page.cards.follow(page.values(model=MODEL), ME)[parts.list.chosen].value == MODEL
    card = page.cards.card(page.values(models_chosen=MODEL), ME)
    assert "twice as fast" in card[parts.card.card] and "49,152" in card[parts.card.card]
    assert "people" in card[parts.card.card] and words.t("models_memory.help") in card[parts.card.estimate]
    assert words.t("models_card.no_header") in page.cards.card(page.values(models_chosen="echo"), ME)[parts.card.card]
    picture = page.cards.picture(ME)
    assert picture.count("<section") == 3 and "models-server-button" in picture
    assert page.cards.use(MODEL, ME).value == MODEL


def test_the_template_is_tried_and_the_files_are_told(page: Page) -> None:
    asked = page.values(models_chosen=MODEL, template_user="Why <b>?")
    told = page.cards.template(asked, ME)
    preview, source = told[page.shelf.template.preview], told[page.shelf.template.source]
    assert "&lt;|im_start|&gt;user\nWhy &lt;b&gt;?" in preview and "messages" in source
    assert bundled_file().name in page.cards.files(asked, ME)[page.shelf.files.table]
    shelf, words = page.shelf.files, page.desk.ui.words
    assert words.t("models_copies.none") in page.cards.files(asked, ME)[shelf.told]


def ended(page: Page, begun: dict[Any, Any]) -> dict[Any, Any]:
    """What the page is told once the work that it watches has ended."""
    job = page.desk.ui.engine.jobs.wait(begun[page.desk.work.watched], JOB_S)
    return page.desk.look({**page.values(), page.desk.work.watched: job.id}, ME)


def test_checksums_and_copies_are_found_by_a_job(page: Page, engine: EchoEngine, tmp_path: Path) -> None:
    engine.settings.models_dir.mkdir(parents=True, exist_ok=True)
    mine, copy = engine.settings.models_dir / "mine.gguf", tmp_path / "copy.gguf"
    for path in (mine, copy):
        path.write_bytes(gguf())
    engine.folders.add(tmp_path)
    try:
        asked, words, parts = page.values(models_chosen="mine"), page.desk.ui.words, page.shelf.files
        assert words.n("models_copies.unread", 1) in page.cards.files(asked, ME)[parts.told]
        told = ended(page, page.cards.sums(asked, ME))
        assert words.t("models_card.sha256_done", count=2) in told[page.desk.work.told]
        shown = page.cards.files(asked, ME)[parts.told]
        assert hashlib.sha256(gguf()).hexdigest() in shown and str(copy) in shown
        assert page.cards.sums(asked, ME)[page.desk.work.watched] == ""  # nothing is left to read
    finally:
        engine.folders.remove(tmp_path)
        mine.unlink()
        engine.catalog.look_again()


def test_a_gated_model_comes_with_a_token_that_is_kept_nowhere(
    page: Page, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, data = page.adding.download, gguf(tensors=[tensor("w", [250_000])], data=1_000_000)
    with hub_server(atelier__closed=Repository({"closed-Q8_0.gguf": data}, gated=True)) as hub:
        monkeypatch.setattr(engine, "settings", engine.settings.model_copy(update={"hub": hub.address}))
        kept = page.bringing.keep(page.values(download_token=TOKEN), ME)
        assert kept[parts.token] == "" and kept[parts.forget].visible and TOKEN not in str(kept[parts.token_state])
        found = page.bringing.search(page.values(download_words="closed"), ME)
        ((label, name),) = found[parts.file].choices
        assert found[parts.fetch].visible and "Q8_0" in label
        asked = {**page.values(), parts.repository: "atelier/closed", parts.file: name}
        assert "closed-Q8_0.gguf" in ended(page, page.bringing.fetch(asked, ME))[page.desk.work.told]
        assert (engine.settings.models_dir / name).read_bytes() == data
        assert not page.bringing.forget(ME)[parts.forget].visible and not engine.visit_keys.has("local", VISIT)
    (engine.settings.models_dir / name).unlink()


def test_unfinished_downloads_are_told_and_removed(page: Page, engine: EchoEngine) -> None:
    left, parts = engine.settings.models_dir / f".half.gguf.{'ab' * 6}.download", page.adding.download
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(bytes(2_000_000))
    told = page.bringing.opened(page.values(), ME)
    assert told[parts.left].visible and "half.gguf" in told[parts.unfinished]
    done = page.bringing.clean(ME)
    assert not left.exists() and not done[parts.left].visible and "2.0" in done[parts.told]


def test_what_wins_is_shown_and_an_instance_is_made(page: Page, engine: EchoEngine) -> None:
    parts = page.shelf.settings
    values = page.values(models_chosen=MODEL, model_instance="small", load_context="1024", load_threads="1")
    told = page.configuring.save(values, ME)
    assert "Saved" in told[parts.told]
    kept = engine.configurations.get(f"{MODEL}@small")
    assert kept.load.context == 1024 and engine.catalog.card(f"{MODEL}@small").window == 1024
    shown = page.configuring.look(page.values(models_chosen=f"{MODEL}@small"), ME)
    assert shown[parts.load["context"]] == "1024" and "1,024" in shown[parts.decided]
    wrong = page.configuring.save(page.values(models_chosen=MODEL, load_context="many"), ME)
    assert "bad_parameter" in wrong[parts.told]
    assert page.configuring.remove(page.values(models_chosen=f"{MODEL}@small"), ME)
    assert engine.configurations.get(f"{MODEL}@small").empty


def test_files_are_imported_and_folders_added(page: Page, engine: EchoEngine, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    source = tmp_path / "models" / "small.gguf"
    source.write_bytes(b"no model")
    parts = page.adding.bring
    work = page.desk.work
    told = str(page.bringing.bring(page.values(import_path=str(source)), ME)[work.told])
    assert "GGUF" in told and "alert" in told
    (tmp_path / "sound.gguf").write_bytes(gguf())
    begun = page.bringing.bring(page.values(import_path=str(tmp_path / "sound.gguf")), ME)
    assert "sound.gguf" in ended(page, begun)[work.told]
    (engine.settings.models_dir / "sound.gguf").unlink()
    told_ = page.bringing.add(page.values(folder_path=str(tmp_path / "models")), ME)
    assert str(tmp_path) in told_[parts.folders] and told_[parts.kept].value == str(tmp_path / "models")
    assert "small" in page.cards.look(page.values(), ME)[page.shelf.list.table]
    removed = page.bringing.remove({**page.values(), parts.kept: str(tmp_path / "models")}, ME)
    assert str(tmp_path) not in removed[parts.folders]
    no_gguf = {"code": "bad_file", "message": "no", "details": {"path": "x", "reason": "no GGUF"}}
    for error, said in ((None, ""), (no_gguf, "bad_file")):
        event: Any = SimpleNamespace(_data={"text": json.dumps({"name": "x.gguf", "error": error})})
        shown = page.bringing.dropped(page.values(), event, ME)[parts.told]
        assert said in shown and bool(said) == bool(shown)
    nothing: Any = SimpleNamespace(_data={"text": "{"})
    assert page.bringing.dropped(page.values(), nothing, ME) == {parts.told: ""}


def test_the_hub_out_of_reach_is_a_sentence(page: Page) -> None:
    opened = page.bringing.opened(page.values(), ME)
    assert "SmolLM2" in opened[page.adding.download.list] and opened[page.adding.quantize.model].value == MODEL
    found = page.bringing.search(page.values(download_words="smollm2"), ME)
    assert "unreachable" in found[page.adding.download.told]
    begun = page.bringing.download({**page.values(), page.adding.download.curated: "smollm2-360m-instruct"}, ME)
    assert "unreachable" in begun[page.desk.work.told]
    chosen = page.values(quantize_model=MODEL, quantize_kind="Q2_K")
    assert "→" in page.bringing.about(chosen, ME)


def test_endpoints_are_typed_tested_and_given_a_key(page: Page, engine: EchoEngine) -> None:
    parts = page.endpoints
    typed = page.values(endpoint_id="lab", endpoint_urls="http://127.0.0.1:9/v1\nhttp://127.0.0.1:10/v1")
    told = page.asking.save(typed, ME)
    assert "lab" in told[parts.table] and engine.endpoints.rows()["lab"].addresses == ("http://127.0.0.1:10/v1",)
    tested = page.asking.test(page.values(endpoint_chosen="lab"), ME)
    assert "unreachable" in tested[parts.told] and tested[parts.told].count("127.0.0.1") >= 2
    page.asking.keep(page.values(endpoint_chosen="lab", endpoint_key="sk-marked"), ME)
    assert engine.visit_keys.of("local", "lab/x") == "sk-marked"
    shown = page.asking.look(page.values(endpoint_chosen="lab"), ME)
    assert "sk-marked" not in str(shown[parts.table]) and "for this visit" in shown[parts.table]
    page.asking.forget(page.values(endpoint_chosen="lab"), ME)
    assert not engine.visit_keys.has("local", "lab/x")
    assert "removed" in page.asking.remove(page.values(endpoint_id="lab"), ME)[parts.told]


def test_an_endpoint_is_like_another_and_is_changed_from_the_form(page: Page, engine: EchoEngine) -> None:
    parts = page.endpoints
    address = "http://127.0.0.1:9/v1"
    typed = page.values(
        endpoint_id="second", endpoint_urls=address, endpoint_like="ollama", endpoint_window="8192",
        endpoint_variable="ATELIER_LAB_KEY", endpoint_students=True,
    )  # fmt: skip
    assert "second" in page.asking.save(typed, ME)[parts.told]
    row = engine.endpoints.row("second")
    assert (row.native, row.key_env, row.window, row.students) == ("ollama", "ATELIER_LAB_KEY", 8192, True)
    shown = page.asking.fill(page.values(endpoint_chosen="second"), ME)
    assert [shown[box] for box in parts.form[2:7]] == [row.base_url, "", "ATELIER_LAB_KEY", "8192", True]
    page.asking.save({**page.values(), **shown, parts.variable: "", parts.window: "", parts.students: False}, ME)
    row = engine.endpoints.row("second")
    assert (row.native, row.key_env, row.window, row.students) == ("ollama", None, None, False)
    assert "top_p" in row.params and shown[parts.token_field] == "max_tokens" and "<details>" in shown[parts.nature]
    page.asking.save({**page.values(), **shown, parts.quirks: ["usage_always"], parts.price: "groq"}, ME)
    changed = engine.endpoints.row("second")
    assert (changed.quirks, changed.price, changed.params) == ({"usage_always"}, "groq", row.params)
    for wrong, code in (("many", "bad_parameter"), ("1", "bad_input")):
        assert code in page.asking.save({**page.values(), **shown, parts.window: wrong}, ME)[parts.told]
    engine.endpoints.remove("second")


def test_a_server_loads_by_order(page: Page, engine: EchoEngine) -> None:
    parts, work, words = page.endpoints, page.desk.work, page.desk.ui.words
    with ollama_standin() as server:
        engine.endpoints.add({"id": "lab", "base_url": server.base_url, "like": "ollama"})
        asked = page.values(endpoint_chosen="lab", endpoint_model="plain", far_window="2048")
        told = page.asking.test(asked, ME)
        assert told[parts.far].visible and told[parts.pulling].visible and "plain:latest" in told[parts.served]
        assert "bad_parameter" in page.asking.order("load")({**asked, parts.far_window: "many"}, ME)[work.told]
        begun = ended(page, page.asking.order("load")(asked, ME))
        assert words.t("models_far.done_load", model="plain", row="lab") in begun[work.told]
        again = page.asking.again({**asked, work.ended: begun[work.ended]}, ME)
        assert server.loaded == {"plain:latest": 2048} and words.t("models_far.yes") in again[parts.served]
        assert "bad_input" in page.asking.order("pull")({**asked, parts.pull_name: " "}, ME)[work.told]
    assert not page.asking.fill(page.values(endpoint_chosen="openai"), ME)[parts.far].visible
    engine.endpoints.remove("lab")


def test_the_server_tells_its_addresses_keys_and_log(page: Page, engine: EchoEngine) -> None:
    parts = page.server
    assert "/v1" in page.serving.where(page.values(), ME)[parts.where.shown]
    told = page.serving.allow(page.values(server_origins="HTTP://Lab.example:80/"), ME)
    assert told[parts.where.origins] == "http://lab.example" and engine.serving.origins() == ("http://lab.example",)
    shown = page.serving.where(page.values(), ME)
    assert shown[parts.where.rate] == told[parts.where.rate] == str(engine.serving.per_minute())
    assert page.serving.allow(page.values(server_rate="90"), ME)[parts.where.rate] == "90"
    for wrong, code in (("often", "bad_parameter"), ("-1", "bad_input")):
        assert code in page.serving.allow(page.values(server_rate=wrong), ME)[parts.where.told]
    assert engine.serving.per_minute() == 90
    made = page.serving.create(page.values(key_name="for <b>"), ME)
    assert "ak-" in made[parts.keys.once] and "for &lt;b&gt;" in made[parts.keys.table]
    assert "ak-" not in page.serving.keys(page.values(), ME)[parts.keys.once]
    chosen = made[parts.keys.chosen].value
    page.serving.revoke(page.values(key_chosen=chosen), ME)
    assert chosen not in [key.id for key in engine.keys.list() if key.state() == "open"]
    assert "No request" in page.serving.log(page.values(), ME)
    code = page.serving.code(page.values(model=MODEL), ME)
    assert code.value.startswith("curl") and MODEL in code.value
    assert "fetch" in page.serving.code(page.values(model=MODEL, request_form="javascript"), ME).value


def test_a_preset_is_published_under_a_name_and_withdrawn(page: Page, engine: EchoEngine) -> None:
    parts, words = page.server.published, page.desk.ui.words
    empty = page.publishing.look(page.values(), ME)
    assert words.t("models_publish.no_presets") in empty[parts.table] and not empty[parts.form].visible
    Presets(engine.library).save("local", Preset("tutor", system="Be brief."))
    shown = page.publishing.look(page.values(), ME)
    assert shown[parts.form].visible and shown[parts.preset].value == "tutor" and not shown[parts.offers].visible
    asked = {**page.values(model="echo", published_name="course <b>"), parts.preset: "tutor"}
    assert "bad_input" in page.publishing.publish(asked, ME)[parts.told]
    told = page.publishing.publish({**asked, parts.name: "course-assistant"}, ME)
    (offer,) = engine.published.list()
    assert (offer.name, offer.model, offer.preset.system) == ("course-assistant", "echo", "Be brief.")
    assert told[parts.offer].value == offer.name and offer.name in told[parts.table] and told[parts.name] == ""
    assert set(told) <= set(parts.written)
    withdrawn = page.publishing.withdraw({**page.values(), parts.offer: offer.name}, ME)
    assert engine.published.list() == () and not withdrawn[parts.offers].visible


def test_the_extra_port_opens_and_closes(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, door = page.server.where.port, ExtraPort()
    monkeypatch.setattr(host, "extra_port", lambda: door)
    shown = page.doorman.look(ME)
    assert shown[parts.fold].visible and shown[parts.open].visible and not shown[parts.close].visible
    assert "not_supported" in page.doorman.open(page.values(), ME)[parts.told]  # no server runs here
    assert "bad_input" in page.doorman.open(page.values(server_port="80"), ME)[parts.told]
    door._port = 4321  # as if it were open
    assert page.doorman.look(ME)[parts.close].visible
    assert "4321" in page.serving.where(page.values(), ME)[page.server.where.shown]


def test_what_computes_is_chosen(page: Page, engine: EchoEngine) -> None:
    parts = page.running.choice
    assert page.chooser.look(ME)[parts.form].visible
    told = page.chooser.save(page.values(choice_threads="1"), ME)
    assert "Saved" in told[parts.told] and engine.computing.get() == Choice(threads=1)
    assert page.chooser.look(ME)[parts.threads].value == "1" and "<p" in page.chooser.unload(ME)[parts.told]
    for wrong, code in (("many", "bad_parameter"), ("100000", "bad_input")):
        assert code in page.chooser.save(page.values(choice_threads=wrong), ME)[parts.told]
    assert page.chooser.save(page.values(choice_threads=""), ME) and engine.computing.get() == Choice()


def test_slots_are_told_as_they_run(page: Page, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.desk.ui.t("models_slots.none") in page.occupied.look(ME)
    one = Busy("m", (SlotNow(0, "writing", 2048, "local", 40, 7, 1.5), SlotNow(1, "idle", 2048)),
               (WaitingNow("local", 3.0, 12),), (100, 400))  # fmt: skip
    monkeypatch.setattr("apps.gradio_models.slots.busy", lambda _: (one,))
    told = page.occupied.look(ME)
    assert "40 of 2,048" in told and "this machine" in told and "100 of 400" in told and told.count("<tr>") == 5


def test_reset_parameters_goes_back_to_the_models_configuration(page: Page, engine: EchoEngine) -> None:
    boxes = dict(page.desk.bar.params)
    engine.configurations.put("echo", Configuration.from_dict({"params": {"temperature": 0.25}}))
    told = gradio_kit.started(page.desk.ui, boxes, "echo")
    assert told[boxes["temperature"]] == 0.25 and told[boxes["top_p"]] == page.desk.bar.params["top_p"].value
    engine.configurations.remove("echo")
    assert gradio_kit.started(page.desk.ui, boxes, "gone@x")[boxes["temperature"]] == boxes["temperature"].value


def test_what_runs_is_told(page: Page) -> None:
    told = page.runs.look(page.values(), ME)
    assert "No model is loaded" in told[page.running.table] and "Nobody" in told[page.running.more]
    assert "threads" in list(page.runs.runtime(page.values(), ME))[-1][page.running.runtime].lower()


def test_a_student_looks_and_changes_nothing(page: Page, engine: EchoEngine, student: Person, tmp_path: Path) -> None:
    parts = page.shelf
    rights = page.cards.rights(ME)
    assert [one.visible for one in rights[:4]] == [False] * 4
    chosen = page.values(models_chosen=MODEL)
    assert "free" not in page.cards.look(chosen, ME)[parts.list.table]
    assert str(bundled_file().parent) not in page.cards.files(chosen, ME)[parts.files.table]
    refused = [
        *(told[parts.list.told] for told in (*page.cards.load(chosen, ME), page.cards.unload(chosen, ME))),
        page.cards.sums(chosen, ME)[page.desk.work.told],
        page.bringing.keep(page.values(download_token="x"), ME)[page.adding.download.told],
        page.bringing.clean(ME)[page.adding.download.told],
        page.configuring.save(chosen, ME)[parts.settings.told],
        page.configuring.remove(chosen, ME)[parts.settings.told],
        page.bringing.download(page.values(), ME)[page.desk.work.told],
        page.bringing.quantize(page.values(quantize_model=MODEL), ME)[page.desk.work.told],
        page.bringing.convert(page.values(convert_folder=str(tmp_path)), ME)[page.desk.work.told],
        page.bringing.search(page.values(download_words="x"), ME)[page.adding.download.told],
        page.bringing.bring(page.values(import_path="/etc/passwd"), ME)[page.desk.work.told],
        page.bringing.add(page.values(folder_path=str(tmp_path)), ME)[page.adding.bring.told],
        page.asking.detect(page.values(), ME)[page.endpoints.told],
        *(
            page.asking.order(order)(page.values(endpoint_chosen="ollama"), ME)[page.desk.work.told]
            for order in ("load", "unload", "pull")
        ),
        page.asking.save(page.values(endpoint_id="x"), ME)[page.endpoints.told],
        page.asking.test(page.values(endpoint_chosen="ollama"), ME)[page.endpoints.told],
        page.serving.allow(page.values(server_rate="0"), ME)[page.server.where.told],
        page.serving.create(page.values(), ME)[page.server.keys.once],
        page.publishing.publish(page.values(), ME)[page.server.published.told],
        page.publishing.withdraw(page.values(), ME)[page.server.published.told],
        page.runs.unload({**page.values(), page.running.chosen: MODEL}, ME)[page.running.told],
        list(page.runs.measure({**page.values(), page.running.chosen: MODEL}, ME))[-1][page.running.told],
        page.doorman.open(page.values(), ME)[page.server.where.port.told],
        page.doorman.close(ME)[page.server.where.port.told],
        page.chooser.save(page.values(choice_threads="1"), ME)[page.running.choice.told],
        page.chooser.unload(ME)[page.running.choice.told],
    ]
    assert [text for text in refused if "access_denied" not in text] == []
    assert engine.keys.list(student.id) == () and "teacher" in page.serving.log(page.values(), ME)
    assert page.runs.look(page.values(), ME)[page.running.more] == "" and "teacher" in page.occupied.look(ME)
    assert not page.doorman.look(ME)[page.server.where.port.fold].visible
    assert not page.chooser.look(ME)[page.running.choice.form].visible
    assert page.configuring.look(chosen, ME)[parts.settings.form].visible is False
    assert page.publishing.look(page.values(), ME)[page.server.published.form].visible is False
    assert page.endpoints.urls not in page.asking.fill(page.values(endpoint_chosen="ollama"), ME)
    told = page.bringing.opened(page.values(), ME)[page.adding.bring.folders]
    assert told == ""


def test_a_remote_model_is_the_teachers(page: Page, student: Person) -> None:
    told = page.cards.card(page.values(models_chosen="openai/some-model"), ME)
    assert "access_denied" in told[page.shelf.card.card]


def test_a_configuration_keeps_what_has_no_field(page: Page, engine: EchoEngine) -> None:
    engine.configurations.put("echo", Configuration.from_dict({"params": {"temperature": 0.1}}))
    page.configuring.save(page.values(models_chosen="echo"), ME)
    assert engine.configurations.get("echo").params == {"temperature": 0.1}
    engine.configurations.remove("echo")
