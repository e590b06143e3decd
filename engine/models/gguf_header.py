"""What the header of a GGUF file says, read in milliseconds. Knows nothing of tensors' contents and loads no model.

Own reader, because the `gguf` package needs 0.7 s to import and 4.5 s for a vocabulary of 49,152 tokens, and a command
that lists models has 1.5 s in all. Nothing in a file is believed: every length is checked against what is left of it,
and items, texts and time are bounded. It is read and not mapped: one that another program cuts short meanwhile would
end our process with SIGBUS.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, TypeGuard

from engine.errors import BadFile, ModelFileCorrupt

Scalar = int | float | bool | str

MAX_ITEMS = 4_000_000  # keys, tensors and array strings together; the largest vocabularies need 1,000,000
MAX_TEXT = 1 << 20  # bytes of one text that is kept; chat templates have up to 100,000
MAX_TEXTS = 8 << 20  # bytes of all texts kept
MAX_KEY = 65535  # the format's own limit
MAX_KEYS = 8192  # of one file; real ones have fewer than 100
MAX_TENSORS = 65536  # the largest models have some thousand; each takes ten microseconds to read
HEADERS_KEPT = 32  # in memory; a hostile one takes some MAX_TEXTS
MAX_DIMENSIONS = 4  # GGML_MAX_DIMS
MAX_LIST = 1024  # numbers of one list that is kept: one per layer, say; vocabularies' scores are passed over
MAX_LISTS = 65536  # numbers of all lists kept

BLOCK_MIN, BLOCK_MAX = 4096, 1 << 16  # bytes that are read at once

TOKENS = "tokenizer.ggml.tokens"

STRING, ARRAY = 8, 9
NUMBERS = {
    number: struct.Struct("<" + letter)
    for number, letter in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
U32, U64 = NUMBERS[4], NUMBERS[10]

# llama.cpp's LLAMA_FTYPE_*: what most tensors of the file are
# fmt: off
QUANTIZATIONS: Mapping[int, str] = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4", 40: "Q1_0",
}
# fmt: on

# ggml's types of tensors: weights per block, bytes per block (ggml.c: type_traits)
# fmt: off
BLOCKS: Mapping[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 16: (256, 66), 17: (256, 74), 18: (256, 98),
    19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
    27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}
# fmt: on


@dataclass(frozen=True)
class GgufHeader:
    """The facts of one file: `fields` holds its numbers and texts, `arrays` the lengths of its lists, `parameters` the
    number of weights. `lists` holds the short lists of numbers, `texts_at` where the bytes of a list of texts begin.
    """

    version: int
    fields: Mapping[str, Scalar]
    arrays: Mapping[str, int]
    tensors: int
    parameters: int
    lists: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    texts_at: Mapping[str, int] = field(default_factory=dict)

    @property
    def architecture(self) -> str | None:
        """Such as `llama`; decides the prefix of other keys."""
        return self._text("general.architecture")

    @property
    def name(self) -> str | None:
        """The model's name as its maker wrote it."""
        return self._text("general.name")

    @property
    def licence(self) -> str | None:
        """An identifier such as `apache-2.0`."""
        return self._text("general.license")

    @property
    def chat_template(self) -> str | None:
        """The Jinja source that turns messages into a prompt."""
        return self._text("tokenizer.chat_template")

    @property
    def quantization(self) -> str | None:
        """Such as `Q8_0`; None where the file does not say or says something unknown."""
        kind = self._number("general.file_type")
        return None if kind is None else QUANTIZATIONS.get(kind)

    @property
    def context_length(self) -> int | None:
        """Trained window, in tokens."""
        return self._number(f"{self.architecture}.context_length")

    @property
    def blocks(self) -> int | None:
        """Number of transformer layers."""
        return self._number(f"{self.architecture}.block_count")

    @property
    def vocabulary(self) -> int | None:
        """Number of tokens."""
        return self.arrays.get(TOKENS)

    def of(self, key: str) -> Scalar | None:
        """The value of a key of the model's own architecture, such as `attention.head_count`."""
        return self.fields.get(f"{self.architecture}.{key}")

    def number(self, key: str) -> int | None:
        """That value, where it is a whole number that is not negative."""
        return self._number(f"{self.architecture}.{key}")

    def per_layer(self, key: str) -> tuple[int, ...] | None:
        """That value for each layer, whether the file holds one for all or a list; None where it holds neither, or
        what counts nothing: fractions, negative numbers.
        """
        found = self.lists.get(f"{self.architecture}.{key}")
        if found is not None:
            counts = tuple(value for value in found if _is_count(value))
            return counts if counts and len(counts) == len(found) else None
        one = self.number(key)
        return None if one is None or self.blocks is None else (one,) * min(self.blocks, MAX_LIST)

    def _text(self, key: str) -> str | None:
        value = self.fields.get(key)
        return value if isinstance(value, str) else None

    def _number(self, key: str) -> int | None:
        value = self.fields.get(key)
        return value if _is_count(value) else None


