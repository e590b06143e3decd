"""What the verb `comptine` writes for a reader: a run, a table of a sweep, policies. Knows no flag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.comptine.cell import CellResult
    from engine.comptine.perplexity import Perplexity

_SIGNS = {"exact": "=", "drift": "~", "wrong": "x", "missing": "-", "not_reached": ".", "out_of_range": "+",
          "invented": "!", "duplicate": "2"}  # fmt: skip


def run_lines(result: CellResult) -> Iterator[str]:
    if result.answer:
        yield result.answer
        yield ""
        yield "".join(_SIGNS[mark.state] for mark in result.marks)
    yield f"status {result.status}; {result.prompt_tokens} prompt + {result.needed} needed of {result.window} tokens"
    for name, value in result.metrics().items():
        yield f"{name:<13} {'–' if value is None else value}"


def sweep_lines(told: dict[str, Any]) -> Iterator[str]:
    yield "verses  tokens   n  strict [interval]      normalized  obedience [interval]   budget"
    for row in told["rows"]:
        tokens = "–" if row["prompt_tokens"] is None else f"{row['prompt_tokens']:.0f}"
        normalized = "–" if row["normalized"] is None else f"{row['normalized']['value']:.2f}"
        left = f"{row['verses']:>6}  {tokens:>6}  {row['n']:>2}  {_interval(row['strict']):<22} {normalized:<11}"
        yield f"{left} {_interval(row['obedience']):<22} {row['budget'] + row['refused']}"
    for curve in told["effective"]:
        for name in ("relative", "absolute"):
            if found := curve[name]:
                yield f"effective context, {name}: {_reach(found)}"


def perplexity_lines(told: Perplexity) -> Iterator[str]:
    yield "verse  name          nats of the name  nats per token"
    for one in told.verses:
        yield f"{one.verse:>5}  {one.name:<12}  {one.name_nats:>16.2f}  {one.nats_per_token:>14.2f}"
    yield f"mean {told.nats_per_token:.3f} nats per token, {told.method}, {told.model}"


def _interval(found: dict[str, Any] | None) -> str:
    return "–" if found is None else f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def _reach(found: dict[str, Any]) -> str:
    said = [
        f"< {found['shortest']}" if found[name] is None else str(found[name]) for name in ("tokens", "conservative")
    ]
    more = " or more" if found["reached_end"] else ""
    return f"{said[0]}{more} tokens (surely {said[1]}), threshold {found['threshold']:.3f}"


def overflow_lines(found: dict[str, Any]) -> Iterator[str]:
    for one in found.get("engines", ()):
        yield f"{one['name']}: {one['prompt']}, then {one['full']}"
        yield f"    {one['text'] or '(says nothing)'}"
    for policy, told in found.get("policies", {}).items():
        yield f"{policy:<11} {told['status']:<8} {told['sent']} of {told['total']} tokens in {told['window']}"
        if told["survivors"]:
            yield "    " + "".join(
                {"whole": "#", "part": "~", "gone": "."}[fate] for fate in told["survivors"]["verses"]
            )
    for name in ("prompt", "answer"):
        if name in found:
            yield f"last {name} that fits: {found[name]['last']} verses ({len(found[name]['steps'])} steps)"
