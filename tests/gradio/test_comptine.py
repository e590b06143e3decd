"""The rhyme in the Gradio mirror: its named endpoints say what the command line says, and its tab shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from engine.cli import main
from engine.comptine.cell import METRICS
from tests.browser.tabs import PATIENCE_MS
from tests.gradio.conftest import Site, serving

ASKED = ("--verses", "12", "--first", "1", "--last", "3", "--variant", "names", "--seed", "1", "--model", "echo")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror whose folder the children of its queue find."""
    home = tmp_path_factory.mktemp("rhyme")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATELIER_HOME", str(home))
        patch.setenv("ATELIER_MODEL", "echo")
        with serving(home, slots=2) as running:
            yield running


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


def test_a_run_has_the_metrics_of_the_command_line(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    updates = list(client.submit(12, 1, 3, "names", 1, "echo", api_name="/comptine_run"))
    text, told = updates[-1]
    assert main(["comptine", "run", *ASKED, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    same = (*METRICS, "key", "prompt_sha256", "answer", "marks", "status", "needed", "total")
    assert {name: told[name] for name in same} == {name: found[name] for name in same}
    assert text == told["answer"] and told["strict"] == 1.0 and not told["obedience"]
    assert all(set(strip) == {"marks"} for _, strip in updates[:-1])


def test_tokens_are_those_of_the_command_line(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    told = client.predict(12, 1, 3, "names", 1, "echo", {"window": 200}, api_name="/comptine_tokens")
    assert main(["comptine", "tokens", *ASKED, "--window", "200", "--json"]) == 0
    assert told == json.loads(capsys.readouterr().out)


def test_what_cannot_be_asked_is_a_sentence(client: Client) -> None:
    for wrong in ({"options": {"colour": 1}}, {"first": 9, "last": 2}, {"variant": "nobody"}):
        with pytest.raises(AppError, match=r"\(bad_"):
            client.predict(12, **wrong, model="echo", api_name="/comptine_run")
    with pytest.raises(AppError, match="unknown_model"):
        client.predict(12, model="nope", api_name="/comptine_tokens")


def test_a_sweep_goes_through_the_queue(client: Client, site: Site) -> None:
    grid = {"verses": [5, 8], "ranges": [[1, 3]], "seeds": [1, 2]}
    updates = list(client.submit(grid, "echo", api_name="/comptine_sweep"))
    how, told = updates[-1]
    assert how == {"done": 4, "total": 4, "eta": 0.0, "state": "done"}
    assert len(told["cells"]) == 4 and all(set(METRICS) <= set(cell) for cell in told["cells"])
    assert told["summary"]["rows"][0]["strict"]["n"] == 2
    assert all(not result for _, result in updates[:-1])
    with pytest.raises(AppError, match="bad_input"):
        client.predict({"verses": []}, api_name="/comptine_sweep")


@pytest.mark.browser
def test_an_example_runs_with_one_click(site: Site, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 1366, "height": 900}, locale="fr-FR")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site.language("fr") + "?n=12&last=4&window=2048")
    page.get_by_role("tab", name="Comptine", exact=True).click()
    page.locator("#comptine-bars").get_by_text("2\u202f048").wait_for()  # the address has set the window
    page.locator("#comptine-step-run button").first.click()
    page.locator("#comptine-examples button").first.click()
    page.locator("#comptine-verdict").get_by_text("5 sur 5 exacts").wait_for()
    assert page.locator("#comptine-strip li.verse.exact").count() == 5
    assert page.locator("#comptine-n input").input_value() == "10"
    with page.expect_download() as saved:
        page.locator("#comptine-save").click()
    assert json.loads(saved.value.path().read_text(encoding="utf-8"))["format"] == "atelier-comptine-run/1"
    assert not errors
    context.close()
