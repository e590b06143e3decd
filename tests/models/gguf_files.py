"""Small GGUF files written byte by byte, after the format's specification; shared by tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence

U32, F32, BOOL, STRING, ARRAY, U64 = 4, 6, 7, 8, 9, 10


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def field(key: str, kind: int, payload: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + payload


def string(key: str, value: str) -> bytes:
    return field(key, STRING, text(value))


def u32(key: str, value: int) -> bytes:
    return field(key, U32, struct.pack("<I", value))


def strings(key: str, values: Sequence[str]) -> bytes:
    return field(key, ARRAY, struct.pack("<IQ", STRING, len(values)) + b"".join(map(text, values)))


def tensor(name: str, shape: Sequence[int], offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)


FIELDS = (
    string("general.architecture", "llama"),
    string("general.name", "Tiny"),
    string("general.license", "mit"),
    u32("general.file_type", 7),
    u32("llama.context_length", 2048),
    field("llama.rope.freq_base", F32, struct.pack("<f", 10000.0)),
    field("tokenizer.ggml.add_bos_token", BOOL, b"\x01"),
    strings("tokenizer.ggml.tokens", ["a", "b", "é"]),
    field("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ3f", F32, 3, 0, 0, 0)),
    string("tokenizer.chat_template", "{{ messages }}"),
)


def gguf(
    fields: Sequence[bytes] = FIELDS,
    tensors: Sequence[bytes] = (tensor("w", [3, 2]), tensor("v", [4], 24)),
    data: int = 40,
    version: int = 3,
) -> bytes:
    """A whole file: header, then `data` bytes of weights."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(fields)) + b"".join(fields) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)
