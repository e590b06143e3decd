"""How Gradio looks: the theme from the shared colours, a little CSS, and a page in the right language that names no
other host. Knows no tab.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.ui.i18n import Language
from apps.ui.theme import ACCENT, ACCENT_DARK, GROUND, INK, PANEL

# Names only: Gradio's own themes may ask a font service on the network.
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")

ICON = Path(__file__).parent / "ui" / "icon.svg"

CSS = """
.atelier-header h1 { font-size: 1.5rem; font-weight: 600; margin: 0; }
.atelier-header h2 { font-size: 1.15rem; font-weight: 600; margin: 0; }
.atelier-header p { margin: .15rem 0 0; }
.atelier-alert { border-left: 4px solid #D55E00; padding: .4rem .8rem; background: #D55E0014; }
.atelier-alert small { display: block; }
.atelier-progress progress { width: 12rem; max-width: 40%; vertical-align: middle; margin-left: .5rem; }
.atelier-progress progress[value] { appearance: none; height: .6rem; border: 1px solid #8888; background: transparent; }
.atelier-progress progress[value]::-webkit-progress-bar { background: transparent; }
.atelier-progress progress[value]::-webkit-progress-value { background: %(accent)s; }
.atelier-progress progress[value]::-moz-progress-bar { background: %(accent)s; }
.dark button[role="tab"][aria-selected="true"] { color: %(accent_dark)s; }
.sidebar { background: %(panel)s; }
.dark .sidebar { background: %(panel_dark)s; }
.atelier-language nav { text-align: center; }
.atelier-hidden, .form:has(> .atelier-hidden) { display: none !important; }
.block.atelier-slot:not(:has(.prose > *)) { display: none; }
.atelier-hint { display: inline; }
.atelier-hint summary, .atelier-hint-info, .sidebar [class*="info-text"]:not([tabindex]) { display: inline-block;
  list-style: none; cursor: help; width: 1.3em; height: 1.3em; line-height: 1.25; text-align: center; overflow: hidden;
  vertical-align: middle; border: 1px solid currentColor; border-radius: 50%; font-size: .75rem; }
.atelier-hint-info::before { content: "?"; display: block; }
.atelier-hint-info.open { display: block; width: auto; height: auto; text-align: left; border: 0; border-radius: 0; }
.atelier-hint-info.open::before { content: none; }
.atelier-hint summary::-webkit-details-marker { display: none; }
.atelier-hint span { display: block; margin: .25rem 0; }
[data-testid="block-info"].has-info { display: inline-block; margin-right: .4rem; }
.atelier-note { margin: .2rem 0 0; font-size: .85rem; }
.atelier-acts [role="toolbar"] { display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; }
.atelier-acts button { border: 1px solid #8886; border-radius: 4px; padding: .2rem .55rem; background: transparent;
  cursor: pointer; font-size: .85rem; font-weight: 400; line-height: 1.5; }
.atelier-acts button:hover:not(:disabled) { border-color: %(accent)s; }
.atelier-acts button:disabled { opacity: .4; cursor: default; }
#conversations ul { list-style: none; margin: 0; padding: 0; max-height: 50vh; overflow-y: auto; }
#conversations li { display: flex; gap: .25rem; align-items: center; margin: 0; padding: .1rem 0; }
#conversations li > :first-child { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; text-align: left; border-color: transparent; }
#sampling-tree button { text-align: left; overflow-wrap: anywhere; max-width: 100%; }
#exports button { display: block; width: 100%; text-align: left; margin: .15rem 0; }
#history .placeholder-content { padding: 0 1rem; }
#files span { margin-right: .8rem; }
#fields label { display: block; margin: .3rem 0; }
#fields :is(input, select, textarea) { border: 1px solid #8886; border-radius: 4px; padding: .2rem .4rem;
  background: transparent; max-width: 100%; }
#fields pre { white-space: pre-wrap; overflow-wrap: anywhere; }
#exact-prompt pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 50vh; overflow-y: auto; }
#exact-prompt mark { background: #E69F0055; color: inherit; border-radius: 3px; }
.gradio-container { overflow: clip !important; }
#composer { position: sticky; bottom: 0; z-index: 30; padding: .4rem 0; background: var(--body-background-fill); }
.atelier-drawer:has(> button.open) { position: fixed; inset: 0 0 0 auto; z-index: 60; width: min(42rem, 100vw);
  overflow-y: auto; overscroll-behavior: contain; box-shadow: -2px 0 12px #0004;
  background: var(--body-background-fill) !important; }
.atelier-drawer > button.open { position: sticky; top: 0; z-index: 1; padding: .6rem 0;
  background: var(--body-background-fill); }
#scripts button, #whole-trace button { margin-right: .4rem; }
#requests ol { margin: 0; padding-left: 2.2rem; }
#requests li { margin: .1rem 0; padding: 0; }
#requests button { text-align: left; border-color: transparent; }
#one-request pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 40vh; overflow-y: auto; }
#chat-list.turned { display: none; }
@media (max-width: 1100px) { #chat-list { display: none; } #chat-list.turned { display: flex; } }
.atelier-scroll { overflow-x: auto; }
.atelier-end { align-items: end; }
#server-addresses td, #endpoints-table td:last-child { overflow-wrap: anywhere; min-width: 9rem; }
.compare-columns { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(min(19rem, 88%), 1fr); gap: .8rem;
  overflow-x: auto; }
#compare-form .compare-columns { scrollbar-width: none; }
.compare-columns > section { min-width: 0; padding: 0 .1rem; }
.compare-columns h4 { margin: .2rem 0; overflow-wrap: anywhere; }
.compare-columns label { display: block; margin: .3rem 0; font-size: .85rem; }
.compare-columns :is(input, select, textarea) { border: 1px solid #8886; border-radius: 4px; padding: .25rem .4rem;
  background: var(--input-background-fill); color: inherit; width: 100%; min-width: 0; }
.atelier-acts [role="toolbar"] button { margin: 0 !important; }
.compare-head { display: flex; gap: .5rem; align-items: start; margin-bottom: .3rem; }
.compare-more { margin-top: .4rem; }
.compare-model { flex: 1; min-width: 0; display: grid; gap: .3rem; }
.compare-model:not(:has(option[value=""]:checked)) input { display: none; }
.compare-own { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 0 .6rem; }
.compare-text, .compare-columns blockquote { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0 .6rem; }
#compare-answers pre { max-height: 40vh; overflow-y: auto; }
#compare-ask { position: sticky; bottom: 0; z-index: 30; padding: .4rem 0; background: var(--body-background-fill); }
.atelier-picture { display: flex; flex-wrap: wrap; gap: .4rem; align-items: stretch; }
.atelier-picture > span { align-self: center; }
.atelier-picture section { flex: 1 1 12rem; border: 1px solid #8886; border-radius: 6px; padding: .35rem .7rem; }
.atelier-picture p { margin: 0; font-size: .85rem; }
.atelier-picture button { border: 0; padding: 0; background: transparent; cursor: pointer; font-size: .85rem;
  text-decoration: underline; color: inherit; }
@media (max-width: 700px) { .atelier-picture > span { display: none; } .atelier-picture section { flex-basis: 100%; } }
.prose .atelier-table { border: 0; border-collapse: collapse; width: 100%; }
.prose .atelier-table :is(tr, th, td) { border: 0; border-bottom: 1px solid #8886; }
.prose .atelier-table :is(th, td) { padding: .3rem .6rem; text-align: left; }
.gradio-container .prose a { margin: 0; padding: 0; text-decoration: underline; }
"""
for _name, _colour in {"accent": ACCENT, "accent_dark": ACCENT_DARK, "panel": PANEL["light"],
                       "panel_dark": PANEL["dark"]}.items():  # fmt: skip
    CSS = CSS.replace(f"%({_name})s", _colour)


def theme() -> gr.themes.Base:
    """The shared colours with fonts of the reader's own machine; secondary text dark enough for WCAG AA."""
    base = gr.themes.Base(font=list(SANS), font_mono=list(MONO))
    return base.set(
        body_background_fill=GROUND["light"],
        body_background_fill_dark=GROUND["dark"],
        background_fill_primary_dark=GROUND["dark"],
        background_fill_secondary_dark=PANEL["dark"],
        block_background_fill_dark=GROUND["dark"],
        block_label_background_fill_dark=GROUND["dark"],
        input_background_fill_dark=PANEL["dark"],
        button_secondary_background_fill_dark=PANEL["dark"],
        body_text_color=INK["light"],
        body_text_color_dark=INK["dark"],
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        color_accent=ACCENT,
        slider_color=ACCENT,
        slider_color_dark=ACCENT_DARK,
        link_text_color=ACCENT,
        link_text_color_dark=ACCENT_DARK,
        link_text_color_hover=ACCENT,
        link_text_color_hover_dark=ACCENT_DARK,
        button_primary_background_fill=ACCENT,
        button_primary_background_fill_dark=ACCENT,
        button_primary_background_fill_hover=ACCENT,
        button_primary_background_fill_hover_dark=ACCENT,
        button_primary_text_color="#FFFFFF",
        button_primary_text_color_dark="#FFFFFF",
    )


class PageInLanguage:
    """Middleware that makes Gradio's page say its language, and speak it where Gradio asks the browser.

    Gradio writes `lang="en"` into every page, links previews to its own site, and takes the words of its own buttons
    from the browser's language, whatever our page is written in.
    """

    def __init__(self, app: ASGIApp, lang: Language) -> None:
        self.app, self.lang = app, lang

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith(f"/{self.lang}/") or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, _Rewriter(send, self.lang))


class _Rewriter:
    """A `send` that holds the page back until it is whole, then sends it rewritten."""

    def __init__(self, send: Send, lang: Language) -> None:
        self._send, self._lang = send, lang
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":  # an extension of the server or of a test's client
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        if "text/html" in Headers(raw=self._start["headers"]).get("content-type", ""):
            self._body = page_in(self._lang, self._body.decode()).encode()
            MutableHeaders(raw=self._start["headers"])["content-length"] = str(len(self._body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": self._body})


# Previews of links point to Gradio's site; the manifest is one of an app to install, which this is not (404).
_FOREIGN = re.compile(r'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>\s*|<link rel="manifest"[^>]*>')


def page_in(lang: Language, page: str) -> str:
    """Gradio's page, its language set to `lang`, without the previews that point to other hosts."""
    speak: Any = f'<script>Object.defineProperty(navigator, "language", {{ get: () => "{lang}" }});</script>'
    drawing = quote(ICON.read_text(encoding="utf-8"))
    icon = f'<link rel="icon" href="data:image/svg+xml,{drawing}">'  # else the browser asks the root of the host
    page = _FOREIGN.sub("", page.replace('lang="en"', f'lang="{lang}"', 1))
    return page.replace("<head>", f"<head>{speak}{icon}", 1)
