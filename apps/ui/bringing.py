"""What can be brought here in words: the curated list, the hub's repositories and files, their sizes, whether they fit.

Knows no widget, no network and no framework.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from apps.ui.i18n import Words
from engine.catalog import ModelCard
from engine.models.curated import Curated
from engine.models.details import details
from engine.models.fit import Fit, fit
from engine.models.hub import TOKEN_VARIABLE, HubFile, HubModel
from engine.settings import secret

Row = tuple[str, ...]
# Bits per weight of whole files as llama.cpp's README tells them for large models
BITS = {"Q8_0": 8.5, "Q6_K": 6.56, "Q5_K_M": 5.69, "Q4_K_M": 4.85, "Q4_0": 4.55, "Q2_K": 3.0, "F16": 16.0, "BF16": 16.0}
# The same where a layer's width is no multiple of 256: llama.cpp takes larger formats there, and the vocabulary of such
# a small model weighs much. Of SmolLM2-135M, as `quantize MODEL` tells them without a TYPE
BLOCK = 256
NARROW = {"Q8_0": 8.6, "Q6_K": 8.2, "Q5_K_M": 6.7, "Q4_K_M": 6.3, "Q4_0": 5.5, "Q2_K": 5.2, "F16": 16.0, "BF16": 16.0}


def fit_text(found: Fit | None, words: Words) -> str:
    """Whether something fits here; None is of unknown size."""
    return words.t(f"models_download.{found.name if found else 'unknown'}")


def quantized_size(card: ModelCard, kind: str) -> int | None:
    """About how many bytes the model has as `kind`; None where nobody can tell. Raises ModelFileCorrupt, BadFile."""
    if not card.files or card.problem or kind not in BITS:
        return None
    known = details(card.files[0].path)
    bits = NARROW if known.embedding and known.embedding % BLOCK else BITS
    return int(known.parameters * bits[kind] / 8)


def curated_head(words: Words) -> Row:
    """The titles of `curated_rows`."""
    names = ("model", "kind", "quantization", "size", "licence", "fit")
    return tuple(words.t(f"models_download.{name}") for name in names)


def curated_rows(rows: Iterable[Curated], folder: Path, words: Words) -> list[Row]:
    """One row a model of the short list; `folder` is where it would lie."""
    return [
        (row.name, words.t(f"models_kind.{row.use}"), row.quantization, words.size(row.size_bytes), row.licence,
         fit_text(fit(row.size_bytes, folder) if row.size_bytes else None, words))
        for row in rows
    ]  # fmt: skip


def hub_head(words: Words) -> Row:
    """The titles of `hub_rows`."""
    return tuple(words.t(f"models_download.{name}") for name in ("results", "downloads", "licence"))


def hub_rows(rows: Iterable[HubModel], words: Words) -> list[Row]:
    """One row a repository."""
    return [(row.id, words.number(row.downloads), row.licence or words.t("unit.unknown")) for row in rows]


def hub_file_label(file: HubFile, found: Fit | None, words: Words) -> str:
    """One file of a repository in a list: number format, size, whether it fits, the memory that it would take."""
    size = file.size_bytes or None
    fits = fit_text(found if size else None, words)
    if found is not None and size and not found.rough:
        fits = words.t("models_download.needs", fit=fits, needed=words.size(found.needed))
    return " · ".join((file.quantization or file.name, words.size(size), fits))


def token_state(brought: bool, words: Words) -> str:
    """Where the token for the hub comes from, if there is one."""
    if brought:
        return words.t("models_token.visit")
    known = "set" if secret(TOKEN_VARIABLE) else "missing"
    return words.t(f"models_token.{known}", variable=TOKEN_VARIABLE)
