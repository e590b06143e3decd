"""Chat templates of one's own: Jinja, rendered in a sandbox within a child process, as llama.cpp would do.
Knows no backend.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadTemplate, EngineError, JobFailed
from engine.sandbox import Limits, OverLimit, call
from engine.types import Message

if TYPE_CHECKING:
    from engine.model import Model

MAX_SOURCE = 64 * 1024  # characters
LIMITS = Limits(cpu_s=3, wall_s=60, memory_mib=512, characters=8_000_000)
FOLDER = Path(__file__).parent / "chat_templates"
# llama.cpp's built-in names (llama_chat_builtin_templates), each with the same format as a Jinja source
NAMES: tuple[str, ...] = tuple(sorted(path.stem for path in FOLDER.glob("*.jinja")))

PROBE = "QUESTION-7f3a"


def source(template: str) -> str:
    """The Jinja source of a name of llama.cpp's; any other text is a source itself. Raises BadTemplate."""
    if template in NAMES:
        return (FOLDER / f"{template}.jinja").read_text(encoding="utf-8")
    if len(template) > MAX_SOURCE:
        raise _bad(f"more than {MAX_SOURCE} characters")
    if not template.strip():
        raise _bad("it is empty")
    return template


def render(
    template: str,
    messages: Iterable[Message],
    *,
    bos: str = "",
    eos: str = "",
    add_generation_prompt: bool = True,
    **variables: Any,
) -> str:
    """The prompt that the template, a name or a Jinja source, makes of the messages. Raises BadTemplate."""
    given = {
        **variables,
        "messages": [message.to_dict() for message in messages],
        "bos_token": bos,
        "eos_token": eos,
        "add_generation_prompt": add_generation_prompt,
    }
    try:
        return str(call(f"{__name__}:render_source", {"source": source(template), "given": given}, LIMITS))
    except OverLimit as over:
        raise _bad(f"it takes too much {over.details['reason']}") from over
    except JobFailed as failed:
        raise _bad(str(failed.details.get("reason"))) from failed


def render_source(source: str, given: dict[str, Any]) -> str:
    """Render here and now; runs in the child. Raises BadTemplate with the line where it is known."""
    return compiled(source)(given)


def compiled(source: str) -> Callable[[dict[str, Any]], str]:
    """What renders that source as often as wanted, here and now. It and this raise BadTemplate."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(raise_exception=_raise, strftime_now=_now)
    with _understood():
        template = environment.from_string(source)

    def rendered(given: dict[str, Any]) -> str:
        with _understood():
            return template.render(**given)

    return rendered


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """What Jinja and a template's own calculations raise, as BadTemplate."""
    import jinja2

    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        raise _bad(f"line {error.lineno}: {error.message}", line=error.lineno) from error
    except jinja2.TemplateError as error:
        raise _bad(str(error)) from error
    # What a template does to values: 1/0, 'a' + 1, [][5], an int that is too long to print
    except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise _bad(f"{type(error).__name__}: {error}") from error


def injected_system(model: Model) -> str | None:
    """The system prompt that the model's own template adds where there is none; None for nothing.

    Raises NotSupported where the exact prompt cannot be seen.
    """
    return injected(lambda messages: model.render(model.request(messages)).prompt)


def injected(rendered: Callable[[list[Message]], str]) -> str | None:
    """The same, of whatever renders messages: it lies before the question where no system prompt was given, and a
    template says by what it puts around a given one where such a prompt begins and ends.
    """
    alone = _before(rendered([Message("user", PROBE)]))
    try:
        given = _before(rendered([Message("system", "SYSTEM-7f3a"), Message("user", PROBE)]))
    except EngineError:  # a template that takes no system prompt adds none either
        return None
    opening, found, closing = given.partition("SYSTEM-7f3a")
    fits = alone.startswith(opening) and alone.endswith(closing) and len(alone) > len(opening) + len(closing)
    if not found or not fits:
        return None
    return alone[len(opening) : len(alone) - len(closing)].strip() or None


def _before(prompt: str) -> str:
    return prompt.partition(PROBE)[0]


def _tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False, **options: Any) -> str:
    known: Mapping[str, Any] = {name: options[name] for name in ("separators", "sort_keys") if name in options}
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **known)  # not Jinja's own, which escapes HTML


def _raise(message: object) -> None:
    raise _bad(str(message))


def _now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)


def _bad(why: str, *, line: int | None = None) -> BadTemplate:
    return BadTemplate(why, reason=why, line=line)


@functools.lru_cache(maxsize=64)
def preview(template: str, messages: tuple[tuple[str, str], ...], bos: str = "", eos: str = "") -> str:
    """What `render` gives, remembered; for a page that draws again and again. `messages` are roles and texts."""
    asked = [Message(role, text) for role, text in messages]  # type: ignore[arg-type]
    return render(template, asked, bos=bos, eos=eos)
