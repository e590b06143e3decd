"""Whether llguidance, which llama.cpp hands JSON schemas to, can follow one; for a child process only (ctypes).

llama.cpp answers as if there were no schema where llguidance refuses it, hence the question. The functions lie in
xllamacpp's library, on Linux and macOS; elsewhere there is no answer.
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import POINTER, c_bool, c_char_p, c_size_t, c_ubyte, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

MESSAGE = 4096
_TOKENIZE = ctypes.CFUNCTYPE(c_size_t, c_void_p, POINTER(c_uint8), c_size_t, POINTER(c_uint32), c_size_t)


class _Tokenizer(ctypes.Structure):
    """llguidance.h: LlgTokenizerInit."""

    _fields_ = [
        ("vocab_size", c_uint32),
        ("tok_eos", c_uint32),
        ("token_lens", POINTER(c_uint32)),
        ("token_bytes", c_char_p),
        ("tokenizer_json", c_char_p),
        ("tokenize_assumes_string", c_bool),
        ("tokenize_fn", _TOKENIZE),
        ("use_approximate_greedy_tokenize_fn", c_bool),
        ("tokenize_user_data", c_void_p),
        ("slices", c_void_p),
        ("later_versions", c_uint64 * 8),
    ]


def refusal(kind: str, source: str) -> str | None:
    """Why llguidance refuses this `kind` ("json") of grammar; None where it takes it or cannot be asked."""
    library = _library()
    if library is None:
        return None
    settings = (c_ubyte * 256)()
    tokenizer, _kept = _bytes_tokenizer(library)
    if not tokenizer:
        return None
    library.llg_constraint_init_set_defaults(ctypes.byref(settings), c_void_p(tokenizer))
    message = ctypes.create_string_buffer(MESSAGE)
    code = library.llg_validate_grammar(ctypes.byref(settings), kind.encode(), source.encode(), message, MESSAGE)
    return message.value.decode(errors="replace").strip() if code < 0 else None


def _library() -> ctypes.CDLL | None:
    spec = importlib.util.find_spec("xllamacpp")
    found = sorted(Path(spec.origin).parent.glob("xllamacpp*.so")) if spec and spec.origin else []
    if not found:
        return None
    library = ctypes.CDLL(str(found[0]))
    if not hasattr(library, "llg_validate_grammar"):
        return None
    library.llg_new_tokenizer.restype = c_void_p
    library.llg_validate_grammar.restype = ctypes.c_int32
    return library


def _bytes_tokenizer(library: ctypes.CDLL) -> tuple[int | None, Any]:
    """A tokenizer whose tokens are the bytes, and what must live as long as it does."""

    @_TOKENIZE  # type: ignore[untyped-decorator]
    def tokenize(_: Any, data: Any, length: int, out: Any, room: int) -> int:
        for place in range(min(length, room)):
            out[place] = data[place]
        return length

    lengths = (c_uint32 * 257)(*[1] * 256, 5)
    wanted = _Tokenizer(257, 256, lengths, bytes(range(256)) + b"<eos>", None, False, tokenize)
    message = ctypes.create_string_buffer(MESSAGE)
    return library.llg_new_tokenizer(ctypes.byref(wanted), message, MESSAGE), (tokenize, lengths, wanted)
