"""Endpoints: which services are known, whether they answer, keys for this visit; new ones are the teacher's to type."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from apps import host
from apps.streamlit_kit import guard, plain, show_error, table
from apps.streamlit_models.desk import Desk
from apps.ui import doors
from apps.ui.endpoint_form import (
    WINDOW_MAX,
    WINDOW_MIN,
    Form,
    capabilities,
    kinds,
    params,
    quirks,
    row_head,
    row_rows,
    token_fields,
)
from apps.ui.far_models import served_head, served_rows
from engine.connection import Connection, detect
from engine.far_jobs import NAME_MAX, orders, start_order
from engine.providers import Provider

TEXT_MAX = 2000
TEXTS = ("id", "name", "urls", "like", "variable", "token_field", "price")
ANY = "/model"  # a key belongs to an endpoint, whichever of its models is asked


def endpoints(desk: Desk) -> None:
    """Table, one of them to be tried, then the form."""
    t, words, known = desk.ui.t, desk.ui.words, desk.endpoints
    visit = desk.ui.engine.visit_keys
    brought = [name for name in known if visit.has(desk.ui.person.id, name + ANY)]
    tested: dict[str, Connection] = desk.get("tested", {})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(t("models_endpoint.choose"), list(known), format_func=lambda one: known[one].name,
                            key=desk.key("endpoint"), width=280)  # fmt: skip
        if st.button(t("models_endpoint.test"), help=t("models_endpoint.test_help"), icon=":material/network_check:",
                     key=desk.key("endpoint.test")):  # fmt: skip
            with st.spinner(t("models_endpoint.asking")):
                desk.attempt(lambda now: _test(now, name))
            st.rerun()
        if desk.teacher and st.button(t("models_endpoint.detect"), help=t("models_endpoint.detect_help"),
                                      icon=":material/radar:", key=desk.key("detect")):  # fmt: skip
            desk.teach(_detect)
            st.rerun()
    if (again := desk.get("retest")) in known:
        desk.set("retest", None)
        with st.spinner(t("models_endpoint.asking")), guard(desk.ui):
            _test(desk, str(again))
        tested = desk.get("tested", {})
    _found(desk, known[name], tested.get(name))
    with st.expander(plain(t("models_row.title", name=known[name].name)), icon=":material/tune:"):
        table(row_head(words), row_rows(known[name], words))
    table(doors.endpoint_head(words), doors.endpoint_rows(known.values(), tested, brought, words))
    st.caption(plain(f"{t('models_endpoint.key_legend')} {t('models_endpoint.leaves')}"))
    with st.expander(t("models_endpoint.key_field"), icon=":material/key:"):
        _key(desk, name)
    if desk.teacher:
        with st.expander(f"{t('models_endpoint.add')} · {t('models_endpoint.edit')}", icon=":material/add:"):
            _form(desk, known[name])


def _test(desk: Desk, name: str) -> None:
    """Ask for its models; no text of anybody's is sent. A student's own key alone opens one to a student."""
    ui = desk.ui
    key = ui.engine.visit_keys.of(ui.person.id, name + ANY)
    told = ui.engine.endpoints.test(name, key, role=ui.person.role)
    best = next((one for one in told if one.problem is None), told[0])
    desk.set("tested", {**desk.get("tested", {}), name: best})


def _detect(desk: Desk) -> str:
    """What listens on this machine."""
    t, found = desk.ui.t, detect()
    tested = {one.row: one.connection for one in reversed(found)}
    desk.set("tested", {**desk.get("tested", {}), **tested})
    if not found:
        return t("models_endpoint.detected_none")
    return t("models_endpoint.detected", names=", ".join(f"{one.name} ({one.base_url})" for one in found))


def _found(desk: Desk, row: Provider, connection: Connection | None) -> None:
    """The models of an endpoint that answered, one of which may be used everywhere."""
    t, words = desk.ui.t, desk.ui.words
    if connection is None:
        return
    if connection.problem is not None:
        show_error(desk.ui, connection.problem)
        return
    st.caption(plain(f"{connection.address} · {doors.connection_text(connection, words)}"))
    names = [one.id for one in connection.models]
    if names:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            model = st.selectbox(t("models_endpoint.remote_model"), names, key=desk.key(f"remote.{row.id}"), width=320)
            st.button(t("models_endpoint.use"), icon=":material/check_circle:", key=desk.key("remote.use"),
                      on_click=_use, args=(desk, f"{row.id}/{model}"))  # fmt: skip
    if orders(row):
        table(served_head(words), served_rows(connection.models, words))
        if desk.teacher:
            with st.expander(t("models_far.title"), icon=":material/memory:"):
                _ordering(desk, row, names)


def _ordering(desk: Desk, row: Provider, names: list[str]) -> None:
    """What that server does by order: it keeps the models, we only ask."""
    t = desk.ui.t
    if names:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(t("models_far.model"), names, key=desk.key(f"far.{row.id}"), width=280)
            st.number_input(t("models_far.asked_window"), WINDOW_MIN, WINDOW_MAX, None, key=desk.key("far.window"),
                            help=t("models_far.asked_window_help"), width=240)  # fmt: skip
            for order, icon in (("load", ":material/play_arrow:"), ("unload", ":material/eject:")):
                st.button(t(f"models_far.{order}"), help=t(f"models_far.{order}_help"), icon=icon,
                          key=desk.key(f"far.{order}"), on_click=desk.teach, disabled=desk.job is not None,
                          args=(lambda now, order=order: _order(now, row, order, f"far.{row.id}"),))  # fmt: skip
    if "pull" in orders(row):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(t("models_far.pull_name"), key=desk.key("far.name"), placeholder=t("models_far.pull_hint"),
                          max_chars=NAME_MAX, width=280)  # fmt: skip
            st.button(t("models_far.pull"), help=t("models_far.pull_help"), icon=":material/download:",
                      key=desk.key("far.pull"), on_click=desk.teach, disabled=desk.job is not None,
                      args=(lambda now: _order(now, row, "pull", "far.name"),))  # fmt: skip


def _order(desk: Desk, row: Provider, order: str, field: str) -> None:
    """Queue it. Raises BadInput without a name."""
    ui, window = desk.ui, desk.get("far.window") if order == "load" else None
    key = ui.engine.visit_keys.of(ui.person.id, row.id + ANY)
    model = str(desk.get(field) or "")
    desk.watch(start_order(ui.engine, ui.person.id, order, row.id, model, window, role=ui.person.role, key=key))


def _use(desk: Desk, model_id: str) -> None:
    """Choose it in the left column. Raises nothing: an id that is none stays unused."""

    def used(now: Desk) -> str:
        card = now.ui.engine.catalog.card(model_id)
        st.session_state["model"] = card.id
        return now.ui.t("models_endpoint.used", name=card.name)

    desk.attempt(used)


def _key(desk: Desk, name: str) -> None:
    """A key for the chosen endpoint, in the memory of this process alone."""
    t = desk.ui.t
    st.caption(t("models_endpoint.key_help"))
    field = desk.key(f"key.{name}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_endpoint.key_for", name=desk.endpoints[name].name), type="password", key=field,
                      max_chars=500, width=320)  # fmt: skip
        st.button(t("models_endpoint.key_keep"), icon=":material/key:", key=desk.key("key.keep"), on_click=desk.attempt,
                  args=(lambda now: _keep(now, name, field),))  # fmt: skip
        if desk.ui.engine.visit_keys.has(desk.ui.person.id, name + ANY):
            st.button(t("models_endpoint.key_forget"), icon=":material/key_off:", key=desk.key("key.forget"),
                      on_click=desk.attempt, args=(lambda now: _keep(now, name, None),))  # fmt: skip


def _keep(desk: Desk, name: str, field: str | None) -> None:
    key = str(st.session_state.get(field) or "") if field else ""
    if field:
        st.session_state[field] = ""  # it is in no widget any more, either
    desk.ui.engine.visit_keys.put(desk.ui.person.id, name + ANY, key)


def _form(desk: Desk, row: Provider) -> None:
    """A new row, or the chosen one changed."""
    t, typed, like = desk.ui.t, desk.ui.engine.endpoints.typed(), kinds(desk.ui.words)
    st.button(plain(t("models_endpoint.edit_of", name=row.name)), icon=":material/edit:", key=desk.key("new.edit"),
              on_click=desk.teach, args=(lambda now: _show(now, Form.of(row)),))  # fmt: skip
    with st.container(horizontal=True):
        st.text_input(t("models_endpoint.id"), key=desk.key("new.id"), help=t("models_endpoint.id_help"), max_chars=40,
                      width=240)  # fmt: skip
        st.text_input(t("models_endpoint.name"), key=desk.key("new.name"), max_chars=80, width=240)
        st.selectbox(t("models_endpoint.like"), list(like), format_func=lambda one: like[one],
                     key=desk.key("new.like"), help=t("models_endpoint.like_help"), width=300)  # fmt: skip
    st.text_area(t("models_endpoint.url"), key=desk.key("new.urls"), help=t("models_endpoint.urls_help"), height=68,
                 placeholder=t("models_endpoint.url_hint"), max_chars=TEXT_MAX)  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_endpoint.variable"), key=desk.key("new.variable"), max_chars=64, width=240,
                      help=t("models_endpoint.variable_help"))  # fmt: skip
        st.number_input(t("models_endpoint.row_window"), WINDOW_MIN, WINDOW_MAX, None, key=desk.key("new.window"),
                        help=t("models_endpoint.window_help"), width=240)  # fmt: skip
        st.toggle(t("models_endpoint.students"), key=desk.key("new.students"), help=t("models_endpoint.students_help"))
    with st.expander(t("models_row.edit")):
        _nature(desk)
    st.button(t("models_endpoint.save"), icon=":material/save:", type="primary", key=desk.key("new.save"),
              on_click=desk.teach, args=(_save,))  # fmt: skip
    if typed:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(t("models_endpoint.choose"), list(typed), key=desk.key("typed"), width=280)
            st.button(t("models_endpoint.remove"), icon=":material/delete:", key=desk.key("typed.remove"),
                      on_click=desk.teach, args=(lambda now: _remove(now, str(now.get("typed"))),))  # fmt: skip


def _nature(desk: Desk) -> None:
    """What a row takes and how; empty is as its kind."""
    t, words = desk.ui.t, desk.ui.words
    st.caption(t("models_row.edit_help"))
    for name, choices in (("params", params(words)), ("capabilities", capabilities(words)), ("quirks", quirks(words))):
        st.multiselect(t(f"models_row.{name}"), list(choices), key=desk.key(f"new.{name}"),
                       format_func=lambda one, choices=choices: choices[one])  # fmt: skip
    spelled = token_fields(words)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(t("models_row.token_field"), list(spelled), format_func=lambda one: spelled[one], width=280,
                     key=desk.key("new.token_field"))  # fmt: skip
        st.text_input(t("models_row.price"), key=desk.key("new.price"), help=t("models_row.price_help"), max_chars=60,
                      width=240)  # fmt: skip


def _save(desk: Desk) -> str:
    """Raises BadInput: what is wrong with a field."""
    texts = {name: str(desk.get(f"new.{name}") or "") for name in TEXTS}
    lists = {name: tuple(desk.get(f"new.{name}") or ()) for name in ("params", "quirks", "capabilities")}
    form = Form(**texts, **lists, window=desk.get("new.window"), students=bool(desk.get("new.students")))
    shared = host.options().guarded
    row = desk.ui.engine.endpoints.add(form.fields(), role=desk.ui.person.role, shared=shared)
    _show(desk, Form())
    return desk.ui.t("models_endpoint.added", name=row.name)


def _show(desk: Desk, form: Form) -> None:
    """Have that in the fields."""
    for name, value in asdict(form).items():
        st.session_state[desk.key(f"new.{name}")] = list(value) if isinstance(value, tuple) else value


def _remove(desk: Desk, row_id: str) -> str:
    desk.ui.engine.endpoints.remove(row_id, role=desk.ui.person.role)
    return desk.ui.t("models_endpoint.removed")
