"""What the events of the blind vote do: a pair asked and followed, the vote, the board, files. Knows no layout."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.acts import button, said
from apps.gradio_chat.face import outgoing
from apps.gradio_compare.pairs import Pair, Pairs
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_kit import Ui
from apps.ui import compare_vote, present
from apps.ui.compare_vote import EXAMPLES, LETTERS, WINNERS
from engine.compare.blind import Look
from engine.compare.exchange import exported, imported
from engine.compare.fastchat import BYTES_MAX
from engine.errors import EngineError

MIME = "application/jsonl"
BOARD_EVERY_S = 3.0


@dataclass(frozen=True)
class Parts:
    """The components; `where` keeps the id of the page's pair, `seen` what the board was drawn from."""

    question: gr.Textbox
    tag: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    alert: gr.HTML
    answers: gr.HTML
    votes: gr.HTML
    topic: gr.Dropdown
    board: gr.HTML
    clock: gr.Timer
    files: gr.HTML
    teacher: gr.Column
    models: gr.Dropdown
    choose: gr.Button
    take: gr.UploadButton
    sure: gr.Checkbox
    clear: gr.Button
    told: gr.HTML
    troubles: gr.HTML
    outbox: gr.Textbox
    where: gr.State
    seen: gr.State

    @property
    def written(self) -> list[Any]:
        """What asking and voting write; few enough for a browser."""
        return [self.alert, self.answers, self.votes, self.stop, self.where]


