"""Of the verb `models`: `search`, `download` and `curated`, models of the Hugging Face hub. Knows only the
terminal."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.output import Output, harmless
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models.hub import Hub, HubFile, HubRepository
    from engine.settings import Settings

FITS = {
    "fits": "fits",
    "tight": "tight",
    "too_large": "too large for the free memory",
    "no_disk": "no room on the disk",
}


SEARCH_HELP = "find models with GGUF files on the Hugging Face hub"
DOWNLOAD_HELP = "download a model from the hub; asked again, it goes on where it was"
CURATED_HELP = "small models worth a try; asks no network"


def search_flags(parser: argparse.ArgumentParser) -> None:
    """Which words, how many."""
    parser.add_argument("words", nargs="+", metavar="WORD", help="of the repository's name")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many at most (default 20)")


def download_flags(parser: argparse.ArgumentParser) -> None:
    """Which file of which repository."""
    parser.add_argument(
        "repository", nargs="?", metavar="REPOSITORY", help="owner/name[:Q4_K_M], an address, or an id of `curated`"
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a file or a quantization; without: the best for its size"
    )
    parser.add_argument("--list", action="store_true", dest="only_list", help="list the files, download nothing")
    parser.add_argument("--forget", action="store_true", help="remove what unfinished downloads have left")


def curated_flags(parser: argparse.ArgumentParser) -> None:
    """No flags of its own."""


def search(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.models.hub import Hub
    from engine.settings import Settings

    found = Hub(Settings()).search(" ".join(arguments.words), arguments.limit)
    if out.as_json:
        out.json([model.to_dict() for model in found])
        return 0
    for model in found:
        size = f"{model.parameters / 1e6:.0f} M weights" if model.parameters else "size unknown"
        gated = "  gated" if model.gated else ""
        out.line(harmless(f"{model.id}  {size}  {model.licence or 'licence unknown'}  {model.downloads or 0} ↓{gated}"))
    if not found:
        out.line("nothing found")
    return 0


def download(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.engine import Engine
    from engine.models.download import TASK
    from engine.models.download import arguments as task_arguments
    from engine.models.hub import Hub, hub_token

    if arguments.forget:
        return _forget(out)
    if arguments.repository is None:
        raise BadInput("which REPOSITORY? see models search and models curated")
    with closing(Engine()) as engine:
        named, wanted = _reference(arguments.repository, arguments.file)
        hub = Hub(engine.settings)
        repository = hub.repository(named)
        if arguments.only_list:
            return _list(repository, engine.settings, out)
        file = repository.file(wanted)
        _check_fit(hub, repository, file, engine)
        args = task_arguments(engine, repository, file)
    told = _fetched(TASK, args, {"token": hub_token()})
    if out.as_json:
        out.json(told)
        return 0
    checked = "SHA-256 as the hub says" if told["checked"] else "the hub told no SHA-256"
    state = "downloaded" if told["fetched"] else "was there already"
    out.line(harmless(f"{told['path']}  {told['size'] / 1e6:.0f} MB  {state}, {checked}"))
    return 0


def curated(_arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.models.curated import curated

    if out.as_json:
        out.json([row.model_dump() for row in curated()])
        return 0
    for row in curated():
        size = f"{row.size_mb} MB" if row.size_mb else "size unknown"
        gated = ", gated" if row.gated else ""
        out.line(f"{row.id:<26}{row.use:<11}{row.quantization:<8}{size:>13}  {row.licence}{gated}  {row.repository}")
    out.line("\nmodels download ID gets one; the hub is asked for its exact size first")
    return 0


def _reference(written: str, file: str | None) -> tuple[str, str | None]:
    """Repository and file of what was written: an id of the curated list has no slash."""
    from engine.models.curated import curated_model
    from engine.models.hub_names import reference

    if "/" not in written:
        row = curated_model(written)
        return row.repository, file or row.wanted
    repository, wanted = reference(written)
    if file and wanted and file != wanted:
        raise BadInput(f"two files: {wanted} and {file}")
    return repository, file or wanted


def _list(repository: HubRepository, settings: Settings, out: Output) -> int:
    from engine.models.fit import fit

    if out.as_json:
        out.json(repository.to_dict())
        return 0
    for file in repository.files:
        state = FITS[fit(file.size_bytes, settings.models_dir).name]
        parts = f", {len(file.parts)} parts" if len(file.parts) > 1 else ""
        out.line(
            harmless(f"{file.quantization or '?':<10}{file.size_bytes / 1e6:>9.0f} MB  {state:<30}{file.name}{parts}")
        )
    return 0


def _forget(out: Output) -> int:
    from engine.models.download import forget_partials
    from engine.settings import Settings

    freed = forget_partials(Settings().models_dir)
    if out.as_json:
        out.json({"freed_bytes": freed})
    else:
        out.line(f"{freed / 1e6:.1f} MB given back")
    return 0


def _check_fit(hub: Hub, repository: HubRepository, file: HubFile, engine: Engine) -> None:
    """A word where the model will hardly run here; what somebody wants to have, they get."""
    import sys

    from engine.models.fit import fit_of

    found = fit_of(hub.details(repository, file), engine.settings, engine.plain_slots)
    if found.name in ("tight", "too_large"):
        needed, free = found.needed / 1e9, found.free / 1e9
        sys.stderr.write(f"note: {FITS[found.name]}: about {needed:.1f} GB with its windows, {free:.1f} GB are free\n")


def _fetched(task: str, args: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    from engine.cli.measuring import measured

    return measured(task, args, secrets, unit="MB")
