"""The interface to other programs: addresses and routes, keys, the live log, a request to copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import streamlit as st

from apps import host
from apps.extra_port import HIGHEST, LOWEST
from apps.options import LM_STUDIO_PORT
from apps.streamlit_kit import guard, plain, table
from apps.streamlit_models.desk import Desk
from apps.streamlit_models.publishing import published
from apps.streamlit_models.slots import slots
from apps.ui import doors
from engine.serving import PER_MINUTE_MAX

LOOK_EVERY_S = 2.0
LASTS = {"persist_state": "session"}


def server(desk: Desk) -> None:
    """One part at a time; keys and log are the teacher's."""
    t = desk.ui.t
    names = [name for name in PARTS if desk.teacher or name not in TEACHERS]
    part = st.segmented_control(
        t("models_tab.server"),
        names,
        default=names[0],
        required=True,
        key=desk.key("server"),
        format_func=lambda name: t(f"models_server.{name}"),
        label_visibility="collapsed",
    )
    with guard(desk.ui):
        PARTS[part or names[0]](desk)


def _where(desk: Desk) -> None:
    """Where we answer, and what there is."""
    t, words, options = desk.ui.t, desk.ui.words, host.extra_port().shown(host.options())
    who = t(f"models_server.{'class_needs_key' if options.guarded else 'loopback'}")
    st.markdown(f"**{t('models_server.running')}** {who}")
    table(doors.address_head(words), doors.address_rows(options, words))
    if not options.lmstudio_port:
        st.caption(plain(t("models_server.lmstudio_off")))
    with st.expander(t("models_server.routes"), icon=":material/route:"):
        table(doors.route_head(words), doors.route_rows(words))
    if desk.teacher:
        with st.expander(t("models_server.port"), icon=":material/sensor_door:"):
            _port(desk, options.lmstudio_port)
        with st.expander(t("models_server.cors"), icon=":material/public:"):
            _cors(desk)


def _port(desk: Desk, open_port: int) -> None:
    """LM Studio's usual door, opened and closed while we run."""
    t = desk.ui.t
    st.caption(t("models_server.port_help"))
    if open_port:
        st.button(t("models_server.port_close", port=str(open_port)), icon=":material/door_front:",
                  key=desk.key("port.close"), on_click=desk.teach, args=(_close,))  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(t("models_server.port"), LOWEST, HIGHEST, LM_STUDIO_PORT, 1, key=desk.key("port"), width=240)
        st.button(t("models_server.port_open"), icon=":material/door_open:", key=desk.key("port.open"),
                  on_click=desk.teach, args=(_open,))  # fmt: skip


def _open(desk: Desk) -> str:
    """Raises BadInput for a port that is taken, NotSupported where no server of ours runs."""
    port = host.extra_port().open(desk.ui.person, int(desk.get("port") or LM_STUDIO_PORT))
    return desk.ui.t("models_server.port_opened", address=doors.extra_address(port))


def _close(desk: Desk) -> str:
    host.extra_port().close(desk.ui.person)
    return desk.ui.t("models_server.port_closed")


def _cors(desk: Desk) -> None:
    t, kept = desk.ui.t, desk.ui.engine.serving.origins()
    st.text_area(t("models_server.cors"), "\n".join(kept), key=desk.key("cors"), help=t("models_server.cors_help"),
                 height=90, max_chars=4000)  # fmt: skip
    st.number_input(t("models_server.rate"), 0, PER_MINUTE_MAX, desk.ui.engine.serving.per_minute(), 10,
                    key=desk.key("rate"), help=t("models_server.rate_help"), width=240)  # fmt: skip
    st.button(t("models_server.cors_save"), icon=":material/save:", key=desk.key("cors.save"), on_click=desk.teach,
              args=(_allow,))  # fmt: skip


def _allow(desk: Desk) -> str:
    """Raises BadInput for what is no origin."""
    desk.ui.engine.serving.allow(str(desk.get("cors") or "").splitlines())
    desk.ui.engine.serving.limit(int(desk.get("rate") or 0))
    return desk.ui.t("models_server.cors_saved")


