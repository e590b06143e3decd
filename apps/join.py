"""The code page of a class: code and nickname in, a signed cookie out. Plain HTML without any outside resource; knows
no framework of the interfaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from string import Template
from urllib.parse import parse_qs, quote, urlsplit

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from apps import host
from apps.classroom import COOKIE_LASTS_S, Brake, Role
from apps.guard import cookie_name
from apps.ui.i18n import LANGUAGES, Words, choose, words
from engine.errors import BadInput
from engine.person import NICKNAME_MAX, Person

MAX_BODY = 4096

PAGE = Template("""<!doctype html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; font: 18px/1.5 system-ui, sans-serif; }
body { max-width: 24rem; margin: 8vh auto; padding: 0 1rem; }
label { display: block; margin-top: 1rem; }
input, button { font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin-top: .25rem; }
button { margin-top: 1.5rem; background: #0b57a4; color: #fff; border: 0; border-radius: .4rem; }
.problem { border-left: .3rem solid #b3261e; padding-left: .8rem; }
small { display: block; margin-top: 1.5rem; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
$problem
<form method="post" action="$action">
<label for="code">$code</label>
<input id="code" name="code" required maxlength="40" autocomplete="off" autocapitalize="none" spellcheck="false"
 value="$typed_code" $focus>
<label for="nickname">$nickname</label>
<input id="nickname" name="nickname" required maxlength="$longest" autocomplete="nickname" value="$typed_nickname">
<input type="hidden" name="next" value="$next">
<input type="hidden" name="lang" value="$lang">
<button>$enter</button>
</form>
<small>$privacy</small>
<p><a href="$other_address" hreflang="$other" lang="$other">$other_name</a></p>
</main>
</body>
</html>
""")


class Join:
    """GET shows the page, POST lets in: everybody who joins is a new person, whatever the nickname."""

    def __init__(self, brake: Brake | None = None) -> None:
        self._brake = brake or Brake()

    async def show(self, request: Request) -> Response:
        """The page; `next` is where to go afterwards."""
        return _page(request, _words(request, request.query_params), request.query_params)

    async def enter(self, request: Request) -> Response:
        """Into the class with the right code; the page again, with a sentence, otherwise."""
        fields = await _form(request)
        text = _words(request, fields)
        address = request.client.host if request.client else ""
        wait = self._brake.wait(address)
        if wait:
            return _page(request, text, fields, 429, text.t("join.slow_down", seconds=int(wait) + 1))
        role = host.classroom().role(fields.get("code", ""))
        if role is None:
            self._brake.failed(address)
            return _page(request, text, fields, 403, text.t("join.wrong_code"))
        try:
            person = await to_thread.run_sync(_join, fields.get("nickname", ""), role)
        except BadInput:
            return _page(request, text, fields, 400, text.t("join.bad_nickname", longest=NICKNAME_MAX))
        return _welcome(request, person, fields.get("next", ""))


def local_path(wanted: str) -> str:
    """The wanted address if it is a path of ours, else "/": a link to the code page must not lead elsewhere."""
    parts = urlsplit(wanted)
    inside = wanted.startswith("/") and not wanted.startswith("//") and not parts.scheme and not parts.netloc
    clean = "\\" not in wanted and wanted.isprintable()
    return wanted if inside and clean else "/"


def _join(nickname: str, role: Role) -> Person:
    return host.engine().people.join(nickname, role)


def _welcome(request: Request, person: Person, wanted: str) -> Response:
    root = request.scope.get("root_path", "")
    response = RedirectResponse(root + local_path(wanted), 303)
    response.set_cookie(
        cookie_name(host.options()),
        host.classroom().cookie(person.id),
        max_age=COOKIE_LASTS_S,
        path=root or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _words(request: Request, fields: Mapping[str, str]) -> Words:
    wanted = fields.get("lang", "")
    return words(wanted if wanted in LANGUAGES else choose(request.headers.get("accept-language")))  # type: ignore[arg-type]


def _page(
    request: Request, text: Words, fields: Mapping[str, str], status: int = 200, problem: str = ""
) -> HTMLResponse:
    other = next(lang for lang in LANGUAGES if lang != text.lang)
    action = f"{request.scope.get('root_path', '')}/join"
    after = local_path(fields.get("next", ""))
    values = {
        "lang": text.lang,
        "title": text.t("join.title"),
        "code": text.t("join.code"),
        "nickname": text.t("join.nickname"),
        "enter": text.t("join.enter"),
        "privacy": text.t("join.privacy"),
        "typed_code": fields.get("code", ""),
        "typed_nickname": fields.get("nickname", ""),
        "longest": str(NICKNAME_MAX),
        "next": after,
        "action": action,
        "other": other,
        "other_name": text.t(f"language.{other}"),
        "other_address": f"{action}?lang={other}&next={quote(after, safe='')}",
        "focus": "" if problem else "autofocus",
    }
    html = {name: escape(value) for name, value in values.items()}
    html["problem"] = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    # same-origin: under no-referrer a browser sends "Origin: null" with the form, which the guard refuses
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(PAGE.substitute(html), status, headers)
