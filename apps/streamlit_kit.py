"""What every Streamlit page shares: title, address, errors as sentences, tables.

The mirror of `gradio_kit`, verb by verb; the chat page's pieces are in `streamlit_chat`, the left column in
`streamlit_sidebar`. Knows no backend.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from apps import host
from apps.ui import present
from apps.ui.controls import followed
from apps.ui.i18n import LANGUAGES, Language, Words, choose, words
from engine.catalog import ModelCard
from engine.engine import Engine
from engine.errors import BadParameter, EngineError, UnknownModel
from engine.model import Model
from engine.params import BY_NAME, PARAMS, Param, Params
from engine.person import Person

log = logging.getLogger(__name__)

T = TypeVar("T")
COLUMN = "page.column"
DEFAULTS = "model.defaults"
WORD_JOINER = "\u2060"  # seen by nobody
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)


@dataclass(frozen=True)
class Ui:
    """One run of one page for one person; cheap to make."""

    section: str
    lang: Language

    @property
    def words(self) -> Words:
        """The texts of this page."""
        return words(self.lang)

    def t(self, key: str, **values: Any) -> str:
        """The text under `key`."""
        return self.words.t(key, **values)

    @property
    def engine(self) -> Engine:
        """The engine of the process."""
        return host.engine()

    @property
    def person(self) -> Person:
        """Who looks at this page. Raises AccessDenied."""
        return host.person_of(st.context.headers)

    @functools.cached_property
    def card(self) -> ModelCard:
        """The card of the model chosen in the left column."""
        return known_card(st.session_state.get("model"))

    @property
    def model(self) -> Model:
        """The model chosen in the left column; its first use may prepare the file, which takes seconds, once."""
        return self.open(self.card.id)

    def open(self, model_id: str) -> Model:
        """A model, if this person may have it. Raises UnknownModel, AccessDenied."""
        return self.engine.model(model_id, role=self.person.role, owner=self.person.id)

    @property
    def window(self) -> int | None:
        """Tokens of the chosen model's window; asks no network and loads nothing."""
        return (
            self.model.window() if self.card.backend == "echo" or self.engine.loaded(self.card.id) else self.card.window
        )

    @property
    def params(self) -> Params:
        """The parameters as they stand in the left column. Raises BadParameter."""
        given = {name: st.session_state.get(name) for name in BY_NAME}
        return Params({name: value for name, value in given.items() if value not in (None, "")})

    @property
    def moved(self) -> Params:
        """Those parameters that somebody moved from where the model's configuration had put them."""
        return self.params.apart(st.session_state.get(DEFAULTS, {}))

    def state(self, name: str, start: Callable[[], T]) -> T:
        """A value of this page that lasts as long as the browser's tab."""
        found: T = st.session_state.setdefault(f"{self.section}.{name}", start())
        return found


def page(section: str) -> Ui:
    """Begin a page: its title and the question that it answers."""
    seed()
    ui = Ui(section, language())
    st.title(ui.t(f"section.{section}"), anchor=False)
    st.caption(ui.t(f"question.{section}"))
    return ui


def language() -> Language:
    """The language chosen, else the one of the address, else the browser's."""
    wanted = st.session_state.get("lang")
    return wanted if wanted in LANGUAGES else choose(st.context.locale)


def seed() -> None:
    """Take language, model and parameters from the address at a tab's first run; what it says wrongly is left out.

    A click ends that run at any moment, and the run that follows has another address: what the first one said is kept.
    """
    if "seeded" in st.session_state:
        return
    said: dict[str, str] = st.session_state.setdefault("address", st.query_params.to_dict())
    asked = said.get("lang", "").lower()
    st.session_state.setdefault("lang", asked if asked in LANGUAGES else choose(st.context.locale))
    st.session_state.setdefault("model", known_card(said.get("model")).id)
    own = st.session_state.setdefault(DEFAULTS, defaults())
    for param in PARAMS:
        st.session_state.setdefault(param.name, _from_address(param, said.get(param.name), own))
    st.session_state["seeded"] = True


def defaults() -> dict[str, Any]:
    """The chosen model's own defaults of parameters, where it has others than the engine."""
    return dict(host.engine().defaults(known_card(st.session_state.get("model"))))


