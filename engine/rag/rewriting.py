"""A question that leans on the conversation made one that stands alone. Knows no store; the model is any model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.params import Params
from engine.types import Message

if TYPE_CHECKING:
    from engine.model import Model

TURNS = 6  # last messages that are read
TURN_CHARACTERS = 600  # of each
QUERY_CHARACTERS = 400  # a longer answer is no question
TOKENS = 96

# Both languages in one prompt: small models follow the example of the language that is spoken to them
SYSTEM = (
    "Rewrite the last question so that it can be understood without the conversation. Replace pronouns by what they "
    "stand for. Keep the language of the question. Answer with the question alone. / Réécris la dernière question pour "
    "qu’elle se comprenne sans la conversation, dans sa langue. Réponds par la question seule."
)
_LABEL = re.compile(r"^\s*(?:rewritten |réécrite? )?(?:question|query|requête)[^:]{0,20}:\s*", re.IGNORECASE)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Rewritten:
    """`query` is what is looked for; `asked` says whether a model was asked, `trace_id` where its prompt is. Where its
    answer was no question, `query` is the question as it was typed.
    """

    question: str
    query: str
    asked: bool = False
    trace_id: str | None = None


def rewrite(model: Model, history: Sequence[Message], question: str, *, owner: str = "local") -> Rewritten:
    """The question made to stand alone; without history it stays as it is, unasked. Raises EngineError."""
    turns = [message for message in history if message.role in ("user", "assistant") and message.content.strip()]
    if not turns:
        return Rewritten(question, question)
    params = Params(temperature=0.0, max_tokens=TOKENS)
    result = model.answer(messages(turns, question), params, owner=owner)
    return Rewritten(question, cleaned(result.text) or question, asked=True, trace_id=result.trace_id)


def messages(turns: Sequence[Message], question: str) -> list[Message]:
    """What the model reads: the task, the last turns shortened, the question."""
    told = "\n".join(f"{turn.role}: {_short(turn.content)}" for turn in turns[-TURNS:])
    return [Message("system", SYSTEM), Message("user", f"{told}\n\nquestion: {question}")]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= TURN_CHARACTERS else flat[:TURN_CHARACTERS] + " …"


def cleaned(answer: str) -> str:
    """The question in a model's answer, in one line; empty where there is none: nothing, or a speech."""
    text = _LABEL.sub("", _THOUGHT.sub("", answer).strip()).strip()
    if "\n" in text:
        first, rest = text.split("\n", 1)
        text = first if first.rstrip().endswith("?") or not rest.strip() else ""
    text = text.strip(" \t\"'«»“”*")
    return text if len(text) <= QUERY_CHARACTERS else ""
