"""tiktoken's counts without network: known encodings, tiktoken's own patterns, a damaged vocabulary."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine import tokenizers
from engine.errors import BadFile, BadParameter
from engine.tokenizers import ENCODINGS, PACKAGED, count_tiktoken, tiktoken_pieces

VERSE = "Un deux trois, nous irons au bois,\nquatre cinq six, cueillir des cerises. 🍒 <|endoftext|>"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: tuple[str, int]) -> None:
        if address[0] != "127.0.0.1":  # where the fixtures of other tests live
            raise AssertionError(f"the network was asked for {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize(
    ("encoding", "text", "ids"),
    [  # from OpenAI's cookbook, "How to count tokens with tiktoken"
        ("cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
        ("o200k_base", "tiktoken is great!", [83, 8251, 2488, 382, 2212, 0]),
        ("cl100k_base", "antidisestablishmentarianism", [519, 85342, 34500, 479, 8997, 2191]),
        ("o200k_base", "antidisestablishmentarianism", [493, 129901, 376, 160388, 21203, 2367]),
    ],
)
def test_known_ids(encoding: str, text: str, ids: list[int]) -> None:
    assert [token for token, _ in tiktoken_pieces(text, encoding)] == ids
    assert count_tiktoken(text, encoding) == len(ids)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_pieces_add_up_to_the_text(encoding: str) -> None:
    assert b"".join(piece for _, piece in tiktoken_pieces(VERSE, encoding)).decode() == VERSE
    assert count_tiktoken("", encoding) == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_patterns_are_tiktokens_own(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiktoken_ext import openai_public

    told: dict[str, str] = {}

    def load(address: str, expected_hash: str) -> dict[bytes, int]:
        told.update(address=address, sha256=expected_hash)
        return {}

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", load)
    assert getattr(openai_public, encoding)()["pat_str"] == PACKAGED[encoding].pattern
    assert told == {"address": tokenizers.ADDRESS.format(name=encoding), "sha256": PACKAGED[encoding].sha256}


def test_an_unknown_encoding_names_those_that_exist() -> None:
    with pytest.raises(BadParameter, match="cl100k_base, o200k_base"):
        count_tiktoken("x", "p50k_base")


def test_a_damaged_vocabulary_is_told_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
    damaged.write_bytes(b"IQ== 0\n")
    monkeypatch.setattr(tokenizers, "_cache_folder", lambda: tmp_path)
    tokenizers._encoding.cache_clear()
    with pytest.raises(BadFile, match="damaged"):
        count_tiktoken("x", "cl100k_base")
    with pytest.raises(BadFile, match="cannot be read"):
        count_tiktoken("x", "o200k_base")
    assert damaged.exists()


def test_llama_index_is_not_imported() -> None:
    code = "import sys, engine.tokenizers as t; t.count_tiktoken('a', 'o200k_base'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "llama_index.core" not in done.stdout.split()
