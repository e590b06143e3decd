"""The class as the teacher sees it: people, answers under way, the queue; nobody's text. Knows no layout."""

from __future__ import annotations

import html

import gradio as gr

from apps import gradio_kit as kit
from apps import host
from apps.announce import addresses
from apps.classroom import grouped
from apps.gradio_kit import Ui
from apps.gradio_shelf import table
from engine.errors import EngineError
from engine.person import Person


class Room:
    """The handlers of the class tab; a student gets nothing from them."""

    def __init__(self, ui: Ui) -> None:
        self.ui = ui

    def shown(self, model_id: str, request: gr.Request) -> tuple[str, str, str]:
        """The codes, how busy the machine is, and who is here."""
        if self.ui.person(request).role != "teacher":
            return "", "", ""
        return self._codes() if self.ui.options.guarded else "", self._load(model_id), self._people()

    def wipe(self, request: gr.Request) -> str:
        """Delete everything of the class."""
        try:
            host.require(self.ui.person(request))
            self.ui.engine.people.wipe_class()
        except EngineError as error:
            return kit.error_html(error, self.ui)
        return f"<p>{html.escape(self.ui.t('room.wiped'))}</p>"

    def _codes(self) -> str:
        codes, t = host.classroom().codes, self.ui.t
        student, teacher = (html.escape(grouped(code)) for code in (codes.student, codes.teacher))
        reached = " · ".join(f"<code>{html.escape(base)}</code>" for base in addresses(self.ui.options))
        return (
            f"<p><strong>{html.escape(t('room.address'))}</strong> {reached or html.escape(t('serve.no_network'))}</p>"
            f"<p><strong>{html.escape(t('room.student_code'))}</strong> <code>{student}</code>"
            f"{kit.hint(t('room.codes_help'))}</p>"
            f"<details><summary>{html.escape(t('room.show_teacher_code'))}</summary><code>{teacher}</code></details>"
        )

    def _load(self, model_id: str) -> str:
        runtime = self.ui.engine.loaded(model_id)
        gate = runtime.gate.snapshot() if runtime is not None and runtime.gate is not None else None
        if gate is None:
            return ""
        facts = {"running": gate.running, "waiting": len(gate.waiting), "slots": gate.slots}
        return table(
            (self.ui.t(f"room.{name}") for name in facts), [map(str, facts.values())], self.ui.t("section.room")
        )

    def _people(self) -> str:
        people, title = self.ui.engine.people.all(), f"<h3>{html.escape(self.ui.t('room.people'))}</h3>"
        if not people:
            return f"{title}<p>{html.escape(self.ui.t('room.nobody'))}</p>"
        head = (self.ui.t(f"room.{name}") for name in ("nickname", "role", "since"))
        return title + table(head, map(self._row, people), self.ui.t("room.people"))

    def _row(self, person: Person) -> list[str]:
        return [person.nickname, self.ui.t(f"room.{person.role}"), f"{person.created.astimezone():%H:%M}"]
