"""The words around passages in a prompt, in the question's language; the texts are data. Knows no model."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from xml.sax.saxutils import quoteattr

from engine.rag.grounding import Grounding, Language, Source
from engine.rag.languages import language as of_text
from engine.rag.suspicion import FRAME, defused

CUT = "[…]"


def language_of(question: str, otherwise: Language | None = None) -> Language:
    """The question's language by its small words; where these say nothing the reader's own, or English."""
    told = of_text(question, "french" if otherwise == "fr" else "english")
    return "fr" if told == "french" else "en"


def refusal(language: Language) -> str:
    """The sentence that says that the documents hold no answer."""
    return _texts()[language]["refusal"]


def is_refusal(answer: str) -> bool:
    """Whether the answer is that sentence, in either language and whatever its accents and signs, and little more."""
    said = _letters(answer)
    known = [_letters(texts["refusal"]) for texts in _texts().values()]
    return any(said == one or (said.startswith(one) and len(said) < 2 * len(one)) for one in known)


def block(grounding: Grounding) -> str:
    """What stands before the question in the prompt: what is to be done, and the numbered passages in their frames."""
    texts = _texts()[grounding.language]
    label = texts["request" if grounding.mode == "summary" else "question"]
    if not grounding.sources:
        return f"{texts['nothing_found']}\n\n{label}"
    kind = {"summary": "summary", "documents_and_model": "documents_and_model"}.get(grounding.mode, "documents_only")
    head = texts[kind].strip().format(refusal=texts["refusal"])
    return "\n\n".join([head, *map(framed, grounding.sources), label])


def framed(source: Source) -> str:
    """The passage in its frame, without anything that a template or we would take for a mark of our own."""
    shown = source.text if source.fate != "cut" else f"{source.text[: source.sent]} {CUT}"
    place = quoteattr(defused(source.place))
    return f'<{FRAME} n="{source.number}" from={place}>\n{defused(shown).strip()}\n</{FRAME}>'


def part(text: str, language: Language) -> str:
    """The question for the summary of one part of a text."""
    return f"{_texts()[language]['part'].strip()}\n\n<{FRAME}>\n{defused(text).strip()}\n</{FRAME}>"


def listed(sources: Iterable[Source], language: Language) -> str:
    """The passages as an answer of their own, where no model is asked: each under its number and place, quoted."""
    parts = [f"[{source.number}] {source.place}\n\n{_quoted(source.text)}" for source in sources]
    return "\n\n".join(parts) or _texts()[language]["nothing"]


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.strip().splitlines())


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if letter.isalpha() and letter.isascii())


@cache
def _texts() -> Mapping[Language, Mapping[str, str]]:
    return tomllib.loads(files("engine.rag").joinpath("prompts.toml").read_text(encoding="utf-8"))  # type: ignore[return-value]