def _keys(desk: Desk) -> None:
    """Those that were handed out, the new one once, the form."""
    t, words, keys = desk.ui.t, desk.ui.words, desk.ui.engine.keys
    if new := desk.get("new_key"):
        st.success(t("models_keys.once"))
        st.code(new, language=None, wrap_lines=True)
        st.button(t("models_keys.hide"), key=desk.key("key.hide"), on_click=lambda: desk.set("new_key", None))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_keys.name"), key=desk.key("key.name"), max_chars=80, width=200)
        for name, most in (("days", 3650), ("requests", None), ("tokens", None)):
            help_ = t("models_keys.days_help" if name == "days" else "models_keys.limit_help")
            st.number_input(
                t(f"models_keys.{name}"), 1, most, None, 1, key=desk.key(f"key.{name}"), help=help_, width=150
            )
        st.button(t("models_keys.create"), icon=":material/key:", type="primary", key=desk.key("key.create"),
                  on_click=desk.teach, args=(_create,))  # fmt: skip
    found = keys.list()
    if not found:
        st.caption(t("models_keys.none"))
        return
    table(doors.key_head(words), doors.key_rows(found, keys.spent(), words))
    open_ = {key.id: key.name or key.id for key in found if key.state() == "open"}
    if open_:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(t("models_keys.choose"), list(open_), format_func=lambda one: open_[one],
                                  key=desk.key("key.open"), width=240)  # fmt: skip
            st.button(t("models_keys.revoke"), icon=":material/block:", key=desk.key("key.revoke"), on_click=desk.teach,
                      args=(lambda now: _revoke(now, str(now.get("key.open"))),))  # fmt: skip


def _create(desk: Desk) -> None:
    """Raises BadInput."""
    given = {name: desk.get(f"key.{name}") for name in ("days", "requests", "tokens")}
    lifetime = timedelta(days=given["days"]) if given["days"] else None
    _, text = desk.ui.engine.keys.create(
        desk.ui.person, str(desk.get("key.name") or ""), lifetime=lifetime,
        role="student", requests_per_day=given["requests"], tokens_per_day=given["tokens"],
    )  # fmt: skip
    desk.set("new_key", text)


def _revoke(desk: Desk, key_id: str) -> None:
    desk.ui.engine.keys.revoke(key_id)


def _log(desk: Desk) -> None:
    """Level and filter stand still while the rows below come."""
    t = desk.ui.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(t("models_log.level"), doors.ANY_LEVEL, key=desk.key("log.level"), width=220,
                     format_func=lambda level: t(f"models_log.level_of.{level}"))  # fmt: skip
        st.text_input(t("models_log.filter"), key=desk.key("log.filter"), placeholder=t("models_log.filter_hint"),
                      max_chars=200, width=280)  # fmt: skip
        live = st.toggle(t("models_log.live"), True, key=desk.key("log.live"))
    st.fragment(_rows, run_every=LOOK_EVERY_S if live else None)(desk)
    st.caption(t("models_log.no_text"))


def _rows(desk: Desk) -> None:
    ui, words = desk.ui, desk.ui.words
    with guard(ui):
        host.require(ui.person)
        served = ui.engine.requests.list(level=desk.get("log.level", doors.ANY_LEVEL[0]), limit=doors.LOGGED)
        names = {key.id: key.name for key in ui.engine.keys.list()}
        rows = doors.log_rows(served, str(desk.get("log.filter") or ""), names, words)
        if rows:
            with st.container(height=360, border=False):
                table(doors.log_head(words), rows)
        else:
            st.caption(ui.t("models_log.none"))


def _request(desk: Desk) -> None:
    """What another program would send."""
    t, options = desk.ui.t, host.options()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        route = st.selectbox(
            t("models_request.route"),
            doors.ASKED,
            key=desk.key("ask.route"),
            width=200,
            format_func=lambda name: next(path for _, path, key in doors.ROUTES if key == name),
        )
        hello = desk.ui.words.typed("models_request.message_default")
        message = st.text_input(t("models_request.message"), hello, key=desk.key("ask.text"), max_chars=2000)
    stream = route != "embeddings" and st.toggle(t("models_request.stream"), key=desk.key("ask.stream"),
                                                 help=t("models_request.stream_help"))  # fmt: skip
    base = doors.bases(options)[-1 if options.guarded else 0]
    body = doors.request_body(route, desk.ui.card.id, message, bool(stream))
    if options.guarded:
        st.caption(t("models_request.key_help", variable=doors.KEY_VARIABLE))
    for name, language, text in doors.request_forms(route, body, base, options.guarded):
        st.caption(name)
        st.code(text, language=language, wrap_lines=True)


PARTS: Mapping[str, Callable[[Desk], None]] = {
    "where": _where,
    "published": published,
    "keys": _keys,
    "slots": slots,
    "log": _log,
    "request": _request,
}
TEACHERS = frozenset({"published", "keys", "slots", "log"})
