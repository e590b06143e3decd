"""The prompt library: named prompts with a slash command, their versions, import and export. Knows no interface."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from engine.errors import BadInput, NotFound
from engine.library import NAME_MAX, Library, Version
from engine.placeholders import TEXT_MAX, Variable, fill, system_values, variables

__all__ = [
    "Prompt",
    "Prompts",
    "Variable",
    "difference",
    "export_prompts",
    "fill",
    "matching",
    "read_prompts",
    "samples",
    "slug",
    "system_values",
    "variables",
]

KIND = "prompt"
FORMAT = "atelier-prompts/1"
FILE_MAX = 8 * 2**20  # bytes of an import
PROMPTS_MAX = 500
_COMMAND = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


@dataclass(frozen=True)
class Prompt:
    """A text to ask again: `command` is what follows the slash in the chat box."""

    name: str
    command: str
    text: str

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What it asks for. Raises BadInput where the text describes a variable badly."""
        return variables(self.text)

    def fill(self, values: Mapping[str, Any], *, now: datetime, user: str = "", language: str = "en") -> str:
        """The text with its variables replaced. Raises BadInput with `variable` and `reason`."""
        return fill(self.text, values, now=now, user=user, language=language)

    def check(self) -> None:
        """Raises BadInput, with `reason`, for what could not be used later."""
        if not self.name.strip() or len(self.name) > NAME_MAX:
            raise BadInput(f"a name has 1 to {NAME_MAX} letters", reason="bad_name", limit=NAME_MAX)
        if not _COMMAND.fullmatch(self.command):
            raise BadInput("a command is made of a-z, 0-9, - and _", reason="bad_command", command=self.command)
        if not self.text.strip():
            raise BadInput("a prompt needs a text", reason="no_text")
        variables(self.text)


class Prompts:
    """The prompts of persons, each with its last versions. Raises StoreFailed."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def all(self, owner: str) -> tuple[Prompt, ...]:
        """The person's prompts by name."""
        found = self._library.all(owner, KIND)
        return tuple(_prompt(name, found[name]) for name in sorted(found, key=lambda name: (name.casefold(), name)))

    def get(self, owner: str, name: str) -> Prompt:
        """The present version. Raises NotFound."""
        value = self._library.get(owner, KIND, name)
        if value is None:
            raise NotFound(f"no prompt {name}", what=KIND, key=name)
        return _prompt(name, value)

    def save(self, owner: str, prompt: Prompt, note: str | None = None) -> int:
        """The number of the new version. Raises BadInput for a bad prompt, or a command that another one has."""
        prompt.check()
        if any(other.command == prompt.command and other.name != prompt.name for other in self.all(owner)):
            raise BadInput(f"/{prompt.command} is taken", reason="command_taken", command=prompt.command)
        return self._library.put(owner, KIND, prompt.name, {"command": prompt.command, "text": prompt.text}, note)

    def rename(self, owner: str, name: str, new: str) -> None:
        """Its versions go with it. Raises NotFound, BadInput where the name is taken."""
        self._library.rename(owner, KIND, name, new)

    def drop(self, owner: str, name: str) -> None:
        """Forget it with its versions."""
        self._library.drop(owner, KIND, name)

    def versions(self, owner: str, name: str) -> tuple[Version, ...]:
        """What it was, newest first; the text is `value["text"]`."""
        return self._library.versions(owner, KIND, name)

    def diff(self, owner: str, name: str, old: int, new: int) -> str:
        """A unified diff from version `old` to version `new`, empty where their texts are the same. Raises NotFound."""
        texts = {version.number: str(version.value["text"]) for version in self.versions(owner, name)}
        for number in (old, new):
            if number not in texts:
                raise NotFound(f"no version {number} of {name}", what="version", key=str(number))
        return difference(texts[old], texts[new], f"{name} v{old}", f"{name} v{new}")

    def restore(self, owner: str, name: str, number: int, note: str | None = None) -> int:
        """The number of the new version, which is as that old one was. Raises NotFound."""
        for version in self.versions(owner, name):
            if version.number == number:
                return self.save(owner, _prompt(name, version.value), note)
        raise NotFound(f"no version {number} of {name}", what="version", key=str(number))

    def adopt(self, owner: str, prompts: Iterable[Prompt], note: str | None = None) -> tuple[Prompt, ...]:
        """The prompts as they were saved: one of the same name becomes a new version, a command that is taken gets a
        number.
        """
        commands = {prompt.name: prompt.command for prompt in self.all(owner)}
        adopted: dict[str, Prompt] = {}
        for prompt in prompts:
            others = {command for name, command in commands.items() if name != prompt.name}
            commands[prompt.name] = _free(prompt.command, others)
            adopted[prompt.name] = Prompt(prompt.name, commands[prompt.name], prompt.text)
            self.save(owner, adopted[prompt.name], note)
        return tuple(adopted.values())


