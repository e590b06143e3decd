"""A question to the documents: the answer at the left as it comes, its numbered passages at the right."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_documents.drawer import drawer
from apps.streamlit_documents.live import follow
from apps.streamlit_documents.passages import cards, links
from apps.streamlit_documents.settings import settings
from apps.streamlit_documents.under import under
from apps.streamlit_kit import plain, show_error
from apps.ui import present
from apps.ui.asking import Look
from apps.ui.citations import linked, unknown_numbers
from apps.ui.documents import COMPARED, notes, nothing, sample_sources
from apps.ui.i18n import LANGUAGES, words
from engine.rag.grounding import MODES

EXAMPLES = ("first", "second", "third")


def empty(desk: Desk) -> None:
    """Nothing can be asked yet: three examples, which bring our sample documents along."""
    if desk.job is None:
        _examples(desk)
    _pending(desk)


def ask(desk: Desk) -> None:
    """The question, how it is answered, and the answers."""
    _form(desk)
    waits = _pending(desk)
    if desk.answers:
        _answers(desk)
    elif not waits:
        _examples(desk)
    drawer(desk)


def _form(desk: Desk) -> None:
    t, values = desk.ui.t, desk.values
    with st.form(desk.key("form"), border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("documents_ask.question"), placeholder=t("documents_ask.question_hint"), max_chars=4000,
                      key=desk.bound("question", desk.get("typed", "")))  # fmt: skip
        st.form_submit_button(t("documents_ask.ask"), icon=":material/send:", type="primary", on_click=_asked,
                              args=(desk,), disabled=desk.busy, key=desk.key("go"))  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(t("documents_ask.mode"), MODES, key=desk.bound("mode", values["mode"]), width=280,
                     help=f"{t('documents_ask.mode_help')} {t('documents_ask.measured')}",
                     on_change=desk.changed, args=("mode",),
                     format_func=lambda one: t(f"documents_ask.modes.{one}"))  # fmt: skip
        st.segmented_control(t("documents_ask.compared"), COMPARED, key=desk.bound("compared", values["compared"]),
                             required=True, on_change=desk.changed, args=("compared",),
                             format_func=lambda one: t(f"documents_ask.compare.{one}"))  # fmt: skip
        fold = desk.key("fold.settings")
        with st.popover(t("documents_search.settings_short"), icon=":material/tune:", on_change="rerun", key=fold,
                        help=t("documents_search.settings"), width=150) as box:  # fmt: skip
            if box.open:
                settings(desk, "ask")
        _follow(desk)


def _follow(desk: Desk) -> None:
    """Whether the question goes on from those before; there once there is one."""
    t = desk.ui.t
    look = desk.answers.get("with")
    if look is None or look.grounding is None or not look.grounding.asked:
        return
    st.toggle(t("documents_ask.follow"), key=desk.bound("follow_box", bool(desk.get("follow"))), width="content",
              help=t("documents_ask.follow_help"), on_change=_followed, args=(desk,))  # fmt: skip
    if desk.get("follow") and desk.history:
        label = desk.ui.words.n("documents_ask.forget", len(desk.history) // 2)
        st.button(label, type="tertiary", on_click=desk.set, args=("history", None), key=desk.key("forget"))


def _followed(desk: Desk) -> None:
    if desk.touched("follow_box"):
        desk.set("follow", desk.shown("follow_box"))


def _asked(desk: Desk) -> None:
    desk.set("typed", desk.shown("question"))
    desk.ask(desk.shown("question"))


def _examples(desk: Desk) -> None:
    t = desk.ui.t
    st.caption(t("documents_ask.empty"), help=t("documents_ask.sample_first"))
    with st.container(horizontal=True):
        for name in EXAMPLES:
            text = t(f"documents_ask.example.{name}")
            st.button(plain(text), icon=":material/play_arrow:", key=desk.key(f"example.{name}"), on_click=_example,
                      args=(desk, text))  # fmt: skip


def _example(desk: Desk, question: str) -> None:
    """Ask it of our samples: a collection of them is opened, or made first."""

    def act() -> None:
        now, names = desk.fresh, [words(lang).t("documents.sample_name") for lang in LANGUAGES]
        own = (one for one in now.collections.values() if one.owner == desk.owner)
        known = next((one for one in own if one.name in names), None)
        if known is None:
            desk.make(desk.ui.t("documents.sample_name"))
            desk.index(sample_sources())
        elif now.collection != known:
            desk.open(known.id)
        desk.set("pending", question)

    desk.attempt(act)


def _pending(desk: Desk) -> bool:
    """Ask the question that waits once the documents are there; whether one waits still."""
    question = desk.get("pending")
    if question is None:
        return False
    if desk.job is not None:
        st.caption(plain(desk.ui.t("documents_ask.pending", question=question)))
        return True
    desk.set("pending", None)
    if desk.collection is None or not desk.collection.chunks:
        return False
    desk.set("typed", question)
    desk.ask(question)
    st.rerun()


def _answers(desk: Desk) -> None:
    """One answer with its passages beside it, or both beside each other and the passages under them; followed to the
    end where this run saw one under way.
    """
    looks = desk.answers
    asked = next(iter(looks.values())).question
    if asked != desk.get("typed"):  # else it stands in its field
        st.markdown(f"**{plain(asked)}**")
    if desk.busy:
        st.button(desk.ui.t("documents_ask.stop"), icon=":material/stop:", on_click=desk.stop, key=desk.key("stop"))
    columns = st.columns([3, 2] if len(looks) == 1 else 2)
    under_both = st.container()
    places = {}
    for column, (name, look) in zip(columns, looks.items(), strict=False):
        with column:
            if len(looks) > 1:
                st.markdown(f"**{desk.ui.t(f'documents_ask.{name}_title')}**")
            if desk.busy:
                passages = (columns[1] if len(looks) == 1 else under_both) if name == "with" else st
                places[name] = (st.empty(), passages.empty())
            else:
                _answer(desk, name, look)
    if desk.busy:
        follow(desk, places)
    elif "with" in looks:
        with columns[1] if len(looks) == 1 else under_both:
            cards(desk, looks["with"].grounding)


def _answer(desk: Desk, name: str, look: Look) -> None:
    """An answer at its end, and what stands under it."""
    if look.answered is not None:
        links(desk)
        st.markdown(linked(look.text, look.answered.citations))
        _afterwards(desk, look)
    elif look.text:
        st.markdown(present.safe_markdown(look.text))
    if look.error is not None:
        show_error(desk.ui, look.error)
    elif look.result is None:
        raise RuntimeError("the answer ended without a result")  # its traceback is in the log
    elif look.result.error is not None:
        show_error(desk.ui, look.result.error)
    if look.result is not None:
        under(desk, name, look)


def _afterwards(desk: Desk, look: Look) -> None:
    """What the answer is worth: nothing found, refused, citing what is not there, citing nothing."""
    t, said, answered = desk.ui.t, desk.ui.words, look.answered
    assert answered is not None and look.grounding is not None
    grounding = look.grounding
    if grounding.empty:
        st.info(nothing(grounding, said), icon=":material/search_off:")
    elif not grounding.asked:
        st.caption(t("documents_ask.not_asked"))
    elif answered.refused:
        st.caption(t("documents_ask.refused"))
    if missing := unknown_numbers(answered.citations):
        st.caption(t("documents_ask.unknown", numbers=", ".join(f"\\[{one}\\]" for one in missing)))
    if grounding.asked and grounding.sources and not answered.cited and not answered.refused:
        st.caption(t("documents_ask.uncited"))
    for note in notes(grounding, said):
        st.caption(plain(note))
