"""What stands under an answer, always in this order: statistics, exact prompt, code, save."""

from __future__ import annotations

import json

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.ui import present
from apps.ui.asking import Look, record


def under(desk: Desk, name: str, look: Look) -> None:
    """The line and the buttons; where no model was asked there is nothing but the file."""
    t, result = desk.ui.t, look.result
    assert result is not None
    asked = look.grounding is None or look.grounding.asked
    if asked:
        st.caption(present.stats_line(result.outcome, result.usage, result.stats, desk.ui.words))
    with st.container(horizontal=True, gap="small"):
        for view, icon in (("trace", ":material/visibility:"), ("code", ":material/terminal:")) if asked else ():
            st.button(t(f"documents_ask.{view}"), icon=icon, type="tertiary", key=desk.key(f"{view}.{name}"),
                      on_click=desk.set, args=("drawer", (name, "prompt" if view == "trace" else "code")),
                      disabled=result.trace_id is None)  # fmt: skip
        st.download_button(
            t("documents_ask.save"), lambda: json.dumps(record(look), ensure_ascii=False, indent=1), "answer.json",
            "application/json", icon=":material/download:", type="tertiary", help=t("documents_ask.save_help"),
            on_click="ignore", key=desk.key(f"save.{name}"),
        )  # fmt: skip
