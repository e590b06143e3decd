"""The class as the teacher sees it: people, answers under way, the queue; nobody's text. Knows no layout."""

from __future__ import annotations

import html

import gradio as gr

from apps.gradio_kit import Ui
from apps.gradio_shelf import table
from engine.people import Person


class Room:
    """The handler of the class tab."""

    def __init__(self, ui: Ui) -> None:
        self.ui = ui

    def shown(self, model_id: str, request: gr.Request) -> tuple[str, str]:
        """How busy the machine is, and who is here; nothing for a student."""
        if self.ui.person(request).role != "teacher":
            return "", ""
        return self._load(model_id), self._people()

    def _load(self, model_id: str) -> str:
        runtime = self.ui.engine.loaded(model_id)
        gate = runtime.gate.snapshot() if runtime is not None and runtime.gate is not None else None
        facts = {"running": gate.running, "waiting": len(gate.waiting), "slots": gate.slots} if gate else {}
        return table(
            (self.ui.t(f"room.{name}") for name in facts), [map(str, facts.values())], self.ui.t("section.room")
        )

    def _people(self) -> str:
        people = self.ui.engine.people.all()
        if not people:
            return f"<p>{html.escape(self.ui.t('room.nobody'))}</p>"
        head = (self.ui.t(f"room.{name}") for name in ("nickname", "role", "since"))
        return table(head, map(self._row, people), self.ui.t("room.people"))

    def _row(self, person: Person) -> list[str]:
        return [person.nickname, self.ui.t(f"room.{person.role}"), f"{person.created.astimezone():%H:%M}"]
