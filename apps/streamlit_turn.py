"""The same request elsewhere: its code in every form, with the address that works from where the reader sits. Knows no
page and no backend.
"""

from __future__ import annotations

import streamlit as st

from apps import host
from apps.streamlit_kit import Ui
from engine.backends.base import Request
from engine.snippets import portable, snippets

KEY_VARIABLE = "ATELIER_API_KEY"  # the name under which shown code looks for a person's key


def code(ui: Ui, model_id: str, request: Request) -> None:
    """The request in every form that it has, ready to be copied."""
    model = ui.open(model_id)
    endpoint = model.card.endpoint
    address = endpoint.base_url if endpoint else own_address()
    key = (endpoint.provider.key_env if endpoint else None) or (KEY_VARIABLE if host.options().guarded else None)
    body = portable(model.body(request), endpoint.model if endpoint else model.card.id)
    forms = [form for form in snippets(body, address, key).forms() if form.text]
    st.caption(ui.t("chat.code_help"))
    for tab, form in zip(st.tabs([form.name for form in forms]), forms, strict=True):
        tab.code(form.text, language=form.language)


def own_address() -> str:
    """Where this application's own `/v1` is, as the person's browser reaches it."""
    options = host.options()
    scheme, _, rest = (st.context.url or f"http://127.0.0.1:{options.port}").partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{options.root_path.rstrip('/')}/v1"
