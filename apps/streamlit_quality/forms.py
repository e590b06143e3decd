"""What is asked in each tab: a few controls, the rest folded, three examples while nothing is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from apps.streamlit_kit import Ui
from apps.streamlit_quality.desk import Desk
from apps.ui.quality import EXAMPLES, MIXES, PLANS, QUICK, SETS, TABLES, WINDOWS, documents, example_text, numbers
from engine.errors import BadInput
from engine.jobs import Job
from engine.quality import asking
from engine.quality.evaluating import METHODS
from engine.quality.quantizations import KINDS
from engine.quality.results import Kind
from engine.quality.windows import WINDOW
from engine.runtime.load import KV_TYPES

FILE_MB = 16
LASTS: Any = {"persist_state": "session"}  # else a value is gone as soon as another tab is in sight
Ask = Callable[[Desk], Job]


def text(desk: Desk) -> None:
    """A text of one's own or a file's."""
    t = desk.ui.t
    if not _local(desk):
        return
    st.text_area(t("quality_text.text"), key=desk.key("text"), height=120, max_chars=asking.TEXT_MAX,
                 help=t("quality_text.text_help"), **LASTS)  # fmt: skip
    with st.expander(t("quality.more")):
        file = st.file_uploader(t("quality.text_file"), ["txt", "md"], key=desk.key("file"), max_upload_size=FILE_MB)
        _window(desk, "text")
    _button(desk, "perplexity", lambda now: _ask_text(now, _decoded(file) if file else str(now.get("text") or "")))
    _examples(desk, "perplexity", lambda name: lambda now: _ask_text(now, example_text(name, now.ui.words)))


def _ask_text(desk: Desk, text_: str) -> Job:
    ui = desk.ui
    return asking.ask_text(ui.engine, ui.person, text_, ui.card.id, int(desk.get("text.window", WINDOW)))


def _decoded(file: Any) -> str:
    try:
        return str(file.getvalue().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{file.name} is not UTF-8", reason="content_type") from error


def kinds(desk: Desk) -> None:
    """The number formats, all in one click; a teacher's."""
    ui, t = desk.ui, desk.ui.t
    if ui.person.role != "teacher":
        st.info(t("quality_kinds.teacher"))
        return
    if not _local(desk):
        return
    st.multiselect(t("quality_kinds.kinds"), KINDS, ("Q8_0", "Q4_K_M", "Q2_K"), key=desk.key("kinds"),
                   help=t("quality_kinds.kinds_help"), **LASTS)  # fmt: skip
    with st.expander(t("quality.more")):
        st.text_area(t("quality_kinds.text"), key=desk.key("kinds.text"), help=t("quality_kinds.text_help"),
                     max_chars=asking.TEXT_MAX, **LASTS)  # fmt: skip
        _window(desk, "kinds")
    _button(desk, "quantizations", lambda now: _ask_kinds(now, now.get("kinds") or ()))
    _examples(desk, "quantizations", lambda name: lambda now: _ask_kinds(now, MIXES[name] or KINDS))


def _ask_kinds(desk: Desk, chosen: Any) -> Job:
    ui = desk.ui
    text_ = str(desk.get("kinds.text") or "").strip() or documents()
    window = int(desk.get("kinds.window", WINDOW))
    return asking.ask_quantizations(ui.engine, ui.person, text_, list(chosen), ui.card.id, window)


def speed(desk: Desk) -> None:
    """What to read and write, after how much."""
    t = desk.ui.t
    if not _local(desk):
        return
    with st.container(horizontal=True):
        for name, value in (("prompts", "512"), ("generated", "128"), ("depths", "0")):
            help_ = t("quality_speed.depths_help") if name == "depths" else t("quality.numbers")
            st.text_input(t(f"quality_speed.{name}"), value, key=desk.key(name), help=help_, width=180, **LASTS)
        st.number_input(t("quality_speed.repetitions"), 1, 20, 5, key=desk.key("repetitions"), width=140, **LASTS)
    with st.expander(t("quality.more")):
        threads = str(desk.ui.engine.settings.threads)
        st.text_input(t("quality_speed.threads"), threads, key=desk.key("threads"), help=t("quality.numbers"),
                      **LASTS)  # fmt: skip
        st.text_input(t("quality_speed.batches"), "2048", key=desk.key("batches"), help=t("quality.numbers"), **LASTS)
        st.multiselect(t("quality_speed.kv"), KV_TYPES, ["f16"], key=desk.key("kv_types"), **LASTS)
    _button(desk, "speed", lambda now: _ask_speed(now, _plan(now)))
    _examples(desk, "speed", lambda name: lambda now: _ask_speed(now, PLANS[name]))


