"""What names on the hub mean: a repository as people write it, a file's quantization, the parts of one model. Asks
nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

from engine.errors import BadInput
from engine.models.splits import PARTS_MAX

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
_PART = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)
_QUANTIZATION = re.compile(
    r"(?:UD-)?(?:I?Q[1-8](?:_(?:\d|K|XXS|XS|XL|S|M|L|NL))*|TQ[12]_0|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4)",
    re.IGNORECASE,
)
_EDGE = re.compile(r"[^A-Za-z0-9]")
_BESIDE = re.compile(r"(^|[/._-])(mmproj|imatrix)[._-]|\.imatrix\b", re.IGNORECASE)
_UNSAFE = re.compile(r"[^\w.+-]")
SPELLED = {"FP16": "F16", "FP32": "F32"}
NAME_MAX = 180


def reference(text: str) -> tuple[str, str | None]:
    """Repository and file or quantization (None: not said) of `owner/name`, `owner/name:Q4_K_M`, or a page's address.

    Raises BadInput.
    """
    written = text.strip()
    parts = urlsplit(written) if "://" in written else None
    path = unquote(parts.path).strip("/") if parts else re.sub(r"^(hf\.co|huggingface\.co)/", "", written)
    path, _, wanted = path.partition(":")
    owner, _, rest = path.partition("/")
    name, _, inside = rest.partition("/")
    if inside and parts:  # …/blob/main/folder/file.gguf
        kind, _, revised = inside.partition("/")
        wanted = revised.partition("/")[2] if kind in ("blob", "resolve", "tree") else ""
    elif inside:
        wanted = inside
    if not _REPOSITORY.fullmatch(f"{owner}/{name}") or ".." in f"{owner}{name}":
        raise BadInput(f"a repository is written owner/name: {text!r}", reason="repository")
    return f"{owner}/{name}", wanted or None


def file_path(repository: str, revision: str, name: str) -> str:
    """Where the hub gives the file, from its root."""
    return f"/{repository}/resolve/{quote(revision, safe='')}/{quote(name)}"


def quantization(name: str) -> str | None:
    """Such as `Q4_K_M`, as the file's name tells, else its folder's; None where neither does."""
    for word in reversed(name.split("/")):
        stem = _PART.sub("", word).removesuffix(".gguf")
        found = [match for match in _QUANTIZATION.finditer(stem) if _alone(stem, match)]
        if found:
            kind = found[-1][0].upper()
            return SPELLED.get(kind, kind)
    return None


def is_model(name: str) -> bool:
    """Whether a file of this name is a model of its own, rather than what belongs beside one."""
    return name.lower().endswith(".gguf") and not _BESIDE.search(name)


def models_of(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The files of each model, in the order of their parts; a model that lacks a part, or has more than can be loaded
    here, is left out.
    """
    groups: dict[tuple[str, int], dict[int, str]] = {}
    for name in sorted(filter(is_model, names)):
        found = _PART.search(name)
        number, of = (int(found[1]), int(found[2])) if found else (1, 1)
        groups.setdefault((_PART.sub("", name), of), {})[number] = name
    return tuple(
        tuple(parts[number] for number in range(1, of + 1))
        for (_, of), parts in groups.items()
        if 0 < of == len(parts) <= PARTS_MAX and min(parts) == 1 and max(parts) == of
    )


def local_name(name: str) -> str:
    """The name that a file of the hub gets here: no folder, no letter that a file system might refuse, not hidden."""
    plain = _UNSAFE.sub("_", name.rpartition("/")[2]).lstrip(".-") or "model.gguf"
    return plain if len(plain) <= NAME_MAX else plain[-NAME_MAX:].lstrip(".-")


def _alone(stem: str, match: re.Match[str]) -> bool:
    before, after = stem[: match.start()][-1:], stem[match.end() :][:1]
    return all(not edge or _EDGE.match(edge) for edge in (before, after))
