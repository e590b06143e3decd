"""Other number formats of a model that is here, and a Hugging Face folder as one GGUF file: jobs, all of them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from apps.streamlit_kit import plain
from apps.streamlit_models.desk import Desk
from apps.ui import bringing
from engine.models.convert import KINDS, Converter, find_converter, how_to_get, start_convert
from engine.models.quantize import OFFERED, start_quantize

PATH_MAX = 4000
QUALITY = Path(__file__).parents[2] / "pages" / "quality.py"


def quantize(desk: Desk) -> None:
    """Which model, which format, about how large; then the page that measures the damage."""
    t, words = desk.ui.t, desk.ui.words
    cards = {card.id: card for card in desk.cards.values() if card.files and not card.problem and card.base is None}
    if not cards:
        st.caption(t("models_quantize.none"))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = st.selectbox(t("models_quantize.model"), list(cards), format_func=lambda name: cards[name].name,
                             key=desk.key("quantize.model"), width=320)  # fmt: skip
        kind = st.selectbox(t("models_quantize.kind"), OFFERED, OFFERED.index("Q4_K_M"), key=desk.key("quantize.kind"),
                            help=t("models_quantize.kind_help"), width=160)  # fmt: skip
        st.button(t("models_quantize.start"), icon=":material/compress:", type="primary", key=desk.key("quantize"),
                  on_click=desk.teach, args=(_quantize,),
                  disabled=desk.job is not None)  # fmt: skip
    sizes = words.size(cards[model].size_bytes), words.size(bringing.quantized_size(cards[model], kind))
    st.caption(plain(t("models_quantize.from_to", before=sizes[0], after=sizes[1])))
    if st.button(t("models_quantize.measure"), icon=":material/monitoring:", type="tertiary", key=desk.key("measure")):
        st.switch_page(QUALITY)


def _quantize(desk: Desk) -> None:
    """What the fields say now: a click may come in the run of its own change."""
    model, kind = str(desk.get("quantize.model")), str(desk.get("quantize.kind"))
    person = desk.ui.person
    desk.watch(start_quantize(desk.ui.engine, person.id, model, kind, role=person.role))


def convert(desk: Desk) -> None:
    """The folder and the format where the converter is here; else the commands that get it."""
    t, settings = desk.ui.t, desk.ui.engine.settings
    found: Converter | None = desk.get("converter")
    if found is None or not found.ready:
        with st.spinner(t("models_convert.looking")):
            found = find_converter(settings)
        desk.set("converter", found)
    if found is None or not found.ready:
        st.markdown(t("models_convert.missing"))
        st.code("\n".join(how_to_get(settings, found)), language="bash", wrap_lines=True)
        return
    st.caption(plain(t("models_convert.found", path=found.script)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_convert.folder"), key=desk.key("convert.folder"), max_chars=PATH_MAX, width=420,
                      placeholder=t("models_convert.folder_hint"))  # fmt: skip
        st.selectbox(t("models_convert.kind"), list(KINDS), key=desk.key("convert.kind"), width=140)
        st.button(
            t("models_convert.start"),
            icon=":material/transform:",
            type="primary",
            key=desk.key("convert"),
            on_click=desk.teach,
            args=(_convert,),
            disabled=desk.job is not None,
        )


def _convert(desk: Desk) -> None:
    ui, folder, kind = desk.ui, str(desk.get("convert.folder") or "").strip(), str(desk.get("convert.kind"))
    if folder:
        desk.watch(start_convert(ui.engine, ui.person.id, Path(folder).expanduser(), kind, role=ui.person.role))
