"""A message of a conversation as one line: tokens, speed, seed, why it ended; what it was made from; what cannot be
done with it now. Knows no widget.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.ui.i18n import Words
from apps.ui.present import stats_line
from engine.conversation import Node
from engine.rag.grounding import Grounding, Source
from engine.types import Stats, Usage

PASSAGE_SHOWN = 1200  # characters


def node_line(node: Node, words: Words) -> str:
    """The statistics of an answer as under every answer; of what a person wrote, nothing."""
    if node.outcome is None:
        return ""
    told, used = node.stats or {}, node.usage or {}
    stats = Stats(
        tokens_per_second=told.get("tokensPerSecond"), time_to_first_token=told.get("timeToFirstTokenSec"),
    )  # fmt: skip
    usage = Usage(used.get("prompt_tokens"), used.get("completion_tokens"))
    line = stats_line(node.outcome, usage, stats, words)
    return (
        line if node.params.get("seed") is None else _with_seed(line, words.t("stats.seed", seed=node.params["seed"]))
    )


def totals(path: Sequence[Node], words: Words) -> str:
    """The messages of a conversation, and the tokens that the model wrote for them."""
    written = sum((node.usage or {}).get("completion_tokens") or 0 for node in path)
    return words.t("chat_act.total", messages=len(path), tokens=written)


def passages(node: Node) -> tuple[Source, ...]:
    """What the answer was made from; its marks are their numbers. Nothing where it is grounded in nothing."""
    return Grounding.of(node.grounding).sources if node.grounding is not None else ()


def beginning(text: str) -> str:
    """The text, or as much of it as is shown under an answer."""
    return text if len(text) <= PASSAGE_SHOWN else f"{text[:PASSAGE_SHOWN]}…"


def held_up(node: Node) -> frozenset[str]:
    """What cannot be done with this message while another tab writes it: both would write over each other."""
    return frozenset({"continue", "edit"}) if node.state == "writing" else frozenset()


def _with_seed(line: str, seed: str) -> str:
    """The seed before the reason why the answer ended, which stays the last."""
    head, dot, outcome = line.rpartition(" · ")
    return f"{head}{dot}{seed} · {outcome}"
