"""A question to the documents: answers as they come, with their passages, and what they are worth. Handlers.

In three events, as a run of the rhyme: ready, followed, ended. Knows no layout.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import acts
from apps.gradio_chat.face import outgoing
from apps.gradio_documents.desk import Desk, Held, Update, Values, lines_html
from apps.gradio_documents.keeping import Keeping
from apps.gradio_documents.questions import Ask
from apps.ui import present
from apps.ui.asking import Asked, Look, asked, record
from apps.ui.citations import linked, unknown_numbers
from apps.ui.documents import notes, nothing
from apps.ui.passages import passage_data
from engine.errors import BadInput, EngineError
from engine.types import Message

EXAMPLES = ("first", "second", "third")
NAMES = ("with", "without")
DRAW_EVERY_S = 0.15
ALIVE_S = 1.0
Looks = Mapping[str, Look]


class Answers:
    """What the events of the tab that answers do."""

    def __init__(self, desk: Desk, keeping: Keeping, parts: Ask) -> None:
        self.desk, self.keeping, self.parts, self.ui = desk, keeping, parts, desk.ui
        self._asked: dict[tuple[str, str], Mapping[str, Asked]] = {}

    def examples(self) -> str:
        """Three questions that run with one click."""
        t = self.ui.t
        buttons = " ".join(acts.button("example", t(f"documents_ask.example.{name}"), t("documents_ask.sample_first"),
                                       name=name) for name in EXAMPLES)  # fmt: skip
        return f"<p>{html.escape(t('documents_ask.empty'))}</p>{buttons}"

    def ask(self, values: Values, request: gr.Request) -> Update:
        """Ready for the question that was typed."""
        return self._begun(str(values[self.parts.question] or "").strip(), values, request)

    def example(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """Our documents opened, made first where needed, and the question kept until they are there."""
        name = acts.said(event).get("name")
        if name not in EXAMPLES:  # a browser may say anything
            return {self.parts.pending: None}
        person = self.desk.person(request)
        try:
            one = self.keeping.samples(values, person)
        except EngineError as error:
            return {self.parts.alert: kit.error_html(error, self.ui), self.parts.pending: None}
        question = self.ui.t(f"documents_ask.example.{name}")
        update = self.keeping.shown(one, person) | {self.parts.pending: question, self.parts.question: question}
        if self.desk.job(one) is not None:
            told = html.escape(self.ui.t("documents_ask.pending", question=question))
            update[self.parts.progress] = f"<p role='status'>{told}</p>"
        return update

    def waiting(self, values: Values, request: gr.Request) -> Update:
        """The question that waits, once its documents are there."""
        question = values[self.parts.pending]
        one = self.desk.found(values, self.desk.person(request))
        if not question or self.desk.job(one) is not None:
            return {self.parts.pending: gr.skip()}
        if one is None or not one.chunks:
            return {self.parts.wanted: None, self.parts.pending: None, self.parts.progress: ""}
        return self._begun(question, values, request)

    def follow(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """The answers to their end. Who goes away ends them."""
        parts, page = self.parts, self._page(request)
        if values[parts.wanted] is None or page in self._asked:
            yield {parts.alert: gr.skip()}
            return
        try:
            self._asked[page] = going = asked(self._wanted(values, request), lambda: True)
            yield from self._updates(going)
        except EngineError as error:
            yield {parts.progress: "", parts.held: None, parts.alert: kit.error_html(error, self.ui)}
        finally:
            for one in self._asked.pop(page, {}).values():
                one.stop()

    def ended(self, values: Values, request: gr.Request) -> Update:
        """What the answers are worth, and the page ready for the next question."""
        parts = self.parts
        if values[parts.wanted] is None or self._page(request) in self._asked:
            return {parts.progress: gr.skip()}
        ready: Update = {parts.ask: gr.Button(visible=True), parts.stop: gr.Button(visible="hidden"),
                         parts.progress: "", parts.wanted: None}  # fmt: skip
        held: Held | None = values[parts.held]
        if held is None:
            return ready
        looks: Looks = held.value
        return ready | self._ended(looks, values)

    def stop(self, request: gr.Request) -> str:
        """End the page's answers; what was said so far is kept."""
        for one in self._asked.get(self._page(request), {}).values():
            one.stop()
        return kit.progress_html(present.Progress(self.ui.t("progress.stopping")))

    def broken(self) -> Update:
        """What is shown after a defect of our own, whose traceback is in the log."""
        parts = self.parts
        return {parts.progress: "", parts.alert: kit.error_html(present.neutral_error(self.ui.words), self.ui),
                parts.ask: gr.Button(visible=True), parts.stop: gr.Button(visible="hidden")}  # fmt: skip

    def save(self, values: Values) -> str:
        """The answer in sight with all that it was made from, for the browser to save."""
        held: Held | None = values[self.parts.held]
        look = of(held, values[self.parts.which])
        if look is None:
            return ""
        text = json.dumps(record(look), ensure_ascii=False, indent=1)
        return f"[{outgoing('answer.json', 'application/json', text)}]"

    def _page(self, request: gr.Request) -> tuple[str, str]:
        return self.desk.person(request).id, request.session_hash or ""

    def _begun(self, question: str, values: Values, request: gr.Request) -> Update:
        parts = self.parts
        try:
            self._check(question, values, request)
        except EngineError as error:
            return {parts.alert: kit.error_html(error, self.ui), parts.wanted: None, parts.pending: None}
        both = values[parts.compared] == "both"
        titles = [f"<p><strong>{html.escape(self.ui.t(f'documents_ask.{name}_title'))}</strong></p>" if both else ""
                  for name in NAMES]  # fmt: skip
        return {
            parts.question: question, parts.wanted: question, parts.pending: None, parts.examples: "", parts.alert: "",
            parts.ask: gr.Button(visible="hidden"), parts.stop: gr.Button(visible=True), parts.said: "",
            parts.progress: kit.progress_html(present.Progress(self.ui.t("documents_ask.searching"))),
            parts.titles[0]: titles[0], parts.titles[1]: titles[1], parts.answers[0]: "", parts.answers[1]: "",
            parts.second: gr.Column(visible=both), parts.passages: None, parts.left_out: None,
            parts.more: gr.Accordion(visible=False), parts.under: gr.Column(visible=False),
            parts.trace: gr.Accordion(open=False), parts.code: gr.Accordion(open=False),
        }  # fmt: skip

    def _check(self, question: str, values: Values, request: gr.Request) -> None:
        """Raises what holds the question up."""
        if not question:
            raise BadInput("an empty question", reason="empty_question")
        if self._page(request) in self._asked:
            raise BadInput("an answer is under way")
        self.desk.open(values, self.desk.person(request))

    def _wanted(self, values: Values, request: gr.Request) -> Mapping[str, Any]:
        """All that the answers are made from. Raises EngineError."""
        person, parts = self.desk.person(request), self.parts
        one = self.desk.open(values, person)
        model_id, params = self.desk.bar.chosen(values)
        return {
            "engine": self.ui.engine, "owner": person.id, "collection": one.id, "question": values[parts.wanted],
            "model": self.ui.model(model_id, person), "params": params, "mode": values[parts.mode],
            "retrieval": self.desk.retrieval(values, one, person), "compared": values[parts.compared],
            "language": self.ui.lang, "history": tuple(values[parts.history] or ()) if values[parts.follow] else (),
        }  # fmt: skip

    def _updates(self, going: Mapping[str, Asked]) -> Iterator[Update]:
        """What is new in the answers, not more often than a page can draw."""
        said: Update = {}
        told = time.monotonic()
        while True:
            looks = {name: one.look for name, one in going.items()}
            drawn = self._drawn(looks)
            news = {part: new for part, new in drawn.items() if said.get(part) != new}
            done = all(look.done for look in looks.values())
            if news or time.monotonic() - told > ALIVE_S:
                told, said = time.monotonic(), drawn
                yield news or {self.parts.progress: gr.skip()}
            if done:
                yield {self.parts.progress: "", self.parts.held: Held(looks)}
                return
            time.sleep(DRAW_EVERY_S)

    def _drawn(self, looks: Looks) -> Update:
        parts, words = self.parts, self.ui.words
        update: Update = {}
        for (_, look), answer in zip(looks.items(), parts.answers, strict=False):
            if look.text:
                update[answer] = present.safe_markdown(look.text)
        grounding = next((look.grounding for look in looks.values() if look.grounding is not None), None)
        if grounding is not None and grounding.sources:
            update[parts.passages] = passage_data(grounding.sources, words)
        waits = [look for look in looks.values() if not look.text and not look.done]
        update[parts.progress] = self._waiting(waits[0]) if waits else ""
        return update

    def _waiting(self, look: Look) -> str:
        words = self.ui.words
        progress = present.progress_text(look.live.waiting, words)
        if look.stopping:
            progress = present.Progress(words.t("progress.stopping"))
        elif look.reading is not None:
            done, total = look.reading.done, look.reading.total
            said = words.t("documents_ask.reading", done=done, total=total)
            progress = present.Progress(said, done / total if total else None)
        elif look.grounding is None and look.live.waiting is None:
            progress = present.Progress(words.t("documents_ask.searching"))
        return kit.progress_html(progress)

    def _ended(self, looks: Looks, values: Values) -> Update:
        parts, t, words = self.parts, self.ui.t, self.ui.words
        errors = [look.error or (look.result.error if look.result else None) for look in looks.values()]
        broken = any(look.result is None and look.error is None for look in looks.values())
        alerts = [kit.error_html(error, self.ui) for error in errors if error is not None]
        alerts += [kit.error_html(present.neutral_error(words), self.ui)] if broken else []
        first = looks.get("with") or looks["without"]
        grounding = first.grounding
        left = grounding.left_out if grounding is not None else ()
        label = f"{t('documents_ask.left_out_title')} ({len(left)})"
        update: Update = {
            parts.alert: "".join(alerts),
            parts.said: lines_html(self._worth(first)),
            parts.left_out: passage_data(left, words) if left else None,
            parts.more: gr.Accordion(label=label, visible=bool(left)),
            parts.under: gr.Column(visible=any(look.result is not None for look in looks.values())),
            parts.stats: lines_html(self._stats(looks)),
            parts.which: gr.Radio(value=next(iter(looks)), visible=len(looks) > 1),
        }
        for (_, look), answer in zip(looks.items(), parts.answers, strict=False):
            if look.text:
                marks = look.answered.citations if look.answered is not None else ()
                update[answer] = linked(look.text, marks)
        return update | self._remembered(looks.get("with"), values)

    def _stats(self, looks: Looks) -> Iterator[str]:
        for name, look in looks.items():
            if look.result is not None and (look.grounding is None or look.grounding.asked):
                line = present.stats_line(look.result.outcome, look.result.usage, look.result.stats, self.ui.words)
                yield f"{self.ui.t(f'documents_ask.{name}_title')}: {line}" if len(looks) > 1 else line

    def _worth(self, look: Look) -> Iterator[str]:
        """Nothing found, refused, citing what is not there, citing nothing; then how the passages came."""
        t, words, answered, grounding = self.ui.t, self.ui.words, look.answered, look.grounding
        if answered is None or grounding is None:
            return
        if grounding.empty:
            yield nothing(grounding, words)
        elif not grounding.asked:
            yield t("documents_ask.not_asked")
        elif answered.refused:
            yield t("documents_ask.refused")
        if missing := unknown_numbers(answered.citations):
            yield t("documents_ask.unknown", numbers=", ".join(f"[{one}]" for one in missing))
        if grounding.asked and grounding.sources and not answered.cited and not answered.refused:
            yield t("documents_ask.uncited")
        yield from notes(grounding, words)

    def _remembered(self, look: Look | None, values: Values) -> Update:
        """Keep question and answer for those that go on from them."""
        if look is None or not look.text or look.grounding is None or not look.grounding.asked:
            return {}
        before = tuple(values[self.parts.history] or ()) if values[self.parts.follow] else ()
        said = (Message("user", look.question), Message("assistant", look.text))
        return {self.parts.history: (*before, *said), self.parts.follow: gr.Checkbox(visible=True)}


def of(held: Held | None, name: str) -> Look | None:
    """The answer of that name, else the only one."""
    if held is None:
        return None
    looks: Looks = held.value
    look = looks.get(name) or next(iter(looks.values()))
    return look if look.result is not None else None
