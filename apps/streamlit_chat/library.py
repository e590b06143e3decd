"""The person's prompts: pick one, fill in what it asks for, put it into the input; write, compare, import, export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.streamlit_kit import Ui, guard, plain, show_error
from engine.errors import EngineError
from engine.prompts import Prompt, Prompts, Variable, export_prompts, fill, matching, read_prompts, samples, slug

OPEN = "library"  # what was typed after the slash, "" for the whole list


def commands(ui: Ui, typed: str) -> tuple[Prompt, ...]:
    """The prompts that `/typed` may mean."""
    return matching(_all(ui), typed)


def library(pane: Pane) -> None:
    """Open it where it was asked for; it stays open until a prompt is used or it is closed."""
    if pane.get(OPEN) is None:
        return
    close = partial(pane.set, OPEN, None)
    st.dialog(pane.ui.t("chat_compose.library"), width="medium", icon=":material/bookmarks:", on_dismiss=close)(_draw)(
        pane, pane.get(OPEN)
    )


def _store(ui: Ui) -> Prompts:
    return Prompts(ui.engine.library)


def _all(ui: Ui) -> tuple[Prompt, ...]:
    """Those of the person, then the ready ones whose command is free."""
    own = _store(ui).all(ui.person.id)
    taken = {prompt.command for prompt in own}
    return (*own, *(prompt for prompt in samples(ui.lang) if prompt.command not in taken))


def _draw(pane: Pane, typed: str) -> None:
    ui = pane.ui
    with guard(ui):
        found = commands(ui, typed) if typed else _all(ui)
        one = st.selectbox(
            ui.t("chat_library.choose"), found, format_func=lambda prompt: f"/{prompt.command} · {prompt.name}",
            key="chat.library.choice", index=0 if typed and found else None,
            placeholder=ui.t("chat_library.choose_hint"),
        )  # fmt: skip
        if one is not None:
            _use(pane, one)
        with st.expander(ui.t("chat_library.write"), icon=":material/edit:"):
            _write(ui, one)
        with st.expander(ui.t("chat_library.transfer"), icon=":material/import_export:"):
            _transfer(ui)


def _use(pane: Pane, prompt: Prompt) -> None:
    ui = pane.ui
    values = {one.name: _field(ui, prompt, one) for one in prompt.variables}
    now = datetime.now().astimezone()
    try:
        text = fill(prompt.text, values, now=now, user=ui.person.nickname, language=ui.lang)
    except EngineError as error:
        text = ""
        if error.details.get("reason") == "required":
            st.caption(ui.t("chat_library.missing", name=plain(str(error.details.get("variable")))))
        else:
            show_error(ui, error)
    st.text_area(ui.t("chat_library.result"), text or prompt.text, disabled=True, height=110)
    if st.button(ui.t("chat_library.insert"), type="primary", disabled=not text, key="chat.library.insert",
                 help=ui.t("chat_library.insert_help")):  # fmt: skip
        pane.chat.draft = text
        pane.set(OPEN, None)
        st.rerun()


def _field(ui: Ui, prompt: Prompt, one: Variable) -> Any:
    """A widget for one variable, and what it holds."""
    key, label = f"chat.library.{prompt.command}.{one.name}", one.name + (" *" if one.required else "")
    if one.kind == "select":
        place = one.choices.index(one.default) if one.default in one.choices else None
        return st.selectbox(label, one.choices, index=place, key=key)
    if one.kind == "number":
        start = float(one.default) if one.default else None
        return st.number_input(label, one.low, one.high, start, one.step, format="%g", key=key)
    if one.kind == "checkbox":
        return st.checkbox(label, one.default == "true", key=key)
    if one.kind == "date":
        found = st.date_input(label, one.default or None, key=key)
        return found.isoformat() if found else None
    if one.kind == "time":
        at = st.time_input(label, one.default or None, key=key)
        return at.strftime("%H:%M") if at else None
    if one.kind == "file":
        from engine.documents import read  # readers of a dozen formats

        file = st.file_uploader(label, key=key)
        return read(file.name, file.getvalue()).text if file else None
    kind: Callable[..., Any] = st.text_area if one.kind == "textarea" else st.text_input
    return kind(label, one.default or "", placeholder=one.placeholder or None, key=key)


def _write(ui: Ui, one: Prompt | None) -> None:
    """A new prompt, or a new version of the chosen one, with what changed from version to version."""
    mark = one.command if one else ""
    name = st.text_input(ui.t("chat_library.name"), one.name if one else "", key=f"chat.library.name.{mark}")
    text = st.text_area(ui.t("chat_library.text"), one.text if one else "", key=f"chat.library.text.{mark}",
                        help=ui.t("chat_library.text_help"))  # fmt: skip
    if st.button(ui.t("chat_library.save"), disabled=not (name.strip() and text.strip()), key="chat.library.save"):
        with guard(ui):
            command = one.command if one and one.name == name else slug(name)
            _store(ui).save(ui.person.id, Prompt(name, command, text))
            st.rerun(scope="fragment")
    versions = _store(ui).versions(ui.person.id, one.name) if one else ()
    if one and versions and st.button(ui.t("chat_library.delete"), icon=":material/delete:", type="tertiary",
                                      key="chat.library.delete"):  # fmt: skip
        _store(ui).drop(ui.person.id, one.name)
        st.session_state.pop("chat.library.choice", None)
        st.rerun(scope="fragment")
    if one and len(versions) > 1:
        old = st.selectbox(ui.t("chat_library.compare"), [version.number for version in versions[1:]],
                           format_func=lambda number: ui.t("chat_library.version", number=number),
                           key="chat.library.old")  # fmt: skip
        st.code(_store(ui).diff(ui.person.id, one.name, old, versions[0].number), language="diff", wrap_lines=True)
        if st.button(ui.t("chat_library.restore"), key="chat.library.restore"):
            _store(ui).restore(ui.person.id, one.name, old)
            st.rerun(scope="fragment")


def _transfer(ui: Ui) -> None:
    own = _store(ui).all(ui.person.id)
    st.download_button(ui.t("chat_library.export"), export_prompts(own), "prompts.json", "application/json",
                       disabled=not own, on_click="ignore", key="chat.library.export")  # fmt: skip
    file = st.file_uploader(ui.t("chat_library.import"), "json", help=ui.t("chat_library.import_help"),
                            key="chat.library.import")  # fmt: skip
    if file and st.button(ui.t("chat_library.import_now"), key="chat.library.import_now"):
        _store(ui).adopt(ui.person.id, read_prompts(file.getvalue()))
        st.rerun(scope="fragment")
