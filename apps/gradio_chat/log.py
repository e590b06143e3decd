"""All requests of a person as they come, the newest on top, each whole when it is clicked. Knows no layout."""

from __future__ import annotations

import html
import json
import time
from typing import Any

import gradio as gr

from apps.gradio_chat import acts
from apps.gradio_chat.drawer import Log
from apps.gradio_kit import INTERNAL, Ui
from engine.errors import NotFound
from engine.trace import TraceLine

LINES = 30


class Follow:
    """What fills the log."""

    def __init__(self, ui: Ui, parts: Log) -> None:
        self.ui, self.parts = ui, parts

    def wire(self, others: tuple[gr.Tab, ...], panel: gr.Accordion) -> None:
        """The clock runs while the log is in sight."""
        parts = self.parts
        parts.tab.select(self.begin, None, [parts.lines, parts.clock, parts.seen], **INTERNAL)
        for other in others:
            other.select(lambda: (gr.Timer(active=False), False), None, [parts.clock, parts.seen], **INTERNAL)
        panel.collapse(lambda: gr.Timer(active=False), None, parts.clock, **INTERNAL)
        panel.expand(lambda seen: gr.Timer(active=seen), parts.seen, parts.clock, **INTERNAL)
        parts.clock.tick(self.tick, parts.lines, parts.lines, **INTERNAL)
        parts.lines.click(self.whole, None, parts.whole, **INTERNAL)

    def begin(self, request: gr.Request) -> tuple[str, Any, bool]:
        """The log as it is now; from here on it looks by itself."""
        return self.lines(request), gr.Timer(active=True), True

    def tick(self, shown: str | None, request: gr.Request) -> Any:
        """The lines, if there are new ones."""
        lines = self.lines(request)
        return gr.skip() if lines == shown else lines

    def lines(self, request: gr.Request) -> str:
        """The person's last requests, the newest first."""
        ui = self.ui
        found = ui.engine.traces.list(ui.person(request).id, LINES)
        if not found:
            return f"<p>{html.escape(ui.t('chat_log.none'))}</p>"
        return f"<ol reversed>{''.join(f'<li>{self._line(line)}</li>' for line in found)}</ol>"

    def whole(self, event: gr.EventData, request: gr.Request) -> str:
        """What went in and what came out of the one that was clicked."""
        ui = self.ui
        try:
            trace = ui.engine.traces.get(acts.said(event).get("trace", ""), ui.person(request).id)
        except NotFound:
            return f"<p>{html.escape(ui.t('chat_trace.gone'))}</p>"
        asked = trace.prompt or json.dumps(trace.request, indent=2, ensure_ascii=False)
        given = json.dumps(trace.response, indent=2, ensure_ascii=False)
        parts = ((ui.t("trace.prompt" if trace.prompt else "trace.request"), asked), (ui.t("trace.response"), given))
        return "".join(f"<h4>{html.escape(title)}</h4><pre tabindex='0'>{html.escape(text)}</pre>"
                       for title, text in parts)  # fmt: skip

    def _line(self, line: TraceLine) -> str:
        words = self.ui.words
        at = time.strftime("%H:%M:%S", time.localtime(line.started))
        outcome = words.t(f"outcome.{line.outcome}") if words.has(f"outcome.{line.outcome}") else line.outcome
        counts = (line.usage.get(name) for name in ("prompt_tokens", "completion_tokens"))
        tokens = " + ".join(words.number(count) for count in counts)
        told = f"{at} · {line.model} · {tokens} tokens · {words.seconds(line.duration)} · {outcome}"
        return acts.button("whole", told, words.t("chat_log.whole"), trace=line.id)
