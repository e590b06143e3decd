"""The verdict on an answer that was asked for in a form, judged away from the page, since that may take a minute.

Knows no widget.
"""

from __future__ import annotations

import threading

from apps.ui.i18n import Words
from engine.errors import EngineError
from engine.output import UNJUDGED, Output, Verdict


class Judging:
    """One answer being judged by one form, in a thread of its own; kept, it remembers what came of it."""

    def __init__(self, form: Output, answer: str) -> None:
        self.form, self.answer = form, answer
        self.verdict: Verdict | None = None
        self._done = threading.Event()
        threading.Thread(target=self._judge, name="judging", daemon=True).start()

    @property
    def pending(self) -> bool:
        """Whether nothing is known yet."""
        return not self._done.is_set()

    def of(self, form: Output, answer: str) -> bool:
        """Whether it is this answer that is judged, by this form."""
        return (form, answer) == (self.form, self.answer)

    def wait(self, seconds: float) -> bool:
        """Whether it came to an end in time."""
        return self._done.wait(seconds)

    def told(self, words: Words) -> tuple[str, str]:
        """A sign and a sentence."""
        if self.pending:
            return "⏳", words.t("chat_head.output_judging")
        if self.verdict is None:
            return "?", words.t("chat_head.output_unjudged", reason="").strip()
        if self.verdict.ok:
            return "✓", words.t("chat_head.output_ok")
        fault = self.verdict.errors[0]
        if fault.message.startswith(UNJUDGED):
            return "?", words.t("chat_head.output_unjudged", reason=fault.message.removeprefix(UNJUDGED))
        return "✗", words.t("chat_head.output_bad", reason=f"{fault.path}: {fault.message}")

    def _judge(self) -> None:
        try:
            self.verdict = self.form.verdict(self.answer)
        except EngineError:  # no form, which the editor says; or its child could not judge
            self.verdict = None
        finally:
            self._done.set()
