"""A request as text that somebody else can run: curl, the openai client, LangChain. Knows no key, only the name of the
variable that holds it.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]

# Fields that only serve our own reader of the stream; the answer's text is the same without them.
OURS = frozenset({"cache_prompt", "response_fields", "return_progress", "return_tokens", "stream_options", "verbose"})

# What the two libraries take by name; all other fields go through `extra_body`, which lands in the body as it is.
# LANGCHAIN without max_tokens: ChatOpenAI would rename it to max_completion_tokens, which several servers do not take.
LANGCHAIN = frozenset({"model", "temperature", "seed", "top_p", "presence_penalty", "frequency_penalty"})
_OPENAI = LANGCHAIN | {"stream", "stream_options", "max_tokens", "stop", "logit_bias", "n", "user", "logprobs"}
OPENAI_CHAT = _OPENAI | {"messages", "tools", "tool_choice", "response_format", "top_logprobs"}
OPENAI_TEXT = _OPENAI | {"prompt", "suffix", "echo", "best_of"}
LANGCHAIN_OWN = frozenset({"messages", "stream", "stream_options"})  # said by the call itself


@dataclass(frozen=True)
class Snippets:
    """One request in three forms; None where a form does not exist."""

    curl: str
    python: str
    langchain: str | None


def snippets(body: Body, address: str, key_variable: str | None) -> Snippets:
    """The request `body` to the base URL `address` (".../v1") in all forms; `key_variable` names where its key is."""
    return Snippets(
        curl(body, address, key_variable),
        python_openai(body, address, key_variable),
        langchain(body, address, key_variable),
    )


def portable(body: Body, model: str) -> dict[str, Any]:
    """The body for any OpenAI-style route: with the model's name, without what only our reader needs, not streamed."""
    kept = {name: value for name, value in body.items() if name not in OURS}
    return {"model": model, **kept, "stream": False}


def curl(body: Body, address: str, key_variable: str | None) -> str:
    """A bash command that posts the body; bash changes no character of it, since the here-document is quoted."""
    lines = [f"curl{' -N' if body.get('stream') else ''} {shlex.quote(_route(body, address))}"]
    lines.append('  -H "Content-Type: application/json"')
    if key_variable:
        lines.append(f'  -H "Authorization: Bearer ${key_variable}"')
    lines.append("  --data-binary @- <<'JSON'")
    return " \\\n".join(lines) + f"\n{to_json(body)}\nJSON\n"


def python_openai(body: Body, address: str, key_variable: str | None) -> str:
    """A Python program for the `openai` package that sends the body and prints the answer."""
    named = OPENAI_CHAT if _is_chat(body) else OPENAI_TEXT
    call = "client.chat.completions.create" if _is_chat(body) else "client.completions.create"
    text = ("delta.content" if body.get("stream") else "message.content") if _is_chat(body) else "text"
    lines = [
        *_imports(key_variable, "from openai import OpenAI"),
        f"client = OpenAI(base_url={address!r}, api_key={_key(key_variable)})",
        f"answer = {call}(",
        *_arguments(body, named),
        ")",
        *_printing(bool(body.get("stream")), f"choices[0].{text}", choices=True),
    ]
    return "\n".join(lines) + "\n"


def langchain(body: Body, address: str, key_variable: str | None) -> str | None:
    """A Python program for `langchain-openai` that sends the body and prints the answer; None for a raw prompt, which
    LangChain would send with settings of its own.
    """
    if not _is_chat(body):
        return None
    streamed = bool(body.get("stream"))
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    lines = [
        *_imports(key_variable, "from langchain_openai import ChatOpenAI"),
        "model = ChatOpenAI(",
        f"    base_url={address!r},",
        f"    api_key={_key(key_variable)},",
        *_arguments(body, LANGCHAIN, leave_out=LANGCHAIN_OWN),
        "    use_responses_api=False,",
        *([f"    stream_usage={usage},"] if streamed else []),
        ")",
        f"messages = {_literal(body['messages'])}",
        f"answer = model.{'stream' if streamed else 'invoke'}(messages)",
        *_printing(streamed, "content", choices=False),
    ]
    return "\n".join(lines) + "\n"


def to_json(body: Body) -> str:
    """The body as readable JSON that is always valid UTF-8."""
    text = json.dumps(body, ensure_ascii=False, indent=2)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can hold
        return json.dumps(body, indent=2)
    return text


def _is_chat(body: Body) -> bool:
    return "messages" in body


def _route(body: Body, address: str) -> str:
    return f"{address.rstrip('/')}/{'chat/completions' if _is_chat(body) else 'completions'}"


def _key(variable: str | None) -> str:
    return f'os.environ.get("{variable}", "none")' if variable else '"none"'


def _imports(key_variable: str | None, line: str) -> Iterator[str]:
    if key_variable:
        yield from ("import os", "")
    yield from (line, "")


def _arguments(body: Body, named: frozenset[str], leave_out: frozenset[str] = frozenset()) -> Iterator[str]:
    rest = {name: value for name, value in body.items() if name not in named | leave_out}
    for name, value in body.items():
        if name in named:
            yield f"    {name}={_literal(value)},"
    if rest:
        yield f"    extra_body={_literal(rest)},"


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=110, sort_dicts=False).replace("\n", "\n    ")


def _printing(streamed: bool, text: str, *, choices: bool) -> Iterator[str]:
    if not streamed:
        yield f"print(answer.{text})"
        return
    yield "for chunk in answer:"
    indent = "    "
    if choices:  # the last chunk carries the counts and no choice
        yield "    if chunk.choices:"
        indent *= 2
    yield f'{indent}print(chunk.{text} or "", end="", flush=True)'
