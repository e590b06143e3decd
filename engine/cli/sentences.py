"""The English sentence of an error for the terminal. The two interfaces write theirs in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import EngineError

# For errors that were raised with details only.
SENTENCES: Mapping[str, str] = {
    "access_denied": "this is for the teacher only",
    "backend_error": "the server behind the model failed",
    "bad_file": "the file cannot be used",
    "bad_grammar": "the schema or grammar cannot be used",
    "bad_input": "the command cannot be carried out as it is",
    "bad_parameter": "a parameter has a value that is not allowed",
    "bad_template": "the chat template cannot be used",
    "disk_full": "there is not enough room on the disk",
    "embedder_mismatch": "the collection was made with another embedder",
    "engine_error": "something unexpected went wrong",
    "job_failed": "the job failed",
    "load_failed": "the model could not be loaded",
    "model_file_corrupt": "the model's file is damaged",
    "native_missing": "llama-cpp-python is not there yet",
    "not_found": "there is no such thing",
    "not_supported": "this model cannot do that",
    "payment_required": "the provider wants to be paid first",
    "prompt_too_long": "the prompt does not fit into the window",
    "quota_spent": "this key has used up its quota of the day",
    "rate_limited": "the provider asks for fewer requests; try again later",
    "runtime_died": "the model's process ended unexpectedly; ask again, it starts anew",
    "server_failed": "the server answered with an error",
    "store_failed": "the store cannot be read or written",
    "stream_cut": "the connection broke before the answer was complete",
    "timed_out": "no answer came in time",
    "too_many_requests": "too many requests at once; try again in a moment",
    "unauthorized": "the key is missing or was refused",
    "unknown_model": "there is no model of that name",
    "unreachable": "nothing answers at that address",
}


def sentence(error: EngineError) -> str:
    """One line: what the error itself says, else the sentence of its code; with its details where these say more."""
    if error.message != error.code:
        return " ".join(error.message.split())
    known = ", ".join(f"{name} {value}" for name, value in error.details.items() if value not in (None, ""))
    return SENTENCES[error.code] + (f" ({known})" if known else "")
