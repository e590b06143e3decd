"""`python -m engine VERB`: results on stdout, errors on stderr as `code: sentence`. Knows only the terminal.

Exit codes: 0 done, 2 bad input, 3 backend failure, 130 interrupted, 141 nobody reads any more. A verb is a module of
this package with `HELP`, `add_arguments` and `run`; it imports what it needs when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn, Protocol

from engine.cli import (
    arena,
    batch,
    bench,
    chat,
    chats,
    compare,
    complete,
    comptine,
    config,
    convert,
    divergence,
    endpoints,
    evaluate,
    keys,
    load,
    log,
    models,
    perplexity,
    prices,
    ps,
    publish,
    quantize,
    rag,
    sample,
    server,
    tokens,
    trace,
    unload,
)
from engine.cli.output import Output, harmless
from engine.cli.sentences import sentence
from engine.errors import BadInput, EngineError


class Verb(Protocol):
    """What a module of this package offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Put the verb's flags into its parser."""
        ...

    def run(self, arguments: argparse.Namespace, out: Output) -> int:
        """The exit code, once the result is written. Raises EngineError."""
        ...


VERBS: Mapping[str, Verb] = {
    "models": models,
    "ps": ps,
    "load": load,
    "unload": unload,
    "config": config,
    "endpoints": endpoints,
    "chat": chat,
    "chats": chats,
    "complete": complete,
    "trace": trace,
    "tokens": tokens,
    "log": log,
    "comptine": comptine,
    "rag": rag,
    "perplexity": perplexity,
    "divergence": divergence,
    "sample": sample,
    "bench": bench,
    "quantize": quantize,
    "convert": convert,
    "evaluate": evaluate,
    "compare": compare,
    "batch": batch,
    "prices": prices,
    "arena": arena,
    "keys": keys,
    "server": server,
    "publish": publish,
}

INTERRUPTED = 130
NOBODY_READS = 141


class _Parser(argparse.ArgumentParser):
    """Wrong usage is bad input like any other."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command; its result has been written."""
    with _quiet():
        try:
            arguments = parser().parse_args(argv)
            with Output(arguments.output, as_json=arguments.json) as out:
                code = VERBS[arguments.verb].run(arguments, out)
        except EngineError as error:
            sys.stderr.write(harmless(f"{error.code}: {sentence(error)}\n"))
            code = error.exit_code
        except KeyboardInterrupt:
            code = INTERRUPTED
        except BrokenPipeError:
            # Python flushes stdout once more at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = NOBODY_READS
    return code


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    top = _Parser(prog="python -m engine", description="Language models from the terminal: ask, complete, look inside.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        verb_parser = verbs.add_parser(name, help=verb.HELP, description=verb.HELP)
        verb.add_arguments(verb_parser)
        verb_parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
        verb_parser.add_argument(
            "-o", "--output", metavar="FILE", help="write to this file, in UTF-8, instead of stdout"
        )
    return top


@contextmanager
def _quiet() -> Iterator[None]:
    """What libraries log or warn of stays off stderr, which is for our errors alone."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger().removeHandler(handler)
