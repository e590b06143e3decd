"""Chat: talk to one model, and see what it has read. Layout only."""

from __future__ import annotations

import streamlit as st

from apps import streamlit_kit as kit
from apps.streamlit_turn import show_turn
from apps.ui.conversation import Conversation

EXAMPLES = ("chat.example_1", "chat.example_2", "chat.example_3")
SHOWN = 30  # turns; a browser needs seconds for hundreds

ui = kit.page("chat")
chat = ui.state("conversation", Conversation)


def ask(question: str | None = None) -> None:
    kit.ask(ui, chat, question or st.session_state["chat.input"])


def bottom() -> None:
    with st.bottom, st.container(horizontal=True, vertical_alignment="center"), kit.guard(ui):
        kit.gauge(ui, chat.used(), ui.params, ui.window)
        if chat.answer:
            st.button(ui.t("chat.stop"), icon=":material/stop_circle:", on_click=chat.answer.stop, type="primary",
                      key="chat.stop")  # fmt: skip
        elif chat.turns:
            st.button(ui.t("chat.clear"), icon=":material/delete:", on_click=chat.clear, help=ui.t("chat.clear_help"),
                      key="chat.clear")  # fmt: skip
    if draft := chat.draft or st.query_params.get("prompt"):  # a link may fill the input; it never sends
        st.session_state["chat.input"], chat.draft = draft, None
        st.query_params.pop("prompt", None)
    st.chat_input(ui.t("chat.input"), key="chat.input", submit_mode="disable", on_submit=ask)


with st.expander(ui.t("glossary.system.name")):
    chat.system = st.text_area(ui.t("glossary.system.name"), key="chat.system", help=ui.t("glossary.system.text"),
                               persist_state="session")  # fmt: skip
bottom()
for number, turn in list(enumerate(chat.turns))[-SHOWN:]:
    show_turn(ui, turn, number)
if chat.error:
    kit.show_error(ui, chat.error)
if chat.answer:
    kit.show_answer(ui, chat, chat.answer)
elif not chat.turns:
    with st.container():  # one element, so that the first message takes the place of all of it at once
        st.markdown(ui.t("chat.empty"))
        for key in EXAMPLES:
            st.button(ui.t(key), on_click=ask, args=(ui.words.typed(key),), key=key)
