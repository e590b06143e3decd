"""What the tab shows of the place where one stands, under the settings of now. Asks the model for nothing it has said.

Knows no layout and no event.
"""

from __future__ import annotations

import math
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_components import scored_value
from apps.gradio_kit import Sidebar, Ui
from apps.gradio_sampling import texts
from apps.gradio_sampling.opened import Page, Pages, Seen
from apps.gradio_sampling.parts import Parts, Update, Values
from apps.ui import sampling
from apps.ui.present import Progress
from engine.errors import EngineError
from engine.model import Model
from engine.params import Params
from engine.sampling import Exploration, Moment, Recipe, TopN, compare, judged
from engine.token_view import Alternative, Scored

OTHERS = 8  # alternatives of a token that a model elsewhere told


class Drawing:
    """The page of somebody, and what is shown of it."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: Parts, pages: Pages) -> None:
        self.ui, self.bar, self.parts, self.pages = ui, bar, parts, pages

    def page(self, request: gr.Request) -> Page:
        """The page of who asks. Raises AccessDenied."""
        return self.pages.of(self.ui.person(request).id, request.session_hash or "")

    def model(self, values: Values, request: gr.Request) -> Model:
        """The chosen model. Raises UnknownModel, AccessDenied."""
        return self.ui.model(values[self.bar.model], self.ui.person(request))

    def recipe(self, values: Values, *, second: bool = False) -> Recipe:
        """How a token is chosen, as the controls say. Raises BadParameter."""
        parts, (_, params) = self.parts, self.bar.chosen(values)
        order = values[parts.order]
        if second:
            held = {name: values[box] for name, box in parts.second.items()}
            order = held.pop("order2")
            params = Params({**params, **{name.removesuffix("2"): value for name, value in held.items()}})
        kind, source = (values[parts.form[name]] for name in ("kind", "source"))
        return sampling.recipe_of(params, order, kind, source or "")

    def drawn(self, values: Values, request: gr.Request) -> Update:
        """Everything."""
        page, parts = self.page(request), self.parts
        ready: Update = {
            parts.progress: "",
            parts.run: gr.Button(visible=True),
            parts.stop: gr.Button(visible="hidden"),
        }
        with page.lock:
            failure = page.failure
            try:
                model = self.model(values, request)
                shown = self._written(page, model)
                shown |= self._pictures(page, model, values)
            except EngineError as error:
                return ready | {parts.alert: kit.error_html(failure or error, self.ui)}
        alert = kit.error_html(failure, self.ui) if failure else shown.get(parts.alert, "")
        return ready | shown | {parts.alert: alert}

    def settled(self, values: Values, request: gr.Request) -> Update:
        """What other settings change."""
        page = self.page(request)
        with page.lock:
            try:
                return self._pictures(page, self.model(values, request), values)
            except EngineError as error:
                return {self.parts.alert: kit.error_html(error, self.ui)}

    def told(self, text: str, share: float | None = None) -> str:
        """How far something is."""
        return kit.progress_html(Progress(text, share))

    def strip(self, exploration: Exploration) -> Any:
        """The answer so far, for the strip."""
        return scored_value([node.scored for node in exploration.path()], self.ui.words)

    def _written(self, page: Page, model: Model) -> Update:
        """The text, the branches, and whether there are any. Raises EngineError."""
        parts, t = self.parts, self.ui.t
        known, inside = page.exploration(model.card.id), inside_of(model)
        there = known is not None or (not inside and page.places[0] == model.card.id and bool(page.places[1]))
        shown: Update = {parts.examples: "" if there else texts.examples(self.ui), parts.gap: ""}
        if there is not page.there:  # a column that is shown again would show what is hidden in it
            page.there = there
            name = t("sampling.new" if there else "sampling.prompt")
            shown |= {parts.asked: gr.Accordion(label=name, open=not there), parts.explored: gr.Column(visible=there)}
        if known is not None:
            return shown | self._explored(page.open(self.ui.engine, model), known)
        if not inside and there:
            shown |= {parts.strip: scored_value(_scored(page), self.ui.words, choosable=False), parts.tree: ""}
            shown |= {parts.prompt: texts.lines(t("sampling.top_n_written")), parts.runtime: "", parts.ended: ""}
        if not inside and "logprobs" not in model.capabilities:
            shown[parts.examples] = texts.lines(t("sampling.local_only"))
        return shown

    def _explored(self, seen: Seen, known: Exploration) -> Update:
        parts, t = self.parts, self.ui.t
        ended = bool(known.written) and known.written[-1] in seen.vocabulary.ends
        note = "sampling.ended" if ended else None if known.written else "sampling.written_none"
        return {
            parts.prompt: texts.prompt(known, self.ui),
            parts.strip: self.strip(known),
            parts.ended: texts.lines(t(note)) if note else "",
            parts.tree: texts.tree(known, self.ui),
            parts.runtime: texts.lines(t("sampling.runtime", runtime=seen.runtime, model=seen.lens.path.name)),
        }

    def _pictures(self, page: Page, model: Model, values: Values) -> Update:
        """The waterfalls. Raises EngineError."""
        parts = self.parts
        free = values[parts.form["kind"]] == "text"
        shown: Update = {
            parts.alert: "",
            parts.less: self._less(values),
            parts.form["source"]: gr.Textbox(visible="hidden" if free else True),
        }
        known = page.exploration(model.card.id)
        if known is not None:
            seen = page.open(self.ui.engine, model)
            recipe = self.recipe(values)
            now = page.moment(seen, known, recipe)
            shown |= self._now(now, seen.vocabulary.shown, page, recipe)
            if values[parts.view] == "two":
                shown |= self._two(now, page.moment(seen, known, self.recipe(values, second=True)), seen)
        elif page.places[0] == model.card.id and page.places[1]:
            shown |= self._outside(page, values)
        return shown

    def _now(self, now: Moment, text: sampling.Shown, page: Page, recipe: Recipe) -> Update:
        parts, words = self.parts, self.ui.words
        said = [sampling.allowed_told(now, words), None if now.dart else words.t("sampling.nothing_left")]
        return {
            parts.waterfall: sampling.waterfall_data(now, text, words),
            parts.told: texts.lines(*(one for one in said if one)),
            parts.draws: texts.draws(now, text, recipe.seed, self.ui) if page.drawn else "",
            parts.table: texts.stages(now, text, self.ui),
        }

    def _two(self, one: Moment, other: Moment, seen: Seen) -> Update:
        parts, words, text = self.parts, self.ui.words, seen.vocabulary.shown
        found = compare(one.stages[-1], other.stages[-1])
        return {
            parts.compared: texts.lines(sampling.compared_told(found, words)),
            parts.one: sampling.waterfall_data(one, text, words, choosable=False),
            parts.other: sampling.waterfall_data(other, text, words, choosable=False),
        }

    def _outside(self, page: Page, values: Values) -> Update:
        """Of a model elsewhere: its likeliest tokens at the place in hand."""
        parts, words = self.parts, self.ui.words
        place = page.places[1][page.place]
        names = [one.shown for one in place.candidates]
        now = judged(place.logits(), self.recipe(values), (), page.place)
        said = words.t("sampling.top_n", n=len(names), share=sampling.percent(place.told, words))
        return {
            parts.waterfall: sampling.waterfall_data(now, names.__getitem__, words, choosable=False),
            parts.told: texts.lines(said),
            parts.draws: "",
            parts.table: texts.stages(now, names.__getitem__, self.ui),
        }

    def _less(self, values: Values) -> str:
        keys = []
        if values[self.parts.order] == "huggingface":
            keys.append("sampling.order_less")
        return texts.lines(*(self.ui.t(key) for key in keys))


def inside_of(model: Model) -> bool:
    """Whether the model is a file here, which can be looked into."""
    return model.card.backend == "llamacpp"


def _scored(page: Page) -> list[Scored]:
    """The tokens up to the place in hand, that one last."""
    return [
        Scored(place.wrote.decode("utf-8", "replace"), _share(place),
               tuple(Alternative(one.shown, _p(one.logprob)) for one in place.candidates[:OTHERS]))
        for place in page.places[1][: page.place + 1]
    ]  # fmt: skip


def _share(place: TopN) -> float:
    return next((_p(one.logprob) for one in place.candidates if one.piece == place.wrote), 0.0)


def _p(logprob: float) -> float:
    return math.exp(logprob)
