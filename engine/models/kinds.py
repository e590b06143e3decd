"""What a GGUF file is for, from its header: chatting, embedding, reranking, a part of another model. Knows no file."""

from __future__ import annotations

from typing import Literal, get_args

from engine.models.gguf_header import GgufHeader

Kind = Literal["chat", "embedding", "reranking", "projector", "adapter", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Architectures that can do nothing else; others embed, too, by the mean of their last layer, and not well
EMBEDDING = frozenset({
    "bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "neo-bert", "modern-bert", "eurobert",
    "gemma-embedding", "t5encoder",
})  # fmt: skip
RANK = 4  # llama.cpp's LLAMA_POOLING_TYPE_RANK: a reranker
TYPES: dict[str, Kind] = {"mmproj": "projector", "adapter": "adapter", "imatrix": "other", "vocab": "other"}
# GGUF files of other programs that write no text: pictures, films, speech
FOREIGN = frozenset({"flux", "sd1", "sd3", "sdxl", "wan", "hyvid", "ltxv", "qwen_image", "lumina2", "whisper"})


def embeds(header: GgufHeader) -> bool:
    """Whether the file was made for embedding: its architecture, or the pooling that it names."""
    pooling = header.of("pooling_type")
    return pooling != RANK and (header.architecture in EMBEDDING or bool(pooling))


def ranks_texts(header: GgufHeader) -> bool:
    """Whether the file was made for reranking: it names that pooling."""
    return header.of("pooling_type") == RANK


def kind_of(header: GgufHeader) -> Kind:
    """What the file is for; what says nothing else is for chatting."""
    told = TYPES.get(str(header.fields.get("general.type")))
    if told is not None:
        return told
    if header.architecture == "clip":  # projectors older than general.type
        return "projector"
    if ranks_texts(header):
        return "reranking"
    if embeds(header):
        return "embedding"
    return "other" if header.architecture in FOREIGN else "chat"