def _plan(desk: Desk) -> dict[str, Any]:
    lists = {name: numbers(str(desk.get(name))) for name in ("prompts", "generated", "depths", "threads", "batches")}
    return {**lists, "kv_types": list(desk.get("kv_types") or ("f16",)), "repetitions": int(desk.get("repetitions"))}


def _ask_speed(desk: Desk, plan: Any) -> Job:
    return asking.ask_speed(desk.ui.engine, desk.ui.person, plan, desk.ui.card.id)


def questions(desk: Desk) -> None:
    """Our questions or a file's, and how they are judged."""
    t = desk.ui.t
    chosen = st.segmented_control(t("quality_questions.set"), SETS, default=desk.ui.lang, required=True,
                                  key=desk.key("set"), help=t("quality_questions.set_help"),
                                  format_func=lambda one: t(f"quality_questions.sets.{one}"), **LASTS)  # fmt: skip
    file = None
    if chosen == "file":
        file = st.file_uploader(t("quality_questions.file"), ["jsonl"], key=desk.key("items"), max_upload_size=FILE_MB)
    known = METHODS if desk.local else ("answer",)
    st.pills(t("quality_questions.methods"), known, selection_mode="multi", default=known,
             key=desk.key(f"methods.{desk.local}"), help=t("quality_questions.methods_help"),
             format_func=lambda one: t(f"quality_questions.method.{one}"), **LASTS)  # fmt: skip
    with st.expander(t("quality.more")):
        st.number_input(t("quality_questions.limit"), 1, asking.ITEMS_MAX, asking.ITEMS_MAX, key=desk.key("limit"),
                        help=t("quality_questions.limit_help"), width=160, **LASTS)  # fmt: skip
    source: str | bytes = str(chosen) if chosen != "file" else file.getvalue() if file else b""
    _button(desk, "evaluation", lambda now: _ask_questions(now, source, file.name if file else ""))
    _examples(desk, "evaluation", lambda name: lambda now: _ask_example(now, name))


def _ask_questions(desk: Desk, source: str | bytes, name: str) -> Job:
    ui = desk.ui
    return asking.ask_questions(ui.engine, ui.person, source, ui.card.id, desk.get(f"methods.{desk.local}") or (),
                                name=name, limit=int(desk.get("limit") or asking.ITEMS_MAX))  # fmt: skip


def _ask_example(desk: Desk, name: str) -> Job:
    ui = desk.ui
    if name != "quick":
        return asking.ask_questions(ui.engine, ui.person, name, ui.card.id)
    methods = METHODS[:1] if desk.local else ()
    return asking.ask_questions(ui.engine, ui.person, ui.lang, ui.card.id, methods, limit=QUICK)


def _local(desk: Desk) -> bool:
    """Whether the chosen model can be measured so; said where it cannot."""
    if not desk.local:
        st.info(desk.ui.t("quality.not_local"))
    return desk.local


def _window(desk: Desk, name: str) -> None:
    t = desk.ui.t
    st.selectbox(t("quality.window"), WINDOWS, WINDOWS.index(WINDOW), key=desk.key(f"{name}.window"),
                 help=t("quality.window_help"), width=160, **LASTS)  # fmt: skip


def _button(desk: Desk, kind: Kind, ask: Ask) -> None:
    t, busy = desk.ui.t, desk.job is not None
    st.button(t(f"{TABLES[kind]}.start"), icon=":material/play_arrow:", type="primary", key=desk.key(f"start.{kind}"),
              on_click=desk.start, args=(ask,), disabled=busy, help=t("quality.busy") if busy else None)  # fmt: skip


def _examples(desk: Desk, kind: Kind, ask: Callable[[str], Ask]) -> None:
    """Three examples while nothing is kept, folded afterwards."""
    t = desk.ui.t
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t("quality.examples"), width="content")
        for name in EXAMPLES[kind]:
            st.button(t(f"{TABLES[kind]}.example.{name}"), key=desk.key(f"example.{kind}.{name}"),
                      on_click=desk.start, args=(ask(name),), disabled=desk.job is not None)  # fmt: skip


def named(ui: Ui) -> str:
    """Which model is measured."""
    return ui.t("quality.model", name=ui.card.name)
