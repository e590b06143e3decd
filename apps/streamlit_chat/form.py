"""The template that frames the messages, and the form that an answer must have: choosers, editors, previews."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.streamlit_kit import plain, show_error
from apps.ui.judging import Judging
from engine.conversation import ChatSettings, Node
from engine.errors import EngineError, NotSupported
from engine.output import KINDS, Output, asked_form, ready
from engine.templates import NAMES, injected_system, preview, source
from engine.types import Message

OWN, WRITTEN = "", "written"
SHOWN_MESSAGES = 6  # in a preview
LOOK_EVERY_S = 1.0


def added(pane: Pane) -> None:
    """The system prompt that the model's own template puts in where nobody wrote one."""
    ui = pane.ui
    if not pane.counts or pane.conversation.settings.mode == "raw" or pane.conversation.settings.template:
        return
    known = st.session_state.setdefault("chat.injected", {})
    if pane.card.id not in known:
        try:
            known[pane.card.id] = injected_system(ui.open(pane.card.id))
        except NotSupported:
            known[pane.card.id] = None
    if text := known[pane.card.id]:
        instead = bool(pane.conversation.settings.system.strip())
        st.caption(ui.t("chat_head.added_off" if instead else "chat_head.added"))
        if not instead:
            st.code(text, language=None, wrap_lines=True)


def template(pane: Pane) -> None:
    """Which template, its text, and what it makes of the conversation."""
    ui, settings = pane.ui, pane.conversation.settings
    _refusal(pane, "template")
    kind = settings.template if settings.template in NAMES else WRITTEN if settings.template else OWN
    st.selectbox(
        ui.t("chat_head.template"), (OWN, WRITTEN, *NAMES), key=pane.bound("template_kind", kind),
        format_func=lambda name: _named(pane, name), help=ui.t("chat_head.template_help"),
        disabled=pane.refused("template") is not None and kind == OWN,
        on_change=_template_chosen, args=(pane,),
    )  # fmt: skip
    if kind == WRITTEN:
        st.text_area(ui.t("chat_head.template_text"), key=pane.bound("template", settings.template), height=160,
                     on_change=pane.changed, args=("template",))  # fmt: skip
    if settings.template:
        st.caption(ui.t("chat_head.template_tools"))
    _preview(pane, settings.template)


def _refusal(pane: Pane, feature: str) -> None:
    """Why the model does not take it, where it does not."""
    if reason := pane.refused(feature):
        st.caption(f":material/block: {pane.ui.t(reason)}")


def _preview(pane: Pane, chosen: str | None) -> None:
    """What the template makes of the last messages, or of an example where there are none."""
    ui = pane.ui
    said = list(pane.conversation.messages())[-SHOWN_MESSAGES:]
    said = said or [Message("user", ui.words.typed("chat.example_1"))]
    if chosen is None and not pane.counts:
        return
    try:
        if chosen is None:
            model = ui.open(pane.card.id)
            text = model.render(model.request(said)).prompt
        else:
            text = preview(chosen, tuple((one.role, one.content) for one in said))
    except NotSupported:
        return
    except EngineError as error:
        show_error(ui, error)
    else:
        st.caption(ui.t("chat_head.template_preview"))
        st.code(text, language=None, wrap_lines=True)


def _named(pane: Pane, name: str) -> str:
    if name in (OWN, WRITTEN):
        return pane.ui.t("chat_head.template_own" if name == OWN else "chat_head.template_written")
    return name


def _template_chosen(pane: Pane) -> None:
    name = st.session_state[pane.key("template_kind")]
    wanted = source("chatml") if name == WRITTEN else name or None
    pane.attempt(lambda: pane.chat.settings(template=wanted))


def output(pane: Pane) -> None:
    """Free text, a schema or a grammar: ready ones, an editor, and whether it can be used."""
    ui, settings = pane.ui, pane.conversation.settings
    st.segmented_control(
        ui.t("chat_head.output"), KINDS, required=True, key=pane.bound("output_kind", settings.output_kind),
        format_func=lambda kind: ui.t(f"chat_head.output_{kind}"), help=ui.t("chat_head.output_help"),
        disabled=settings.output_kind == "text" and all(pane.refused(name) for name in ("json_schema", "grammar")),
        on_change=_kind_chosen, args=(pane,),
    )  # fmt: skip
    for feature in ("json_schema", "grammar"):
        _refusal(pane, feature)
    if settings.output_kind == "text":
        return
    forms = ready(settings.output_kind)
    st.selectbox(
        ui.t("chat_head.output_ready"), list(forms), index=None, format_func=lambda name: forms[name].title[ui.lang],
        key=pane.key(f"ready.{settings.output_kind}"), placeholder=ui.t("chat_head.output_choose"),
        on_change=_ready_chosen, args=(pane,),
    )  # fmt: skip
    st.text_area(ui.t("chat_head.output_source"), key=pane.bound("output_source", settings.output_source), height=160,
                 on_change=pane.changed, args=("output_source",))  # fmt: skip
    if settings.output_source.strip():
        _check(pane, settings)


def _check(pane: Pane, settings: ChatSettings) -> None:
    try:
        Output(settings.output_kind, settings.output_source).check()
    except EngineError as error:
        show_error(pane.ui, error)
    else:
        st.caption(f"✓ {pane.ui.t('chat_head.output_valid')}")


def _kind_chosen(pane: Pane) -> None:
    kind = st.session_state[pane.key("output_kind")]
    first = "" if kind == "text" else next(iter(ready(kind).values())).output.source
    pane.attempt(lambda: pane.chat.settings(output_kind=kind, output_source=first))


def _ready_chosen(pane: Pane) -> None:
    kind = pane.conversation.settings.output_kind
    if name := st.session_state[pane.key(f"ready.{kind}")]:
        pane.attempt(lambda: pane.chat.settings(output_source=ready(kind)[name].output.source))


def verdict(pane: Pane, node: Node) -> None:
    """Whether the answer has the form that it was asked for; judged once, beside the page."""
    form = asked_form(node.form)
    if form is None or node.state == "writing":
        return
    known: Judging | None = pane.get("verdict")
    if known is None or not known.of(form, node.content):
        known = Judging(form, node.content)
        pane.set("verdict", known)
    if known.pending:
        st.fragment(_judged, run_every=LOOK_EVERY_S)(pane, known)
    else:
        _told(pane, known)


def _judged(pane: Pane, known: Judging) -> None:
    """While it is judged this part alone looks again; then the page does, once."""
    _told(pane, known)
    if not known.pending:
        st.rerun()


def _told(pane: Pane, known: Judging) -> None:
    sign, text = known.told(pane.ui.words)
    st.caption(f"{sign} {plain(text)}")
