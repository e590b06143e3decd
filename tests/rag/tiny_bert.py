"""A BERT of a few thousand random weights as GGUF: enough for llama.cpp to embed with, in milliseconds."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np

WIDTH, HIDDEN, CONTEXT, HEADS = 32, 64, 128, 2
RANK = 4  # llama.cpp's pooling of rerankers
HEAD = {"cls.weight": (WIDTH, WIDTH), "cls.bias": (WIDTH,), "cls.output.weight": (1, WIDTH), "cls.output.bias": (1,)}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = string.ascii_lowercase + string.digits + ".,;:!?'-"


def write_tiny_bert(path: Path, name: str = "Tiny BERT", pooling: int = 1, seed: int = 1) -> Path:
    """The path, with a model of one layer whose words are single letters."""
    from gguf import GGUFWriter

    tokens = [*SPECIAL, *(f"▁{letter}" for letter in LETTERS), *LETTERS]
    writer = GGUFWriter(path, "bert")
    writer.add_name(name)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_uint32("bert.pooling_type", pooling)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_type_count(2)
    writer.add_bos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_uint32("tokenizer.ggml.cls_token_id", 2)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)
    head = HEAD if pooling == RANK else {}
    for tensor, shape in {**_tensors(len(tokens)), **head}.items():
        writer.add_tensor(tensor, _weights(tensor, shape, seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(vocabulary: int) -> dict[str, tuple[int, ...]]:
    square, both = (WIDTH, WIDTH), ("weight", "bias")
    linear = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
    linear |= {"ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (vocabulary, WIDTH),
        "token_types.weight": (2, WIDTH),
        "position_embd.weight": (CONTEXT, WIDTH),
    }
    for layer, shape in linear.items():
        found |= {f"blk.0.{layer}.weight": shape, f"blk.0.{layer}.bias": shape[:1]}
    for norm in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        found |= {f"{norm}.{kind}": (WIDTH,) for kind in both}
    return found


def _weights(tensor: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    if "norm" in tensor:
        return np.full(shape, 1.0 if tensor.endswith("weight") else 0.0, np.float32)
    drawn = np.random.default_rng([seed, *tensor.encode()]).normal(0, 0.3, shape)
    return np.asarray(drawn, np.float32)
