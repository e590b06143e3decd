"""Cards are read from headers exactly, and hostile headers cost little."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ModelFileCorrupt
from engine.models.bundled import bundled_file
from engine.models.details import details
from engine.models.gguf_header import MAX_LIST, parse, read_header, token_texts
from engine.models.kinds import kind_of
from tests.models import gguf_files as make

WHOLE = (
    *make.FIELDS,
    make.u32("llama.block_count", 2),
    make.u32("llama.embedding_length", 64),
    make.u32("llama.attention.head_count", 4),
    make.field("llama.attention.head_count_kv", make.ARRAY, struct.pack("<IQ2I", make.U32, 2, 2, 0)),
    make.u32("tokenizer.ggml.bos_token_id", 0),
    make.u32("tokenizer.ggml.eos_token_id", 2),
    make.u32("tokenizer.ggml.padding_token_id", 7),
    make.field("general.sampling.temp", make.F32, struct.pack("<f", 0.5)),
    make.string("tokenizer.ggml.model", "gpt2"),
    make.string("general.author", "Somebody"),
)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_bundled_card() -> None:
    card = details(bundled_file())
    assert (card.architecture, card.kind, card.quantization, card.licence) == ("llama", "chat", "Q4_1", "apache-2.0")
    assert (card.parameters, card.vocabulary, card.trained_context) == (134515008, 49152, 8192)
    assert (card.layers, card.embedding, card.tokenizer, card.parts) == (30, 576, "gpt2", 1)
    assert card.special_tokens["bos"] == "<|im_start|>" and card.special_tokens["eos"] == "<|im_end|>"
    assert card.special_ids["eos"] == 2 and card.size_bytes == 98362432
    assert card.chat_template and card.bits_per_weight is not None and 5.8 < card.bits_per_weight < 5.9
    assert card.shape is not None and card.shape.key_widths == card.shape.value_widths == (192,) * 30
    assert "site-packages" not in json.dumps(card.to_dict())


def test_what_a_header_says(tmp_path: Path) -> None:
    card = details(write(tmp_path / "t.gguf", make.gguf(WHOLE)))
    assert card.special_tokens == {"bos": "a", "eos": "é"}  # 7 is beyond the vocabulary
    assert card.special_ids == {"bos": 0, "eos": 2, "padding": 7}
    assert (dict(card.sampling), card.author, card.adds_bos) == ({"temp": 0.5}, "Somebody", True)
    assert card.shape is not None and card.shape.key_widths == (32, 0)


def test_what_it_does_not_say_is_none(tmp_path: Path) -> None:
    card = details(write(tmp_path / "t.gguf", make.gguf(fields=[])))
    assert card.shape is card.architecture is card.chat_template is card.vocabulary is card.licence is None
    assert card.special_tokens == card.special_ids == card.sampling == {}


def test_parts_are_one_card(tmp_path: Path) -> None:
    data = make.gguf(WHOLE)
    for number in (1, 2, 3):
        write(tmp_path / f"big-{number:05}-of-00003.gguf", data)
    card = details(tmp_path / "big-00001-of-00003.gguf")
    assert (card.parts, card.parameters, card.size_bytes, card.tensors) == (3, 30, 3 * len(data), 6)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (make.FIELDS, "chat"),
        ([make.string("general.architecture", "bert")], "embedding"),
        ([make.string("general.architecture", "qwen3"), make.u32("qwen3.pooling_type", 3)], "embedding"),
        ([make.string("general.architecture", "bert"), make.u32("bert.pooling_type", 4)], "reranking"),
        ([make.string("general.architecture", "clip")], "projector"),
        ([make.string("general.type", "mmproj")], "projector"),
        ([make.string("general.type", "adapter")], "adapter"),
        ([make.string("general.architecture", "flux")], "other"),
    ],
)
def test_kinds(fields: list[bytes], kind: str) -> None:
    assert kind_of(parse(make.gguf(fields=fields))) == kind


def test_only_short_lists_are_kept() -> None:
    def numbers(key: str, count: int) -> bytes:
        return make.field(key, make.ARRAY, struct.pack("<IQ", make.U32, count) + bytes(4 * count))

    header = parse(make.gguf(fields=[numbers("short", MAX_LIST), numbers("long", MAX_LIST + 1)]))
    assert set(header.lists) == {"short"} and header.arrays == {"short": MAX_LIST, "long": MAX_LIST + 1}
    header = parse(make.gguf(fields=[numbers(str(at), MAX_LIST) for at in range(100)]))
    assert len(header.lists) == 64


def test_tokens_by_number(tmp_path: Path) -> None:
    path = write(tmp_path / "t.gguf", make.gguf())
    assert token_texts(path, [2, 0, 2, -1, 3, 2**40]) == {0: "a", 2: "é"}
    assert token_texts(write(tmp_path / "none.gguf", make.gguf(fields=[])), [0]) == {}


def test_a_vocabulary_that_changed_under_us(tmp_path: Path) -> None:
    path = write(tmp_path / "t.gguf", make.gguf())
    read_header(path)
    with path.open("r+b") as file:
        place = read_header(path).texts_at["tokenizer.ggml.tokens"]
        file.seek(place)
        file.write(struct.pack("<Q", 2**63))
    with pytest.raises(ModelFileCorrupt):
        token_texts(path, [0])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(24, 900), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_changed_bytes_give_a_card_or_one_error(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(make.gguf(WHOLE))
    for place, new in changes:
        data[place : place + len(new)] = new
    _card_or_error(bytes(data))


@settings(max_examples=60)
@given(st.dictionaries(
    st.sampled_from(["block_count", "embedding_length", "attention.head_count", "attention.head_count_kv",
                     "attention.key_length", "ssm.state_size", "ssm.inner_size", "feed_forward_length"]),
    st.one_of(st.integers(0, 2**32 - 1), st.text(max_size=5), st.lists(st.integers(0, 2**32 - 1), max_size=5)),
))  # fmt: skip
def test_absurd_shapes_give_a_card(values: dict[str, int | str | list[int]]) -> None:
    fields = [make.string("general.architecture", "llama")]
    for key, value in values.items():
        if isinstance(value, int):
            fields.append(make.u32(f"llama.{key}", value))
        elif isinstance(value, str):
            fields.append(make.string(f"llama.{key}", value))
        else:
            packed = struct.pack(f"<IQ{len(value)}I", make.U32, len(value), *value)
            fields.append(make.field(f"llama.{key}", make.ARRAY, packed))
    assert _card_or_error(make.gguf(fields))


def _card_or_error(data: bytes) -> bool:
    """Whether there was a card; memory stays small either way."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "x.gguf", data)
        tracemalloc.start()
        try:
            json.dumps(details(path).to_dict())
        except ModelFileCorrupt:
            return False
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 16 << 20
    return True
