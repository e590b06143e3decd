"""The verb `trace`: what exactly would go into the model, and whether it fits. No inference."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.cli.asking import (
    add_model_arguments,
    add_param_arguments,
    add_policy_argument,
    checked,
    file_bytes,
    opened,
    params_of,
    question_of,
)
from engine.cli.output import Output
from engine.errors import PromptTooLong
from engine.snippets import portable, snippets
from engine.types import Message

if TYPE_CHECKING:
    from engine.backends.base import Request
    from engine.model import Model
    from engine.params import Params
    from engine.window import Plan

HELP = "show the exact prompt, its tokens and the window's arithmetic; no inference"
OWN_ADDRESS = "http://127.0.0.1:8501/v1"  # where run.py serves unless told otherwise
NOT_OBSERVABLE = "prompt not observable: this server tells only how many tokens it counted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Question, what was said before it, model, parameters."""
    parser.add_argument("question", nargs="?", help="- or nothing reads standard input")
    parser.add_argument("-s", "--system", metavar="TEXT", help="system prompt")
    parser.add_argument(
        "-c", "--conversation", metavar="FILE", help="what was said before: an export of a conversation"
    )
    parser.add_argument("--raw", action="store_true", help="the question is the whole prompt, without chat template")
    add_model_arguments(parser)
    add_param_arguments(parser)
    add_policy_argument(parser)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    given = params_of(arguments)
    before = _before(arguments)
    question = "" if before and arguments.question is None else question_of(arguments.question)
    with opened(arguments) as model:
        params, system = given.over(model.defaults), model.configuration.prompt.system
        if system and not any(message.role == "system" for message in before):
            before = [Message("system", system), *before]
        raw = question if arguments.raw else None
        asked = [*before, Message("user", question)] if question or not before else before
        planned = None if arguments.raw else _planned(model, asked, params, arguments)
        messages = [] if arguments.raw else planned.messages if planned else asked
        exact = "exact_count" in model.capabilities
        window = arguments.virtual_window if exact or arguments.policy == "stop" else None
        request = model.request(messages, params, raw=raw, virtual_window=window)
        found = {**_prompt(model, request), "plan": planned.record() if planned else None, **_request(model, request)}
    if out.as_json:
        out.json(found)
    else:
        out.text("".join(line + "\n" for line in _lines(found)))
    return 0


def _before(arguments: argparse.Namespace) -> list[Message]:
    """System prompt and conversation. Raises BadFile."""
    said = [Message("system", checked(arguments.system))] if arguments.system else []
    if arguments.conversation:
        from engine.transfer import import_any

        said += import_any(file_bytes(arguments.conversation), arguments.conversation)[0].messages()
    return said


def _planned(model: Model, asked: list[Message], params: Params, arguments: argparse.Namespace) -> Plan | None:
    """What the policy would send; None where it would refuse, which the arithmetic of the whole prompt shows."""
    from engine.window import plan

    try:
        return plan(model, asked, params, arguments.policy, virtual_window=arguments.virtual_window)
    except PromptTooLong:
        return None


def _prompt(model: Model, request: Request) -> dict[str, Any]:
    """The rendered prompt and what it leaves of the window, or nulls with the reason."""
    if "exact_prompt" not in model.capabilities:
        unknown = dict.fromkeys(("prompt", "tokens", "count", "window", "reserved", "free"))
        return {**unknown, "fits": None, "reason": NOT_OBSERVABLE}
    rendered = model.render(request)
    pieces = rendered.pieces or (None,) * len(rendered.tokens)
    tokens = [{"id": token, "piece": piece} for token, piece in zip(rendered.tokens, pieces, strict=True)]
    count = len(tokens)
    windows = [size for size in (model.window(), request.virtual_window) if size]
    left = budget(count, request.params["max_tokens"], min(windows, default=None))
    return {"prompt": rendered.prompt, "tokens": tokens, "count": count, **left, "reason": None}


def budget(count: int, max_tokens: int, window: int | None) -> dict[str, Any]:
    """How a prompt of `count` tokens shares the window: `reserved` for the answer (-1: all that is left) and `free`, in
    tokens; `fits` is False where llama.cpp refuses it, from a full window on.
    """
    if window is None:
        return {"window": None, "reserved": None, "free": None, "fits": None}
    left = max(0, window - count)
    reserved = left if max_tokens < 0 else min(max_tokens, left)
    return {"window": window, "reserved": reserved, "free": left - reserved, "fits": count < window}


def _request(model: Model, request: Request) -> dict[str, Any]:
    endpoint = model.card.endpoint
    name = endpoint.model if endpoint else model.card.id
    address = endpoint.base_url if endpoint else _own_address()
    variable = endpoint.provider.key_env if endpoint else "ATELIER_KEY"
    body = portable(model.body(request), name)
    made = snippets(body, address, variable)
    return {
        "model": model.card.id,
        "request": body,
        "curl": made.curl,
        "python": made.python,
        "langchain": made.langchain,
    }


def _own_address() -> str:
    """The application's `/v1` if it runs, else where it would be."""
    from engine.runtime.attach import read
    from engine.settings import Settings

    running = read(Settings().home)
    return f"{running.address}/v1" if running else OWN_ADDRESS


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"# model: {found['model']}"
    if found["prompt"] is None:
        yield f"# {found['reason']}"
    else:
        yield f"\n# prompt: {found['count']} tokens"
        yield found["prompt"]
        yield "\n# tokens: id, piece"
        yield from (f"{token['id']:>7}  {token['piece']!r}" for token in found["tokens"])
        yield "\n# window"
        yield _arithmetic(found)
    if found["plan"]:
        yield from _left_out(found["plan"])
    for form in ("curl", "python"):
        yield f"\n# the same request: {form}"
        yield found[form].rstrip("\n")


def _arithmetic(found: dict[str, Any]) -> str:
    if found["window"] is None:
        return f"{found['count']} prompt; the window is not known"
    if not found["fits"]:
        return f"{found['count']} prompt ≥ {found['window']} window: refused"
    parts = f"{found['count']} prompt + {found['reserved']} reserved for the answer + {found['free']} free"
    return f"{parts} = {found['window']} tokens"


def _left_out(record: dict[str, Any]) -> Iterator[str]:
    """How the prompt is made up, and what the policy does not send."""
    if shares := record["segments"]:
        names = ("template", "system", "history", "retrieved")
        yield " + ".join(f"{shares[name]} {name}" for name in names) + f" = {record['prompt_tokens']} prompt"
    if record["dropped"]:
        yield f"{record['policy']}: not sent: messages {', '.join(str(index + 1) for index in record['dropped'])}"
    for index, kept in record["cut"].items():
        ends = f"its first {kept['head']} and last {kept['tail']} characters"
        yield f"{record['policy']}: of message {int(index) + 1} only {ends} are sent"
    if record["estimate"] is not None and record["policy"] != "stop":
        yield f"a guess of {record['estimate']} tokens: this server alone can count"
