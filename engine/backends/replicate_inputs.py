"""A request in the input names of one of Replicate's models, which each model chooses itself. Knows no connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.backends.replicate_api import Described
from engine.params import Params
from engine.types import Message

# Our name and what models call it, the likeliest first
NAMES: Mapping[str, tuple[str, ...]] = {
    "max_tokens": ("max_tokens", "max_new_tokens", "max_completion_tokens", "max_output_tokens", "max_length"),
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "top_k": ("top_k",),
    "min_p": ("min_p",),
    "typical_p": ("typical_p",),
    "repeat_penalty": ("repetition_penalty", "repeat_penalty"),
    "presence_penalty": ("presence_penalty",),
    "frequency_penalty": ("frequency_penalty",),
    "seed": ("seed", "random_seed"),
    "stop": ("stop_sequences", "stop"),
}
PROMPT = ("prompt", "text", "input_text", "input", "question", "message")
SYSTEM = ("system_prompt", "system", "system_message", "system_instruction")
MESSAGES = "messages"
# What a language model takes where its schema is not to be had: the names of Replicate's own documentation
USUAL: Mapping[str, Mapping[str, Any]] = {
    name: {} for name in ("prompt", "system_prompt", "max_tokens", "temperature", "top_p")
}
SPOKEN = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool"}


def input_of(
    messages: Sequence[Message], params: Params, extra: Mapping[str, Any], described: Described, allowed: frozenset[str]
) -> dict[str, Any]:
    """The `input` of a prediction: messages and parameters in the model's own names; what it has no name for is left
    out, and so is what it does not take of `extra`.
    """
    known = described.inputs or USUAL
    told = _said(messages, known)
    for name, value in params.to_llamacpp().items():
        own = next((one for one in NAMES.get(name, ()) if one in known), None)
        if name in allowed and own is not None and (name, value) != ("max_tokens", -1):
            told[own] = _stops(value, known[own]) if name == "stop" else value
    return told | {name: value for name, value in extra.items() if name in known}


def limit_of(body: Mapping[str, Any]) -> int | None:
    """The bound of the answer in tokens that the body asks for."""
    told = body.get("input") or {}
    found = (told.get(name) for name in NAMES["max_tokens"])
    return next((value for value in found if isinstance(value, int)), None)


def parameter_of(name: str | None) -> str | None:
    """Our name of an input; the model's own where we have none."""
    return next((ours for ours, theirs in NAMES.items() if name in theirs), name)


def prompt_name(described: Described) -> str:
    """The input that the question goes into: one that is called so, else the model's first that is a text."""
    known = described.inputs or USUAL
    texts = [name for name, row in known.items() if row.get("type", "string") == "string" and "format" not in row]
    return next((name for name in (*PROMPT, *texts) if name in known), PROMPT[0])


def _said(messages: Sequence[Message], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if known.get(MESSAGES, {}).get("type") == "array":
        return {MESSAGES: [{"role": one.role, "content": one.content} for one in messages]}
    system = "\n\n".join(one.content for one in messages if one.role == "system")
    turns = [one for one in messages if one.role != "system"]
    prompt = prompt_name(Described(inputs=known))
    own = next((name for name in SYSTEM if name in known), None)
    text = dialogue(turns)
    if system and own is None:
        text = f"{system}\n\n{text}"
    return {prompt: text, **({own: system} if system and own is not None else {})}


def dialogue(turns: Sequence[Message]) -> str:
    """One question as it is; several turns as the course's own Replicate application writes them, each with its
    speaker, the model's next.
    """
    if len(turns) == 1 and turns[0].role == "user":
        return turns[0].content
    said = [f"{SPOKEN[turn.role]}: {turn.content}" for turn in turns]
    return "\n\n".join([*said, f"{SPOKEN['assistant']}:"])


def _stops(value: Any, row: Mapping[str, Any]) -> Any:
    """Stop texts as a list, or as Replicate's comma-separated text where the schema says so."""
    texts = [value] if isinstance(value, str) else list(value)
    return texts if row.get("type") == "array" else ",".join(texts)
