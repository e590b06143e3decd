"""What exactly went into a model, ready to draw: messages, exact prompt, tokens, request, response, code. Knows no
framework; secrets are taken out of everything it gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.backends.base import Request
from engine.errors import EngineError, NotSupported
from engine.model import Model
from engine.sheet import Script, scripts
from engine.snippets import Form, portable, snippets
from engine.token_view import Piece, special_spans, strip
from engine.trace import Trace, redact
from engine.types import Message, Rendered

KEY_VARIABLE = "ATELIER_KEY"  # where the reader of a text for our own address keeps a key


@dataclass(frozen=True)
class TracePanel:
    """One request from words to tokens to code.

    `prompt` is the exact text, with the places of `special_spans` (start, end) in it; where it is unknown `observable`
    is False and `reason` names why (`trace.reason.<reason>` in the catalogue). `pieces` is empty where the tokens are
    unknown. `from_lms`: the prompt was read in LM Studio's log. `counted` prompt tokens as the server told; `cut` names
    the stored parts that were too long.
    """

    messages: tuple[Message, ...]
    prompt: str | None
    pieces: tuple[Piece, ...]
    special_spans: tuple[tuple[int, int], ...]
    request_json: str
    response_json: str | None
    codes: tuple[Form, ...]
    scripts: tuple[Script, ...]
    observable: bool
    reason: str | None
    from_lms: bool = False
    counted: int | None = None
    cut: tuple[str, ...] = ()

    def segments(self) -> tuple[tuple[str, bool], ...]:
        """The prompt in texts that are special or not, in order."""
        found: list[tuple[str, bool]] = []
        place = 0
        for start, end in self.special_spans:
            found += [((self.prompt or "")[place:start], False), ((self.prompt or "")[start:end], True)]
            place = end
        found.append(((self.prompt or "")[place:], False))
        return tuple((text, special) for text, special in found if text)


def panel(
    model: Model,
    request: Request,
    trace: Trace | None = None,
    *,
    address: str,
    key_variable: str | None = None,
) -> TracePanel:
    """The panel of a request, which was sent where `trace` tells of it; no inference.

    `address` is our own `/v1` as the reader reaches it, `key_variable` the variable of its key where it wants one; a
    remote model's own address and variable come from its card. A local model that sleeps is loaded to be asked.
    """
    clean = _clean(model, request)
    prompt, rendered, reason = _prompt(model, clean, trace)
    endpoint = model.card.endpoint
    where = endpoint.base_url if endpoint else address
    key = endpoint.provider.key_env if endpoint else key_variable
    name = endpoint.model if endpoint else model.card.id
    body = _body(model, clean, trace)
    return TracePanel(
        messages=clean.messages,
        prompt=prompt,
        pieces=strip(rendered) if rendered else (),
        special_spans=special_spans(rendered) if rendered else (),
        request_json=_json(body),
        response_json=None if trace is None else _json(trace.response),
        codes=snippets(portable(_sendable(model, clean, body), name), where, key).forms(),
        scripts=scripts(where, name, key),
        observable=prompt is not None,
        reason=reason,
        from_lms=prompt is not None and "exact_prompt" not in model.capabilities,
        counted=None if trace is None else trace.usage.get("prompt_tokens"),
        cut=() if trace is None else trace.cut,
    )


def _clean(model: Model, request: Request) -> Request:
    """The request without what looks like a key, so that its prompt, its tokens and its code hold none either."""
    messages = tuple(replace(message, content=model.redacted(message.content)) for message in request.messages)
    return replace(request, messages=messages, raw=model.redacted(request.raw), extra=model.redacted(request.extra))


def _prompt(model: Model, request: Request, trace: Trace | None) -> tuple[str | None, Rendered | None, str | None]:
    """The exact prompt, its tokens, and why there is none."""
    told = trace.prompt if trace is not None and "prompt" not in trace.cut else None
    if "exact_prompt" not in model.capabilities:
        return told, None, None if told is not None else model.unobservable()
    try:
        # what was really sent: the template or the window's policy may have changed since
        asked = request if told is None else replace(request, messages=(), raw=told)
        rendered = model.render(asked)
    except NotSupported:
        return told, None, None if told is not None else "not_observable"
    except EngineError:
        return told, None, None if told is not None else "failed"
    return rendered.prompt, rendered, None


def _body(model: Model, request: Request, trace: Trace | None) -> Mapping[str, Any]:
    """The body as it was sent; where it was stored cut, as it would be sent."""
    if trace is not None and trace.request and "request" not in trace.cut:
        stored: Mapping[str, Any] = trace.request
        return stored
    return _made(model, request)


def _sendable(model: Model, request: Request, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A body that asks something: a request that was refused beforehand has none in its trace."""
    return body if {"messages", "prompt", "input"} & body.keys() else _made(model, request)


def _made(model: Model, request: Request) -> Mapping[str, Any]:
    try:
        body: Mapping[str, Any] = redact(model.body(request))
    except EngineError:  # a model that cannot be asked this way; what was wanted is still to be seen
        messages = [message.to_dict() for message in request.messages]
        return {"messages": messages} if request.raw is None else {"prompt": request.raw}
    return body


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
