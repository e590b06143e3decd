"""What the verbs that ask a model share: its choice, the parameters' flags, reading texts, following an answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadFile, BadInput, NotSupported
from engine.params import PARAMS, Params
from engine.types import Result, TextDelta

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.generation import Generation
    from engine.model import Model


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags that choose the model."""
    group = parser.add_argument_group("model")
    group.add_argument("-m", "--model", metavar="M", help="id, alias or provider/model; see the verb models")
    group.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible server, such as http://host:8080/v1")
    group.add_argument("--key-env", metavar="VAR", help="environment variable that holds the endpoint's key")


def add_param_arguments(parser: argparse.ArgumentParser, *, window: bool = True) -> None:
    """One flag per inference parameter, and the smaller window unless `window` is False."""
    group = parser.add_argument_group("parameters")
    for param in PARAMS:
        flags = ["-n"] if param.name == "max_tokens" else []
        flags.append("--" + param.name.replace("_", "-"))
        default = "" if param.default in (None, ()) else f" (default {param.default})"
        if param.choices:
            group.add_argument(*flags, dest=param.name, metavar="A;B", help=param.accepted)
        elif param.kind == "lines":
            group.add_argument(
                *flags, dest=param.name, action="append", metavar="TEXT", help="end the answer here; may be repeated"
            )
        else:
            group.add_argument(*flags, dest=param.name, metavar="X", help=param.accepted + default)
    if window:
        group.add_argument("--virtual-window", type=int, metavar="TOKENS", help="a smaller window, enforced exactly")


def add_policy_argument(parser: argparse.ArgumentParser) -> None:
    """The flag that says what to leave out when not everything fits."""
    from engine.window import POLICIES

    text = "what goes when not everything fits into the window (default stop: nothing, a longer prompt is refused)"
    parser.add_argument("--policy", choices=POLICIES, default="stop", help=text)


def params_of(arguments: argparse.Namespace, preset: Mapping[str, object] | None = None, /, **more: object) -> Params:
    """The checked parameters of the flags, before those of a preset. Raises BadParameter."""
    given = {param.name: getattr(arguments, param.name) for param in PARAMS}
    told = {name: value for name, value in {**given, **more}.items() if value is not None}
    return Params({**(preset or {}), **told})


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Model]:
    """The chosen model; its engine is closed in the end. Raises UnknownModel, BadInput."""
    from engine.engine import Engine

    with closing(Engine()) as engine:
        yield chosen(engine, arguments)


def chosen(engine: Engine, arguments: argparse.Namespace) -> Model:
    """The model that the flags choose, of this engine. Raises UnknownModel, BadInput."""
    if not arguments.endpoint:
        if arguments.key_env:
            raise BadInput("--key-env belongs to --endpoint; a known provider's key has its own variable")
        return engine.model(arguments.model)
    if not arguments.model:
        raise BadInput("with --endpoint, name one of its models with --model")
    from engine.providers import typed_in

    engine.catalog.add(typed_in(arguments.endpoint))
    return engine.model(f"endpoint/{arguments.model}", key=key_in(arguments.key_env))


def require(model: Model, capability: str) -> None:
    """Raises NotSupported where the model's backend cannot do this."""
    if capability not in model.capabilities:
        backend = model.card.backend
        raise NotSupported(f"{model.card.id} has no {capability}", capability=capability, backend=backend)


def question_of(argument: str | None) -> str:
    """The argument, or standard input without the line end that `echo` puts after it. Raises BadInput."""
    text = text_of(argument)
    piped = argument is None or argument == "-"
    return text.removesuffix("\n").removesuffix("\r") if piped else text


def text_of(argument: str | None) -> str:
    """The argument, or standard input for `-` and nothing. Raises BadInput where it is not text."""
    if argument is not None and argument != "-":
        return checked(argument)
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")  # PowerShell puts a byte order mark before what it pipes
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input is not UTF-8: byte {error.start}") from error


def file_text(path: str) -> str:
    """What the file holds. Raises BadFile."""
    try:
        return file_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path} is not UTF-8: byte {error.start}", path=path, reason="not UTF-8") from error


def file_bytes(path: str) -> bytes:
    """What the file holds, undecoded. Raises BadFile."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}", path=path, reason=str(error.strerror)) from error


def checked(text: str) -> str:
    """The same text. Raises BadInput where it holds bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"the text is not UTF-8: character {error.start}") from error
    return text


def follow(generation: Generation, write: Callable[[str], None] | None = None) -> tuple[Result, bool]:
    """The whole answer, and whether Ctrl-C ended it; its pieces go to `write` as they come.

    Raises what the generation raises before its first event.
    """
    try:
        for event in generation:
            if write is not None and isinstance(event, TextDelta):
                write(event.text)
    except KeyboardInterrupt:
        generation.stop()
        return generation.result, True
    return generation.result, False


def key_in(variable: str | None) -> str | None:
    """The key that the variable holds, None without a variable. Raises BadInput where it is not set."""
    if variable is None:
        return None
    from engine.settings import from_environment

    key = from_environment(variable)
    if key is None:
        raise BadInput(f"the environment variable {variable} is not set")
    return key
