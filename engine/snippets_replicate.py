"""A request to a model that Replicate hosts as text that somebody else can run. Knows no key, only the name of the
variable that holds it.

Each asks to wait for the whole output (`Prefer: wait`), as the documentation's own examples do: no stream.
"""

from __future__ import annotations

import json
import pprint
import re
import shlex
from collections.abc import Mapping
from typing import Any

Body = Mapping[str, Any]

WAIT = "wait=60"  # seconds, the most that Replicate keeps a request open
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")  # each of them ends a text in single quotes in PowerShell


def route(body: Body, address: str) -> str:
    """Where the prediction is asked for: an official model has a route of its own, a version goes in the body."""
    base = address.rstrip("/")
    return (
        f"{base}/predictions" if "version" in body else f"{base}/models/{body['model'].partition(':')[0]}/predictions"
    )


def sent(body: Body) -> dict[str, Any]:
    """What goes over the wire: Replicate refuses every other field."""
    return {name: body[name] for name in ("version", "input") if name in body}


def curl(body: Body, address: str, key_variable: str | None) -> str:
    """A bash command; bash changes no character of the body, since the here-document is quoted."""
    lines = [f"curl {shlex.quote(route(body, address))}", '  -H "Content-Type: application/json"']
    lines.append(f'  -H "Prefer: {WAIT}"')
    if key_variable:
        lines.append(f'  -H "Authorization: Bearer ${key_variable}"')
    lines.append("  --data-binary @- <<'JSON'")
    return " \\\n".join(lines) + f"\n{_json(sent(body))}\nJSON\n"


def powershell(body: Body, address: str, key_variable: str | None) -> str:
    """A PowerShell command that sends UTF-8 and shows the output."""
    uri = _QUOTES.sub(r"\g<0>\g<0>", route(body, address))
    bearer = f'; Authorization = "Bearer $env:{key_variable}"' if key_variable else ""
    return f"""$body = @'
{_json(sent(body))}
'@
$answer = Invoke-WebRequest -UseBasicParsing -Method Post -Uri '{uri}' `
  -ContentType 'application/json; charset=utf-8' -Headers @{{ Prefer = "{WAIT}"{bearer} }} `
  -Body ([Text.Encoding]::UTF8.GetBytes($body))
$answer = [Text.Encoding]::UTF8.GetString($answer.RawContentStream.ToArray()) | ConvertFrom-Json
-join $answer.output
"""


def javascript(body: Body, address: str, key_variable: str | None) -> str:
    """A JavaScript module for Node that sends the body and writes the output."""
    key = f'const key = globalThis.process?.env.{key_variable} ?? "";\n\n' if key_variable else ""
    bearer = ", Authorization: `Bearer ${key}`" if key_variable else ""
    return f"""{key}const answer = await fetch({json.dumps(route(body, address))}, {{
  method: "POST",
  headers: {{ "Content-Type": "application/json", Prefer: "{WAIT}"{bearer} }},
  body: JSON.stringify({_json(sent(body))}),
}});
if (!answer.ok) throw new Error(await answer.text());
console.log([(await answer.json()).output].flat().join(""));
"""


def python(body: Body, address: str, key_variable: str | None) -> str:
    """A Python program for the `replicate` package. It waits for the end itself: `replicate.run` gives the beginning
    of a long answer as the whole.
    """
    host = address.rstrip("/").removesuffix("/v1")
    key = f"os.environ.get({key_variable!r})" if key_variable else '"none"'
    target = f"version={body['version']!r}" if "version" in body else f"model={body['model'].partition(':')[0]!r}"
    given = pprint.pformat(dict(body["input"]), width=110, sort_dicts=False).replace("\n", "\n    ")
    return f"""{"import os" + chr(10) * 2 if key_variable else ""}import replicate

client = replicate.Client(api_token={key}, base_url={host!r})
prediction = client.predictions.create(
    {target},
    input={given},
)
prediction.wait()
print("".join(prediction.output or []))
"""


def _json(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False, indent=2)
    return text if text.isprintable() or _whole(text) else json.dumps(body, indent=2)


def _whole(text: str) -> bool:
    """Whether it is valid UTF-8: half a surrogate pair can only be written as an escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
