"""The tab Images: a model's own form, the picture under way, the gallery, and all of it as a zip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import browser_watch, guard, plain, show_error
from apps.ui import pictures
from engine.compare import PICTURE_MODELS, Look, PictureRun, picture_form, zip_of
from engine.errors import EngineError
from engine.images import data_url
from engine.replicate_form import TEXT_MAX, Field

LOOK_EVERY_S = 1.0
COLUMNS = 2
LASTS: Any = {"persist_state": "session"}  # else a value is gone as soon as another tab is in sight
Form = tuple[str, tuple[Field, ...]]


def show(desk: Desk) -> None:
    """Model, form, what is under way, gallery."""
    t, run = desk.ui.t, _run(desk)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        known = dict.fromkeys((*PICTURE_MODELS, str(desk.get("image.model") or PICTURE_MODELS[0])))  # typed ones, too
        st.selectbox(t("compare_images.model"), list(known), key=desk.key("image.model"), accept_new_options=True,
                     help=t("compare_images.model_help"), width=420, **LASTS)  # fmt: skip
        st.button(t("compare_images.load"), key=desk.key("image.load"), icon=":material/list_alt:",
                  help=t("compare_images.load_help"), on_click=_attempt, args=(desk, _load))  # fmt: skip
    form: Form | None = desk.get("image.form")
    if form is None:
        _examples(desk)
    else:
        _form(desk, form, busy=run is not None)
    with st.container():  # always there: else what stands below would move, and be made anew
        if run is not None:
            st.fragment(_look, run_every=LOOK_EVERY_S)(desk, run)
        if failure := desk.get("image.failure"):
            show_error(desk.ui, failure)
    _gallery(desk)


def _run(desk: Desk) -> PictureRun | None:
    """The picture under way; one that ended meanwhile goes to the gallery first."""
    run: PictureRun | None = desk.get("image.run")
    if run is None or run.look().running:
        return run
    look = run.look()
    desk.set("image.run", None)
    desk.set("image.failure", look.error)
    if look.pictures:
        desk.set("image.done", (*desk.get("image.done", ()), look)[-pictures.KEPT :])
    return None


def _attempt(desk: Desk, act: Callable[[Desk], None]) -> None:
    """Do that; its error is kept, to be shown by the run that follows."""
    desk.set("image.failure", None)
    try:
        act(desk.fresh)
    except EngineError as error:
        desk.set("image.failure", error)


def _load(desk: Desk) -> None:
    """Ask the model what it takes. Raises EngineError."""
    name = pictures.model_id(str(desk.get("image.model") or ""))
    person = desk.ui.person
    fields = picture_form(desk.ui.engine, name, owner=person.id, role=person.role)
    desk.set("image.form", (name, fields))


def _make(desk: Desk) -> None:
    """Begin with what the form holds. Raises EngineError."""
    name, fields = desk.get("image.form")
    _begin(desk, name, {field.name: _held(desk, name, field) for field in fields})


def _begin(desk: Desk, name: str, given: Mapping[str, Any]) -> None:
    person, run = desk.ui.person, desk.get("image.run")
    if run is None or not run.look().running:
        made = PictureRun(desk.ui.engine, name, given, owner=person.id, role=person.role, wanted=browser_watch())
        desk.set("image.run", made)


def _example(name: str) -> Callable[[Desk], None]:
    def begin(desk: Desk) -> None:
        model, person = pictures.example_model(), desk.ui.person
        desk.set("image.model", model)
        desk.set("image.form", (model, picture_form(desk.ui.engine, model, owner=person.id, role=person.role)))
        prompt = desk.ui.t(f"compare_images.example.{name}_prompt")
        desk.set(f"image.{model}.prompt", prompt)
        _begin(desk, model, {"prompt": prompt})

    return begin


def _examples(desk: Desk) -> None:
    t = desk.ui.t
    st.markdown(t("compare_images.empty"))
    with st.container(horizontal=True):
        for name in pictures.EXAMPLES:
            st.button(t(f"compare_images.example.{name}"), key=desk.key(f"image.example.{name}"), on_click=_attempt,
                      args=(desk, _example(name)))  # fmt: skip


def _form(desk: Desk, form: Form, *, busy: bool) -> None:
    """The fields of the model, four in sight and the rest folded."""
    (name, fields), t = form, desk.ui.t
    st.caption(plain(t("compare_images.form_of", model=name)))
    if not fields:
        st.info(t("compare_images.no_form"))
        return
    sight, folded = pictures.parts(fields)
    for field in sight:
        _field(desk, name, field)
    if folded:
        with st.expander(t("compare_images.more")):
            for field in folded:
                _field(desk, name, field)
    st.button(t("compare_images.make"), type="primary", icon=":material/image:", key=desk.key("image.make"),
              disabled=busy, on_click=_attempt, args=(desk, _make))  # fmt: skip


def _field(desk: Desk, name: str, field: Field) -> None:
    label, key = plain(f"{field.label} *" if field.required else field.label), desk.key(f"image.{name}.{field.name}")
    told: dict[str, Any] = {"key": key, "help": plain(pictures.help_of(field, desk.ui.words)) or None}
    start = {} if key in st.session_state else {"value": field.default}
    if field.kind == "boolean":
        st.toggle(label, **({} if key in st.session_state else {"value": bool(field.default)}), **told, **LASTS)
    elif field.kind == "choice":
        at = field.choices.index(field.default) if field.default in field.choices else None
        st.selectbox(label, field.choices, **({} if key in st.session_state else {"index": at}), width=320, **told,
                     **LASTS)  # fmt: skip
    elif field.kind in ("integer", "number"):
        cast = int if field.kind == "integer" else float
        low, high = (None if one is None else cast(one) for one in (field.low, field.high))
        first = {} if key in st.session_state else {"value": None if field.default is None else cast(field.default)}
        st.number_input(label, low, high, step=cast(1) if field.kind == "integer" else None, width=320, **first,
                        **told, **LASTS)  # fmt: skip
    elif field.kind == "file":
        st.file_uploader(label, pictures.ACCEPTED, **told)
    elif field.kind == "text":
        st.text_input(label, max_chars=TEXT_MAX, **start, **told, **LASTS)
    else:
        texts = {} if key in st.session_state else {"value": "\n".join(field.default) if isinstance(field.default, list)
                                                    else field.default or ""}  # fmt: skip
        st.text_area(label, height=90, max_chars=TEXT_MAX, **texts, **told, **LASTS)


def _held(desk: Desk, name: str, field: Field) -> Any:
    """What a widget holds; a file as a data: URL. Raises BadFile."""
    held = desk.get(f"image.{name}.{field.name}")
    return data_url(held.name, held.getvalue()) if field.kind == "file" and held is not None else held


def _look(desk: Desk, run: PictureRun) -> None:
    """How far it is; the whole page anew at its end."""
    look = run.look()
    if not look.running:
        st.rerun()
    told = pictures.progress(look, desk.ui.words)
    with guard(desk.ui):
        st.progress(told.share or 0.0, plain(told.text))
        st.button(desk.ui.t("compare_images.stop"), icon=":material/stop:", key=desk.key("image.stop"),
                  on_click=run.stop)  # fmt: skip


def _gallery(desk: Desk) -> None:
    """The newest first, each with what it was made with; all as one file."""
    done: tuple[Look, ...] = desk.get("image.done", ())
    if not done:
        return
    t, words = desk.ui.t, desk.ui.words
    st.download_button(t("compare_images.zip"), partial(zip_of, done), "pictures.zip", "application/zip",
                       icon=":material/download:", on_click="ignore", key=desk.key("image.zip"))  # fmt: skip
    for look in reversed(done):
        places = st.columns(min(COLUMNS, len(look.pictures)))
        for number, picture in enumerate(look.pictures):
            with places[number % len(places)]:
                st.image(picture.data, caption=plain(pictures.alt(look, number + 1, words)))
        st.caption(plain(f"{look.model} · {pictures.under(look, words)}"))
        st.caption(plain(pictures.made_with(look)))
