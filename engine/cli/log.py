"""The verb `log`: every request with its exact prompt and its answer, as `lms log stream` shows LM Studio's.

It reads the store, so it sees what every process on the same data folder asks: pages, API, notebooks, other terminals.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from engine.cli.output import Output
from engine.errors import BadInput, NotFound
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.trace import Trace, Traces

HELP = "show requests with their exact prompts and answers, as they come (lms log stream)"
EVERY_S = 0.5
LIMIT_MAX = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, and whether to go on."""
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="begin with the last N (default 10)")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0; with `--json`, one object on one line per request."""
    from engine.engine import Engine

    if not 0 <= arguments.limit <= LIMIT_MAX:
        raise BadInput(f"--limit is a number from 0 to {LIMIT_MAX}")
    with closing(Engine()) as engine:
        for trace in _traces(engine.traces, arguments.limit, follow=arguments.follow):
            if out.as_json:
                out.line(json.dumps(trace.to_dict(), ensure_ascii=False))
            else:
                out.text("".join(f"{line}\n" for line in lines(trace)))
    return 0


def _traces(traces: Traces, limit: int, *, follow: bool) -> Iterator[Trace]:
    """The last ones, oldest first; then, when following, each that comes."""
    last = max((line.seq for line in traces.list(LOCAL_OWNER, 1)), default=0)
    yield from _whole(traces, [line.id for line in traces.list(LOCAL_OWNER, limit)[::-1] if line.seq <= last])
    while follow:
        found = traces.tail(LOCAL_OWNER, after=last)
        last = max((line.seq for line in found), default=last)
        yield from _whole(traces, [line.id for line in found])
        if not found:
            time.sleep(EVERY_S)


def _whole(traces: Traces, ids: list[str]) -> Iterator[Trace]:
    for trace_id in ids:
        try:
            yield traces.get(trace_id, LOCAL_OWNER)
        except NotFound:  # pruned or wiped a moment ago
            continue


def lines(trace: Trace) -> Iterator[str]:
    """One request for a reader: a heading, what went in, what came out."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(trace.started))
    counts = " + ".join(str(trace.usage.get(name, "?")) for name in ("prompt_tokens", "completion_tokens"))
    ended = f"failed: {trace.error_code}" if trace.error_code else trace.outcome
    spent = "" if trace.duration is None else f" · {trace.duration:.2f} s"
    yield f"# {when} · {trace.model} · {counts} tokens{spent} · {ended} · {trace.id}"
    if trace.prompt is None:
        yield "# in (the exact prompt is not observable; the messages as sent):"
        yield json.dumps(trace.request.get("messages", trace.request), ensure_ascii=False, indent=2)
    else:
        yield "# in:"
        yield trace.prompt
    yield "# out:"
    for name in ("reasoning", "text"):
        if trace.response.get(name):
            yield trace.response[name]
    if trace.response.get("tool_calls"):
        yield json.dumps(trace.response["tool_calls"], ensure_ascii=False)
    if trace.cut:
        yield f"# too long to be kept whole: {', '.join(trace.cut)}"
    yield ""
