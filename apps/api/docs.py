"""`/docs` and `/v1/openapi.json`: the description of our routes, for people and for programs. The page is plain HTML
without any outside resource and without scripts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse

from apps.api.openapi import OPERATIONS, Operation, document
from apps.ui.i18n import LANGUAGES, Words, choose, words

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from apps.api.call import Call

PAGE = Template("""<!doctype html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h2 { margin-top: 2.5rem; }
details { border: 1px solid #8886; border-radius: .4rem; margin: .5rem 0; padding: .5rem .8rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
code, pre { font: .9em ui-monospace, monospace; }
pre { overflow-x: auto; padding: .7rem; background: #8882; border-radius: .3rem; }
.method { font-weight: 700; text-transform: uppercase; margin-right: .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #8883; vertical-align: top; }
td { overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p>$text</p>
<p>$keys</p>
<p><a href="$json">$machine</a> · <a href="?lang=$other" hreflang="$other" lang="$other">$other_name</a></p>
$sections
</main>
</body>
</html>
""")


async def description(call: Call) -> ASGIApp:
    """The OpenAPI document."""
    return JSONResponse(document(_words(call), call.request.scope.get("root_path", "")))


async def page(call: Call) -> ASGIApp:
    """The page that shows it."""
    text, root = _words(call), call.request.scope.get("root_path", "")
    told = document(text, root)
    other = next(lang for lang in LANGUAGES if lang != text.lang)
    values = {
        "lang": text.lang, "title": text.t("docs.title"), "text": text.t("docs.text"), "keys": text.t("docs.keys"),
        "json": f"{root}/v1/openapi.json?lang={text.lang}", "machine": text.t("docs.machine"), "other": other,
        "other_name": text.t(f"language.{other}"),
    }  # fmt: skip
    html = {name: escape(value) for name, value in values.items()}
    base = f"{call.request.url.scheme}://{call.request.url.netloc}{root}"
    html["sections"] = "\n".join(_sections(told, base, text))
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
               "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}  # fmt: skip
    return HTMLResponse(PAGE.substitute(html), headers=headers)


def _words(call: Call) -> Words:
    wanted = call.request.query_params.get("lang", "")
    return words(wanted if wanted in LANGUAGES else choose(call.request.headers.get("accept-language")))  # type: ignore[arg-type]


def _sections(told: Mapping[str, Any], base: str, text: Words) -> Iterator[str]:
    for tag in told["tags"]:
        yield f"<h2>{escape(tag['description'])}</h2>"
        for one in OPERATIONS:
            if one.tag == tag["name"]:
                yield _shown(one, told, base, text)


def _shown(one: Operation, told: Mapping[str, Any], base: str, text: Words) -> str:
    described = told["paths"][one.path][one.method]
    schema = told["components"]["schemas"][one.body.__name__] if one.body else {}
    required = set(schema.get("required", ()))
    fields = sorted(schema.get("properties", {}).items(), key=lambda field: field[0] not in required)
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind(field))}</td>"
        f"<td>{escape(text.t('docs.required') if name in required else '')}</td></tr>"
        for name, field in fields
    )
    heads = "".join(f"<th>{escape(text.t(f'docs.{name}'))}</th>" for name in ("field", "kind", "note"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    streams = f"<p>{escape(text.t('docs.streams'))}</p>" if one.streams else ""
    return (
        f'<details id="{one.key}"><summary><span class="method">{one.method}</span><code>{escape(one.path)}</code> – '
        f"{escape(described['summary'])}</summary>{streams}<pre>{escape(curl(one, base))}</pre>{table}</details>"
    )


def curl(one: Operation, base: str) -> str:
    """A command that asks the route."""
    path = one.path.replace("{model}", "echo")
    if one.key == "upload":
        return f"curl '{base}{path}?name=model.gguf' --data-binary @model.gguf"
    if one.method == "get":
        return f"curl '{base}{path}'"
    data = json.dumps(one.example or {}, ensure_ascii=False).replace("'", "'\\''")
    headers = ("Content-Type: application/json", "Authorization: Bearer ak-…")
    return " \\\n  ".join([f"curl '{base}{path}'", *(f"-H '{header}'" for header in headers), f"-d '{data}'"])


def kind(field: Mapping[str, Any]) -> str:
    """A schema in a few words: `string | array of string`."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "anyOf" in field:
        return " | ".join(dict.fromkeys(kind(one) for one in field["anyOf"] if one != {"type": "null"}))
    if "const" in field or "enum" in field:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"array of {kind(field['items'])}" if field.get("items") else "array"
    low, high = field.get("minimum"), field.get("maximum")
    bounds = "" if low is None and high is None else f" {'' if low is None else low}…{'' if high is None else high}"
    return f"{field.get('type', 'any')}{bounds}"
