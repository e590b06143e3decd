"""Files that came through Gradio as sources of a collection: read once, then gone from its folder. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta

from engine.errors import BadInput
from engine.rag import sources

NAME_MAX = 1000  # characters; what is shown of it is shorter still


def uploaded(files: Iterable[Any]) -> tuple[sources.Source, ...]:
    """The sources of these uploads, each under the name that it had in the browser. Raises BadInput for what is none:
    a client may name any path of this machine.
    """
    return tuple(sources.upload(name, data) for name, data in read_all(files))


def read_all(files: Iterable[Any]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each upload, which is then no longer kept. Raises BadInput."""
    for file in files:
        path = _path(file)
        try:
            data = path.read_bytes()
        except OSError as error:  # another page of the same person was faster
            raise BadInput(f"no upload: {error.strerror}", name="files", value=path.name) from error
        path.unlink(missing_ok=True)
        yield str(file.get("orig_name") or path.name)[:NAME_MAX], data


def _path(file: Any) -> Path:
    folder = Path(get_upload_folder()).resolve()
    if not isinstance(file, Mapping) or not is_file_obj_with_meta(dict(file)):
        raise BadInput("files are what gradio_client.handle_file makes", name="files", value=str(file)[:200])
    path = Path(file["path"]).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise BadInput("this was not uploaded here", name="files", value=path.name[:200])
    return path