def follow_model() -> None:
    """Have the parameters that nobody moved stand as the chosen model's configuration says; before they are drawn."""
    before, after = st.session_state.get(DEFAULTS, {}), defaults()
    if after != before:
        shown = {param.name: st.session_state.get(param.name) for param in PARAMS}
        st.session_state.update(followed(shown, before, after, held))
        st.session_state[DEFAULTS] = after


def known_card(wanted: str | None = None) -> ModelCard:
    """The card of that model, or of the default one where there is no such model."""
    catalog, default = host.engine().catalog, host.engine().settings.model
    try:
        return catalog.card(wanted or default)
    except UnknownModel:
        return catalog.card(default)


def _from_address(param: Param, text: str | None, own: Mapping[str, Any]) -> Any:
    start = own.get(param.name, param.default)
    try:
        value = start if text is None else param.check(text)
    except BadParameter:
        value = start
    return held(param, value)


def held(param: Param, value: Any) -> Any:
    """The value as its widget holds it: names to choose from as a list in their order, free lines as one text."""
    if param.kind != "lines":
        return param.default if value is None else value
    return list(value or ()) if param.choices else "\n".join(value or ())


def write_address() -> None:
    """Put into the page's address what differs from the defaults, so that it can be handed out; nothing else."""
    wanted = {param.name: st.session_state[param.name] for param in PARAMS}
    start = {param.name: _from_address(param, None, st.session_state.get(DEFAULTS, {})) for param in PARAMS}
    wanted |= {"model": st.session_state["model"], "lang": st.session_state["lang"]}
    start |= {"model": known_card().id, "lang": choose(st.context.locale)}
    for name, value in wanted.items():
        said = "\n".join(value) if isinstance(value, list) else value
        text = None if value == start[name] or value is None else str(said)
        if text != st.query_params.get(name):
            if text is None:
                del st.query_params[name]
            else:
                st.query_params[name] = text


def column() -> DeltaGenerator:
    """The page's own place in the left column, above the model; the column itself where a page runs alone."""
    found: DeltaGenerator | None = st.session_state.get(COLUMN)
    return found or st.sidebar


class Kept:
    """Values of one part of a page that last as long as the browser's tab, each under that part's own `key`."""

    def key(self, name: str) -> str:
        """The name of a widget or a value of this part."""
        raise NotImplementedError

    def get(self, name: str, default: Any = None) -> Any:
        """A value, or `default` where none is kept."""
        return st.session_state.get(self.key(name), default)

    def set(self, name: str, value: Any) -> None:
        """Keep a value; None forgets it."""
        if value is None:
            st.session_state.pop(self.key(name), None)
        else:
            st.session_state[self.key(name)] = value


@contextmanager
def guard(ui: Ui) -> Iterator[None]:
    """Show an EngineError as two sentences; a defect of ours leaves its traceback in the log and one sentence here."""
    try:
        yield
    except EngineError as error:
        show_error(ui, error)
    except Exception:
        log.exception("page %s", ui.section)
        _alert(ui, present.neutral_error(ui.words))


def show_error(ui: Ui, error: EngineError) -> None:
    """What happened, what to do, the code in small, the details folded."""
    _alert(ui, present.error_text(error, ui.words))


def _alert(ui: Ui, text: present.ErrorText) -> None:
    code = ui.t("error.ui.code", code=text.code)
    st.error(f"**{plain(text.what)}** {plain(text.todo)}  \n:small[{code}]", icon=":material/error:")
    if text.details:
        with st.expander(ui.t("error.ui.details")):
            st.code(text.details, language="json")


def plain(text: str) -> str:
    """The text as Markdown that shows exactly its characters, and makes no links of addresses."""
    apart = _ADDRESS.sub(WORD_JOINER, text)  # escapes do not stop a reader that looks for addresses afterwards
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>$:#|~" else sign for sign in apart)


def browser_watch() -> Callable[[], bool]:
    """A function that says, from any thread, whether the browser tab of this run is still there."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    return functools.partial(runtime.get_instance().is_active_session, context.session_id)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table that can be read aloud and copied; it scrolls inside itself on a narrow screen."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *([plain(cell) for cell in row] for row in rows)]
    st.markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))