def _is_count(value: Scalar | None) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class _Blocks:
    """The bytes of a file of `size`, read where they are looked at: little at a jump, more and more in a row."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.size = size
        self._file = file
        self._ahead = BLOCK_MIN
        self._last = -1

    def read(self, at: int, least: int) -> bytes:
        """The bytes from there on, at least so many. Raises ValueError where the file has become shorter, OSError."""
        in_a_row = self._last < at <= self._file.tell()
        self._ahead, self._last = min(2 * self._ahead, BLOCK_MAX) if in_a_row else BLOCK_MIN, at
        self._file.seek(at)
        found = self._file.read(max(least, self._ahead))
        if len(found) < least:
            raise ValueError(f"ends at byte {at + len(found)}, and had {self.size} bytes a moment ago")
        return found


class _Cursor:
    """A position in a file that never leaves it and counts what it has read."""

    def __init__(self, data: _Blocks | bytes, at: int = 0) -> None:
        self._blocks = None if isinstance(data, bytes) else data
        self._block, self._from = (data, 0) if isinstance(data, bytes) else (b"", 0)
        self.end = len(data) if isinstance(data, bytes) else data.size
        self.at = at
        self.items = 0
        self.kept = 0
        self.listed = 0

    def skip(self, size: int) -> int:
        """The place before `size` bytes, which are passed over."""
        start = self.at
        if size > self.end - start:
            raise ValueError(f"ends at byte {self.end}, {size} more were announced at byte {start}")
        self.at = start + size
        return start

    def near(self, start: int, size: int) -> tuple[bytes, int]:
        """Some bytes, and where in them the `size` ones from `start` on lie. Raises ValueError."""
        if not self._from <= start <= self._from + len(self._block) - size:
            if self._blocks is None:
                raise ValueError(f"ends at byte {self.end}")
            # what is left of the block is read again, so that blocks follow each other
            self._block, self._from = self._blocks.read(start, size), start
        return self._block, start - self._from

    def value(self, kind: struct.Struct) -> Scalar:
        """The next number."""
        found: Scalar = kind.unpack_from(*self.near(self.skip(kind.size), kind.size))[0]
        return found

    def number(self, kind: struct.Struct) -> int:
        """The next integer."""
        return int(self.value(kind))

    def count(self, kind: struct.Struct = U64, limit: int = MAX_ITEMS) -> int:
        """The next integer, as a number of items that are to follow."""
        value = self.number(kind)
        self.items += value
        if value > limit or self.items > MAX_ITEMS:
            raise ValueError(f"{value} items announced at byte {self.at}")
        return value

    def text(self, limit: int) -> str:
        """The next string, of at most `limit` bytes."""
        size = self.number(U64)
        self.kept += size
        if size > limit or self.kept > MAX_TEXTS:
            raise ValueError(f"a text of {size} bytes at byte {self.at}")
        found, at = self.near(self.skip(size), size)
        return found[at : at + size].decode("utf-8", errors="replace")

    def skip_texts(self, count: int) -> None:
        """Pass over `count` strings."""
        at, end, unpack = self.at, self.end, U64.unpack_from  # a vocabulary: 100,000 turns
        block, begin, last = self._block, self._from, self._from + len(self._block) - 8
        for _ in range(count):
            if not begin <= at <= last:
                if at + 8 > end:
                    raise ValueError(f"ends within a list of {count} texts")
                block, _ = self.near(at, 8)
                begin, last = self._from, self._from + len(block) - 8
            at += 8 + unpack(block, at - begin)[0]
        self.at = at
        self.skip(0)


def read_header(path: Path) -> GgufHeader:
    """The header of the file, remembered while the file is unchanged. Raises ModelFileCorrupt, BadFile (unreadable)."""
    try:
        state = _state(path)
        return _read(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise BadFile(
            f"{path.name} cannot be read: {error.strerror}", path=path.name, reason=str(error.strerror)
        ) from error


def token_texts(path: Path, ids: Iterable[int]) -> dict[int, str]:
    """The tokens of these numbers as the vocabulary spells them; a number beyond it is left out.

    Raises ModelFileCorrupt, BadFile (unreadable).
    """
    header = read_header(path)
    place, count = header.texts_at.get(TOKENS), header.arrays.get(TOKENS, 0)
    wanted = sorted({number for number in ids if 0 <= number < count})
    if place is None or not wanted:
        return {}
    try:
        with _opened(path, _state(path).st_size) as data:
            return _texts(_Cursor(data, place), wanted)
    except OSError as error:
        raise BadFile(
            f"{path.name} cannot be read: {error.strerror}", path=path.name, reason=str(error.strerror)
        ) from error


def _texts(cursor: _Cursor, wanted: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    at = 0
    for number in wanted:
        cursor.skip_texts(number - at)
        found[number], at = cursor.text(MAX_KEY), number + 1
    return found


def _state(path: Path) -> os.stat_result:
    """What the system knows of the file. Raises OSError, also for a pipe: opening one may wait for good."""
    state = path.stat()
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    return state


@lru_cache(maxsize=HEADERS_KEPT)
def _read(path: Path, size: int, changed: int) -> GgufHeader:
    with _opened(path, size) as data:
        return parse(data)


@contextmanager
def _opened(path: Path, size: int) -> Iterator[_Blocks]:
    """The file's bytes; what is wrong with them becomes ModelFileCorrupt."""
    try:
        with path.open("rb", buffering=0) as file:
            if size < 24:
                raise ValueError(f"has {size} bytes, a header needs 24")
            yield _Blocks(file, size)
    except (ValueError, struct.error) as error:
        raise ModelFileCorrupt(
            f"{path.name} is not a sound GGUF file: {error}", path=path.name, reason=str(error)
        ) from error


