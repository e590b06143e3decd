"""Documents of a person, found again: split, embedded, stored, searched, answered from, measured.

Its public names, each imported at first use. Knows no interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import at_first_use

if TYPE_CHECKING:
    from engine.rag.answering import Answered, Answering, Grounded, answer
    from engine.rag.charts import chart_rows, comparison
    from engine.rag.embedders import default_embedder, embedder
    from engine.rag.evaluating import results
    from engine.rag.evaluating import run as evaluate
    from engine.rag.evaluation import Configuration, standard
    from engine.rag.indexing import fill, temporary
    from engine.rag.map import plane
    from engine.rag.pictures import page_picture
    from engine.rag.questions import read_questions
    from engine.rag.questions import samples as sample_set
    from engine.rag.retrieval import default as default_retrieval
    from engine.rag.retrieval import search
    from engine.rag.sources import pasted, path, upload, url
    from engine.rag.splitting import spans, split
    from engine.rag.values import Chunk, Passage, Retrieval, Splitting

__all__ = [
    "Answered",
    "Answering",
    "Chunk",
    "Configuration",
    "Grounded",
    "Passage",
    "Retrieval",
    "Splitting",
    "answer",
    "chart_rows",
    "comparison",
    "default_embedder",
    "default_retrieval",
    "embedder",
    "evaluate",
    "fill",
    "page_picture",
    "pasted",
    "path",
    "plane",
    "read_questions",
    "results",
    "sample_set",
    "search",
    "spans",
    "split",
    "standard",
    "temporary",
    "upload",
    "url",
]

# `samples` is the name of a package, so its function goes by a longer one.
_NAMES = {
    "answering": "Answered Answering Grounded answer",
    "charts": "chart_rows comparison",
    "embedders": "default_embedder embedder",
    "evaluating": "evaluate:run results",
    "evaluation": "Configuration standard",
    "indexing": "fill temporary",
    "map": "plane",
    "pictures": "page_picture",
    "questions": "read_questions sample_set:samples",
    "retrieval": "default_retrieval:default search",
    "sources": "pasted path upload url",
    "splitting": "spans split",
    "values": "Chunk Passage Retrieval Splitting",
}
__getattr__ = at_first_use(__name__, _NAMES)
