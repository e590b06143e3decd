"""Flags of the form of question and answer: preset, schema or grammar, template. Knows no verb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.asking import file_text, params_of, require
from engine.errors import BadInput
from engine.output import Output, OutputKind, ready
from engine.types import Message, Result

if TYPE_CHECKING:
    from engine.model import Model
    from engine.params import Params
    from engine.presets import Preset


def add_form_arguments(parser: argparse.ArgumentParser, *, template: bool = True) -> None:
    """The flags; without `template` where the text is sent as it stands."""
    group = parser.add_argument_group("form")
    group.add_argument("--preset", metavar="FILE", help="system prompt and parameters; LM Studio's files too")
    output = group.add_mutually_exclusive_group()
    output.add_argument("--json-schema", metavar="FILE", help=f"or one of {', '.join(ready('json_schema'))}")
    output.add_argument("--grammar", metavar="FILE", help=f"GBNF; or one of {', '.join(ready('grammar'))}")
    if not template:
        parser.set_defaults(template=None)
        return
    group.add_argument("--template", metavar="FILE", help="Jinja, or a name of llama.cpp's such as chatml")


@dataclass(frozen=True)
class Form:
    """What the flags say, preset included."""

    preset: Preset
    params: Params
    output: Output
    template: str | None

    def wished(self, model: Model) -> Form:
        """The same, with what the model's configuration says where the flags say nothing."""
        output = model.configuration.output
        if output is not None and self.output.kind == "text" and self.template is None:
            return replace(self, params=self.params.over(model.defaults), output=Output(output.kind, output.source))
        return replace(self, params=self.params.over(model.defaults))

    def options(self, model: Model, messages: Sequence[Message]) -> dict[str, Any]:
        """What it adds to `Model.stream`. Raises NotSupported, BadGrammar, BadTemplate."""
        options: dict[str, Any] = {}
        if self.output.kind != "text":
            require(model, self.output.kind)
            own = model.card.backend == "llamacpp"
            options["extra"] = self.output.extra() if own else self.output.openai()
        if self.template is not None:
            from engine.templates import render

            require(model, "raw_completion")
            marks: dict[str, str] = getattr(model.backend, "marks", dict)()
            options["raw"] = render(self.template, messages, bos=marks.get("bos", ""), eos=marks.get("eos", ""))
        return options

    def judged(self, result: Result) -> dict[str, Any]:
        """The verdict on an answer for JSON, empty where nothing was asked of it; its faults are said on stderr."""
        if self.output.kind == "text":
            return {}
        verdict = self.output.verdict(result.text)
        for fault in verdict.errors:
            sys.stderr.write(f"{fault.path}: {fault.message}\n")
        return {"verdict": {"ok": verdict.ok, "errors": [vars(fault) for fault in verdict.errors]}}


def form_of(arguments: argparse.Namespace, **more: object) -> Form:
    """The form of the flags, checked; `more` are parameters that go before all. Raises BadFile, BadInput, BadParameter,
    BadGrammar.
    """
    from engine.presets import Preset, read_preset

    preset = Preset("")
    if arguments.preset:
        preset = read_preset(file_text(arguments.preset).encode())
        for key in preset.unread:
            sys.stderr.write(f"{arguments.preset}: {key} is not used\n")
    output = _output(arguments, preset)
    output.check()
    template = arguments.template or preset.settings.get("template")
    return Form(preset, params_of(arguments, preset.params, **more), output, _template(template))


def _output(arguments: argparse.Namespace, preset: Preset) -> Output:
    given: tuple[tuple[OutputKind, str | None], ...] = (
        ("json_schema", arguments.json_schema),
        ("grammar", arguments.grammar),
    )
    for kind, name in given:
        if name:
            return ready(kind)[name].output if name in ready(kind) else Output(kind, file_text(name))
    return Output(preset.settings.get("output_kind", "text"), preset.settings.get("output_source", ""))


def _template(given: str | None) -> str | None:
    from engine.templates import NAMES

    if given is None or given in NAMES or "{" in given:
        return given
    if not Path(given).is_file():
        raise BadInput(f"{given} is neither a file nor one of {', '.join(NAMES)}")
    return file_text(given)
