"""The verb `complete`: raw text continued, without chat template, as `llama-cli -p … -n …` does in the course."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from engine.cli.asking import (
    add_model_arguments,
    add_param_arguments,
    checked,
    file_text,
    follow,
    opened,
    require,
)
from engine.cli.form import add_form_arguments, form_of
from engine.cli.output import Output
from engine.errors import BadInput
from engine.types import Result

HELP = "continue a raw text, without chat template (llama-cli -p)"
INTERRUPTED = 130

Ask = Callable[[str], tuple[Result, bool]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of llama-cli, then model and parameters."""
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument("-p", "--prompt", metavar="TEXT", help="the text to continue")
    text.add_argument("-f", "--file", metavar="FILE", help="a file that holds it")
    parser.add_argument("--in-prefix", default="", metavar="TEXT", help="put before what the user says")
    parser.add_argument("--in-suffix", default="", metavar="TEXT", help="put after what the user says")
    parser.add_argument(
        "-r", "--reverse-prompt", action="append", default=[], metavar="TEXT", help="stop here; may be repeated"
    )
    parser.add_argument(
        "-i", "--interactive", action="store_true", help="then read the user's lines from standard input"
    )
    parser.add_argument("--no-display-prompt", action="store_true", help="only the new text")
    add_model_arguments(parser)
    add_param_arguments(parser)
    add_form_arguments(parser, template=False)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, or 130 when interrupted. Raises the error of a failed answer after what came of it was written."""
    if arguments.interactive and (out.as_json or len(arguments.reverse_prompt) > 1):
        raise BadInput("--interactive goes with one --reverse-prompt at most and without --json")
    stops = [*(arguments.stop or ()), *map(checked, arguments.reverse_prompt)]
    form = replace(form_of(arguments, **({"stop": stops} if stops else {})), template=None)  # raw: no template at all
    window = arguments.virtual_window or form.preset.settings.get("virtual_window")
    given = checked(arguments.prompt) if arguments.file is None else file_text(arguments.file)
    text = given if arguments.interactive else _as_input(arguments, given)
    with opened(arguments) as model:
        require(model, "raw_completion")
        options = form.options(model, ())

        def ask(prompt: str) -> tuple[Result, bool]:
            generation = model.stream([], form.params, raw=prompt, virtual_window=window, **options)
            return follow(generation, None if out.as_json else out.text)

        if not (out.as_json or arguments.no_display_prompt):
            out.text(text)
        result, interrupted = _in_turns(arguments, out, ask, text) if arguments.interactive else ask(text)
    if out.as_json:
        out.json({**result.to_dict(), "prompt": text, **({} if result.error else form.judged(result))})
    else:
        out.line()
        if not (result.error or arguments.interactive):
            form.judged(result)
    if result.error:
        raise result.error
    return INTERRUPTED if interrupted else 0


def _as_input(arguments: argparse.Namespace, text: str) -> str:
    return checked(arguments.in_prefix) + text + checked(arguments.in_suffix)


def _in_turns(arguments: argparse.Namespace, out: Output, ask: Ask, text: str) -> tuple[Result, bool]:
    """The last answer: after each one the user's next line goes on where the text stands, as in llama-cli."""
    while True:
        result, interrupted = ask(text)
        if interrupted or result.error:
            return result, interrupted
        # llama.cpp takes the stop string out of the answer, but here it belongs to the text: "User:"
        called = "".join(arguments.reverse_prompt) if result.outcome == "stop_string" else ""
        out.text(called)
        line = sys.stdin.readline()
        if not line:
            return result, False
        said = _as_input(arguments, line)
        out.text(arguments.in_prefix if sys.stdin.isatty() else said)
        text += result.text + called + said
