"""What stands under an answer, always in this order: statistics, exact prompt, code, save."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from apps.streamlit_documents.asking import Look
from apps.streamlit_documents.desk import Desk
from apps.ui import present


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


def record(look: Look) -> dict[str, Any]:
    """Question and answer with all that they were made from, ready for JSON."""
    assert look.result is not None
    told = look.result.to_dict() if look.answered is None else look.answered.to_dict()
    return {"format": "atelier-document-answer/1", "question": look.question, **told}
