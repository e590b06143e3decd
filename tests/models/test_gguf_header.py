"""Headers of sound files are read exactly; hostile ones are refused in little time and memory."""

from __future__ import annotations

import os
import struct
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadFile, ModelFileCorrupt
from engine.models import gguf_header
from engine.models.bundled import bundled_file
from engine.models.details import details
from engine.models.gguf_header import MAX_KEYS, MAX_TENSORS, MAX_TEXT, parse, read_header, token_texts
from tests.models import gguf_files as make

SOUND = make.gguf()


def test_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(SOUND)
    header = read_header(path)
    assert (header.version, header.architecture, header.name, header.licence) == (3, "llama", "Tiny", "mit")
    assert (header.quantization, header.context_length, header.vocabulary) == ("Q8_0", 2048, 3)
    assert header.chat_template == "{{ messages }}"
    assert (header.tensors, header.parameters) == (2, 3 * 2 + 4)
    assert header.fields["llama.rope.freq_base"] == 10000.0
    assert header.fields["tokenizer.ggml.add_bos_token"] is True
    assert header.arrays == {"tokenizer.ggml.tokens": 3, "tokenizer.ggml.scores": 3}


def test_the_bundled_file() -> None:
    header = read_header(bundled_file())
    assert (header.architecture, header.quantization, header.context_length) == ("llama", "Q4_1", 8192)
    assert (header.licence, header.vocabulary, header.parameters) == ("apache-2.0", 49152, 134515008)
    assert header.chat_template is not None and "<|im_start|>" in header.chat_template


def test_what_a_file_does_not_say_is_none() -> None:
    header = parse(make.gguf(fields=[]))
    assert header.architecture is header.quantization is header.context_length is header.chat_template is None
    assert parse(make.gguf(fields=[make.u32("general.file_type", 999)])).quantization is None
    assert parse(make.gguf(fields=[make.u32("general.architecture", 3)])).architecture is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(SOUND)
    assert read_header(path).name == "Tiny"
    path.write_bytes(make.gguf(fields=[make.string("general.name", "Other one")]))
    assert read_header(path).name == "Other one"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "has 0 bytes"),
        (b"GGUF", "has 4 bytes"),
        (b"PK\x03\x04" + bytes(60), "does not begin with GGUF"),
        (make.gguf(version=1), "version 1"),
        (make.gguf(version=0x03000000), "version 50331648"),  # written on a big-endian machine
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "items announced"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**64 - 1), "items announced"),
        (make.gguf(fields=[make.field(f"{i:x}", make.BOOL, b"1") for i in range(MAX_KEYS + 1)]), "8193 keys announced"),
        (b"GGUF" + struct.pack("<IQQ", 3, MAX_TENSORS + 1, 0), "65537 tensors announced"),
        (make.gguf(fields=[struct.pack("<Q", 2**62)]), "a text of 4611686018427387904 bytes"),
        (make.gguf(fields=[make.text("k") + struct.pack("<I", 99)]), "unknown type 99"),
        (make.gguf(fields=[make.field("k", make.ARRAY, struct.pack("<IQ", make.U64, 2**61))]), "more were announced"),
        (make.gguf(fields=[make.field("k", make.ARRAY, struct.pack("<IQ", make.STRING, 2**40))]), "items announced"),
        (make.gguf(fields=[make.field("k", make.ARRAY, struct.pack("<IQ", make.ARRAY, 1))]), "unknown type 9"),
        (make.gguf(fields=[make.string("k", "x" * (MAX_TEXT + 1))]), "a text of 1048577 bytes"),
        (make.gguf(fields=[make.string(str(i), "x" * MAX_TEXT) for i in range(9)]), "a text of 1048576 bytes"),
        (make.gguf(tensors=[make.tensor("w", [1] * 5)]), "5 items announced"),
        (make.gguf(tensors=[make.tensor("w", [2**40, 2**40])]), "announces 12089"),
        (make.gguf(fields=[make.u32("general.alignment", 0)]), "alignment 0"),
        (make.gguf(data=8), "an unfinished download"),
    ],
)
def test_hostile_files_are_refused_with_a_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileCorrupt, match=reason) as caught:
        read_header(path)
    assert caught.value.message.startswith("hostile.gguf is not a sound GGUF file: ")


