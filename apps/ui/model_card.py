"""The card of one model in words: its facts, its files, its template, and which setting wins. Knows no widget.

Facts come from `engine.models.details`, settings from `engine.models.deciding`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from apps.ui.i18n import Words
from apps.ui.models import Row
from engine.catalog import ModelCard
from engine.models.details import Details
from engine.token_view import visible

Part = Literal["card", "configuration", "template", "files"]
PARTS: tuple[Part, ...] = ("card", "configuration", "template", "files")
# What is shown of the details, in this order; `models_fact` and `models_means` have the words
# fmt: off
FACTS = (
    "kind", "architecture", "parameters", "quantization", "bits_per_weight", "size_bytes", "parts", "trained_context",
    "vocabulary", "tokenizer", "layers", "embedding", "heads", "experts", "licence", "author", "address",
    "gguf_version", "tensors",
)
# fmt: on
ALONE = frozenset({"parts", "experts"})  # not worth a row where there is one
MILLION, BILLION = 10**6, 10**9
SHOWN = 80  # characters of a value in a table


def fact_head(words: Words) -> Row:
    """The titles of `fact_rows`."""
    return tuple(words.t(f"models_card.{name}") for name in ("fact", "value", "meaning"))


def fact_rows(card: ModelCard, details: Details, words: Words) -> list[Row]:
    """What the header says, each with what it means; what it does not say is left out."""
    found = [
        (words.t(f"models_fact.{name}"), value, words.t(f"models_means.{name}"))
        for name in FACTS
        if (value := _fact(name, details, words))
    ]
    if card.aliases:
        found.append((words.t("models_fact.aliases"), ", ".join(card.aliases), words.t("models_means.aliases")))
    return found


def _fact(name: str, details: Details, words: Words) -> str:
    value = _value(name, details)
    if value in (None, "") or (name in ALONE and value == 1):
        return ""
    if name == "kind":
        return words.t(f"models_kind.{value}")
    if name == "size_bytes":
        return words.size(value)
    if name == "parameters":
        return parameters(value, words)
    if name == "bits_per_weight":
        return words.number(value, 2)
    return words.number(value) if isinstance(value, int) else str(value)


def _value(name: str, details: Details) -> Any:
    shapes = {"layers": "blocks", "embedding": "embedding", "heads": "heads"}
    if name in shapes:
        return getattr(details.shape, shapes[name], None) or None
    return getattr(details, name)


def parameters(count: int, words: Words) -> str:
    """A number of weights as people say it: 135 M, 1.7 B."""
    if count >= BILLION:
        return words.t("models_card.billion", count=words.number(count / BILLION, 1))
    return words.t("models_card.million", count=words.number(count / MILLION, 1 if count < 10 * MILLION else 0))


def special_head(words: Words) -> Row:
    """The titles of `special_rows`."""
    return tuple(words.t(f"models_card.{name}") for name in ("special_role", "special_id", "special_text"))


def special_rows(details: Details) -> list[Row]:
    """Role, id and text of each special token."""
    texts = details.special_tokens
    return [(role, str(number), visible(texts.get(role, ""))) for role, number in details.special_ids.items()]


def special_texts(details: Details) -> dict[str, str]:
    """The texts of special tokens by role, for a template."""
    return dict(details.special_tokens)


def file_head(words: Words) -> Row:
    """The titles of `file_rows`."""
    return tuple(words.t(f"models.{name}") for name in ("file", "quantization", "size", "role"))


def file_rows(card: ModelCard, words: Words) -> list[Row]:
    """One row a file: name, quantization, size, why it is there."""
    return [
        (file.path.name, file.quantization or "", words.size(file.size_bytes),
         words.t(file.note_key) if file.note_key else words.t("models.used") if at == 0 else "")
        for at, file in enumerate(card.files)
    ]  # fmt: skip


def decided_head(words: Words) -> Row:
    """The titles of `decided_rows`."""
    return tuple(words.t(f"models_config.{name}") for name in ("name", "value", "source", "overruled"))


def decided_rows(decided: Iterable[Any], words: Words) -> list[Row]:
    """One row a setting: its value, who decided it, what gave way."""
    return [
        (setting(one.name, words), said(one.value, words), words.t(f"models_config.source_of.{one.source}"),
         ", ".join(_overruled(source, value, words) for source, value in one.overruled))
        for one in decided
    ]  # fmt: skip


def _overruled(source: str, value: Any, words: Words) -> str:
    return words.t(
        "models_config.gave_way", value=said(value, words), source=words.t(f"models_config.source_of.{source}")
    )


def setting(name: str, words: Words) -> str:
    """The name of a setting in words."""
    for key in (f"models_config.load_of.{name}", f"param.{name}.label", f"models_config.{name}"):
        if words.has(key):
            return words.t(key)
    return name


def said(value: Any, words: Words) -> str:
    """A setting's value in one line of words, cut where it is long."""
    if value is None:
        return words.t("models_config.unset")
    if isinstance(value, bool):
        return words.t(f"models_config.{'yes' if value else 'no'}")
    if isinstance(value, int):
        return words.number(value)
    if isinstance(value, float):
        return words.number(value, len(f"{value:g}".partition(".")[2]))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())  # a template has lines, a cell has one
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
