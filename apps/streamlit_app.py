"""Entry of the Streamlit interface: the sections one may see, the left column that they share, then the chosen page."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import streamlit as st

from apps import host
from apps import streamlit_kit as kit
from apps.streamlit_sidebar import sidebar
from apps.ui.sections import sections
from engine.errors import AccessDenied

ROOT = Path(__file__).parents[1]
ICON = ROOT / "apps" / "ui" / "icon.svg"  # a file of ours: a named icon would be fetched from a font server
# Room for a projector; wide tables scroll inside themselves on a phone; small text in the contrast of WCAG AA;
# buttons in a container whose key ends in "icons" have their names read aloud only,
# what Streamlit says in English only, in a field or a drop zone, is left out or said in our words;
# on a phone those of the input's neighbours too, which would take half of it.
STYLE = """<style>
.stMainBlockContainer{padding-top:2.5rem;padding-bottom:1rem}
[data-testid=stBottomBlockContainer]{padding-top:.5rem;padding-bottom:1rem}
.stChatMessage{padding:.5rem .75rem}
.stChatMessage [data-testid=stVerticalBlock]{gap:.4rem}
.stMarkdown table{display:block;max-width:100%;overflow-x:auto}
[class*="-icons"] button:has([data-testid=stIconMaterial]) [data-testid=stMarkdownContainer]
{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
[class*="st-key-chat"][class*="-take-"] button{min-height:1.5rem;padding:0;opacity:.8}
[class*="st-key-chat"][class*="-take-"] p{font-size:.8rem}
[data-testid=stCaptionContainer]{color:var(--st-text-color);opacity:.8}
[data-testid=InputInstructions],[data-testid=stFileUploaderDropzoneInstructions]{display:none}
[data-testid=stFileUploaderDropzone] button p{font-size:0}
[data-testid=stFileUploaderDropzone] button p::after{font-size:1rem;content:"UPLOAD"}
@media(max-width:640px){
[data-testid=stBottomBlockContainer] [data-testid=stVerticalBlock]{gap:.35rem}
.st-key-chat-gauge,.st-key-chat-right-gauge,.st-key-chat-bar{flex-wrap:nowrap!important}
.st-key-chat-bar>.st-key-chat-role{flex:1 1 4rem;min-width:0;width:auto!important}
.st-key-chat-target button{padding:0 .4rem}
:is(.st-key-chat-window,.st-key-chat-right-window,.st-key-chat-prompts) button [data-testid=stMarkdownContainer]
{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}
</style>"""


def main() -> None:
    """One run of the application for one person."""
    kit.seed()
    kit.follow_model()
    ui = kit.Ui("app", kit.language())
    layout: Literal["wide", "centered"] = "wide" if st.session_state.get("chat.two") else "centered"
    st.set_page_config(ui.t("app.name"), str(ICON), layout, initial_sidebar_state="auto")
    st.html(STYLE.replace("UPLOAD", ui.t("sidebar.upload")))
    try:
        role = ui.person.role
    except AccessDenied as error:
        kit.show_error(ui, error)
        return
    pages = [
        st.Page(ROOT / section.page, title=ui.t(f"section.{section.key}"), icon=section.icon, url_path=section.key,
                default=section.key == "chat")
        for section in sections(role, host.options().guarded)
    ]  # fmt: skip
    chosen = st.navigation({ui.t("app.name"): pages})
    sidebar(ui, chosen.url_path)
    kit.write_address()
    with kit.guard(ui):
        chosen.run()


main()
