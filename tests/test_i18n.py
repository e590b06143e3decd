"""Both catalogues say everything, in the same way, and nothing is said outside of them."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.ui import theme
from apps.ui.controls import GROUPS, controls
from apps.ui.i18n import LANGUAGES, Language, Words, catalogue, choose, number, words
from apps.ui.present import STATE_SYMBOLS
from apps.ui.sections import SECTIONS
from engine.errors import all_codes
from engine.params import PARAMS
from engine.types import CAPABILITIES, OUTCOMES, Stats, Usage

ROOT = Path(__file__).parents[1]
INTERFACE = sorted(
    path for folder in ("apps", "pages") for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts
)

REQUIRED = [
    *(f"error.{code}.{part}" for code in (*all_codes(), "unexpected") for part in ("what", "todo")),
    *(key for param in PARAMS for key in (param.label_key, param.help_key)),
    *(f"group.{group}" for group in GROUPS),
    *(f"outcome.{outcome}" for outcome in OUTCOMES),
    *(f"capability.{name}" for name in CAPABILITIES),
    *(f"{kind}.{section.key}" for section in SECTIONS for kind in ("section", "question")),
    *(f"stats.help.{name}" for name in Stats().export("stop", Usage())),
    *(f"state.{name}" for name in STATE_SYMBOLS),
    *(f"language.{lang}" for lang in LANGUAGES),
    *(f"sidebar.me_{role}" for role in ("student", "teacher")),
]


def placeholders(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_catalogues_have_the_same_keys() -> None:
    assert set(catalogue("fr")) == set(catalogue("en"))


@pytest.mark.parametrize("key", sorted(catalogue("en")))
def test_both_texts_have_the_same_placeholders(key: str) -> None:
    assert placeholders(catalogue("fr")[key]) == placeholders(catalogue("en")[key])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_the_engine_can_say_has_a_text(lang: Language) -> None:
    assert [key for key in REQUIRED if not catalogue(lang).get(key, "").strip()] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_notion_has_a_name_and_two_sentences(lang: Language) -> None:
    texts = catalogue(lang)
    notions = {key.split(".")[1] for key in texts if re.fullmatch(r"glossary\.\w+\.\w+", key)}
    assert notions >= {"token", "window", "prompt", "temperature", "top_k", "top_p", "min_p", "seed", "slot"}
    for notion in notions:
        text = texts[f"glossary.{notion}.text"]
        assert texts[f"glossary.{notion}.name"] and len(re.findall(r"[.!?](?:\s|$)", text)) == 2, text


def test_french_typography() -> None:
    wrong = [
        (key, text)
        for key, text in catalogue("fr").items()
        if re.search(r"(?<![\u202f\u00a0])[;?!»](?!\w)|(?<!\u00a0):(?![\w/])| [;:?!»%]|« |\w'\w", text)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("wanted", "lang"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("de-DE,en;q=0.5,fr;q=0.7", "fr"),
        ("fr_CH", "fr"),
        ("en-GB", "en"),
        ("de", "en"),
        ("fr;q=0,en", "en"),
        ("fr;q=nonsense,en;q=0.1", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_browsers_language_is_chosen(wanted: str | None, lang: str) -> None:
    assert choose(wanted) == lang


def test_numbers_and_units_of_both_languages() -> None:
    assert number(1234.5, "fr", 1) == "1\u202f234,5"
    assert number(1234.5, "en", 1) == "1,234.5"
    french, english = words("fr"), words("en")
    assert (french.seconds(0.263), english.seconds(0.263)) == ("0,26\u00a0s", "0.26\u00a0s")
    assert (english.seconds(12.34), english.seconds(185)) == ("12.3\u00a0s", "3\u00a0min\u00a005\u00a0s")
    assert (english.rate(95.12), english.rate(2.039), english.rate(None)) == (
        "95\u00a0tok/s", "2.0\u00a0tok/s", "–\u00a0tok/s",
    )  # fmt: skip
    assert (french.size(144_811_520), english.size(1_234_000_000), english.size(999)) == (
        "145\u00a0Mo", "1.2\u00a0GB", "999\u00a0B",
    )  # fmt: skip


def test_plurals_follow_the_grammar() -> None:
    assert words("fr").n("stats.tokens", 0) == "0 token"
    assert words("en").n("stats.tokens", 0) == "0 tokens"
    assert words("fr").n("stats.tokens", 1200) == "1\u202f200 tokens"


def test_a_missing_key_or_placeholder_is_an_error() -> None:
    with pytest.raises(KeyError):
        Words("fr").t("no.such.key")
    with pytest.raises(KeyError):
        Words("fr").t("progress.queued")
    with pytest.raises(KeyError):
        catalogue("de")  # type: ignore[arg-type]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_control_for_every_parameter(lang: Language) -> None:
    rows = controls(lang)
    assert [row.name for row in rows] == [param.name for param in PARAMS]
    assert rows[0].group == "basic" and all(row.label and row.help for row in rows)


def test_contrast_is_enough_to_read() -> None:
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    for mode, accent in (("light", theme.ACCENT), ("dark", theme.ACCENT_DARK)):
        for ground in (theme.GROUND[mode], theme.PANEL[mode]):
            assert theme.contrast(accent, ground) >= 4.5
            assert theme.contrast(theme.INK[mode], ground) >= 7


def test_streamlit_has_the_same_colours() -> None:
    given = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    for mode, accent in (("light", theme.ACCENT), ("dark", theme.ACCENT_DARK)):
        assert given[mode] == {
            "primaryColor": accent,
            "linkColor": accent,
            "backgroundColor": theme.GROUND[mode],
            "secondaryBackgroundColor": theme.PANEL[mode],
            "textColor": theme.INK[mode],
        }


# What a person would read: two words of letters, or a letter that English has not. HTML, CSS and JavaScript are none,
# nor are docstrings, logs, assertions and the messages of exceptions, which no page shows.
_WORDS = re.compile(r"[A-Za-zÀ-ÿ]{2,}[,.:;’'!?]*\s+[A-Za-zÀ-ÿ]{2,}")
_FRENCH = re.compile(r"[àâçéèêëîïôùûœÀÂÇÉÈÊËÎÏÔÙÛŒ]")
_CODE = re.compile(r"[<>{}=;\r]|--|^\s*[.#@:]")
_WIDGETS = {"st", "gr"}
_LABELS = {"label", "help", "placeholder", "info", "value", "title", "description"}
_LOGS = {"debug", "info", "warning", "exception", "error"}
_UNSEEN_CALLS = {"compile", "add_argument", "ArgumentParser"}
_ERRORS = ("Error", "Denied", "Input", "Found", "Requests", "Parameter", "BadFile", "UnknownModel", "NotSupported")


def shown_strings(tree: ast.AST) -> list[tuple[int, str]]:
    """Line and text of every string that could reach a page."""
    hidden = {id(child) for node in ast.walk(tree) if _is_unseen(node) for child in ast.walk(node)}
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in hidden
        if _FRENCH.search(node.value) or (_WORDS.search(node.value) and not _CODE.search(node.value))
    ]
    return [(node.lineno, node.value) for node in (*found, *_labels(tree))]


def _labels(tree: ast.AST) -> Iterator[ast.Constant]:
    """Even one word, where it is what a widget of st or gr shows."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _receiver(call.func) in _WIDGETS and _name(call.func).lower() != "html":
            first = call.args[:1] if _name(call.func) in _SHOWN else []
            for value in (*first, *(word.value for word in call.keywords if word.arg in _LABELS)):
                parts = value.values if isinstance(value, ast.JoinedStr) else [value]
                for part in parts:
                    text = part.value if isinstance(part, ast.Constant) else None
                    if isinstance(text, str) and re.search(r"[A-Za-zÀ-ÿ]{2,}", text) and not _CODE.search(text):
                        yield part


