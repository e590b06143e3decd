"""The samplers in the Gradio mirror: the real model seen from inside, by the named endpoints and in the tab."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps.gradio_app import build
from apps.gradio_sampling.acting import Acting
from apps.gradio_sampling.filling import Filling
from apps.options import Options
from apps.ui.sampling import EXERCISES, recipe_of
from engine.backends.base import Backend
from engine.catalog import BUNDLED, ModelCard
from engine.engine import Engine
from engine.params import Params
from engine.sampling import Exploration, lens_of
from engine.sampling.telling import explored
from tests.gradio.conftest import EchoEngine, Site, serving

pytestmark = pytest.mark.model
FRANCE = "The capital of France is"


class PlainEngine(EchoEngine):
    """The backends as they are."""

    def _backend(self, card: ModelCard) -> Backend:
        return Engine._backend(self, card)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("sampling")
    with serving(home, PlainEngine, model=BUNDLED, prepare=False, window=256, threads=1, slots=2) as running:
        yield running


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


def test_stages_are_those_of_the_engine(client: Client, site: Site) -> None:
    told = client.predict(FRANCE, {"seed": 7}, "huggingface", top=3, api_name="/sampling_stages")
    head, steps = explored(site.engine, site.engine.model(), FRANCE, recipe_of(Params(seed=7), "huggingface"), top=3)
    assert told == {**head, "steps": list(steps)}
    assert [stage["name"] for stage in told["steps"][0]["stages"]][:3] == ["raw", "penalties", "temperature"]
    assert told["steps"][0]["stages"][0]["top"][0]["text"] == "␣Paris" and not told["top_n_only"]


def test_steps_write_what_the_darts_hit(client: Client) -> None:
    updates = list(client.submit(FRANCE, 3, {"seed": 7, "top_k": 1}, api_name="/sampling_step"))
    text, told = updates[-1]
    assert text.startswith(" Paris") and len(told["tokens"]) == 3 and told["seed"] == 7
    assert text == "".join(one["text"] for one in told["tokens"])
    assert all(one["begin"] == 0.0 and one["end"] == 1.0 and one["survivors"] == 1 for one in told["tokens"])
    assert all(not known for _, known in updates[:-1])
    form = {"kind": "grammar", "source": 'root ::= "no"'}
    _, told = client.predict(FRANCE, 5, **form, api_name="/sampling_step")
    assert "".join(one["text"] for one in told["tokens"]).startswith("no")


def test_what_cannot_be_asked_is_a_sentence(client: Client) -> None:
    wrong = [({"order": "mine"}, "bad_input"), ({"params": {"top_p": 3}}, "bad_parameter"),
             ({"text": "word " * 400}, "prompt_too_long"), ({"model": "nope"}, "unknown_model"),
             ({"kind": "grammar", "source": "root ::= ("}, "bad_grammar")]  # fmt: skip
    for given, code in wrong:
        with pytest.raises(AppError, match=code):
            client.predict(**{"text": FRANCE, **given}, api_name="/sampling_stages")
    with pytest.raises(AppError, match="bad_input"):
        client.predict(FRANCE, 100_000, api_name="/sampling_step")


def test_a_model_elsewhere_tells_its_likeliest_tokens_alone(client: Client) -> None:
    told = client.predict("hello there", model="echo", api_name="/sampling_stages")
    assert told["top_n_only"] and told["ids"] is None and told["steps"][0]["wrote"] == "hello"


@dataclass
class Page:
    """One browser page: the values of its components, and the handlers that change them."""

    engine: Engine
    acting: Acting
    filling: Filling
    values: dict[Any, Any]
    name: str = "page"

    @property
    def request(self) -> Any:
        return SimpleNamespace(headers={}, session_hash=self.name, query_params={"order": "huggingface", "way": "mine"})

    @property
    def written(self) -> tuple[int, ...]:
        known = self.acting.drawing.page(self.request).exploration(BUNDLED)
        return known.written if known else ()

    def take(self, update: dict[Any, Any] | None) -> dict[Any, Any]:
        """What the browser would hold after it."""
        for part, new in (update or {}).items():
            self.values[part] = new.value if isinstance(new, gr.components.Component) else new
        return update or {}

    def do(self, handler: Any, *given: Any) -> dict[Any, Any]:
        return self.take(handler(self.values, *given, self.request))

    def look(self, text: str) -> None:
        self.values[self.acting.parts.text] = text
        for update in self.acting.look(self.values, self.request):
            self.take(update)
        self.take(self.acting.drawing.drawn(self.values, self.request))


@pytest.fixture(scope="module")
def blocks(site: Site) -> gr.Blocks:
    return build(site.engine, "en", Options())


@pytest.fixture
def page(site: Site, blocks: gr.Blocks, request: pytest.FixtureRequest) -> Page:
    bound = [function.fn.__self__ for function in blocks.fns.values() if hasattr(function.fn, "__self__")]
    acting, filling = (next(one for one in bound if isinstance(one, kind)) for kind in (Acting, Filling))
    values = {part: getattr(part, "value", None) for part in blocks.blocks.values()}
    return Page(site.engine, acting, filling, values, request.node.name)


def clicked(**told: Any) -> Any:
    return SimpleNamespace(_data=told)


def test_an_example_is_looked_at_and_settings_ask_nobody(page: Page, site: Site) -> None:
    parts = page.acting.parts
    assert page.acting.example(clicked(name="capital"))[parts.text] == FRANCE
    page.look(FRANCE)
    drawn = page.values[parts.waterfall]
    assert drawn["rows"][0]["text"] == "␣Paris" and len(drawn["columns"]) == 5
    page.look("The cat of the old school")  # which nobody has continued
    lens = lens_of(site.engine)
    os.kill(lens.pid or 0, signal.SIGKILL)  # who asks the worker now is told of its death
    page.values[page.acting.drawing.bar.params["top_k"]] = 1
    drawn = page.do(page.acting.drawing.settled)[parts.waterfall]
    assert drawn["columns"][1]["lines"][0] == "1 left" and page.values[parts.alert] == ""
    assert "runtime_died" in page.do(page.acting.step)[parts.alert] and page.written == ()
    page.do(page.acting.step)  # it has been started again
    assert len(page.written) == 1 and page.values[parts.alert] == ""


def test_steps_branches_and_back(page: Page, tmp_path: Path) -> None:
    acting, parts = page.acting, page.acting.parts
    page.look(FRANCE)
    seen = [page.take(update) for update in acting.run(page.values, page.request)]
    assert len(page.written) == 10 and all(set(update) <= {parts.progress, parts.strip} for update in seen)
    first = page.written
    page.do(acting.back)
    other = next(row["id"] for row in page.values[parts.waterfall]["rows"] if row["id"] not in (None, first[-1]))
    page.do(acting.take, clicked(token=other))
    assert page.written == (*first[:-1], other)
    page.do(acting.take, clicked(token=10**9))
    assert page.written == (*first[:-1], other)
    alternative = page.values[parts.strip]["tokens"][0]["alternatives"][1]["text"]
    page.do(acting.instead, clicked(position=0, text=alternative))
    assert len(page.written) == 1 and page.values[parts.tree].count("<button") == 4
    page.do(acting.node, clicked(node=""))
    assert page.written == ()
    page.do(acting.draw)
    assert "χ²" in page.values[parts.draws]
    (file,) = json.loads(acting.file("json", page.values, page.request))
    saved = tmp_path / "session.json"
    saved.write_text(file["text"], encoding="utf-8")
    assert len(Exploration.from_json(file["text"]).nodes) == 12
    for name, begin in (("svg", "<svg"), ("csv", "token,text")):
        assert json.loads(acting.file(name, page.values, page.request))[0]["text"].startswith(begin)
    page.name = "another page"
    assert page.written == () and acting.file("json", page.values, page.request) == ""
    page.do(acting.resume, str(saved))
    page.do(acting.node, clicked(node="9"))
    assert page.written == first and not saved.exists()


def test_two_settings_and_a_grid(page: Page) -> None:
    acting, parts = page.acting, page.acting.parts
    page.look(FRANCE)
    page.values |= {parts.view: "two", parts.second["top_k2"]: 2, parts.samples: 1, parts.tokens: 2}
    page.do(acting.drawing.settled)
    assert "Distance" in page.values[parts.compared] and page.values[parts.other]["columns"][2]["lines"][0] == "2 left"
    updates = list(page.filling.fill(page.values, page.request))
    assert "9 of 9" in updates[-2][parts.filling] and updates[-2][parts.cells].count("1 different of 1") == 9
    assert json.loads(acting.file("grid", page.values, page.request))[0]["text"].count("\n") == 10


def test_what_the_controls_cannot_say_is_a_sentence(page: Page) -> None:
    acting, parts = page.acting, page.acting.parts
    opened = acting.opened(page.request)
    assert opened[parts.order] == "huggingface" and opened[parts.way] == "raw"
    assert opened[parts.exercises].count("<li>") == len(EXERCISES)
    page.look("word " * 400)
    assert "prompt_too_long" in page.values[parts.alert]
    page.look(FRANCE)
    page.values |= {parts.form["kind"]: "grammar", parts.form["source"]: "root ::= ("}
    assert "bad_grammar" in page.do(acting.drawing.settled)[parts.alert]
    page.values[parts.form["source"]] = 'root ::= " London"'
    assert "The form allows" in page.do(acting.drawing.settled)[parts.told]
    page.values[acting.drawing.bar.model] = "echo"
    page.look("hello there")
    assert "top-N only" in page.values[parts.told]
