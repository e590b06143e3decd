"""The form that an answer must have, in llama.cpp's notation. Knows no model; students' code is read in a child."""

from __future__ import annotations

import functools
import json

from engine.errors import BadGrammar, BadInput, JobFailed
from engine.native import require_native
from engine.output import LIMITS, Output, schema_of
from engine.sandbox import OverLimit, call


def notation(form: Output) -> str:
    """The grammar in GBNF, a JSON schema translated by llama-cpp-python. Takes a child process once for each form.

    (The server that chats hands schemas to llguidance: the same texts, but it may forbid other white space.)
    Raises BadGrammar, BadInput for free text, NativeMissing.
    """
    if form.kind == "text":
        raise BadInput("free text has no grammar", kind=form.kind)
    form.check()
    return form.source if form.kind == "grammar" else _translated(form.source)


@functools.lru_cache(maxsize=256)
def _translated(source: str) -> str:
    require_native()
    try:
        return str(call(f"{__name__}:gbnf_of", {"source": source}, LIMITS))
    except OverLimit as over:
        reason = f"too complex ({over.details['reason']})"
        raise BadGrammar(reason, reason=reason, line=None, column=None) from over
    except JobFailed as failed:
        raise BadGrammar("it cannot be translated", reason="translation", line=None, column=None) from failed


def gbnf_of(source: str) -> str:
    """The schema as GBNF, known to be affordable; runs in the child. Raises BadGrammar."""
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    from engine.gbnf import read

    grammar: str = json_schema_to_gbnf(json.dumps(schema_of(source)))
    read(grammar)
    return grammar
