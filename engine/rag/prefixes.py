"""What some embedders were trained to find before questions and passages, by their names. Knows no model."""

from __future__ import annotations

import re
from typing import NamedTuple


class Prefixes(NamedTuple):
    """Texts that go before every question and every passage."""

    query: str = ""
    passage: str = ""


# From the models' cards; first match counts
_KNOWN: tuple[tuple[re.Pattern[str], Prefixes], ...] = tuple(
    (re.compile(pattern), Prefixes(*prefixes))
    for pattern, *prefixes in (
        (r"\be5-(small|base|large)\b(?!-instruct)", "query: ", "passage: "),
        (r"nomic-embed", "search_query: ", "search_document: "),
        (r"bge-(small|base|large)-en|mxbai-embed|arctic-embed-(xs|s|m|l)\b(?!-v2)",
         "Represent this sentence for searching relevant passages: "),
        (r"arctic-embed-(m|l)-v2", "query: "),
        (r"embedding-?gemma", "task: search result | query: ", "title: none | text: "),
        (r"qwen3-embedding", "Instruct: Given a web search query, retrieve relevant passages that answer the query\n"
         "Query:"),
    )
)  # fmt: skip


def prefixes_of(*names: str) -> Prefixes:
    """The prefixes of the model that one of these names tells; none where it is unknown."""
    told = " ".join(names).lower().replace("_", "-").replace(" ", "-")
    return next((prefixes for pattern, prefixes in _KNOWN if pattern.search(told)), Prefixes())
