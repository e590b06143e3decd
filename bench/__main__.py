"""`python -m bench NAME [options]`: runs one measurement. Knows none of them by itself."""

from __future__ import annotations

import importlib
import sys

NAMES = {
    "chat": "raw runtime, engine, /v1, Gradio and Streamlit on the same prompts at 1, 4 and 16 users",
    "class": "30 people paste one rhyme, 8 paste different ones, while somebody says hi; with and without admission",
    "compare": "three sides at once: first tokens against the stand-ins' clocks, local tok/s with and without",
    "comptine": "a sweep of the rhyme against the same sweep with one slot and nothing kept between cells",
    "fuzz": "10,000 requests made from the description of /v1 to the echo model, 300 to the real one; memory",
    "heavy": "chat speed while a heavy job runs beside it",
    "microscope": "one more token with the full vocabulary at hand against a plain decode of the same model",
    "pages": "a conversation of 500 messages: run at the server, drawn in Chromium, memory of an open one",
    "perplexity": "perplexity and divergence against llama-perplexity, of which you give the path: figures and time",
    "rag": "indexing beside the bare embedder; queries among 1,000 to 100,000 chunks, exact and with the ANN index",
    "sampling": "our sampler chain against the runtime's on its own distribution: probabilities, tokens hit, time",
    "server": "16 users against llama_cpp.server on the same file",
    "start": "warm start, first page, /gradio, first token; CLI verbs",
}


def main() -> int:
    """Exit code of the chosen measurement."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print(
            "usage: python -m bench NAME [--help]\n" + "\n".join(f"  {name:10}{what}" for name, what in NAMES.items())
        )
        return 2
    name = sys.argv.pop(1)
    code = importlib.import_module(f"bench.bench_{name}").main()
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
