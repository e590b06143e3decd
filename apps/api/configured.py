"""A body of `/v1` with what the model's configuration says where the body says nothing. Knows no route."""

from __future__ import annotations

from typing import Any

from engine.model import Model
from engine.output import Output
from engine.params import BY_NAME

LIMITS = ("max_completion_tokens", "max_tokens", "n_predict")
FORMS = ("response_format", "json_schema", "grammar", "tools")


def filled(model: Model, body: dict[str, Any]) -> dict[str, Any]:
    """The body with parameters, system prompt and form of the answer added; what it says itself stays."""
    configuration = model.configuration
    added: dict[str, Any] = {}
    for name, value in model.defaults.items():
        names = LIMITS if name == "max_tokens" else (name, BY_NAME[name].openai)
        if value is not None and not any(body.get(one) is not None for one in names if one):
            added[name] = list(value) if isinstance(value, tuple) else value
    if configuration.output and "messages" in body and not any(body.get(name) for name in FORMS):
        output = Output(configuration.output.kind, configuration.output.source)
        added |= output.extra() if "grammar" in model.capabilities else output.openai()
    if configuration.prompt.system and not _told(body):
        added["messages"] = [{"role": "system", "content": configuration.prompt.system}, *body["messages"]]
    return {**body, **added}


def _told(body: dict[str, Any]) -> bool:
    """Whether somebody says a system prompt, or none has a place."""
    messages = body.get("messages")
    return not messages or any(message.get("role") in ("system", "developer") for message in messages)
