"""The components of the chat tab that handlers read and write, and the small values that a page keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_chat.rows import SHOWN
from engine.types import Role

ROLES: tuple[Role, ...] = ("user", "assistant", "system")
TARGETS = ("both", "left", "right")


@dataclass(frozen=True)
class Where:
    """Where a page stands: the open conversation, the message in hand (None: the last one), how many are shown."""

    chat: str | None = None
    hand: str | None = None
    editing: bool = False
    shown: int = SHOWN


@dataclass(frozen=True)
class Composer:
    """What both chats of a page share: the input, its role and files, and the looks from outside."""

    box: gr.Textbox
    kept: gr.Textbox
    send: gr.Button
    stop: gr.Button
    role: gr.Dropdown
    files: gr.HTML
    attach: gr.UploadButton
    target: gr.Radio
    two: gr.Checkbox
    listed: gr.HTML
    name: gr.Textbox
    search: gr.Textbox
    focus: gr.State
    outbox: gr.Textbox
    asked: gr.Textbox
    prompt: gr.Textbox | None = None

    @property
    def written(self) -> list[Any]:
        """What an answer may change."""
        said = [self.box, self.kept, self.send, self.stop, self.files, self.listed, self.name, self.focus, self.outbox]
        return [*said, *([self.prompt] if self.prompt else [])]

    @property
    def read(self) -> set[Any]:
        """What a question is made of."""
        return {self.box, self.asked, self.role, self.target, self.two, self.search}


@dataclass(frozen=True)
class PaneParts:
    """One chat: its messages and what belongs to them. `settings` are by their names in ChatSettings, `extras` by
    what they are for.
    """

    where: gr.State
    head: gr.Accordion
    settings: Mapping[str, Any]
    extras: Mapping[str, Any]
    earlier: gr.Button
    history: gr.Chatbot
    acts: gr.HTML
    editor: gr.Group
    text: gr.Textbox
    alert: gr.HTML
    progress: gr.HTML
    gauge: gr.HTML
    policy: gr.Accordion
    tokens: gr.Accordion
    strip: gr.HTML
    address: gr.Textbox
    watch: gr.Timer
    model: gr.Dropdown | None = None

    @property
    def written(self) -> list[Any]:
        """Everything that may change here."""
        own = [value for name, value in vars(self).items() if name not in ("settings", "extras", "model")]
        return [*own, *self.settings.values()]

    @property
    def read(self) -> set[Any]:
        """What its handlers look at."""
        return {self.where, self.text, *self.settings.values(), *([self.model] if self.model else [])}
