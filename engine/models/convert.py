"""A Hugging Face folder (safetensors) as one GGUF file, by llama.cpp's own converter: found, checked and driven.

Brings neither the converter nor the torch that it needs; where they are missing, `how_to_get` has the commands. The
converter runs without network and without our keys; a folder that brings program code of its own is refused.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.child import inherited
from engine.errors import AccessDenied, BadFile, BadParameter, JobFailed, NotFound
from engine.filelock import file_lock
from engine.models.gguf_header import read_header
from engine.models.hub_names import local_name
from engine.models.quantize import part_of, sha256
from engine.models.room import check_room
from engine.settings import Settings
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job

TASK = "engine.models.convert:convert"
SCRIPT = "convert_hf_to_gguf.py"
MODULES = ("torch", "transformers", "numpy")  # without these it does not start
SOURCES = "https://github.com/ggml-org/llama.cpp"
NEEDS = "requirements/requirements-convert_hf_to_gguf.txt"
KINDS = {"F16": 1.0, "BF16": 1.0, "Q8_0": 0.55, "F32": 2.0}  # size against weights of 16 bits
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
WRITING = re.compile(r"Writing:\s+(\d{1,3})%")
LAST_WORDS = 20
CONFIGURATIONS = ("tokenizer_config.json", "processor_config.json", "preprocessor_config.json")  # may name code, too
JSON_MAX = 64 << 20
CHECK_S = 60
LIST_MISSING = (
    "import importlib.util, json, sys\n"
    "print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))"
)


@dataclass(frozen=True)
class Converter:
    """llama.cpp's script, the Python that runs it, and which modules that Python lacks."""

    script: Path
    python: str
    missing: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether it can run."""
        return not self.missing


@dataclass(frozen=True)
class HubFolder:
    """A folder that can be converted: its `architecture` as transformers calls it, bytes of its weights."""

    path: Path
    architecture: str
    size_bytes: int


def find_converter(settings: Settings) -> Converter | None:
    """The converter of this machine, the first that is ready; None where there is none. Runs Python for a moment."""
    found = [Converter(script, python, _missing(python)) for script, python in _candidates(settings)]
    return next((one for one in found if one.ready), found[0] if found else None)


def how_to_get(settings: Settings, converter: Converter | None = None) -> tuple[str, ...]:
    """The commands that put a working converter where `find_converter` looks; torch is about 200 MB for a CPU."""
    folder = converter.script.parent if converter else settings.home / "llama.cpp"
    binaries = folder / ".venv" / ("Scripts" if sys.platform == "win32" else "bin")
    clone = () if converter else (f'git clone --depth 1 {SOURCES} "{folder}"',)
    environment = (f'{_python_name()} -m venv "{folder / ".venv"}"',)
    return (*clone, *environment, f'"{binaries / "python"}" -m pip install -r "{folder / NEEDS}"')


def require_converter(settings: Settings) -> Converter:
    """The converter, ready. Raises NotFound with the `commands` that get it and the modules that are `missing`."""
    found = find_converter(settings)
    if found is not None and found.ready:
        return found
    commands = how_to_get(settings, found)
    lacks = f"lacks {', '.join(found.missing)}" if found else "is not on this machine"
    text = f"llama.cpp's converter {lacks}; get it with: {' && '.join(commands)}"
    missing = list(found.missing) if found else [SCRIPT]
    raise NotFound(text, what="converter", key=SCRIPT, reason="no_converter", commands=list(commands), missing=missing)


def hub_folder(path: Path) -> HubFolder:
    """The folder, checked as far as that is possible without torch. Raises BadFile with a stable reason."""
    if not path.is_dir():
        raise _bad(path, "not_a_folder", "is no folder")
    config = _read_json(path / "config.json", "no_config")
    others = [_read_json(path / name, "bad_config") for name in CONFIGURATIONS if (path / name).exists()]
    if any("auto_map" in one for one in (config, *others)) or any(path.glob("*.py")):
        raise _bad(path, "program_code", "brings program code of its own, which the converter would run")
    if not any((path / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "tekken.json")):
        raise _bad(path, "no_tokenizer", "has no tokenizer.json and no tokenizer.model")
    weights = _weights(path)
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else "?"
    return HubFolder(path, architecture, sum(file.stat().st_size for file in weights))


def target_file(settings: Settings, folder: Path, kind: str) -> Path:
    """Where the folder as `kind` lies: among one's own models. Raises BadParameter, BadFile (there is one)."""
    if kind not in KINDS:
        raise BadParameter(f"kind={kind!r}", name="kind", value=kind, choices=list(KINDS), low=None, high=None)
    target = settings.models_dir / local_name(f"{folder.resolve().name}.{kind}.gguf")
    if target.exists():
        raise _bad(target, "exists", "is there already")
    return target


def arguments(settings: Settings, folder: Path, kind: str) -> dict[str, Any]:
    """The task's arguments. Raises NotFound (no converter), BadFile, BadParameter, DiskFull."""
    source, target = hub_folder(folder), target_file(settings, folder, kind)
    converter = require_converter(settings)
    return {
        "folder": str(source.path.resolve()), "target": str(target), "kind": kind, "script": str(converter.script),
        "python": converter.python,
    }  # fmt: skip


