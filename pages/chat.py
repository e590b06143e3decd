"""Chat: talk to one model, or two chats side by side, and see what was read. Layout only."""

from __future__ import annotations

import streamlit as st

from apps import streamlit_kit as kit
from apps.streamlit_chat.composer import composer, send
from apps.streamlit_chat.drawer import drawer
from apps.streamlit_chat.head import head, split
from apps.streamlit_chat.library import library
from apps.streamlit_chat.live import follow
from apps.streamlit_chat.log import log
from apps.streamlit_chat.messages import messages
from apps.streamlit_chat.pane import panes
from apps.streamlit_chat.shelf import shelf

EXAMPLES = ("chat.example_1", "chat.example_2", "chat.example_3")

ui = kit.page("chat")
chats = panes(ui)
with kit.guard(ui):
    shelf(chats[0])
composer(chats)
split(chats)
places = {}
for column, chat in zip(st.columns(len(chats)), chats, strict=True):
    with column, kit.guard(ui):
        head(chat)
        places[chat] = messages(chat)
        chat.show_failure()
if not any(chat.path() for chat in chats):
    with st.container():  # one element, so that the first message takes the place of all of it at once
        st.markdown(ui.t("chat.empty"))
        for key in EXAMPLES:
            st.button(ui.t(key), on_click=send, args=(chats, ui.words.typed(key)), key=key)
log(ui)
for chat in chats:
    chat.write_address()
    drawer(chat)
library(chats[0])
follow(places)
