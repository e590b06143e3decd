"""What real engines do with a prompt that is too long, and when the window fills: data with sources. Knows no policy.

Words are codes that the catalogues translate; `text` is the engine's own message, letter for letter.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.comptine.overflow import OverflowPolicy

OnPrompt = Literal["refused", "raises", "cut_silently", "by_policy"]
OnFull = Literal["stops", "shifts", "stops_or_shifts", "by_policy"]


@dataclass(frozen=True)
class Behaviour:
    """One engine: what it does with a prompt of a window or more (`prompt`) and when the answer fills it (`full`).

    `text` is what it says then, with the numbers of an example; `policy` is the one here that imitates it; `tell` says
    how one notices. `measured` is True where we ran it, else it was read in `source`.
    """

    id: str
    name: str
    prompt: OnPrompt
    full: OnFull
    text: str
    policy: OverflowPolicy
    tell: str
    source: str
    measured: bool

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)


BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        "llamacpp", "llama.cpp server", "refused", "stops",
        '{"error":{"code":400,"message":"request (3006 tokens) exceeds the available context size (2048 tokens), '
        'try increasing it","type":"exceed_context_size_error","n_prompt_tokens":3006,"n_ctx":2048}}',
        "refuse", "HTTP 400", "llama.cpp tools/server/server-context.cpp (n_tokens >= n_ctx)", True,
    ),
    Behaviour(
        "llamacpp_shift", "llama.cpp server --context-shift", "refused", "shifts",
        '{"error":{"code":400,"message":"request (3006 tokens) exceeds the available context size (2048 tokens), '
        'try increasing it","type":"exceed_context_size_error","n_prompt_tokens":3006,"n_ctx":2048}}',
        "rolling", "truncated: true", "llama.cpp tools/server/README.md (--context-shift, off since PR 15416)", True,
    ),
    Behaviour(
        "llama_cpp_python", "llama-cpp-python", "raises", "stops",
        "Requested tokens (3006) exceed context window of 2048",
        "refuse", "ValueError", "llama_cpp/llama.py (create_completion)", True,
    ),
    Behaviour(
        "ollama", "Ollama", "cut_silently", "shifts",
        'level=WARN msg="truncating input prompt" limit=2050 prompt=8707 keep=4 new=2050',
        "ollama", "prompt_eval_count", "ollama llm/llama_server.go; issues ollama#3839, #17427, #17889", False,
    ),
    Behaviour(
        "ollama_strict", "Ollama truncate:false, shift:false", "refused", "stops",
        '{"error":{"code":400,"message":"request (12008 tokens) exceeds the available context size (2048 tokens), '
        'try increasing it","type":"exceed_context_size_error","n_prompt_tokens":12008,"n_ctx":2048}}',
        "refuse", "HTTP 400", "ollama llm/llama_server.go (it passes on the words of llama-server)", False,
    ),
    Behaviour(
        "lmstudio_stop", "LM Studio stopAtLimit", "by_policy", "stops",
        "contextLengthReached",
        "refuse", "stopReason", "lmstudio-js contextOverflowPolicy, LLMPredictionStats.ts", False,
    ),
    Behaviour(
        "lmstudio_middle", "LM Studio truncateMiddle", "cut_silently", "by_policy",
        "",
        "cut_middle", "promptTokensCount", "lmstudio-js contextOverflowPolicy (default of its schema)", False,
    ),
    Behaviour(
        "lmstudio_rolling", "LM Studio rollingWindow", "cut_silently", "by_policy",
        "",
        "rolling", "promptTokensCount", "lmstudio-js contextOverflowPolicy; bug tracker #1806", False,
    ),
    Behaviour(
        "openai", "OpenAI chat", "refused", "stops",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens. "
        "Please reduce the length of the messages.",
        "refuse", "HTTP 400, code context_length_exceeded", "OpenAI API: invalid_request_error", False,
    ),
    Behaviour(
        "openai_responses", "OpenAI Responses truncation:auto", "cut_silently", "stops",
        "",
        "cut_middle", "usage.input_tokens", "OpenAI API reference: truncation (its texts differ on what goes)", False,
    ),
)  # fmt: skip