_SHOWN = {
    "title", "header", "subheader", "write", "markdown", "text", "caption", "info", "warning", "error", "success",
    "button", "toast", "popover", "expander", "selectbox", "slider", "number_input", "text_input", "text_area",
    "chat_input", "radio", "toggle", "checkbox", "metric", "segmented_control", "Button", "Markdown", "Accordion",
    "Tab", "Info", "Warning", "Error", "Label",
}  # fmt: skip


def _is_unseen(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = _name(node.func)
        is_log = name in _LOGS and _receiver(node.func) not in _WIDGETS
        return is_log or name in _UNSEEN_CALLS or (name[:1].isupper() and name.endswith(_ERRORS) and name != "Error")
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Raise | ast.Assert)


def _name(func: ast.AST) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _receiver(func: ast.AST) -> str:
    return func.value.id if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) else ""


# Files whose words nobody reads on a page: command line, fonts, and the HTTP API in its clients' English.
NO_PAGE = {"options.py", "server.py", "guard.py", "cors.py", "gradio_look.py"}


@pytest.mark.parametrize("path", INTERFACE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_interface_string_in_code(path: Path) -> None:
    if path.name in NO_PAGE or path.parent.name == "api":
        pytest.skip("no page")
    assert shown_strings(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_string_test_sees_what_it_should() -> None:
    seen = [
        'st.title("Bonjour")',
        'st.button(label="Send it")',
        'x = "Réponse"',
        'gr.Textbox(label="Prompt")',
        'kit.show("Please wait a moment")',
    ]
    unseen = [
        'st.title(ui.t("section.chat"))',
        '"""A docstring in two words."""',
        'raise ValueError("not this one")',
        'log.info("hello there world")',
        'st.html("<div>")',
    ]
    assert [code for code in seen if not shown_strings(ast.parse(code))] == []
    assert [code for code in unseen if shown_strings(ast.parse(code))] == []
