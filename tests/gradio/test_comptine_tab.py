"""What the rhyme's tab does, event by event: its handlers as the page calls them, over the echo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.utils import deep_hash

from apps.gradio_app import build
from apps.gradio_comptine import boxes as controls
from apps.gradio_comptine.asked import Asked
from apps.gradio_comptine.guide import readings
from apps.gradio_comptine.more import Extras
from apps.gradio_comptine.running import Running
from apps.gradio_comptine.sweeping import Sweeping
from apps.gradio_comptine.under import Looks
from apps.options import Options
from apps.ui.comptine_cell import START, values_of
from engine.cli import main
from engine.comptine.cell import METRICS, Cell
from engine.settings import Settings
from tests.gradio.conftest import EchoEngine, Obedient
from tests.patience import SOON_S

Update = dict[Any, Any]


@dataclass
class Page:
    """One browser page: the values of its components, and the handlers that change them."""

    engine: EchoEngine
    handlers: dict[type, Any]
    values: dict[Any, Any]

    @property
    def request(self) -> Any:
        return SimpleNamespace(headers={}, session_hash="page", query_params={}, url="http://127.0.0.1:1/gradio/fr/")

    def of(self, kind: type) -> Any:
        return self.handlers[kind]

    def take(self, update: Update) -> Update:
        """What the browser would hold after it."""
        for part, new in update.items():
            self.values[part] = new.value if isinstance(new, gr.components.Component) else new
        return update

    def set(self, **values: Any) -> None:
        parts = self.of(Running).parts
        self.take({parts.boxes[name]: value for name, value in values.items()})

    def run(self, begun: Update | None = None) -> list[Update]:
        """A whole run, in its three events; what was written in the middle."""
        running = self.of(Running)
        self.take(begun if begun is not None else running.run(self.values, self.request))
        seen = [self.take(update) for update in running.follow(self.values, self.request)]
        self.take(running.ended(self.values))
        return seen


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoEngine]:
    home = tmp_path_factory.mktemp("tab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATELIER_HOME", str(home))
        patch.setenv("ATELIER_MODEL", "echo")
        opened = EchoEngine(Settings(home=home, model="echo"), serve=True)
        opened.echo = Obedient()
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def blocks(engine: EchoEngine) -> gr.Blocks:
    return build(engine, "en", Options())


@pytest.fixture
def page(engine: EchoEngine, blocks: gr.Blocks) -> Page:
    bound = [function.fn.__self__ for function in blocks.fns.values() if hasattr(function.fn, "__self__")]
    values = {part: getattr(part, "value", None) for part in blocks.blocks.values()}
    kinds = (Running, Asked, Looks, Extras, Sweeping)
    return Page(engine, {kind: next(one for one in bound if isinstance(one, kind)) for kind in kinds}, values)


def clicked(name: str) -> Any:
    return SimpleNamespace(_data={"name": name})


def test_the_controls_start_as_the_shared_ones_and_come_back(page: Page) -> None:
    boxes = page.of(Running).parts.boxes
    assert controls.told(boxes, page.values) == {**START, "shots": False}
    cell = Cell(verses=40, kind="single", first=7, last=7, prefix="Vers 7: ", window=2048, policy="ollama", shots=1)
    page.take(controls.shown(boxes, values_of(cell)))
    told = controls.told(boxes, page.values)
    assert told == {**values_of(cell), "window": "2048", "shots": True}
    assert page.of(Asked).cell(page.values) == Cell.from_dict({**cell.to_dict(), "model": "echo"})


def test_a_run_fills_its_strip_and_says_what_came_of_it(page: Page) -> None:
    parts = page.of(Running).parts
    page.set(n=12, last=3)
    seen = page.run()
    result = page.values[parts.result].result
    assert result.status == "done" and result.metrics()["strict"] == 1.0 and set(result.metrics()) == set(METRICS)
    strips = [update[parts.strip] for update in seen if parts.strip in update]
    assert all(len(strip["verses"]) == 3 for strip in strips)
    assert page.values[parts.answer] == result.answer
    assert "3 of 3 exact, kept going after verse 3" in page.values[parts.verdict]
    assert page.values[parts.metrics].count("<tr>") == 1 + len(METRICS)
    assert page.values[parts.strip]["extra"][0]["state"] == "out_of_range"


def test_a_prompt_that_is_too_long_is_not_sent(page: Page) -> None:
    parts = page.of(Running).parts
    page.set(n=200, window="300")
    page.run()
    assert page.values[parts.result].result.status == "refused"
    assert deep_hash(page.values[parts.result])  # Gradio takes it of every state, after every event
    assert "Not sent" in page.values[parts.verdict] and page.values[parts.strip] is None


def test_what_cannot_be_asked_is_said_and_nothing_runs(page: Page) -> None:
    parts = page.of(Running).parts
    page.set(first=9, last=2)
    seen = page.run()
    assert "bad_input" in page.values[parts.alert] and page.values[parts.result] is None
    assert seen == [{parts.progress: ""}]  # of a generator without any update Gradio would empty all its outputs
    page.set(n=0, first=1, last=10)
    told = page.of(Asked).looked(page.values, page.request)
    assert "bad_parameter" in told[parts.bars] and told[parts.gauge] == ""


def test_the_sheets_sequence_runs_and_tells_today(page: Page) -> None:
    running = page.of(Running)
    parts = running.parts
    page.run(running.guided(page.values, clicked("as_written"), page.request))
    assert page.values[parts.boxes["n"]] == 69 and page.values[parts.boxes["variant"]] == "constant"
    assert page.values[parts.today] == {"as_written": page.values[parts.guide].partition("verses, 1 to 30 – ")[2]
                                        .partition("</div>")[0]}  # fmt: skip
    assert running.guided(page.values, clicked("<b>"), page.request) == {parts.wanted: None}
    assert set(readings()) >= {"window_2048", "window_4096", "solved_example", "ollama"}
    page.run(running.example(page.values, clicked("short"), page.request))
    assert page.values[parts.result].result.cell.verses == 10


def test_the_two_files_are_the_sheets(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.set(n=100, variant="constant")
    text, counts = json.loads(page.of(Asked).files(page.values))
    assert main(["comptine", "generate", "100"]) == 0
    told = capsys.readouterr()
    assert (text["name"], text["text"]) == ("comptine.txt", told.out)
    assert (counts["name"], counts["text"]) == ("comptine_tokens.txt", told.err)


def test_bars_gauge_and_survivors(page: Page) -> None:
    asked = page.of(Asked)
    page.set(n=60, last=3, window="400", policy="cut_middle")
    told = asked.looked(page.values, page.request)
    assert "Verse" not in told[asked.parts.lines] and "Vers 1:" in told[asked.parts.lines]
    assert "400 tokens" in told[asked.parts.bars] and "400" in told[asked.parts.gauge]
    assert "verses whole" in told[asked.parts.survivors] and "SHA-256" in told[asked.parts.prompt]


def test_the_limit_is_guessed_and_found(page: Page) -> None:
    asked = page.of(Asked)
    page.set(n=5, last=3, window="300")
    found = asked.ends(page.values, page.request)
    assert "Last prompt that is taken" in found and "Last answer that fits" in found
    assert "refused" in asked.tried(page.values, 500, page.request)
    assert "fits" in asked.tried(page.values, 4, page.request)


def test_under_a_run_stand_trace_code_card_and_its_way_into_the_chat(page: Page) -> None:
    looks, parts = page.of(Looks), page.of(Running).parts
    page.set(n=6, last=2)
    page.run()
    told = looks.trace(page.values, page.request)
    assert "Vers 6" in told[looks.under.prompt] and told[looks.under.strip]["pieces"]
    assert "/v1/chat/completions" in looks.code(page.values, page.request).value
    result = page.values[parts.result].result
    assert json.loads(looks.card(page.values, page.request))["prompt_sha256"] == result.prompt_sha256
    made = page.engine.chats.get("local", looks.to_chat(page.values, page.request))
    assert [node.content for node in made.path()] == [result.cell.prompt().text, result.answer]


def test_a_run_file_replays_through_the_queue(page: Page, tmp_path: Path) -> None:
    looks, extras, path = page.of(Looks), page.of(Extras), tmp_path / "run.json"
    page.set(n=6, last=2)
    page.run()
    (file,) = json.loads(looks.save(page.values, page.request))
    path.write_text(file["text"], encoding="utf-8")
    page.values[extras.more.file] = str(path)
    *_, told = extras.replay(page.values, page.request)
    assert "The same text, word for word." in told and not path.exists()
    for wrong in ("[]", "{", json.dumps({**json.loads(file["text"]), "card": {"threads": 10**9}})):
        path.write_text(wrong, encoding="utf-8")
        *_, told = extras.replay(page.values, page.request)
        assert "atelier-alert" in told


def test_a_sweep_fills_its_pictures(page: Page) -> None:
    sweeping = page.of(Sweeping)
    parts = sweeping.parts
    page.take({parts.boxes["verses"]: "5, 8", parts.boxes["ranges"]: "1-3", parts.boxes["seeds"]: 2,
               parts.boxes["shots"]: [0, 1]})  # fmt: skip
    assert "8 cells" in sweeping.estimate(page.values)
    begun = page.take(sweeping.start(page.values, page.request))
    assert begun[parts.clock].active
    (job,) = page.engine.jobs.list("local", ("queued", "running"))
    page.engine.jobs.wait(job.id, SOON_S)
    told = page.take(sweeping.look(page.values, page.request))
    assert "Done: 8 of 8 cells." in told[parts.progress] and not told[parts.clock].active
    assert told[parts.plot].value is not None and "tokens" in told[parts.effective]
    assert parts.plot not in sweeping.look(page.values, page.request)  # nothing new: nothing is drawn again
    for kind in ("csv", "json", "svg", "png"):
        (file,) = json.loads(sweeping.file(kind, page.values, page.request))
        assert file["name"] == f"comptine-heat_map.{kind}" and (file.get("text") or file["base64"])
    page.values |= {parts.first: "0", parts.second: "1"}
    assert "2 seeds" in sweeping.compared(page.values, page.request)
    page.values[parts.view] = "table"
    assert page.take(sweeping.look(page.values, page.request))[parts.table].count("<tr>") == 5
    assert sweeping.there(page.request).visible


def test_a_wrong_sweep_is_a_sentence_and_another_ones_is_not_there(page: Page) -> None:
    sweeping = page.of(Sweeping)
    parts = sweeping.parts
    many = ",".join(map(str, range(1, 60)))
    for name, wrong, said in (("verses", "x", "cannot be run"), ("verses", many, "more than"),
                              ("ranges", "900-901", "beyond the rhyme"), ("seeds", 0, "cannot be run")):  # fmt: skip
        values = page.values | {parts.boxes[name]: wrong} | ({parts.boxes["seeds"]: 100} if wrong == many else {})
        assert said in sweeping.estimate(values), wrong
    page.values[parts.choose] = "../../else.jsonl"
    assert "No sweep yet" in sweeping.look(page.values, page.request)[parts.progress]
