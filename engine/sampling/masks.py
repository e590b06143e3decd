"""Which tokens a grammar lets come next, asked of llama.cpp's own grammar sampler: for a child process alone.

llama.cpp ends the whole process where a grammar meets a token that it does not allow, so each is tried before it is
accepted.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadGrammar, BadInput

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def allowed(vocabulary: Any, words: int, grammar: str, answer: Sequence[int]) -> NDArray[np.bool_]:
    """For each of the `words` tokens whether it may follow `answer`, which is what has been written so far.

    Raises BadGrammar where llama.cpp does not take the grammar, BadInput where the answer breaks it (`place`).
    """
    import llama_cpp

    lib: Any = llama_cpp
    sampler = lib.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root")
    if not sampler:
        raise BadGrammar("llama.cpp does not take this grammar", reason="refused", line=None, column=None)
    try:
        for place, token in enumerate(answer):
            if not _tried(lib, sampler, np.array([token]))[0]:
                raise BadInput(f"token {place} of the text breaks the grammar", reason="broken", place=place)
            lib.llama_sampler_accept(sampler, token)
        return _tried(lib, sampler, np.arange(words))
    finally:
        lib.llama_sampler_free(sampler)


def _tried(lib: Any, sampler: Any, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these tokens keep their logit."""
    candidates = np.zeros(len(ids), _CANDIDATE)
    candidates["id"] = ids
    data = candidates.ctypes.data_as(lib.llama_token_data_p)
    array = lib.llama_token_data_array(data=data, size=len(ids), selected=-1, sorted=False)
    lib.llama_sampler_apply(sampler, ctypes.byref(array))
    found: NDArray[np.bool_] = np.isfinite(candidates["logit"])
    return found
