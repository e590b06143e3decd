"""The verb `chat`: a question and its answer, streamed; a small conversation where somebody types."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.cli.asking import (
    add_model_arguments,
    add_param_arguments,
    add_policy_argument,
    checked,
    follow,
    opened,
    question_of,
)
from engine.cli.form import Form, add_form_arguments, form_of
from engine.cli.output import Output
from engine.cli.sentences import sentence
from engine.errors import BadInput, EngineError
from engine.types import Message, Result

if TYPE_CHECKING:
    from engine.model import Model
    from engine.window import Policy

HELP = "ask a question and read the answer as it comes"
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Question, system prompt, model, parameters."""
    parser.add_argument("question", nargs="?", help="- or nothing reads standard input; on a terminal: a conversation")
    parser.add_argument("-s", "--system", metavar="TEXT", help="system prompt")
    add_model_arguments(parser)
    add_param_arguments(parser)
    add_policy_argument(parser)
    add_form_arguments(parser)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, or 130 when interrupted. Raises the error of a failed answer after what came of it was written."""
    form = form_of(arguments)
    system = arguments.system or form.preset.system
    talking = arguments.question is None and not out.as_json and sys.stdin.isatty()
    question = None if talking else question_of(arguments.question)
    if question is not None and not question.strip():
        raise BadInput("nothing was asked")
    with opened(arguments) as model:
        form, system = form.wished(model), system or model.configuration.prompt.system
        messages = [Message("system", checked(system))] if system else []
        window = arguments.virtual_window or form.preset.settings.get("virtual_window")
        asking = _Asking(model, form, window, arguments.policy, out)
        if question is None:
            return _conversation(asking, messages)
        messages.append(Message("user", question))
        result, interrupted = asking.answer(messages)
    if result.error:
        raise result.error
    return INTERRUPTED if interrupted else 0


@dataclass(frozen=True)
class _Asking:
    """How every question is asked."""

    model: Model
    form: Form
    virtual_window: int | None
    policy: Policy
    out: Output

    def answer(self, messages: list[Message]) -> tuple[Result, bool]:
        """The answer, written as it comes, and whether Ctrl-C ended it."""
        record: dict[str, Any] | None = None
        sent, window = tuple(messages), self.virtual_window
        if self.policy != "stop":
            sent, record = self._planned(messages)
            window = window if record["exact"] else None  # only a server that counts keeps to it
        options = self.form.options(self.model, sent)
        generation = self.model.stream(sent, self.form.params, virtual_window=window, window=record, **options)
        result, interrupted = follow(generation, None if self.out.as_json else self.out.text)
        if not self.out.as_json:
            self.out.line()
        judged = {} if result.error else self.form.judged(result)
        if self.out.as_json:
            self.out.json({**result.to_dict(), **({} if record is None else {"window": record}), **judged})
        return result, interrupted

    def _planned(self, messages: list[Message]) -> tuple[tuple[Message, ...], dict[str, Any]]:
        """What is sent of them and the record of it; what is left out is said on stderr."""
        from engine.window import plan, summarizer

        made = plan(self.model, messages, self.form.params, self.policy, virtual_window=self.virtual_window,
                    summarize=summarizer(self.model))  # fmt: skip
        if not made.whole:
            dropped, cut = len(made.dropped), len(made.cut)
            sys.stderr.write(f"{self.policy}: {dropped} of {len(messages)} messages not sent, {cut} sent in part\n")
        return made.messages, made.record()


def _conversation(asking: _Asking, messages: list[Message]) -> int:
    """Question and answer in turns until the input ends; Ctrl-C stops an answer, and the conversation at the prompt."""
    while True:
        asking.out.text("> ")
        line = sys.stdin.readline()
        if not line:
            return 0
        if not line.strip():
            continue
        messages.append(Message("user", line.rstrip("\n")))
        try:
            result, _ = asking.answer(messages)
            if result.error:
                raise result.error
        except EngineError as error:
            sys.stderr.write(f"{error.code}: {sentence(error)}\n")
            messages.pop()
        else:
            messages.append(Message("assistant", result.text))
