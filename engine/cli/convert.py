"""The verb `convert`: a Hugging Face folder as one GGUF file, by llama.cpp's own converter. Knows only the terminal."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.cli.measuring import measured
from engine.cli.output import Output, harmless
from engine.errors import BadInput

HELP = "make a GGUF file of a Hugging Face folder (safetensors), by llama.cpp's own converter"
KINDS = ("F16", "BF16", "Q8_0", "F32")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which folder, and as what."""
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="with config.json, tokenizer and *.safetensors")
    parser.add_argument("--type", choices=KINDS, default="F16", dest="kind", help="of the weights (default F16)")
    parser.add_argument(
        "--check", action="store_true", help="only say whether the converter is there, and how to get it"
    )


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    if arguments.check:
        return _check(out)
    if arguments.folder is None:
        raise BadInput("which FOLDER? --check tells whether the converter is there")
    from engine.models.convert import TASK
    from engine.models.convert import arguments as task_arguments
    from engine.settings import Settings

    found = measured(TASK, task_arguments(Settings(), Path(arguments.folder), arguments.kind), unit="%")
    if out.as_json:
        out.json(found)
    else:
        out.line(harmless(f"{found['path']}  {found['size'] / 1e6:.0f} MB  sha256 {found['sha256']}"))
        out.line(f"next: quantize {found['path']} Q8_0")
    return 0


def _check(out: Output) -> int:
    from engine.models.convert import find_converter, how_to_get
    from engine.settings import Settings

    settings = Settings()
    found = find_converter(settings)
    commands = () if found and found.ready else how_to_get(settings, found)
    if out.as_json:
        missing = list(found.missing) if found else None
        script = str(found.script) if found else None
        out.json({"ready": not commands, "script": script, "missing": missing, "commands": list(commands)})
        return 0
    if found:
        state = "ready" if found.ready else f"lacks {', '.join(found.missing)}"
        out.line(harmless(f"{found.script}: {state}"))
    else:
        out.line("llama.cpp's converter is not on this machine")
    for command in commands:
        out.line(harmless(command))
    return 0
