"""Presets in the settings of a chat: choose, save, delete, import (LM Studio's too), export. Knows no layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import Update, Values, outgoing
from apps.gradio_chat.pane import Pane
from engine.errors import EngineError
from engine.params import Params
from engine.presets import MAX_BYTES, Preset, Presets, read_preset, ready, write_preset


class Shelf:
    """A person's presets, applied to one chat and to the parameters of the left column."""

    def __init__(self, pane: Pane) -> None:
        self.pane, self.ui = pane, pane.ui
        self.presets = Presets(pane.ui.engine.library)
        self.chooser, self.name = pane.parts.extras["preset"], pane.parts.extras["preset_name"]

    @property
    def read(self) -> set[Any]:
        """What its handlers look at."""
        return {self.chooser, self.name}

    @property
    def written(self) -> list[Any]:
        """What `fill` changes."""
        return [self.chooser]

    def fill(self, values: Values, request: gr.Request) -> Update:
        """The names to choose from, the present one chosen."""
        one = self.pane.at(values[self.pane.parts.where], request)
        own = self.presets.names(self.ui.person(request).id)
        names = (*own, *(one.name for one in ready(self.ui.lang) if one.name not in own))
        chosen = one.chat.conversation.settings.preset
        choices = [(self.ui.t("chat_head.preset_none"), ""), *((name, name) for name in names)]
        return {self.chooser: gr.Dropdown(choices=choices, value=chosen if chosen in names else "")}

    def choose(self, values: Values, request: gr.Request) -> Update:
        """Apply what was chosen."""
        name = values[self.chooser]
        if not name:
            return self._done(values, request, lambda: self._forget(values, request))
        owner = self.ui.person(request).id
        return self._done(values, request, lambda: self._apply(values, self.presets.get(owner, name), request))

    def save(self, values: Values, request: gr.Request) -> Update:
        """Keep parameters and settings under the name in the box."""
        name = (values[self.name] or values[self.chooser] or "").strip()
        if not name:
            return {self.pane.parts.alert: gr.skip()}

        def act() -> Update:
            one = self.pane.at(values[self.pane.parts.where], request)
            made = Preset.of(name, self.pane.bar.chosen(values)[1], one.chat.conversation.settings)
            self.presets.save(self.ui.person(request).id, made)
            one.chat.settings(preset=name)
            gr.Info(self.ui.t("chat_head.preset_saved", name=name))
            return {}

        return self._done(values, request, act)

    def drop(self, values: Values, request: gr.Request) -> Update:
        """Forget the chosen preset."""

        def act() -> Update:
            self.presets.drop(self.ui.person(request).id, values[self.chooser] or "")
            return self._forget(values, request)

        return self._done(values, request, act)

    def export(self, values: Values, request: gr.Request) -> Update:
        """The chosen preset as a file; where none is chosen, what is set now."""

        def act() -> Update:
            one = self.pane.at(values[self.pane.parts.where], request)
            name, settings = values[self.chooser], one.chat.conversation.settings
            made = (
                self.presets.get(self.ui.person(request).id, name)
                if name
                else Preset.of(
                    values[self.name] or self.ui.t("chat_head.preset"), self.pane.bar.chosen(values)[1], settings
                )
            )
            told = outgoing(f"{made.name}.preset.json", "application/json", write_preset(made).decode())
            return {self.pane.composer.outbox: told}

        return self._done(values, request, act)

    def take(self, values: Values, request: gr.Request) -> Update:
        """Keep and apply the preset of a file, ours or LM Studio's."""
        path = values[self.pane.parts.extras["preset_import"]]
        if path is None:
            return {self.chooser: gr.skip()}

        def act() -> Update:
            file = Path(path)
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
            file.unlink(missing_ok=True)
            found = read_preset(data)
            self.presets.save(self.ui.person(request).id, found)
            return self._apply(values, found, request)

        return self._done(values, request, act)

    def _apply(self, values: Values, found: Preset, request: gr.Request) -> Update:
        params, one = found.to_params(), self.pane.at(values[self.pane.parts.where], request)
        one.chat.settings(**asdict(found.apply(one.chat.conversation.settings)))
        model, _ = self.pane.bar.chosen(values)
        return self._params(self.ui.engine.params(model, params))

    def _params(self, params: Params) -> Update:
        """The values where the left column shows them."""
        boxes = self.pane.bar.params
        plain = {name: "\n".join(value) if isinstance(value, tuple) else value for name, value in params.items()}
        starts = {name: boxes[name].value for name in boxes}
        return {boxes[name]: starts[name] if plain[name] is None else plain[name] for name in boxes}

    def _forget(self, values: Values, request: gr.Request) -> Update:
        self.pane.at(values[self.pane.parts.where], request).chat.settings(preset=None)
        return {}

    def _done(self, values: Values, request: gr.Request, act: Callable[[], Update]) -> Update:
        """What was done, then the whole chat as it is now; what went wrong is a sentence."""
        try:
            updates = act()
        except EngineError as error:
            return {self.pane.parts.alert: kit.error_html(error, self.ui)}
        given = {**values, **updates}  # the parameters count at once, for the window
        return self.pane.whole(given, request) | self.fill(values, request) | updates
