"""Token counts of OpenAI's encodings, from files that came with the packages. Knows no network: tiktoken's own loader,
which would fetch a missing or damaged file, is not used.
"""

from __future__ import annotations

import hashlib
import importlib.util
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadFile, BadParameter

if TYPE_CHECKING:
    from tiktoken import Encoding

ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"  # its SHA-1 names the cached file


@dataclass(frozen=True)
class Packaged:
    """What defines an encoding beside its vocabulary, as in tiktoken_ext/openai_public.py; `sha256` is the
    vocabulary's.
    """

    sha256: str
    pattern: str


PACKAGED: Mapping[str, Packaged] = {
    "cl100k_base": Packaged(
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
        r"|\s+(?!\S)|\s",
    ),
    "o200k_base": Packaged(
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
}
ENCODINGS: tuple[str, ...] = tuple(PACKAGED)


def count_tiktoken(text: str, encoding: str) -> int:
    """Tokens of `text` in that encoding; what looks like a special token counts as plain text.

    Raises BadParameter for an encoding that is not packaged, BadFile when its vocabulary is missing or damaged.
    """
    return len(_encoding(encoding).encode_ordinary(text))


def tiktoken_pieces(text: str, encoding: str) -> list[tuple[int, bytes]]:
    """Id and bytes of every token. Raises as `count_tiktoken` does."""
    known = _encoding(encoding)
    return [(token, known.decode_single_token_bytes(token)) for token in known.encode_ordinary(text)]


@cache
def _encoding(name: str) -> Encoding:
    if name not in PACKAGED:
        known = ", ".join(ENCODINGS)
        raise BadParameter(f"no encoding {name}: there are {known}", name="encoding", value=name, low=None, high=None)
    from tiktoken import Encoding

    ranks = _ranks(name, PACKAGED[name].sha256)
    return Encoding(name, pat_str=PACKAGED[name].pattern, mergeable_ranks=ranks, special_tokens={})


def _ranks(name: str, sha256: str) -> dict[bytes, int]:
    path = _cache_folder() / hashlib.sha1(ADDRESS.format(name=name).encode(), usedforsecurity=False).hexdigest()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFile(f"the vocabulary of {name} cannot be read", path=str(path), reason="missing") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadFile(f"the vocabulary of {name} is damaged", path=str(path), reason="checksum")
    return {b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines())}


def _cache_folder() -> Path:
    """Where llama-index-core carries the vocabularies; found without importing it, which would take three seconds."""
    spec = importlib.util.find_spec("llama_index")
    for folder in (spec and spec.submodule_search_locations) or ():
        cache_folder = Path(folder) / "core" / "_static" / "tiktoken_cache"
        if cache_folder.is_dir():
            return cache_folder
    raise BadFile("llama-index-core does not carry its tiktoken_cache", path="tiktoken_cache", reason="missing")
