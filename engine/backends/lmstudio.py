"""LM Studio: the chat of its `/v1`, with what its own routes tell of the window. Knows no catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.addresses import Reach
from engine.backends.base import Report
from engine.backends.lmstudio_native import LMStudioServer
from engine.backends.openai_compat import OpenAICompat
from engine.backends.windows import Windows

if TYPE_CHECKING:
    from engine.providers import Provider


class LMStudio(OpenAICompat):
    """The backend of one of its models: the chat of `/v1`, with the window that LM Studio says is loaded."""

    name = "lmstudio"

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str | None,
        provider: Provider,
        *,
        windows: Windows | None = None,
        reach: Reach | None = None,
    ) -> None:
        super().__init__(base_url, model, key, provider, reach=reach)
        self._windows = windows or Windows()

    def window(self) -> int | None:
        """Tokens of the loaded model's window; None while it is not loaded, for a question loads it as it likes."""
        return self._windows.of(self.base_url, self.model, self._loaded, self.provider.window)

    def _loaded(self) -> int | None:
        return self._server().window_of(self.model)

    def _server(self) -> LMStudioServer:
        return LMStudioServer(self.base_url, self._key, seconds=self._windows.ask_s, reach=self._reach)

    def _mended(self, report: Report, body: Mapping[str, Any]) -> Report:
        if self.window() is None:  # it was loaded by this very question
            self._windows.forget(self.base_url)
        return super()._mended(replace(report, window=report.window or self.window()), body)