class Desk:
    """The handlers; what belongs to a page comes with its events."""

    def __init__(self, ui: Ui, parts: Parts) -> None:
        self.ui, self.parts, self._open = ui, parts, Pairs()

    def opened(self, request: gr.Request) -> Update:
        """The examples, and what is the teacher's, as the tab comes into sight."""
        person, arena, parts = self.ui.person(request), self.ui.engine.arena, self.parts
        teacher = person.role == "teacher"
        names, chosen = (self._names(request), arena.models()) if teacher else ({}, ())  # a page hides nothing
        known = [(names.get(one, one), one) for one in dict.fromkeys((*names, *chosen))]
        files = [button("mine", f"⤓ {self.ui.t('compare_vote.export_mine')}")]
        if teacher:
            all_ = button("all", f"⤓ {self.ui.t('compare_vote.export')}", self.ui.t("compare_vote.export_help"))
            files.insert(0, all_)
        return {
            parts.teacher: gr.Column(visible=teacher),
            parts.models: gr.Dropdown(known, value=list(chosen), multiselect=True, allow_custom_value=True),
            parts.files: f'<div role="toolbar">{"".join(files)}</div>',
            parts.clock: gr.Timer(BOARD_EVERY_S, active=True),
        }

    def asked(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """A new pair for what is written in the form, as it comes."""
        yield from self._asked(
            values, request, str(values[self.parts.question] or ""), str(values[self.parts.tag] or "")
        )

    def clicked(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """An example, or a vote."""
        told = said(event)
        if told.get("example") in EXAMPLES:
            question, tag = compare_vote.example(told["example"], self.ui.words)
            yield from self._asked(values, request, question, tag)
            return
        yield self._voted(values, request, told.get("vote", ""))

    def stop(self, values: Values, request: gr.Request) -> None:
        """End both answers."""
        pair = self._found(values, request)
        if pair is not None:
            pair.blind.stop()

    def broken(self) -> tuple[Any, ...]:
        """What is shown after a defect of our own, whose traceback is in the log."""
        return kit.error_html(present.neutral_error(self.ui.words), self.ui), gr.Button(visible="hidden")

    def looked(self, values: Values, request: gr.Request) -> Update:
        """The board, where it is another one than the page shows."""
        parts, arena = self.parts, self.ui.engine.arena
        try:
            every = arena.board()
            tag = str(values[parts.topic] or "")
            board = arena.board(tag) if tag else every
        except EngineError as error:
            return {parts.board: kit.error_html(error, self.ui), parts.topic: gr.skip(), parts.seen: ""}
        drawn = self._board_html(board, self._names(request))
        if values[parts.seen] == drawn:
            return {parts.board: gr.skip(), parts.topic: gr.skip(), parts.seen: gr.skip()}
        topics = [(told, name) for name, told in compare_vote.tags(every, self.ui.words).items()]
        known = tag if tag in dict(every.tags) else ""
        return {parts.board: drawn, parts.topic: gr.Dropdown(topics, value=known), parts.seen: drawn}

    def troubled(self, request: gr.Request) -> str:
        """For the teacher, which models gave no answer the last time."""
        if self.ui.person(request).role != "teacher":
            return ""
        found = self.ui.engine.arena.turns.troubles()
        return lines_html(compare_vote.troubles(found, self._names(request), self.ui.words)) if found else ""

    def save(self, event: gr.EventData, request: gr.Request) -> str:
        """Votes as a file for the browser: one's own with texts, the teacher's of everybody without."""
        person, what = self.ui.person(request), said(event).get("act")
        lines = exported(self.ui.engine.arena, person, texts=what != "all")
        return f"[{outgoing('votes.jsonl', MIME, ''.join(lines))}]"

    def choose(self, values: Values, request: gr.Request) -> str:
        """These models vie."""
        arena, chosen = self.ui.engine.arena, values[self.parts.models] or ()
        return self._tried(lambda: " · ".join(arena.choose(chosen, role=self.ui.person(request).role)))

    def bring(self, values: Values, request: gr.Request) -> str:
        """Votes of a file, added."""
        path = values[self.parts.take]
        if path is None:
            return ""

        def bring() -> str:
            file = Path(path)
            with file.open("rb") as opened:
                name, data = file.name, opened.read(BYTES_MAX + 1)
            file.unlink(missing_ok=True)
            return self.ui.t(
                "compare_vote.brought", **imported(self.ui.engine.arena, self.ui.person(request), data, name)
            )

        return self._tried(bring)

    def clear(self, values: Values, request: gr.Request) -> Update:
        """All votes deleted, once that was ticked."""
        parts, person = self.parts, self.ui.person(request)

        def clear() -> str:
            if person.role == "teacher" and not values[parts.sure]:
                return self.ui.t("compare_vote.clear")
            return self.ui.t("compare_vote.cleared", count=self.ui.engine.arena.clear(role=person.role))

        return {parts.told: self._tried(clear), parts.sure: False}

    def start_html(self) -> str:
        """Where nothing was asked yet: what runs with one click."""
        t = self.ui.t
        acts = "".join(button("example", t(f"compare_vote.example.{name}"), example=name) for name in EXAMPLES)
        told = html.escape(t("compare_vote.examples"))
        return f'<p class="atelier-note">{told}</p><div role="toolbar" aria-label="{told}">{acts}</div>'

    def _asked(self, values: Values, request: gr.Request, question: str, tag: str) -> Iterator[Update]:
        parts, person = self.parts, self.ui.person(request)
        try:
            pair = Pair(self.ui.engine, person, question, tag)
        except EngineError as error:
            yield {parts.alert: kit.error_html(error, self.ui)}
            return
        before = self._found(values, request)
        if before is not None:
            before.blind.stop()
        name = self._open.keep(person.id, pair)
        yield {parts.where: name, parts.alert: "", parts.votes: "", parts.stop: gr.Button(visible=True)}
        try:
            for look in pair.looks():
                yield {parts.answers: self._answers_html(pair, look), parts.votes: self._votes_html(look)}
        except EngineError as error:
            yield {parts.alert: kit.error_html(error, self.ui)}
        yield {parts.stop: gr.Button(visible="hidden")}

    def _voted(self, values: Values, request: gr.Request, winner: str) -> Update:
        parts, pair = self.parts, self._found(values, request)
        if pair is None:
            return {parts.alert: gr.skip()}
        try:
            pair.vote = pair.blind.vote(winner)
        except EngineError as error:
            return {parts.alert: kit.error_html(error, self.ui)}
        lines = compare_vote.revealed(pair.vote, self._names(request), self.ui.words)
        return {parts.alert: "", parts.votes: lines_html(lines)}

    def _found(self, values: Values, request: gr.Request) -> Pair | None:
        return self._open.find(self.ui.person(request).id, str(values[self.parts.where] or ""))

    def _names(self, request: gr.Request) -> Mapping[str, str]:
        """Names of the models that this person can choose, by id."""
        cards = self.ui.engine.models(self.ui.person(request).role)
        return {card.id: card.name for card in cards if not card.problem}

    def _answers_html(self, pair: Pair, look: Look) -> str:
        columns = "".join(
            f"<section><h4>{html.escape(self.ui.t('compare_vote.answer', letter=letter))}</h4>"
            f'<div class="compare-text">{html.escape(text) or "…"}</div></section>'
            for letter, text in zip(LETTERS, (look.left, look.right), strict=True)
        )
        question = html.escape(pair.blind.question)
        return f'<p><strong>{question}</strong></p><div class="compare-columns" tabindex="0">{columns}</div>'

    def _votes_html(self, look: Look) -> str:
        told = html.escape(compare_vote.state(look, self.ui.words))
        note = f'<p class="atelier-note">{told}</p>'
        if look.running or look.failed:
            return note
        acts = "".join(button("vote", self.ui.t(f"compare_vote.vote.{winner}"), vote=winner) for winner in WINNERS)
        return f'{note}<div role="toolbar" aria-label="{told}">{acts}</div>'

    def _board_html(self, board: Any, names: Mapping[str, str]) -> str:
        words = self.ui.words
        if not board.ratings.standings:
            return lines_html([self.ui.t("compare_vote.board_empty")])
        rows = table_html(compare_vote.head(words), compare_vote.rows(board, names, words))
        bars = compare_vote.intervals_html(board, names, words)
        return f"{rows}{bars}{lines_html(compare_vote.notes(board, words))}"

    def _tried(self, act: Any) -> str:
        try:
            return lines_html([act()])
        except EngineError as error:
            return kit.error_html(error, self.ui)
