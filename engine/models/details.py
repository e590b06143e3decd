"""The card of a GGUF file, from its header alone: what it is, what it needs, how it wants to be spoken to.

Reads with our own bounded reader (engine.models.gguf_header says why). Loads nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.models.gguf_header import GgufHeader, Scalar, parse, read_header, token_texts
from engine.models.kinds import Kind, kind_of
from engine.models.splits import parts_of

TOKEN_KEY = "tokenizer.ggml.{}_token_id"
SPECIAL = (
    "bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "cls", "mask", "fim_pre", "fim_suf", "fim_mid",
)  # fmt: skip
ROLES = {"seperator": "separator"}  # the format's own spelling
SAMPLING = "general.sampling."


@dataclass(frozen=True)
class Shape:
    """What memory depends on: widths are per layer, in numbers; a window of 0 is none. See engine.models.memory."""

    blocks: int
    key_widths: tuple[int, ...]
    value_widths: tuple[int, ...]
    heads: int
    embedding: int
    feed_forward: int
    sliding_window: int = 0
    state_bytes: int = 0


@dataclass(frozen=True)
class Details:
    """What the header says. `size_bytes`, `parameters` and `tensors` are of all parts; `special_tokens` holds each
    token's text by its role, such as `eos`, `special_ids` its number; `sampling` the maker's own defaults by name
    (`temp`, `top_p`…). None: the file does not say.
    """

    architecture: str | None
    name: str | None
    kind: Kind
    parameters: int
    quantization: str | None
    size_bytes: int
    trained_context: int | None
    vocabulary: int | None
    tokenizer: str | None
    chat_template: str | None
    special_tokens: Mapping[str, str]
    special_ids: Mapping[str, int]
    adds_bos: bool | None
    licence: str | None
    author: str | None
    address: str | None
    version: str | None
    layers: int | None
    embedding: int | None
    experts: int | None
    parts: int
    gguf_version: int
    tensors: int
    sampling: Mapping[str, Any]
    shape: Shape | None

    @property
    def bits_per_weight(self) -> float | None:
        """Bits of the file per weight; None without weights."""
        return 8 * self.size_bytes / self.parameters if self.parameters else None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; no folder in it."""
        return {**asdict(self), "bits_per_weight": self.bits_per_weight}


def details(path: Path) -> Details:
    """The card of the file, with its other parts where it has some. Raises ModelFileCorrupt, BadFile."""
    header = read_header(path)
    parts = parts_of(path)
    others = [read_header(part) for part in parts if part != path]
    texts = token_texts(path, dict(_special_ids(header)).values())
    card = _card(header, texts, sum(part.stat().st_size for part in parts), len(parts))
    parameters = sum(other.parameters for other in others)
    return replace(card, parameters=card.parameters + parameters, tensors=card.tensors + sum(o.tensors for o in others))


def foretold(beginning: bytes, size_bytes: int, parts: int = 1) -> Details:
    """The card of a file of which only the beginning is here: without weights, tokens' texts, and what comes later.

    Raises ValueError where it is no GGUF file.
    """
    return _card(parse(beginning, beginning=True), {}, size_bytes, parts)


def _card(header: GgufHeader, texts: Mapping[int, str], size_bytes: int, parts: int) -> Details:
    ids = dict(_special_ids(header))
    return Details(
        architecture=header.architecture,
        name=header.name,
        kind=kind_of(header),
        parameters=header.parameters,
        quantization=header.quantization,
        size_bytes=size_bytes,
        trained_context=header.context_length,
        vocabulary=header.vocabulary,
        tokenizer=_text(header, "tokenizer.ggml.model"),
        chat_template=header.chat_template,
        special_tokens={role: texts[number] for role, number in ids.items() if number in texts},
        special_ids=ids,
        adds_bos=_flag(header, "tokenizer.ggml.add_bos_token"),
        licence=header.licence,
        author=_text(header, "general.author") or _text(header, "general.organization"),
        address=_text(header, "general.source.url") or _text(header, "general.url") or _repository(header),
        version=_text(header, "general.version"),
        layers=header.blocks,
        embedding=header.number("embedding_length"),
        experts=header.number("expert_count") or None,
        parts=parts,
        gguf_version=header.version,
        tensors=header.tensors,
        sampling=_recommended(header),
        shape=_shape(header),
    )


def _special_ids(header: GgufHeader) -> Iterator[tuple[str, int]]:
    for role in SPECIAL:
        number = header.fields.get(TOKEN_KEY.format(role))
        if isinstance(number, int) and not isinstance(number, bool):
            yield ROLES.get(role, role), number


def _recommended(header: GgufHeader) -> dict[str, Scalar]:
    """What the maker recommends; a number that JSON does not have is left out."""
    told = {key.removeprefix(SAMPLING): value for key, value in header.fields.items() if key.startswith(SAMPLING)}
    return {key: value for key, value in told.items() if not isinstance(value, float) or math.isfinite(value)}


def _repository(header: GgufHeader) -> str | None:
    return _text(header, "general.repo_url") or _text(header, "general.source.repo_url")


def _shape(header: GgufHeader) -> Shape | None:
    """None where the header leaves out what memory depends on."""
    blocks, embedding = header.blocks, header.number("embedding_length")
    heads, kv_heads = header.per_layer("attention.head_count"), header.per_layer("attention.head_count_kv")
    if not blocks or not embedding or (heads is None and header.number("ssm.state_size") is None):
        return None
    heads = heads or ()
    kv_heads = kv_heads or heads
    most = max(heads, default=0)
    width = embedding // most if most else 0
    key, value = header.number("attention.key_length") or width, header.number("attention.value_length") or width
    return Shape(
        blocks=blocks,
        key_widths=tuple(count * key for count in kv_heads),
        value_widths=tuple(count * value for count in kv_heads),
        heads=most,
        embedding=embedding,
        feed_forward=max(header.per_layer("feed_forward_length") or (0,)),
        sliding_window=header.number("attention.sliding_window") or 0,
        state_bytes=_state(header, blocks),
    )


def _state(header: GgufHeader, blocks: int) -> int:
    """Bytes that one conversation keeps in the layers that read recurrently (Mamba and its kin), as 32-bit numbers."""
    inner, state = header.number("ssm.inner_size") or 0, header.number("ssm.state_size") or 0
    kernel, groups = header.number("ssm.conv_kernel") or 1, header.number("ssm.group_count") or 0
    return 4 * blocks * ((kernel - 1) * (inner + 2 * groups * state) + inner * state)


def _text(header: GgufHeader, key: str) -> str | None:
    value = header.fields.get(key)
    return value if isinstance(value, str) and value else None


def _flag(header: GgufHeader, key: str) -> bool | None:
    value = header.fields.get(key)
    return value if isinstance(value, bool) else None
