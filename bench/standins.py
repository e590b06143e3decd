"""`python -m bench.standins`: the loopback LM Studio and Replicate of the tests in a process of their own, with the
times of their first words by their own clock. Knows no measurement.

It tells its addresses as a line of JSON, then the times of the last answers for each line that it reads.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from tests.standins.lmstudio_server import LMStudioHandler, lmstudio_standin
from tests.standins.openai_server import Chunk, delta, usage_chunk
from tests.standins.replicate_server import replicate_standin

COLD_S, TOKEN_S, WORDS = 2.0, 0.025, 120  # the cold start; 40 tokens/s
FIRST_S = 0.3  # until LM Studio's first word
_CLOCK: dict[str, float] = {}


def paced(self: LMStudioHandler, body: dict[str, Any]) -> list[Chunk]:
    """The answer of a model that writes at its pace."""
    words = [delta(body["model"], content=f" word{number}") for number in range(WORDS)]
    return [*words, delta(body["model"], "stop"), usage_chunk(body["model"], WORDS)]


def stream(self: LMStudioHandler, body: dict[str, Any]) -> None:
    """Send it, and note when the first word went out, in seconds after the question was read."""
    read = time.monotonic()
    self.send_response(200)
    self.send_header("Content-Type", "text/event-stream")
    self.send_header("Transfer-Encoding", "chunked")
    self.end_headers()
    time.sleep(FIRST_S)
    for number, chunk in enumerate(paced(self, body)):
        self._line(b"data: " + json.dumps(chunk).encode())
        if number == 0:
            _CLOCK["lmstudio"] = time.monotonic() - read
        time.sleep(TOKEN_S)
    self._line(b"data: [DONE]")
    self.wfile.write(b"0\r\n\r\n")


def main() -> None:
    """Serve until standard input ends."""
    LMStudioHandler._stream = stream  # type: ignore[method-assign]
    pieces = tuple(f" word{number}" for number in range(WORDS))
    with lmstudio_standin() as near, replicate_standin(boot_s=COLD_S, token_s=TOKEN_S, words=pieces) as far:
        print(json.dumps({"lmstudio": near.base_url, "replicate": far.host}), flush=True)
        for _ in sys.stdin:
            job = far.jobs[-1]
            print(json.dumps({**_CLOCK, "replicate": (job.first or 0.0) - job.created}), flush=True)


if __name__ == "__main__":
    main()
