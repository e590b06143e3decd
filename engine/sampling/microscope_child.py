"""The microscope's worker: one model in a process of its own, asked in turn. Knows no page and no person.

    python -m engine.sampling.microscope_child PARENT_PID
    {"nice": 19, "path": "…", "window": 8192, "threads": 2, "budget": 268435456}
                                                                        →  {"runtime": …, "vocabulary": …, "bytes": n}
    {"do": "read", "visitor": "…", "ids": [1, 2]}                       →  {"read": 1, "bytes": n}
    {"do": "mask", "grammar": "root ::= …", "ids": [3]}                 →  {"bytes": n}
    {"do": "tokenize", "text": "…", "special": true}                    →  {"ids": [1, 2], "bytes": 0}
    {"do": "forget", "visitor": "…"}                                    →  {"bytes": 0}

Each line of an answer is followed by as many bytes as it says; instead of it, {"error": {…}}. The process ends with
its parent or its standard input.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from engine import child
from engine.errors import EngineError
from engine.native import PACKAGE
from engine.sampling.masks import allowed
from engine.sampling.reader import Reader
from engine.sampling.words import Vocabulary

PIECE = 256  # bytes of one token, at most
BUILDS = {"AVX512 = 1": "AVX-512", "AVX2 = 1": "AVX2", "NEON = 1": "NEON"}  # as llama.cpp tells them, best first

Answer = tuple[dict[str, Any], bytes]


def main() -> None:
    """Load what the first line names, then answer line by line."""
    child.die_with_parent(int(sys.argv[1]))
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what a library prints is no answer
        reader: Reader | None = None
        for line in sys.stdin.buffer:
            order = json.loads(line)
            try:
                if reader is None:
                    child.give_way(order["nice"])
                    reader = Reader(Path(order["path"]), order["window"], order["threads"], order["budget"])
                    answer = _introduced(reader)
                else:
                    answer = _answered(reader, order)
            except EngineError as error:
                answer = {"error": error.to_dict()}, b""
            _tell(out, *answer)


def _answered(reader: Reader, order: dict[str, Any]) -> Answer:
    if order["do"] == "read":
        found = reader.read(order["visitor"], order["ids"])
        return {"read": found.read}, found.logits.tobytes()
    if order["do"] == "mask":
        return {}, allowed(reader.vocabulary, reader.words, order["grammar"], order["ids"]).tobytes()
    if order["do"] == "tokenize":
        return {"ids": _tokens(reader.vocabulary, order["text"].encode(), special=order["special"])}, b""
    reader.forget(order["visitor"])
    return {}, b""


def _introduced(reader: Reader) -> Answer:
    import llama_cpp

    lib: Any = llama_cpp
    ids = range(reader.words)
    ends = frozenset(token for token in ids if lib.llama_vocab_is_eog(reader.vocabulary, token))
    specials = frozenset(token for token in ids if lib.llama_vocab_is_control(reader.vocabulary, token))
    told, data = Vocabulary(tuple(_piece(reader.vocabulary, token) for token in ids), ends, specials | ends).to_bytes()
    features = lib.llama_print_system_info().decode("utf-8", "replace")
    build = next((name for sign, name in BUILDS.items() if sign in features), "")
    runtime = f"{PACKAGE} {version(PACKAGE)}" + (f" ({build})" if build else "")
    return {"runtime": runtime, "vocabulary": told}, data


def _piece(vocabulary: Any, token: int) -> bytes:
    import llama_cpp

    lib: Any = llama_cpp
    room = ctypes.create_string_buffer(PIECE)
    size = lib.llama_token_to_piece(vocabulary, token, room, PIECE, 0, True)
    if size < 0:
        room = ctypes.create_string_buffer(-size)
        size = lib.llama_token_to_piece(vocabulary, token, room, -size, 0, True)
    return bytes(room.raw[:size])


def _tokens(vocabulary: Any, text: bytes, *, special: bool) -> list[int]:
    """As llama.cpp's server does it with a prompt: a token that begins a text first, where the model has one."""
    import llama_cpp

    lib: Any = llama_cpp
    room = len(text) + 8
    found = (lib.llama_token * room)()
    return list(found[: lib.llama_tokenize(vocabulary, text, len(text), found, room, special, True)])


def _tell(out: IO[bytes], told: dict[str, Any], data: bytes) -> None:
    out.write(json.dumps({**told, "bytes": len(data)}).encode() + b"\n" + data)
    out.flush()


if __name__ == "__main__":
    main()
