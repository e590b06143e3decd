"""Summaries of a conversation by the model that leads it. Knows no policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from engine.generation import Generation
from engine.params import Params
from engine.types import Message
from engine.window.counting import Countable, Counter, beginning, counter, ends
from engine.window.policies import Summarize, plan
from engine.window.values import GAP

INSTRUCTION = (
    "Summarize the conversation that the user shows you in a few sentences, in its own language. Keep names, numbers, "
    "decisions and open questions. Write the summary only."
)
SO_FAR = "Summary of what came before:\n{summary}\n\nHow it went on:\n"
MARGIN = 32  # tokens of these words
SHORTEST = 64  # tokens of conversation in one question
MOST_CALLS = 8
REMEMBERED = 8


class Writer(Countable, Protocol):
    """A model that can also be asked."""

    def stream(
        self,
        messages: Iterable[Message],
        params: Params | None = None,
        *,
        owner: str = "local",
        interactive: bool = True,
        window: Mapping[str, Any] | None = None,
    ) -> Generation: ...


def summarizer(
    model: Writer, *, owner: str = "local", interactive: bool = True, stopped: Callable[[], bool] = lambda: False
) -> Summarize:
    """A function that asks the model for a summary of messages, in at most so many tokens; always the same for the
    same messages.

    A conversation longer than the window is read in parts, each with the summary of those before; of one that would
    take more than eight parts the middle is left out. Each question is traced. Raises what the model raises.
    """

    def ask(text: str, most: int) -> str:
        messages = [Message("system", INSTRUCTION), Message("user", text)]
        params = Params(temperature=0, seed=0, max_tokens=most)
        fitting = plan(model, messages, params, "truncate_middle")
        generation = model.stream(
            fitting.messages, params, owner=owner, interactive=interactive, window=fitting.record()
        )
        for _ in generation:
            if stopped():
                generation.stop()
        if generation.result.error:
            raise generation.result.error
        return generation.result.text.strip()

    @lru_cache(REMEMBERED)
    def fold(told: str, most: int) -> str:
        summary = ""
        for part in _parts(model, told, most):
            if not stopped():
                summary = ask(SO_FAR.format(summary=summary) + part if summary else part, most)
        return summary

    def summarize(messages: tuple[Message, ...], most: int) -> str:
        summary = fold(_transcript(messages), most)
        if stopped():
            fold.cache_clear()  # it is not a whole one
        return summary

    return summarize


def _transcript(messages: Sequence[Message]) -> str:
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)


def _parts(model: Writer, told: str, most: int) -> list[str]:
    """The text in parts that fit into the window beside the instruction, a summary so far and the answer."""
    count: Counter = counter(model, None, {})
    used = count([Message("system", INSTRUCTION), Message("user", "")])
    window, pieces = model.window(), count.pieces(told)
    size = len(pieces) if window is None else max(SHORTEST, window - used - 2 * most - MARGIN)
    if len(pieces) > size * MOST_CALLS:
        told = GAP.join(ends(pieces, size * MOST_CALLS - MARGIN))
        pieces = count.pieces(told)
    parts = []
    while pieces:
        part = beginning(pieces, size)
        parts.append(part)
        pieces = count.pieces(told := told[len(part) :])
    return parts