def start_convert(engine: Engine, owner: str, folder: Path, kind: str, *, role: str) -> Job:
    """The job that converts the folder; its progress is in percent of the writing. Raises AccessDenied, and as
    `arguments`.
    """
    if role != "teacher":
        raise AccessDenied("converting models is the teacher's", role="teacher")
    args = arguments(engine.settings, folder, kind)
    scratch = (part_of(Path(args["target"])),)
    return engine.jobs.submit(owner, TASK, args, f"{folder.resolve().name} → {kind}", scratch)


def convert(folder: str, target: str, kind: str, script: str, python: str) -> Generator[Progress, None, dict[str, Any]]:
    """Convert the folder to `target`, which appears in one step at the end; percent of the writing.

    Returns path, size in bytes, SHA-256, quantization, architecture and parameters. Raises BadFile, DiskFull, JobFailed
    with what the converter said last, ModelFileCorrupt.
    """
    source, new = hub_folder(Path(folder)), Path(target)
    new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_room(new.parent, int(source.size_bytes * KINDS[kind]))
    with file_lock(new.with_name(f".{new.name}.lock"), timeout=0):
        part = part_of(new)
        try:
            yield from _run([python, script, folder, "--outfile", str(part), "--outtype", kind.lower()])
            header = read_header(part)
            os.replace(part, new)
        finally:
            part.unlink(missing_ok=True)
    return {
        "path": str(new), "size": new.stat().st_size, "sha256": sha256(new), "quantization": header.quantization,
        "architecture": header.architecture, "parameters": header.parameters,
    }  # fmt: skip


def _run(command: list[str]) -> Generator[Progress, None, None]:
    """Run the converter to its end. Cancelling kills it too: it belongs to the job's group of processes."""
    yield Progress(0, 100)
    words: deque[str] = deque(maxlen=LAST_WORDS)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=inherited(**OFFLINE),
        text=True, encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout
        for line in process.stdout:  # its bar ends in carriage returns, which are lines, too
            if found := WRITING.search(line):
                yield Progress(min(int(found[1]), 100), 100)
            elif line.strip():
                words.append(line.strip())
    if process.returncode != 0:
        reason = words[-1] if words else f"exit code {process.returncode}"
        text = f"the converter failed: {reason}"
        raise JobFailed(text, job=TASK, reason=reason, exit_code=process.returncode, last=list(words))
    yield Progress(100, 100)


def _candidates(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Scripts, each with the Python that would run it: its folder's own, else its first line's, else the system's."""
    named = shutil.which(SCRIPT)
    folders = [settings.llama_cpp, settings.home / "llama.cpp", Path.home() / "llama.cpp"]
    if named:
        folders.append(Path(named).resolve().parent)
    for folder in folders:
        if folder is not None and (script := folder / SCRIPT).is_file():
            yield script, _python_of(script)


def _python_of(script: Path) -> str:
    own = [script.parent / name / place for name in (".venv", "venv") for place in ("bin/python", "Scripts/python.exe")]
    for python in own:
        if python.is_file():
            return str(python)
    with script.open("rb") as file:
        first = file.readline(200).decode("utf-8", "replace").removeprefix("#!").strip()
    if Path(first).is_absolute() and Path(first).name.startswith("python") and Path(first).is_file():
        return first
    return shutil.which(_python_name()) or sys.executable


def _python_name() -> str:
    return "python" if sys.platform == "win32" else "python3"


def _missing(python: str) -> tuple[str, ...]:
    """Which modules that Python lacks; all where it does not run."""
    try:
        found = subprocess.run(
            [python, "-c", LIST_MISSING, *MODULES], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=CHECK_S, check=True, env=inherited(),
        )  # fmt: skip
        return tuple(json.loads(found.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        return MODULES


def _weights(path: Path) -> list[Path]:
    """The files of the weights, all there. A pickle is not taken: reading it may run what it holds."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        told = _read_json(index, "bad_index").get("weight_map")
        names = {str(name) for name in told.values()} if isinstance(told, dict) else set()
        files = [path / Path(name).name for name in sorted(names)]
        if absent := [file.name for file in files if not file.is_file()]:
            raise _bad(path, "parts_missing", f"lacks {', '.join(absent[:3])}: an unfinished download?")
    else:
        files = sorted(path.glob("*.safetensors"))
    if not files:
        raise _bad(path, "no_safetensors", "holds no weights as safetensors")
    return files


def _read_json(path: Path, reason: str) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise ValueError("no regular file")
        if path.stat().st_size > JSON_MAX:
            raise ValueError(f"more than {JSON_MAX >> 20} MiB")
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _bad(path, reason, f"cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise _bad(path, reason, "holds no object")
    return told


def _bad(path: Path, reason: str, text: str) -> BadFile:
    return BadFile(f"{path.name} {text}", path=path.name, reason=reason)
