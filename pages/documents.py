"""Documents: collections of one's own files, searched and answered from, with every step in sight. Layout only."""

from __future__ import annotations

from apps import streamlit_kit as kit
from apps.streamlit_comptine.steps import wide
from apps.streamlit_documents.adding import adding
from apps.streamlit_documents.chooser import chooser
from apps.streamlit_documents.desk import Desk
from apps.streamlit_documents.files import files
from apps.streamlit_documents.tabs import tabs

ui = kit.page("documents")
wide()
desk = Desk(ui)
with kit.guard(ui):
    desk.warm()
    chooser(desk)
    adding(desk)
    files(desk)
    tabs(desk)
desk.write_address()
