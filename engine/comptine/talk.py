"""A run of the rhyme as a conversation to go on with. Stores nothing and knows no interface."""

from __future__ import annotations

import time

from engine.comptine.cell import CellResult
from engine.conversation import ChatSettings, Conversation, Node, new_id, title_of


def conversation_of(result: CellResult) -> Conversation:
    """The prompt and the answer as two messages, with the run's virtual window; the store gives it an id of its own."""
    asked, cell, now = result.cell.prompt(), result.cell, time.time()
    settings = ChatSettings(virtual_window=cell.window)
    question = Node(new_id(), None, "user", asked.text, now)
    made = Conversation(new_id(), title_of(asked.text), settings=settings).add(question)
    if not result.answer:
        return made
    usage = {"prompt_tokens": result.prompt_tokens, "completion_tokens": result.completion_tokens}
    answer = Node(new_id(), question.id, "assistant", (asked.prefix or "") + result.answer, now, model=result.model,
                  params={"temperature": cell.temperature, "seed": cell.seed}, usage=usage,
                  trace_id=result.trace_id)  # fmt: skip
    return made.add(answer)
