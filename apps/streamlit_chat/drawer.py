"""The panel at the right: what the model has read for one answer, from the messages to the code that asks again."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from functools import partial

import streamlit as st

from apps import host
from apps.streamlit_chat.pane import Pane
from apps.streamlit_components import token_strip
from apps.streamlit_kit import Ui, guard
from apps.ui.trace_panel import KEY_VARIABLE, TracePanel, panel
from engine.conversation import Node
from engine.errors import NotFound
from engine.trace import Trace

SPECIAL = "background:#56B4E944;font-weight:600"
TABS = ("prompt", "tokens", "request", "response", "code")


def drawer(pane: Pane) -> None:
    """Open it where a message asked for it; it stays open until it is closed."""
    wanted = pane.get("drawer")
    if wanted is None or wanted[0] not in pane.conversation.nodes:
        return
    ui, node = pane.ui, pane.conversation.node(wanted[0])
    show = st.dialog(ui.t("chat_trace.title"), width="medium", position="right", icon=":material/visibility:",
                     on_dismiss=partial(pane.set, "drawer", None))(_draw)  # fmt: skip
    show(pane, node, wanted[1])


def _draw(pane: Pane, node: Node, first: str) -> None:
    ui = pane.ui
    with guard(ui):
        shown, trace = _panel(pane, node)
        views(ui, shown, trace, first, pane.key(f"tabs.{node.id}.{first}"))


def views(ui: Ui, shown: TracePanel, trace: Trace | None, first: str, key: str) -> None:
    """The views of a panel as tabs, `first` in front; only the open one is drawn."""
    tabs = st.tabs([ui.t(f"chat_trace.{name}") for name in TABS], default=ui.t(f"chat_trace.{first}"),
                   on_change="rerun", key=key)  # fmt: skip
    for tab, name in zip(tabs, TABS, strict=True):
        if tab.open:
            with tab:
                _VIEWS[name](ui, shown, trace)


def _panel(pane: Pane, node: Node) -> tuple[TracePanel, Trace | None]:
    """The panel of the answer as it stands; made once, since it asks the model's server."""
    known = pane.get("panel")
    if known is None or known[0] is not node:
        model_id, request = pane.chat.request_of(node.id)
        trace = _trace(pane.ui, node)
        key = KEY_VARIABLE if host.options().guarded else None
        shown = panel(pane.ui.open(model_id), request, trace, address=own_address(), key_variable=key)
        known = (node, shown, trace)
        pane.set("panel", known)
    return known[1], known[2]


def _trace(ui: Ui, node: Node) -> Trace | None:
    try:
        return ui.engine.traces.get(node.trace_id or "", ui.person.id)
    except NotFound:  # the log keeps the most recent ones
        return None


def own_address() -> str:
    """Where this application's own `/v1` is, as the person's browser reaches it."""
    options = host.options()
    scheme, _, rest = (st.context.url or f"http://127.0.0.1:{options.port}").partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{options.root_path.rstrip('/')}/v1"


def _prompt(ui: Ui, shown: TracePanel, trace: Trace | None) -> None:
    with st.expander(ui.t("chat_trace.messages")):
        _json(json.dumps([message.to_dict() for message in shown.messages], indent=2, ensure_ascii=False))
    if trace is not None and trace.window and not _whole(trace.window):
        with st.expander(ui.t("chat_trace.window"), expanded=True):
            _json(json.dumps(trace.window, indent=2, ensure_ascii=False))
    _observed(ui, shown)
    if shown.prompt is not None:
        st.html(marked(shown.segments()))


def _whole(window: dict[str, object]) -> bool:
    """Whether the record of a window policy says that all was sent."""
    return not any(window.get(name) for name in ("dropped", "cut", "summary"))


def _observed(ui: Ui, shown: TracePanel) -> None:
    """How the prompt is known, or why it cannot be."""
    counted = ui.t("trace.counted", count=shown.counted) if shown.counted is not None else ""
    if shown.prompt is None:
        st.info(f"{ui.t(f'trace.reason.{shown.reason}')} {counted}", icon=":material/visibility_off:")
        return
    told = ui.t("chat.trace_help", count=len(shown.pieces)) if shown.pieces else counted
    origin = ui.t("trace.from_lms") if shown.from_lms else ui.t("chat_trace.rendered") if shown.special_spans else ""
    cut = ui.t("trace.cut", names=", ".join(shown.cut)) if shown.cut else ""
    st.caption(" ".join(part for part in (told, origin, cut) if part))


def _tokens(ui: Ui, shown: TracePanel, _: Trace | None) -> None:
    if not shown.pieces:
        _observed(ui, shown)
        return
    st.caption(ui.t("chat_trace.tokens_help"))
    token_strip(shown.pieces, ui.words, "chat.strip")


def marked(segments: Iterable[tuple[str, bool]]) -> str:
    """The texts, the special ones coloured, as HTML that holds nothing but text."""
    parts = (f"<span style='{SPECIAL}'>{html.escape(text)}</span>" if special else html.escape(text)
             for text, special in segments)  # fmt: skip
    return f"<pre style='white-space:pre-wrap;overflow-wrap:anywhere'>{''.join(parts)}</pre>"


def _request(ui: Ui, shown: TracePanel, trace: Trace | None) -> None:
    st.caption(ui.t("chat_trace.request_help" if trace else "chat_trace.gone"))
    _json(shown.request_json)
    if trace is not None:
        _all(ui, trace)


def _response(ui: Ui, shown: TracePanel, trace: Trace | None) -> None:
    st.caption(ui.t("chat_trace.response_help" if trace else "chat_trace.gone"))
    if trace is not None and shown.response_json is not None:
        _json(shown.response_json)
        _all(ui, trace)


def _all(ui: Ui, trace: Trace) -> None:
    st.download_button(
        ui.t("chat_trace.download"), lambda: json.dumps(trace.to_dict(), indent=2, ensure_ascii=False),
        f"trace-{trace.id}.json", "application/json", icon=":material/download:", type="tertiary", on_click="ignore",
        key="chat.trace.download",
    )  # fmt: skip


def _json(text: str) -> None:
    st.code(text, language="json", wrap_lines=True)


def _code(ui: Ui, shown: TracePanel, _: Trace | None) -> None:
    st.caption(ui.t("code.help"))
    for tab, form in zip(st.tabs([ui.t(f"code.{form.name}") for form in shown.codes]), shown.codes, strict=True):
        if form.text:
            tab.code(form.text, language=form.language, wrap_lines=True)
        else:
            tab.caption(ui.t("code.none"))
    st.markdown(f"**{ui.t('code.sheet')}**", help=ui.t("code.sheet_help"))
    with st.container(horizontal=True):
        for script in shown.scripts:
            st.download_button(script.name, script.text, script.name, "text/x-shellscript", on_click="ignore",
                               icon=":material/download:", type="tertiary", key=f"chat.{script.name}")  # fmt: skip


_VIEWS = {"prompt": _prompt, "tokens": _tokens, "request": _request, "response": _response, "code": _code}
