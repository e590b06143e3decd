"""Tables of the page of models that both interfaces show: endpoints, keys, log, requests, jobs, the drop zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apps.options import Options
from apps.ui import bringing, doors, dropzone, model_card
from apps.ui import models as shown
from apps.ui.endpoint_form import Form, kinds
from apps.ui.i18n import words
from engine.connection import Connection
from engine.connection import Served as Offered
from engine.errors import Unreachable
from engine.jobs import Job
from engine.keys import ApiKey, Spent
from engine.models.deciding import resolve
from engine.ps import Loaded
from engine.requestlog import Served

EN, FR = words("en"), words("fr")
JOB = Job(
    "j", "local", "engine.models.download:download", "one", {}, "running", 25e6, 100e6, None, None, 0.0, 0.0, None, 30.0
)


def test_a_row_comes_back_from_its_form_as_it_was() -> None:
    from engine.providers import Provider

    row = Provider(id="lab", name="Lab", base_url="http://a/v1", addresses=("http://b/v1",), key_env="ATELIER_LAB_KEY",
                   window=512, students=True)  # fmt: skip
    told = Form.of(row).fields()
    again = {name: None if value == "" else value for name, value in told.items()}
    assert "like" not in told and Provider.model_validate(again) == row
    empty = Form().fields()
    assert "name" not in empty and (empty["base_url"], empty["window"], empty["addresses"]) == ("", "", ())
    assert {"", "ollama", "lmstudio"} <= set(kinds(FR))


def test_an_endpoint_says_whether_it_answers_and_never_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.providers import providers

    rows = [providers()["openai"], providers()["mistral"]]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marked-0123456789")
    good = Connection("https://api.openai.com/v1", 0.25, (Offered("gpt"),), 8192)
    bad = Connection("https://api.mistral.ai/v1", problem=Unreachable("no", address="https://api.mistral.ai/v1"))
    told = doors.endpoint_rows(rows, {"openai": good, "mistral": bad}, ["mistral"], EN)
    assert told[0][1:5] == ("● answers, 0.25\u00a0s", "1", "8,192", "✓ OPENAI_API_KEY")
    assert told[1][1].startswith("✕ ") and told[1][4] == EN.t("models_endpoint.key_visit")
    assert "sk-marked" not in str(told) and len(doors.endpoint_head(EN)) == len(told[0])


def test_addresses_follow_the_options() -> None:
    told = doors.address_rows(Options(port=9000, lmstudio_port=1234, root_path="/atelier"), EN)
    found = [row[0] for row in told]
    assert "http://127.0.0.1:9000/atelier/v1" in found and found[-1] == "http://localhost:1234/v1"


def test_a_key_is_told_by_its_public_part() -> None:
    when = datetime(2026, 11, 22, 12, tzinfo=UTC)
    open_ = ApiKey("abc", "local", "Ada", when, requests_per_day=1000)
    told = doors.key_rows([open_, replace(open_, id="old", revoked=when)], {"abc": Spent(3, 400)}, EN)
    assert told[0][3:] == ("never", "1,000 requests, ∞ tokens", "3 requests, 400 tokens", "● valid")
    assert told[1][-1] == "✕ revoked" and len(doors.key_head(EN)) == len(told[0])


def test_the_log_is_newest_first_and_filtered_by_words() -> None:
    rows = [
        Served("local", "/v1/models", 200, 0.1, key="abc"),
        Served("local", "/v1/rerank", 501, 2, error="not_supported"),
    ]
    told = doors.log_rows(rows, "", {"abc": "Ada"}, EN)
    assert [row[2] for row in told] == ["/v1/rerank", "/v1/models"] and told[1][1] == "Ada"
    assert [row[4] for row in doors.log_rows(rows, "rerank SUPPORTED", {}, EN)] == ["501 not_supported"]
    assert len(doors.log_head(EN)) == len(told[0])


@pytest.mark.parametrize("route", doors.ASKED)
def test_a_request_names_the_variable_of_its_key(route: str) -> None:
    body = doors.request_body(route, "echo", "it's <me>", stream=False)
    forms = doors.request_forms(route, body, "http://127.0.0.1:8501", keyed=True)
    path = next(path for _, path, name in doors.ROUTES if name == route)
    for name, language, text in forms:
        assert doors.KEY_VARIABLE in text and "me>" in text and language
        assert name == "python" or path in text


def test_what_gave_way_is_told_with_who_said_it() -> None:
    found = resolve({"configuration": {"temperature": 0.25}, "engine": {"temperature": 0.7, "seed": None}})
    told = model_card.decided_rows(found, FR)
    assert told[0] == ("Température", "0,25", "la configuration du modèle", "0,7 (le moteur)")
    assert told[1][1] == FR.t("models_config.unset")


def test_a_template_is_one_line_of_a_table() -> None:
    told = model_card.said("{% for message in messages %}\n" * 20, EN)
    assert "\n" not in told and len(told) == model_card.SHOWN + 1 and told.endswith("…")


def test_jobs_are_told_as_they_go_and_as_they_ended() -> None:
    going = shown.job_progress(replace(JOB, task="engine.models.download:download"), EN)
    assert going.share == 0.25 and "25\u00a0MB" in going.text and "100\u00a0MB" in going.text
    assert "25 of 100" in shown.job_progress(replace(JOB, task="engine.models.quantize:quantize"), EN).text
    done = replace(JOB, state="done", result={"path": "/x/y.gguf", "size": 1000, "sha256": {"y.gguf": "ab" * 32}})
    assert shown.job_done(done, EN) == "y.gguf: 1.0\u00a0kB, checksum abababababab"
    assert EN.t("models_running.job_is.cancelled") in shown.job_done(replace(JOB, state="cancelled"), EN)


def test_what_runs_is_told_as_its_runtime_reports_it() -> None:
    one = Loaded("m@small", "m", 2048, 4, 1, 2, 10**9, None, 30.0, 90.0)
    (row,) = shown.loaded_rows([one], EN)
    assert row == ("m@small", "2,048", "1 of 4", "2", "1.0\u00a0GB", "–", "30.0\u00a0s", "60\u00a0s")
    assert shown.busy([one, one]) == shown.Busy(2, 8, 2, 4)


def test_the_picture_has_the_courses_three_words_each_with_its_tab() -> None:
    boxes = shown.picture((), shown.Busy(0, 0, 0, 0), 3, EN)
    assert [(box.title, box.goes) for box in boxes] == [
        ("Registry", "models"), ("Orchestration", "running"), ("Interface", "server"),
    ]  # fmt: skip
    assert shown.tabs("student") == tuple(tab for tab in shown.tabs("teacher") if tab != "add")


def test_a_bar_of_memory_escapes_its_words() -> None:
    memory: Any = SimpleNamespace(weights=10**8, kv=10**8, compute=10**7, total=21 * 10**7, free=10**9, fits=True)
    text = shown.memory_text(memory, EN)
    drawn = shown.bar_html([*shown.memory_parts(memory, EN), ("<b>", 1, None)], memory.free, text, EN)
    assert "<b>" not in drawn and "&lt;b&gt;" in drawn and "210\u00a0MB needed" in text


@pytest.mark.parametrize("told", [None, 3, {}, {"name": 4}, "x"])
def test_a_browser_may_say_anything_of_an_upload(told: Any) -> None:
    assert dropzone.ended_of(told) is None


def test_how_an_upload_ended() -> None:
    error = {"code": "bad_file", "message": "no", "details": {"path": "x", "reason": "too_large"}}
    refused, broken = (
        dropzone.ended_of({"name": "x", "error": error}),
        dropzone.ended_of({"name": "x", "error": {"a": 1}}),
    )
    assert refused is not None and refused.error is not None and refused.error.code == "bad_file"
    assert broken is not None and broken.error is not None and broken.error.code == "stream_cut"
    data = dropzone.drop_data(Options(root_path="/atelier"), FR, 64 * 2**30)
    assert data["url"] == "/atelier/upload" and data["labels"]["sending"].startswith("{name}")


def test_the_short_list_says_what_fits(tmp_path: Path) -> None:
    from engine.models.curated import curated

    told = bringing.curated_rows(curated(), tmp_path, EN)
    assert len(told) == len(curated()) and {len(row) for row in told} == {len(bringing.curated_head(EN))}
    assert bringing.fit_text(None, EN) == EN.t("models_download.unknown")
