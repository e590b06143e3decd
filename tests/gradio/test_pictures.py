"""Pictures in the Gradio mirror: the named endpoints, the form as HTML, what the events of the part do."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps import gradio_kit, host
from apps.gradio_compare import picture_form, pictures
from apps.gradio_compare.picture_desk import Desk
from apps.gradio_compare.place import Place
from apps.gradio_kit import Ui
from apps.options import Options
from engine.backends.replicate_api import Described
from engine.errors import BadInput
from engine.images import image_type
from engine.replicate_form import form_of
from tests.gradio.conftest import Site
from tests.marks import marks_in
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.standins.replicate_server import KEY, ReplicateStandIn, replicate_standin

ME: Any = SimpleNamespace(headers={}, query_params={})
MODEL = "replicate/test/image"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def replicate() -> Iterator[ReplicateStandIn]:
    with replicate_standin() as server:
        yield server


@pytest.fixture(autouse=True)
def _reached(replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.replicate.POLL_S", 0.02)
    monkeypatch.setenv("REPLICATE_BASE_URL", replicate.base_url)
    monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
    replicate.token_s = 0.0


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


def test_the_endpoints_tell_the_form_and_make_pictures(client: Client) -> None:
    fields = client.predict("test/image", api_name="/replicate_form")
    assert {field["name"]: field["kind"] for field in fields}["aspect_ratio"] == "choice"
    told, shown = client.predict(MODEL, {"prompt": "a cat", "num_outputs": 2}, api_name="/replicate_image")
    assert (told["status"], told["billed_seconds"], len(shown)) == ("done", 1.25, 2)
    data = base64.b64decode(shown[0].partition(",")[2])
    assert image_type(data) == "image/png" and not marks_in(json.dumps([told, shown]))


def test_a_picture_that_is_lost_is_told_beside_the_others(client: Client) -> None:
    told, shown = client.predict(
        "replicate/test/image-one-gone", {"prompt": "x", "num_outputs": 2}, api_name="/replicate_image"
    )
    assert len(shown) == 1 and told["error"]["code"] == "server_failed" and told["error"]["sentence"]


@pytest.mark.parametrize(
    ("model", "inputs", "code"),
    [
        ("image", {"prompt": "x"}, "bad_input"),
        (MODEL, {}, "bad_parameter"),
        (MODEL, {"prompt": "x", "num_outputs": 9}, "bad_parameter"),
        ("replicate/test/404", {"prompt": "x"}, "unknown_model"),
        ("replicate/test/402", {"prompt": "x"}, "payment_required"),
        ("replicate/test/image-failed", {"prompt": "x"}, "server_failed"),
        ("replicate/test/image-elsewhere", {"prompt": "x"}, "server_failed"),
        ("replicate/test/image-page", {"prompt": "x"}, "bad_file"),
    ],
)
def test_errors_are_sentences(client: Client, model: str, inputs: dict[str, Any], code: str) -> None:
    with pytest.raises(AppError, match=rf"\({code}\)"):
        client.predict(model, inputs, api_name="/replicate_image")


def test_who_goes_away_cancels(client: Client, replicate: ReplicateStandIn) -> None:
    replicate.token_s = 3600.0
    job = client.submit(MODEL, {"prompt": "x"}, api_name="/replicate_image")
    assert wait_for(lambda: bool(replicate.jobs) and replicate.jobs[-1].status == "processing", SOON_S)
    assert wait_for(lambda: bool(job.outputs()), SOON_S)
    job.cancel()
    assert wait_for(lambda: replicate.jobs[-1].status == "canceled", SOON_S)


def test_a_student_spends_no_key_of_the_machine(
    site: Site, replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, before = site.engine.people.join("Zoé", "student"), len(replicate.jobs)
    monkeypatch.setattr(host, "person_of", lambda _: student)
    desk = made_desk(site)
    shown = list(desk.made({desk.parts.model: MODEL, desk.parts.told: '{"prompt": "x"}'}, ME))
    assert "access_denied" in shown[-1][desk.parts.alert]
    assert "access_denied" in desk.load({desk.parts.model: MODEL}, ME)[desk.parts.alert]
    assert len(replicate.jobs) == before


def test_the_form_is_escaped_labelled_and_read_back(site: Site) -> None:
    rows = {
        f"a{HOSTILE}": {"type": "string", "title": HOSTILE, "description": HOSTILE, "default": HOSTILE},
        "n": {"type": "integer", "minimum": 1, "maximum": 4, "default": 2, "x-order": 1},
        "ok": {"type": "boolean", "x-order": 2},
        "kind": {"enum": [f'"{HOSTILE}', "b"], "x-order": 3},
        "file": {"type": "string", "format": "uri", "x-order": 4},
        "list": {"type": "array", "items": {"type": "string"}, "x-order": 5},
    }
    fields = form_of(Described(inputs=rows))
    drawn = picture_form.form_html(Ui(site.engine, "en", Options()), f"x/{HOSTILE}", fields)
    assert HOSTILE not in drawn and drawn.count("<label") == drawn.count("data-name=") == len(rows)
    assert 'min="1"' in drawn and 'value="2"' in drawn and "<details>" in drawn
    held = picture_form.held_of(json.dumps({"n": "3", "ok": True, "kind": [], "x": 1, "file": ""}), fields)
    assert held == {"n": "3", "ok": True, "kind": None, "file": ""}
    assert picture_form.form_html(Ui(site.engine, "fr", Options()), "x/y", ()).startswith("<p")
    for wrong in ("[]", "{", "3", "[" * 100_000):
        with pytest.raises(BadInput):
            picture_form.held_of(wrong, fields)


def made_desk(site: Site) -> Desk:
    """The handlers over components that no browser shows."""

    async def made() -> Desk:  # without a running loop Gradio opens some that it never closes
        found: list[Desk] = []
        ui = Ui(site.engine, "en", Options())
        with gr.Blocks(analytics_enabled=False) as blocks, pytest.MonkeyPatch.context() as patch:
            bar = gradio_kit.sidebar(ui, blocks)
            patch.setattr(pictures, "_wire", lambda one, _: found.append(one))
            with gr.Tabs(), gr.Tab() as section:
                pictures.build(Place(ui, bar, blocks, section, section))
        return found[0]

    return asyncio.run(made())


def test_a_form_a_picture_a_gallery_and_a_zip(site: Site) -> None:
    desk = made_desk(site)
    parts, values = desk.parts, {desk.parts.model: MODEL, desk.parts.told: ""}
    assert "example" in desk.opened(values, ME)[parts.gallery] and desk.save(values, ME) == ""
    assert 'data-name="prompt"' in desk.load(values, ME)[parts.form]
    values[parts.told] = json.dumps({"prompt": HOSTILE, "num_outputs": "2", "guidance": "3.5", "image": ""})
    *looks, last = desk.made(values, ME)
    assert any("progress" in look[parts.alert] for look in looks)
    assert last[parts.gallery].count("<img ") == 2 and HOSTILE not in last[parts.gallery]
    assert all(re.search(r'alt="[^"]+"', one) for one in last[parts.gallery].split("<img ")[1:])
    (file,) = json.loads(desk.save(values, ME))
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(file["base64"]))) as archive:
        assert "01/picture-2.png" in archive.namelist()


def test_an_example_runs_with_one_click(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.ui.pictures.PICTURE_MODELS", (MODEL,))
    desk = made_desk(site)
    event: Any = SimpleNamespace(_data={"example": "robot"})
    first, *_, last = desk.example({}, event, ME)
    assert "nursery rhyme" in first[desk.parts.form] and "<img " in last[desk.parts.gallery]
    event._data = {"example": "../x"}
    assert "bad_input" in next(desk.example({}, event, ME))[desk.parts.alert]
