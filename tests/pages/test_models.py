"""The pages about models and about the class."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps import host
from apps.classroom import Classroom
from apps.extra_port import ExtraPort
from apps.options import Options
from apps.ui.i18n import words
from engine.computing import Choice
from engine.jobs import OPEN
from engine.models.hub import VISIT
from engine.person import LOCAL
from engine.presets import Preset, Presets
from engine.ps import Busy, SlotNow, WaitingNow
from engine.requestlog import Served
from tests.models.gguf_files import gguf, tensor
from tests.pages.conftest import ROOT, EchoEngine, texts
from tests.patience import JOB_S
from tests.standins.hub_server import TOKEN, Repository, hub_server
from tests.standins.ollama_server import ollama_standin
from tests.standins.openai_server import OpenAIStandIn

MODEL = "smollm2-135m-instruct"
EN = words("en")
BOXES = ("registry", "orchestration", "interface")


def page(name: str, **state: Any) -> AppTest:
    """A page by itself."""
    app = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=240)
    for key, value in state.items():
        app.session_state[key] = value
    return app.run()


def tab_of(app: AppTest, name: str) -> AppTest:
    """That tab of the page of models in sight."""
    app.session_state["models.tabs"] = EN.t(f"models_tab.{name}")
    return clean(app.run())


def clean(app: AppTest) -> AppTest:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]
    return app


@pytest.mark.parametrize(("lang", "title"), [("en", "Models"), ("fr", "Modèles")])
def test_registry_orchestration_interface_then_the_card_of_the_chosen_one(
    engine: EchoEngine, lang: str, title: str
) -> None:
    app = clean(page("models", lang=lang, model=MODEL))
    assert app.title[0].value == title
    boxes = [button.key for button in app.button if (button.key or "").startswith("models.go.")]
    assert boxes == ["models.go.registry", "models.go.orchestration", "models.go.interface"]
    shown = texts(app)
    assert "Q4_1" in shown and "apache-2.0" in shown.lower() and "llama" in shown and "49" in shown
    app.button(key="models.go.interface").click().run()
    assert "/v1" in texts(clean(app)) and not app.selectbox


def test_every_part_of_the_card_is_drawn(engine: EchoEngine) -> None:
    app = page("models", lang="en", model=MODEL)
    for part, told in (("configuration", "Temperature"), ("template", "<|im_start|>user"), ("files", "SmolLM2")):
        app.session_state["models.card.tabs"] = EN.t(f"models_card.tab.{part}")
        assert told in texts(clean(app.run())), part


def test_memory_is_told_before_anything_is_loaded(engine: EchoEngine) -> None:
    app = page("models", lang="en", model=MODEL)
    before = app.caption
    assert any("Fits" in one.value for one in before)
    app.selectbox(key="models.slots").set_value(64)
    app.selectbox(key="models.kv").set_value("f32").run()
    assert engine.loaded(MODEL) is None and "needed" in texts(clean(app)) + "".join(str(w.value) for w in app.warning)


@pytest.mark.parametrize("tab", ["add", "running", "endpoints", "server"])
def test_every_tab_is_drawn_for_the_teacher(engine: EchoEngine, tab: str) -> None:
    tab_of(page("models", lang="en", model="echo"), tab)


def test_a_student_sees_cards_and_state_and_changes_nothing(engine: EchoEngine, in_class: Any) -> None:
    app = clean(page("models", lang="en", model=MODEL))
    labels = {tab.label for tab in app.tabs}
    assert EN.t("models_tab.add") not in labels and EN.t("models_tab.server") in labels
    assert {button.key for button in app.button} <= {f"models.go.{name}" for name in BOXES}
    tab_of(app, "server")
    assert app.segmented_control(key="models.server").options == [
        EN.t("models_server.where"),
        EN.t("models_server.request"),
    ]
    assert not [button for button in app.button if "go." not in (button.key or "")]
    tab_of(app, "endpoints")
    assert EN.t("models_endpoint.add") not in {box.label for box in app.expander}


def test_what_a_teacher_keeps_for_a_model_wins_over_the_engine(engine: EchoEngine) -> None:
    app = page("models", lang="en", model=MODEL)
    app.session_state["models.card.tabs"] = EN.t("models_card.tab.configuration")
    clean(app.run())
    field(app.number_input, EN.t("models_config.load_of.context")).set_value(2048)
    field(app.number_input, EN.t("param.temperature.label")).set_value(0.25)
    field(app.text_area, EN.t("models_config.system")).set_value("Be brief.")
    field(app.button, EN.t("models_config.save")).click().run()
    kept = engine.configurations.get(MODEL)
    assert (kept.load.context, kept.params["temperature"], kept.prompt.system) == (2048, 0.25, "Be brief.")
    assert f"| Temperature | 0.25 | {EN.t('models_config.source_of.configuration')} |" in texts(clean(app))
    app.text_input(key="models.instance").set_value("small")
    app.button(key="models.instance.add").click().run()
    assert engine.catalog.card(f"{MODEL}@small").window == 2048 and "(small)" in texts(clean(app))
    app.text_input(key="models.instance").set_value("no name!")
    app.button(key="models.instance.add").click().run()
    assert "bad_input" in app.error[0].value


def field(kind: Any, label: str) -> Any:
    """The widget of that label."""
    return next(one for one in kind if one.label == label)


def test_a_key_is_shown_once_opens_and_ends(engine: EchoEngine) -> None:
    app = page("models", lang="en", model="echo")
    app.session_state["models.server"] = "keys"
    tab_of(app, "server")
    app.text_input(key="models.key.name").set_value("Ada's script")
    app.number_input(key="models.key.requests").set_value(5)
    app.button(key="models.key.create").click().run()
    (text,) = [code.value for code in clean(app).code]
    found = engine.keys.check(text)
    assert found is not None and found[1].requests_per_day == 5
    app.button(key="models.key.hide").click().run()
    assert not app.code and "Ada's script" in texts(app) and text not in texts(app)
    app.button(key="models.key.revoke").click().run()
    assert engine.keys.check(text) is None and EN.t("models_keys.revoked") in texts(clean(app))


def test_a_preset_is_published_under_a_name_and_withdrawn(engine: EchoEngine) -> None:
    Presets(engine.library).save("local", Preset("Pirate", system="Speak like a pirate."))
    app = page("models", lang="en", model="echo")
    app.session_state["models.server"] = "published"
    tab_of(app, "server")
    app.text_input(key="models.publish.name").set_value("course-assistant")
    app.button(key="models.publish").click().run()
    (offer,) = engine.published.list()
    assert (offer.name, offer.model, offer.preset.system) == ("course-assistant", "echo", "Speak like a pirate.")
    assert "| course-assistant | echo |" in texts(clean(app)).replace("\\", "")
    app.text_input(key="models.publish.name").set_value("echo")
    app.button(key="models.publish").click().run()
    assert "bad_input" in app.error[0].value and len(engine.published.list()) == 1
    app.button(key="models.offer.withdraw").click().run()
    assert clean(app) and not engine.published.list()


def test_origins_are_kept_as_browsers_write_them(engine: EchoEngine) -> None:
    app = tab_of(page("models", lang="en", model="echo"), "server")
    app.text_area(key="models.cors").set_value("https://Example.org/\n")
    app.number_input(key="models.rate").set_value(30)
    app.button(key="models.cors.save").click().run()
    assert clean(app) and engine.serving.origins() == ("https://example.org",) and engine.serving.per_minute() == 30


def test_the_extra_port_and_what_computes_are_the_teachers_to_choose(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = ExtraPort()
    monkeypatch.setattr(host, "extra_port", lambda: door)
    app = tab_of(page("models", lang="en", model="echo"), "server")
    app.button(key="models.port.open").click().run()
    assert "not_supported" in app.error[0].value and not app.exception  # no server runs here
    door._port = 4321  # as if it were open
    assert "4321" in texts(app.run()) and app.button(key="models.port.close").label.endswith("4321")
    app.session_state["models.failure"] = None
    app.session_state["models.runtime"] = True
    tab_of(app, "running")
    app.number_input(key="models.choice.threads").set_value(1)
    app.button(key="models.choice.save").click().run()
    assert clean(app) and engine.computing.get() == Choice(threads=1)


def test_slots_and_queue_are_shown_as_they_run(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page("models", lang="en", model="echo")
    app.session_state["models.server"] = "slots"
    assert EN.t("models_slots.none") in texts(tab_of(app, "server"))
    one = Busy("m", (SlotNow(0, "reading", 2048, "local", 40, None, 1.5),), (WaitingNow("local", 3.0, 12),), (10, 40))
    monkeypatch.setattr("apps.streamlit_models.slots.busy", lambda _: (one,))
    told = texts(clean(app.run()))
    assert "40 of 2,048" in told and "| m | 1 | this machine | 12 |" in told and "10 of 40" in told


def test_the_log_is_filtered_by_level_and_words(engine: EchoEngine) -> None:
    for route, status in (("/v1/models", 200), ("/v1/embeddings", 404)):
        engine.requests.add(Served("local", route, status, 0.1))
    app = page("models", lang="en", model="echo")
    app.session_state["models.server"] = "log"
    assert "/v1/models" in texts(tab_of(app, "server"))
    app.selectbox(key="models.log.level").set_value("warning").run()
    assert "/v1/models" not in texts(clean(app)) and "/v1/embeddings" in texts(app)
    app.text_input(key="models.log.filter").set_value("completions").run()
    assert EN.t("models_log.none") in texts(clean(app))


def test_the_request_builder_writes_curl_and_fetch(engine: EchoEngine) -> None:
    app = page("models", lang="en", model="echo")
    app.session_state["models.server"] = "request"
    tab_of(app, "server")
    app.text_input(key="models.ask.text").set_value("What's up?").run()
    curl, fetch, client = (code.value for code in app.code)
    assert curl.startswith("curl ") and "/v1/chat/completions" in curl and "What's up?" in curl
    assert "await fetch(" in fetch and "OpenAI(base_url=" in client
    app.selectbox(key="models.ask.route").set_value("embeddings").run()
    assert ["/v1/embeddings" in code.value for code in clean(app).code] == [True, True]


def test_an_endpoint_is_typed_tried_used_and_removed(engine: EchoEngine, openai_server: OpenAIStandIn) -> None:
    app = tab_of(page("models", lang="en", model="echo"), "endpoints")
    app.text_input(key="models.new.id").set_value("lab")
    app.text_input(key="models.new.name").set_value("Room 12")
    app.text_area(key="models.new.urls").set_value(f"{openai_server.base_url}\n")
    app.button(key="models.new.save").click().run()
    assert "lab" in engine.endpoints.typed() and "Room 12" in texts(clean(app))
    app.selectbox(key="models.endpoint").set_value("lab").run()
    app.text_input(key="models.key.lab").set_value("sk-marked")
    app.button(key="models.key.keep").click().run()
    assert engine.visit_keys.of("local", "lab/any") == "sk-marked" and "sk-marked" not in texts(clean(app))
    app.button(key="models.endpoint.test").click().run()
    assert EN.t("models_endpoint.answers") in texts(clean(app))
    app.button(key="models.remote.use").click().run()
    assert app.session_state["model"].startswith("lab/")
    app.session_state["model"] = "echo"
    app.button(key="models.typed.remove").click().run()
    assert "lab" not in engine.endpoints.typed()


def test_an_endpoint_is_like_another_and_is_changed_from_the_form(engine: EchoEngine) -> None:
    app = tab_of(page("models", lang="en", model="echo"), "endpoints")
    app.text_input(key="models.new.id").set_value("second")
    app.text_area(key="models.new.urls").set_value("http://127.0.0.1:9/v1")
    app.selectbox(key="models.new.like").set_value("ollama")
    app.text_input(key="models.new.variable").set_value("ATELIER_LAB_KEY")
    app.number_input(key="models.new.window").set_value(8192)
    app.toggle(key="models.new.students").set_value(True)
    app.button(key="models.new.save").click().run()
    row = engine.endpoints.typed()["second"]
    assert (row.native, row.key_env, row.window, row.students) == ("ollama", "ATELIER_LAB_KEY", 8192, True)
    assert not clean(app).text_input(key="models.new.id").value and not app.toggle(key="models.new.students").value
    app.selectbox(key="models.endpoint").set_value("second").run()
    app.button(key="models.new.edit").click().run()
    assert app.text_area(key="models.new.urls").value == row.base_url
    assert app.number_input(key="models.new.window").value == 8192
    app.text_input(key="models.new.variable").set_value("")
    app.multiselect(key="models.new.quirks").set_value(["usage_always"])
    app.text_input(key="models.new.price").set_value("groq")
    app.button(key="models.new.save").click().run()
    changed = engine.endpoints.typed()["second"]
    assert clean(app) and (changed.native, changed.key_env, changed.window) == ("ollama", None, 8192)
    assert (changed.quirks, changed.price, changed.params) == ({"usage_always"}, "groq", row.params)
    assert EN.t("models_quirk.usage_always") in texts(app) and not app.multiselect(key="models.new.params").value


def test_a_server_loads_by_order(engine: EchoEngine) -> None:
    with ollama_standin() as server:
        engine.endpoints.add({"id": "lab", "base_url": server.base_url, "like": "ollama"})
        app = tab_of(page("models", lang="en", model="echo"), "endpoints")
        app.selectbox(key="models.endpoint").set_value("lab").run()
        app.button(key="models.endpoint.test").click().run()
        assert EN.t("models_far.yes") not in texts(clean(app))
        app.number_input(key="models.far.window").set_value(2048)
        app.button(key="models.far.load").click().run()
        assert EN.t("models_far.done_load", model="plain:latest", row="lab") in ended(app, engine)
        assert server.loaded == {"plain:latest": 2048} and EN.t("models_far.yes") in texts(app)  # asked again by itself
        app.button(key="models.far.pull").click().run()
        assert "bad_input" in app.error[0].value and not app.exception  # without a name


def test_a_private_address_is_refused_while_others_share_the_machine(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "options", lambda: Options(class_mode=True))
    monkeypatch.setattr(host, "person_of", lambda headers: replace(LOCAL, nickname="Prof"))
    app = tab_of(page("models", lang="en", model="echo"), "endpoints")
    app.text_input(key="models.new.id").set_value("router")
    app.text_area(key="models.new.urls").set_value("http://192.168.1.1:8080/v1")
    app.button(key="models.new.save").click().run()
    assert not app.exception and "bad_input" in app.error[0].value and not engine.endpoints.typed()


def test_a_file_of_this_machine_is_imported_and_a_folder_looked_into(engine: EchoEngine, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "one.gguf").write_bytes(gguf())
    (tmp_path / "here" / "two.gguf").write_bytes(gguf())
    app = page("models", lang="en", model="echo")
    app.session_state["models.way"] = "import"
    tab_of(app, "add")
    app.text_input(key="models.path").set_value(str(tmp_path / "one.gguf"))
    app.button(key="models.import").click().run()
    assert ended(app, engine).startswith("one.gguf: ")
    assert (engine.settings.models_dir / "one.gguf").is_file()
    app.text_input(key="models.folder").set_value(str(tmp_path / "here"))
    app.button(key="models.folder.add").click().run()
    assert "two" in {card.files[0].path.stem for card in engine.catalog.cards() if card.files} and clean(app)
    app.button(key="models.folder.0").click().run()
    assert not engine.folders.list()
    app.text_input(key="models.path").set_value(str(tmp_path / "none.gguf"))
    app.button(key="models.import").click().run()
    assert "bad_file" in app.error[0].value and not app.exception


def ended(app: AppTest, engine: EchoEngine) -> str:
    """What the page says once its work has ended."""
    for job in engine.jobs.list(states=OPEN):
        engine.jobs.wait(job.id, JOB_S)
    return str(clean(app.run()).success[0].value).replace("\\", "")


def test_checksums_and_copies_are_found_by_a_job(engine: EchoEngine, tmp_path: Path) -> None:
    engine.settings.models_dir.mkdir(parents=True)
    (engine.settings.models_dir / "mine.gguf").write_bytes(gguf())
    (tmp_path / "copy.gguf").write_bytes(gguf())
    engine.folders.add(tmp_path)
    app = page("models", lang="en", model="mine")
    app.session_state["models.card.tabs"] = EN.t("models_card.tab.files")
    assert EN.n("models_copies.unread", 1) in texts(clean(app.run()))
    app.button(key="models.sha256").click().run()
    assert EN.t("models_card.sha256_done", count=2) in ended(app, engine)
    told = texts(app)
    assert EN.n("models_copies.same", 1) in told and str(tmp_path / "copy.gguf") in told.replace("\\", "")
    assert hashlib.sha256(gguf()).hexdigest() in told and "models.sha256" not in {one.key for one in app.button}


def test_a_gated_model_comes_with_a_token_that_is_kept_nowhere(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = gguf(tensors=[tensor("w", [250_000])], data=1_000_000)
    with hub_server(atelier__closed=Repository({"closed-Q8_0.gguf": data}, gated=True)) as hub:
        monkeypatch.setattr(engine, "settings", engine.settings.model_copy(update={"hub": hub.address}))
        app = tab_of(page("models", lang="en", model="echo"), "add")
        app.text_input(key="models.token").set_value(TOKEN)
        app.button(key="models.token.keep").click().run()
        assert EN.t("models_token.visit") in texts(clean(app)) and not app.text_input(key="models.token").value
        app.text_input(key="models.search").set_value("closed")
        app.button(key="models.search.go").click().run()
        app.selectbox(key="models.repository").set_value("atelier/closed").run()
        app.button(key="models.download.file").click().run()
        assert "closed-Q8_0.gguf" in ended(app, engine)
        assert (engine.settings.models_dir / "closed-Q8_0.gguf").read_bytes() == data
        app.button(key="models.token.forget").click().run()
        assert clean(app) and not engine.visit_keys.has("local", VISIT)


def test_unfinished_downloads_are_told_and_removed(engine: EchoEngine) -> None:
    left = engine.settings.models_dir / f".half.gguf.{'ab' * 6}.download"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(2_000_000))
    app = tab_of(page("models", lang="en", model="echo"), "add")
    assert EN.n("models_partial.there", 1, size=EN.size(2_000_000)) in texts(app)
    app.button(key="models.partials").click().run()
    assert not left.exists() and EN.t("models_partial.removed", size=EN.size(2_000_000)) in clean(app).success[0].value


def test_quantizing_and_downloading_become_jobs(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(type(engine.jobs), "submit", lambda _, *given, **more: sent.append((*given, more)))
    app = page("models", lang="en", model=MODEL)
    app.session_state["models.way"] = "quantize"
    tab_of(app, "add")
    app.selectbox(key="models.quantize.kind").set_value("Q2_K")
    app.button(key="models.quantize").click().run()
    assert clean(app) and sent[0][1] == "engine.models.quantize:quantize" and sent[0][2]["kind"] == "Q2_K"


def test_without_a_network_the_hub_is_said_to_be_out_of_reach(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "settings", engine.settings.model_copy(update={"hub": "http://127.0.0.1:9"}))
    app = tab_of(page("models", lang="en", model="echo"), "add")
    app.button(key="models.download.curated").click().run()
    assert not app.exception and "unreachable" in app.error[0].value


@pytest.mark.parametrize(("name", "button"), [("models", "models.load"), ("room", "room.wipe")])
def test_a_button_of_the_teachers_does_nothing_in_a_students_hands(
    engine: EchoEngine, in_class: Any, monkeypatch: pytest.MonkeyPatch, isolation: Any, name: str, button: str
) -> None:
    """As if a browser sent the click of a button that it has seen, or knows of."""
    isolation.mkdir(parents=True, exist_ok=True)
    room = Classroom(isolation / "class.json")
    teacher = engine.people.join("Prof", "teacher")
    done: list[str] = []
    monkeypatch.setattr(host, "classroom", lambda: room)
    monkeypatch.setattr(engine, "runtime", lambda _: done.append("loaded"))
    monkeypatch.setattr(engine, "unload", lambda _: done.append("unloaded"))
    monkeypatch.setattr(host, "person_of", lambda headers: teacher)
    app = page(name, model="smollm2-135m-instruct")
    pressed = app.button(key=button)
    monkeypatch.setattr(host, "person_of", lambda headers: in_class)
    pressed.click().run()
    assert not app.exception and button not in {one.key for one in app.button}
    assert done == [] and len(engine.people.all()) == 2
    monkeypatch.setattr(host, "person_of", lambda headers: teacher)
    assert page(name, model="smollm2-135m-instruct").button(key=button)  # there was something to press


def test_the_class_page_is_the_teachers(engine: EchoEngine, in_class: Any) -> None:
    app = page("room")
    assert not app.exception and "access_denied" in app.error[0].value
    assert not app.markdown and not app.toggle


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_teacher_sees_people_and_codes_and_can_wipe(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch, isolation: Any, lang: str
) -> None:
    isolation.mkdir(parents=True, exist_ok=True)
    room = Classroom(isolation / "class.json")
    monkeypatch.setattr(host, "options", lambda: Options(class_mode=True))
    monkeypatch.setattr(host, "classroom", lambda: room)
    teacher = engine.people.join("Prof", "teacher")
    engine.people.join("Ada", "student")
    monkeypatch.setattr(host, "person_of", lambda headers: teacher)
    app = page("room", lang=lang)
    assert not app.exception and not app.error
    assert "| Ada |" in texts(app)
    assert room.codes.student[:3] in texts(app) and room.codes.teacher[:3] not in texts(app)
    app.toggle[0].set_value(True).run()
    assert room.codes.teacher[:3] in texts(app)
    app.button(key="room.wipe").click().run()
    assert [person.nickname for person in engine.people.all()] == ["Prof"]