def matching(prompts: Iterable[Prompt], typed: str) -> tuple[Prompt, ...]:
    """The prompts that what is typed in the chat box may mean, `/res` for instance: first those whose command begins
    so, then those that hold it in command or name; none where it does not begin with a slash or has a space.
    """
    if not typed.startswith("/") or len(typed.split()) > 1:
        return ()
    wanted = _folded(typed[1:].strip())
    ordered = sorted(prompts, key=lambda prompt: prompt.command)
    first = [prompt for prompt in ordered if prompt.command.startswith(wanted)]
    later = [prompt for prompt in ordered if wanted in f"{prompt.command} {_folded(prompt.name)}"]
    return tuple(dict.fromkeys(first + later))


def difference(old: str, new: str, old_name: str = "", new_name: str = "") -> str:
    """A unified diff of two texts."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm="")
    return "\n".join(lines)


def slug(name: str) -> str:
    """A command made of a name: `Résumé d'article` → `resume-d-article`."""
    words = re.sub(r"[^a-z0-9_]+", "-", _folded(name)).strip("-_")
    return words[:50].strip("-_") or "prompt"


@cache
def samples(language: str) -> tuple[Prompt, ...]:
    """The ready prompts of that language, the English ones for a language that has none."""
    data = tomllib.loads(files("engine").joinpath("prompt_samples.toml").read_text(encoding="utf-8"))
    rows = data.get(language[:2].lower(), data["en"])
    return tuple(Prompt(row["name"], command, row["text"].strip()) for command, row in rows.items())


def export_prompts(prompts: Iterable[Prompt]) -> str:
    """JSON of our own format, `atelier-prompts/1`."""
    rows = [{"name": prompt.name, "command": prompt.command, "text": prompt.text} for prompt in prompts]
    return json.dumps({"format": FORMAT, "prompts": rows}, ensure_ascii=False, indent=2) + "\n"


class _Row(BaseModel):
    """One prompt of a file; Open WebUI calls the text `content` and the name `title`, newer ones `name`."""

    name: str = Field("", validation_alias=AliasChoices("name", "title"), max_length=NAME_MAX)
    command: str = Field("", max_length=NAME_MAX)
    text: str = Field(validation_alias=AliasChoices("text", "content"), min_length=1, max_length=TEXT_MAX)

    def prompt(self) -> Prompt:
        """The prompt, with a command made of its name, or the other way round, where one is missing."""
        bare = self.command.strip().lstrip("/").lower()
        name = self.name.strip() or bare
        command = bare if _COMMAND.fullmatch(bare) else slug(bare or name)
        return Prompt(name or command, command, self.text)


class _File(BaseModel):
    format: str = Field(pattern=f"^{FORMAT}$")
    prompts: Annotated[list[_Row], Field(max_length=PROMPTS_MAX)]


_IMPORT: TypeAdapter[_File | list[_Row] | _Row] = TypeAdapter(
    _File | Annotated[list[_Row], Field(max_length=PROMPTS_MAX)] | _Row
)


def read_prompts(data: bytes) -> tuple[Prompt, ...]:
    """The prompts of a file: ours, Open WebUI's list, or one row of it.

    Raises BadInput, with `reason` too_large or not_prompts, or what is wrong with a variable and `prompt`, its name.
    """
    if len(data) > FILE_MAX:
        raise BadInput(f"more than {FILE_MAX} bytes", reason="too_large", limit=FILE_MAX)
    try:
        read = _IMPORT.validate_json(data)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BadInput(f"this is no file of prompts ({place})", reason="not_prompts", place=place) from error
    rows = read.prompts if isinstance(read, _File) else read if isinstance(read, list) else [read]
    return _checked([row.prompt() for row in rows])


def _checked(prompts: list[Prompt]) -> tuple[Prompt, ...]:
    for prompt in prompts:
        try:
            prompt.check()
        except BadInput as error:
            raise BadInput(f"{prompt.name}: {error.message}", **{**error.details, "prompt": prompt.name}) from error
    return tuple(prompts)


def _prompt(name: str, value: dict[str, str]) -> Prompt:
    return Prompt(name, value["command"], value["text"])


def _free(command: str, taken: set[str]) -> str:
    candidates = (f"{command[:46]}-{number}" for number in range(2, PROMPTS_MAX + 3))
    return command if command not in taken else next(name for name in candidates if name not in taken)


def _folded(text: str) -> str:
    """Small letters without accents, for comparing."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in spread if not unicodedata.combining(letter))
