"""Blind vote: a question to two models without names, the vote, the board of the class as it fills. Layout only."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_compare.place import Place
from apps.gradio_compare.vote_desk import BOARD_EVERY_S, Desk, Parts
from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_kit import INTERNAL
from apps.ui.compare_vote import QUESTION_MAX, TAG_MAX


def build(place: Place) -> None:
    """Lay out the part."""
    t = place.ui.t
    gr.HTML(f"<p>{t('compare_vote.intro')}</p>", padding=False)
    question = gr.Textbox("", label=t("compare_vote.question"), lines=2, max_lines=8, max_length=QUESTION_MAX,
                          elem_id="vote-question")  # fmt: skip
    with gr.Row(elem_classes="atelier-end"):
        tag = gr.Textbox("", label=t("compare_vote.tag"), info=t("compare_vote.tag_help"), max_length=TAG_MAX,
                         elem_id="vote-tag")  # fmt: skip
        ask = gr.Button(t("compare_vote.start"), variant="primary", min_width=160, elem_id="vote-ask")
        stop = gr.Button(t("compare_vote.stop"), variant="stop", visible="hidden", min_width=120, elem_id="vote-stop")
    alert = gr.HTML(elem_id="vote-alert", elem_classes="atelier-slot")
    answers = gr.HTML(elem_id="vote-answers", elem_classes="atelier-slot")
    votes = act_bar("vote-votes")
    with gr.Accordion(t("compare_vote.board"), open=True):
        topic = gr.Dropdown([(t("compare_vote.every_tag"), "")], value="", label=t("compare_vote.topic"),
                            elem_id="vote-topic")  # fmt: skip
        board = gr.HTML(elem_id="vote-board", elem_classes="atelier-slot")
    rest = _manage(place)
    clock = gr.Timer(BOARD_EVERY_S, active=False)
    outbox = gr.Textbox("", label=t("compare_vote.export_mine"), elem_classes="atelier-hidden")
    parts = Parts(question=question, tag=tag, ask=ask, stop=stop, alert=alert, answers=answers, votes=votes,
                  topic=topic, board=board, clock=clock, outbox=outbox, where=gr.State(""), seen=gr.State(""),
                  **rest)  # fmt: skip
    desk = Desk(place.ui, parts)
    votes.value = desk.start_html()
    _wire(desk, place)


def _manage(place: Place) -> dict[str, Any]:
    t, made = place.ui.t, dict[str, Any]()
    with gr.Accordion(t("compare_vote.manage"), open=False):
        made["files"] = act_bar("vote-files")
        with gr.Column(visible=False) as teacher:
            made["models"] = gr.Dropdown([], value=[], multiselect=True, allow_custom_value=True,
                                         label=t("compare_vote.models"), info=t("compare_vote.models_help"),
                                         elem_id="vote-models")  # fmt: skip
            made["troubles"] = gr.HTML(elem_id="vote-troubles", elem_classes="atelier-slot")
            made["choose"] = gr.Button(t("compare_vote.save_models"), size="sm", elem_id="vote-choose")
            made["take"] = gr.UploadButton(t("compare_vote.import"), file_types=[".jsonl", ".json"], size="sm",
                                           elem_id="vote-take")  # fmt: skip
            made["sure"] = gr.Checkbox(False, label=t("compare_vote.clear"), elem_id="vote-sure")
            made["clear"] = gr.Button(t("compare_vote.clear_sure"), variant="stop", size="sm", elem_id="vote-clear")
        made["told"] = gr.HTML(elem_id="vote-told", elem_classes="atelier-slot")
    return {**made, "teacher": teacher}


def _wire(desk: Desk, place: Place) -> None:
    parts = desk.parts
    shown = [parts.teacher, parts.models, parts.files, parts.clock]
    opened = place.tab.select(desk.opened, None, shown, **INTERNAL)
    board: set[Any] = {parts.topic, parts.seen}
    drawn = [parts.board, parts.topic, parts.seen]
    opened.then(desk.looked, board, drawn, **INTERNAL)
    opened.then(desk.troubled, None, parts.troubles, **INTERNAL)
    gr.on([parts.clock.tick, parts.topic.input], desk.looked, board, drawn, **INTERNAL)
    asked: set[Any] = {parts.question, parts.tag, parts.where}
    asking = [parts.ask.click(desk.asked, asked, parts.written, **INTERNAL),
              parts.votes.click(desk.clicked, asked, parts.written, **INTERNAL)]  # fmt: skip
    for event in asking:
        event.failure(desk.broken, None, [parts.alert, parts.stop], **INTERNAL)
        event.then(desk.looked, board, drawn, **INTERNAL)
        event.then(desk.troubled, None, parts.troubles, **INTERNAL)
    parts.stop.click(desk.stop, {parts.where}, None, queue=False, **INTERNAL)
    parts.files.click(desk.save, None, parts.outbox, **INTERNAL)
    parts.outbox.change(None, parts.outbox, parts.outbox, js=DOWNLOAD)
    parts.choose.click(desk.choose, {parts.models}, parts.told, **INTERNAL)
    parts.take.upload(desk.bring, {parts.take}, parts.told, **INTERNAL)
    parts.clear.click(desk.clear, {parts.sure}, [parts.told, parts.sure], **INTERNAL)
