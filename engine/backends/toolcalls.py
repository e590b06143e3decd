"""Puts the fragments of streamed tool calls together. Knows only OpenAI's shape of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.types import ToolCall


@dataclass
class ToolCalls:
    """Calls under construction by their `index`; name and id come once, arguments in pieces."""

    _parts: dict[int, dict[str, str]] = field(default_factory=dict)

    def take(self, fragments: Sequence[Mapping[str, Any]]) -> None:
        """Add the `tool_calls` of one delta."""
        for position, fragment in enumerate(fragments):
            index = fragment.get("index")
            part = self._parts.setdefault(position if index is None else index, {"id": "", "name": "", "arguments": ""})
            function = fragment.get("function") or {}
            part["id"] = part["id"] or fragment.get("id") or ""
            part["name"] += function.get("name") or ""
            part["arguments"] += function.get("arguments") or ""

    def calls(self) -> Iterator[ToolCall]:
        """The complete calls in their order."""
        for _, part in sorted(self._parts.items()):
            yield ToolCall(**part)