@pytest.mark.parametrize("size", range(0, len(SOUND) - 40 + 24, 7))
def test_every_truncation_is_noticed(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(SOUND[:size])
    with pytest.raises(ModelFileCorrupt):
        read_header(path)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(4, len(SOUND) - 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_changed_bytes_are_read_or_refused(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(SOUND)
    for place, new in changes:
        data[place : place + len(new)] = new
    _read_or_refuse(bytes(data))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 40), st.integers(0, 40))
def test_random_bytes_are_read_or_refused(tail: bytes, tensors: int, fields: int) -> None:
    _read_or_refuse(b"GGUF" + struct.pack("<IQQ", 3, tensors, fields) + tail)


def _read_or_refuse(data: bytes) -> None:
    try:
        parse(data)
    except ValueError as error:
        assert str(error)


def test_a_large_file_of_zeros_costs_little(tmp_path: Path) -> None:
    path = tmp_path / "zeros.gguf"
    with path.open("wb") as file:  # sparse: 8 GB of announced, empty texts
        file.write(make.gguf(fields=[make.field("k", make.ARRAY, struct.pack("<IQ", make.STRING, 3_900_000))], data=0))
        file.truncate(8 << 30)
    tracemalloc.start()
    started = time.process_time()
    try:
        read_header(path)
    except ModelFileCorrupt:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - started < 15
    assert peak < 32 << 20


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is unreadable to root, or on Windows by mode")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.gguf"
    path.write_bytes(SOUND)
    path.chmod(0)
    with pytest.raises(BadFile):
        read_header(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(BadFile):
            read_header(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    with pytest.raises(BadFile, match="no regular file"):
        read_header(pipe)


def test_headers_of_many_files_are_not_all_kept(tmp_path: Path) -> None:
    first = tmp_path / "0.gguf"
    first.write_bytes(make.gguf(fields=[make.string("k", "x" * MAX_TEXT)]))
    tracemalloc.start()
    try:
        for number in range(1, 80):
            path = tmp_path / f"{number}.gguf"
            path.hardlink_to(first)
            read_header(path)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 40 * MAX_TEXT


def numbers(key: str, kind: int, letter: str, *values: float) -> bytes:
    return make.field(key, make.ARRAY, struct.pack(f"<IQ{len(values)}{letter}", kind, len(values), *values))


@pytest.mark.parametrize(
    "bad",
    [
        numbers("llama.attention.head_count", make.F32, "f", float("nan"), 8),
        numbers("llama.attention.head_count", make.F32, "f", float("inf"), 8),
        numbers("llama.attention.head_count", make.F32, "f", 8, 8),
        numbers("llama.attention.head_count", 5, "i", -8, 8),  # signed
        numbers("llama.attention.head_count", make.BOOL, "?", True, True),
        numbers("llama.attention.head_count", make.U32, "I"),
    ],
)
def test_a_list_that_counts_nothing_is_not_believed(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "odd.gguf"
    sound = [make.string("general.architecture", "llama"), make.u32("llama.block_count", 2)]
    nan = make.field("general.sampling.temp", make.F32, struct.pack("<f", float("nan")))
    path.write_bytes(make.gguf(fields=[*sound, make.u32("llama.embedding_length", 64), nan, bad]))
    assert read_header(path).per_layer("attention.head_count") is None
    card = details(path)
    assert card.shape is None and card.sampling == {}  # JSON has no such number


def test_a_list_per_layer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "layers.gguf"
    heads = numbers("llama.attention.head_count", make.U32, "I", 8, 4)
    path.write_bytes(make.gguf(fields=[make.string("general.architecture", "llama"), heads]))
    assert read_header(path).per_layer("attention.head_count") == (8, 4)


def test_a_file_that_is_cut_short_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapped one would end this process with SIGBUS."""
    path = tmp_path / "shrinking.gguf"
    path.write_bytes(make.gguf(fields=[make.strings("tokenizer.ggml.tokens", [f"token {n}" for n in range(50_000)])]))
    whole = path.read_bytes()
    assert read_header(path).vocabulary == 50_000

    def shrinking(data: Any, **how: Any) -> Any:
        os.truncate(path, 5000)
        return parse(data, **how)

    os.utime(path, ns=(1, 1))  # another file to whoever remembers headers
    with monkeypatch.context() as patched:
        patched.setattr(gguf_header, "parse", shrinking)
        with pytest.raises(ModelFileCorrupt, match="a moment ago"):
            read_header(path)
    path.write_bytes(whole)
    texts = gguf_header._texts

    def gone(cursor: Any, wanted: Any) -> Any:
        os.truncate(path, 30)
        return texts(cursor, wanted)

    monkeypatch.setattr(gguf_header, "_texts", gone)
    with pytest.raises(ModelFileCorrupt, match="a moment ago"):
        token_texts(path, [0, 49_999])


@settings(max_examples=30, deadline=None)
@given(smallest=st.integers(1, 64), grown=st.integers(64, 200))
def test_a_header_is_the_same_however_it_is_read(smallest: int, grown: int) -> None:
    """Numbers, texts and lists that lie across the end of what was read at once."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(gguf_header, "BLOCK_MIN", smallest)
        patched.setattr(gguf_header, "BLOCK_MAX", grown)
        path = Path(folder) / "tiny.gguf"
        path.write_bytes(SOUND)
        assert read_header(path) == parse(SOUND)
        assert token_texts(path, range(9)) == {0: "a", 1: "b", 2: "é"}