def parse(data: _Blocks | bytes, *, beginning: bool = False) -> GgufHeader:
    """The header in these bytes; with `beginning`, as many of its fields as are there, and no tensors.

    Raises ValueError saying what is wrong and where.
    """
    cursor = _Cursor(data)
    if cursor.end < 4 or cursor.near(cursor.skip(4), 4)[0][:4] != b"GGUF":
        raise ValueError("does not begin with GGUF")
    version = cursor.number(U32)
    if version not in (2, 3):
        raise ValueError(f"version {version} of the format, 2 and 3 are known")
    tensors, keys = cursor.count(), cursor.count()
    if tensors > MAX_TENSORS:
        raise ValueError(f"{tensors} tensors announced")
    if keys > MAX_KEYS:
        raise ValueError(f"{keys} keys announced")
    fields: dict[str, Scalar] = {}
    arrays: dict[str, int] = {}
    lists: dict[str, tuple[Scalar, ...]] = {}
    texts_at: dict[str, int] = {}
    try:
        for _ in range(keys):
            _read_field(cursor, fields, arrays, lists, texts_at)
    except ValueError:
        if not beginning:
            raise
    parameters = 0 if beginning else _read_tensors(cursor, tensors, fields)
    return GgufHeader(version, fields, arrays, tensors, parameters, lists, texts_at)


def _read_field(
    cursor: _Cursor, fields: dict[str, Scalar], arrays: dict[str, int], lists: dict[str, tuple[Scalar, ...]],
    texts_at: dict[str, int],
) -> None:  # fmt: skip
    key = cursor.text(MAX_KEY)
    kind = cursor.number(U32)
    if kind == STRING:
        fields[key] = cursor.text(MAX_TEXT)
    elif kind == ARRAY:
        arrays[key] = _read_array(cursor, key, lists, texts_at)
    else:
        fields[key] = cursor.value(_struct(kind))


def _read_array(cursor: _Cursor, key: str, lists: dict[str, tuple[Scalar, ...]], texts_at: dict[str, int]) -> int:
    """The length of the list; a short one of numbers is kept, of one of texts the place."""
    kind = cursor.number(U32)
    if kind == STRING:
        count = cursor.count()
        texts_at[key] = cursor.at
        cursor.skip_texts(count)
        return count
    count, number = cursor.number(U64), _struct(kind)
    start = cursor.skip(count * number.size)
    if count <= MAX_LIST and cursor.listed + count <= MAX_LISTS:
        cursor.listed += count
        found, first = cursor.near(start, count * number.size)
        lists[key] = tuple(number.unpack_from(found, first + at * number.size)[0] for at in range(count))
    return count


def _struct(kind: int) -> struct.Struct:
    if kind not in NUMBERS:
        raise ValueError(f"a value of unknown type {kind}")
    return NUMBERS[kind]


def _read_tensors(cursor: _Cursor, count: int, fields: Mapping[str, Scalar]) -> int:
    """The number of weights of all tensors; checks that each lies in the file (of unknown types: begins)."""
    parameters, last = 0, 0
    for _ in range(count):
        cursor.text(MAX_KEY)
        dimensions = cursor.count(U32, MAX_DIMENSIONS)
        weights = 1
        for _ in range(dimensions):
            weights *= cursor.number(U64)
        parameters += weights
        block, size = BLOCKS.get(cursor.number(U32), (1, 0))
        last = max(last, cursor.number(U64) + max(1, weights // block * size))
    if parameters > 8 * cursor.end:  # no format stores a weight in less than a bit
        raise ValueError(f"announces {parameters} weights in {cursor.end} bytes")
    alignment = fields.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment <= 0:
        raise ValueError(f"alignment {alignment}")
    data_start = -(-cursor.at // alignment) * alignment
    if count and data_start + last > cursor.end:
        raise ValueError(
            f"ends at byte {cursor.end}, its tensors need {data_start + last} bytes: an unfinished download?"
        )
    return parameters
