"""The verb `chat`: a question and its answer, streamed; a small conversation where somebody types."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from engine.cli.asking import add_model_arguments, add_param_arguments, checked, follow, opened, params_of, question_of
from engine.cli.output import Output
from engine.cli.sentences import sentence
from engine.errors import BadInput, EngineError
from engine.types import Message, Result

if TYPE_CHECKING:
    from engine.engine import Model
    from engine.params import Params

HELP = "ask a question and read the answer as it comes"
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Question, system prompt, model, parameters."""
    parser.add_argument("question", nargs="?", help="- or nothing reads standard input; on a terminal: a conversation")
    parser.add_argument("-s", "--system", metavar="TEXT", help="system prompt")
    add_model_arguments(parser)
    add_param_arguments(parser)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, or 130 when interrupted. Raises the error of a failed answer after what came of it was written."""
    params = params_of(arguments)
    messages = [Message("system", checked(arguments.system))] if arguments.system else []
    talking = arguments.question is None and not out.as_json and sys.stdin.isatty()
    question = None if talking else question_of(arguments.question)
    if question is not None and not question.strip():
        raise BadInput("nothing was asked")
    with opened(arguments) as model:
        if question is None:
            return _conversation(model, messages, params, arguments.virtual_window, out)
        messages.append(Message("user", question))
        result, interrupted = _answer(model, messages, params, arguments.virtual_window, out)
    if result.error:
        raise result.error
    return INTERRUPTED if interrupted else 0


def _answer(
    model: Model, messages: list[Message], params: Params, virtual_window: int | None, out: Output
) -> tuple[Result, bool]:
    generation = model.stream(messages, params, virtual_window=virtual_window)
    result, interrupted = follow(generation, None if out.as_json else out.text)
    if out.as_json:
        out.json(result.to_dict())
    else:
        out.line()
    return result, interrupted


def _conversation(
    model: Model, messages: list[Message], params: Params, virtual_window: int | None, out: Output
) -> int:
    """Question and answer in turns until the input ends; Ctrl-C stops an answer, and the conversation at the prompt."""
    while True:
        out.text("> ")
        line = sys.stdin.readline()
        if not line:
            return 0
        if not line.strip():
            continue
        messages.append(Message("user", line.rstrip("\n")))
        try:
            result, _ = _answer(model, messages, params, virtual_window, out)
            if result.error:
                raise result.error
        except EngineError as error:
            sys.stderr.write(f"{error.code}: {sentence(error)}\n")
            messages.pop()
        else:
            messages.append(Message("assistant", result.text))
