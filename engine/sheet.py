"""The two scripts of the course sheet, made for the address at hand. Knows no key: only the variable that holds it.

They need bash and curl, nothing else: the question is written into the JSON by bash itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from engine.snippets import to_json

LOCAL = "chatCompletions-LMS.sh"
OPENROUTER = "chatCompletions.sh"
OPENROUTER_URL = "https://openrouter.ai/api/v1"
OPENROUTER_MODEL = "openai/gpt-4o-mini"
OPENROUTER_KEY = "OPENROUTER_API_KEY"


@dataclass(frozen=True)
class Script:
    """A file to download: its name and its text."""

    name: str
    text: str


def scripts(address: str, model: str, key_variable: str | None = None) -> tuple[Script, Script]:
    """The sheet's script for LM Studio and the one for OpenRouter it is based on.

    The first asks `model` at the base URL `address` (".../v1"), with the key in `key_variable` where there is one;
    BASE_URL and MODEL in the environment name others.
    """
    local = _script(LOCAL, address, model, key_variable, needed=False)
    return local, _script(OPENROUTER, OPENROUTER_URL, OPENROUTER_MODEL, OPENROUTER_KEY, needed=True)


def _script(name: str, address: str, model: str, key_variable: str | None, *, needed: bool) -> Script:
    text = _TEMPLATE.replace("@name@", name)
    parts = {
        "@base_url@": _default(address),
        "@model@": _default(model),
        "@key@": _key(key_variable, needed),
        "@body@": to_json(_BODY)
        .replace('"@m"', '"$model"')
        .replace('"@s"', '"$system"')
        .replace('"@q"', '"$question"'),
    }
    for mark, value in parts.items():
        text = text.replace(mark, value)
    return Script(name, text)


def _default(value: str) -> str:
    """The value in single quotes, whatever it holds."""
    return shlex.quote(value.rstrip("/"))


def _key(variable: str | None, needed: bool) -> str:
    if variable is None:
        return ""
    if needed:
        return f'headers+=(-H "Authorization: Bearer ${{{variable}:?first: export {variable}=...}}")\n'
    return f'[ -z "${{{variable}:-}}" ] || headers+=(-H "Authorization: Bearer ${variable}")\n'


_BODY: Mapping[str, object] = {
    "model": "@m",
    "messages": [{"role": "system", "content": "@s"}, {"role": "user", "content": "@q"}],
    "temperature": 0.7,
    "stream": False,
}

_TEMPLATE = r"""#!/usr/bin/env bash
# Ask a chat model one question:   bash @name@ "What day is it today?" ["system prompt"]
set -euo pipefail

# A text as it must stand between the quotes of a JSON string
json() {
  local text=$1 code sign
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  for code in {1..31}; do
    printf -v sign '%b' "\\x$(printf %02x "$code")"
    text=${text//"$sign"/$(printf '\\u%04x' "$code")}
  done
  printf %s "$text"
}

base_url=${BASE_URL:-}
model=${MODEL:-}
[ -n "$base_url" ] || base_url=@base_url@
[ -n "$model" ] || model=@model@
model=$(json "$model")
question=$(json "${1:-What day is it today?}")
system=$(json "${2:-Always answer in rhymes. Today is Thursday}")

headers=(-H "Content-Type: application/json")
@key@curl -sS "$base_url/chat/completions" "${headers[@]}" --data-binary @- <<JSON
@body@
JSON
echo
"""
