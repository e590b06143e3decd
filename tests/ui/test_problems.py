"""What is wrong with a file, a prompt or a variable is said in the reader's language."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from apps.ui.i18n import LANGUAGES, Language, catalogue, words
from apps.ui.present import error_text
from engine.documents import WARNINGS
from engine.errors import BadFile, BadInput, Unreachable, all_codes, error_from
from engine.placeholders import variables
from engine.prompts import Prompt

ENGINE = Path(__file__).parents[2] / "engine"


def codes(pattern: str, *files: str) -> set[str]:
    """The codes that these sources raise."""
    found = (one for file in files for one in re.finditer(pattern, (ENGINE / file).read_text(encoding="utf-8")))
    return {code for one in found for code in one.groups() if code}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_code_has_a_sentence(lang: Language) -> None:
    ui = words(lang)
    reasons = codes(
        r'bad\((?:self\.|archive\.)?name, "(\w+)"', *(f"documents/{f.name}" for f in ENGINE.glob("documents/*.py"))
    )
    reasons |= codes(r'reason="(\w+)"', "images.py")
    reasons |= codes(r'bad\([\w.]+, "(\w+)"|return "(\w+)"\n', "rag/sources.py", "rag/indexing.py", "rag/filling.py")
    reasons |= {"unreadable", "too_many_files"}  # rag/sources.py, which writes them otherwise
    assert len(reasons) > 10 and [code for code in sorted(reasons) if not ui.has(f"file_reason.{code}")] == []
    problems = codes(r'_refuse\([^"]*"(\w+)"', "placeholders.py") | codes(
        r'reason="(\w+)"', "placeholders.py", "prompts.py", "attachments.py"
    )
    assert len(problems) > 15 and [code for code in sorted(problems) if not ui.has(f"prompt_problem.{code}")] == []
    assert all(ui.has(f"file_warning.{code}") for code in WARNINGS)


def test_a_file_that_cannot_be_read() -> None:
    error = BadFile("a.pdf: encrypted", path="a.pdf", reason="encrypted")
    assert "protégé par un mot de passe" in error_text(error, words("fr")).what
    assert "checksum" in error_text(BadFile("x", path="a", reason="checksum"), words("en")).what


def test_a_variable_that_is_wrong() -> None:
    with pytest.raises(BadInput) as caught:
        variables("{{ville | number:min=2.5:default=1}}")
    assert error_text(caught.value, words("en")).what == "“ville” has to be at least 2.5."
    with pytest.raises(BadInput) as caught:
        Prompt("a", "é", "x").check()
    assert "accent" in error_text(caught.value, words("fr")).what


def test_another_part_may_use_the_same_reason() -> None:
    assert error_text(BadInput("x", reason="unknown"), words("en")).what == words("en").t("error.bad_input.what")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_reason_that_is_known_has_its_own_sentences(lang: Language) -> None:
    texts, own = words(lang), [key for key in catalogue(lang) if key.startswith("error_of.")]
    assert own
    for key in own:
        _, code, reason, part = key.split(".")
        assert code in all_codes()
        both = "".join(catalogue(lang).get(f"error_of.{code}.{reason}.{one}", "") for one in ("what", "todo"))
        details = {name: 7 for _, name, _, _ in Formatter().parse(both) if name} | {
            "reason": reason,
            "address": "http://h",
            "status": 401,
            "model": "a/b",
            "key": "k",
            "name": "n",
            "path": "m.gguf",
            "prompt_tokens": None,
            "window": 64,
        }
        shown = error_text(error_from({"code": code, "message": "", "details": details}), texts)
        assert getattr(shown, part) == texts.filled(key, details) and "–" not in shown.sentence
    plain = error_text(Unreachable("", address="http://h"), texts)
    assert plain.what == texts.t("error.unreachable.what", address="http://h")
