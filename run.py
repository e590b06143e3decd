#!/usr/bin/env python3
"""Sets up .venv from the lock files and starts the application or its tools in it; knows nothing of what they do.

python3 run.py [COMMAND] [OPTIONS]

  serve      the application on one port (default): --host, --port; further options go to apps.server
  class      the same for the whole room, with class codes
  setup      install everything, llama-cpp-python included, and wait for it
  test       setup, then check and pytest; options go to pytest
  check      ruff and mypy, changing nothing
  fix        ruff, changing what it can
  streamlit  the Streamlit interface alone, on this machine only: --port
  gradio     the Gradio interface alone, on this machine only: --port
  cli        the command line: run.py cli --help
  bench      the measurements: run.py bench chat
  lock       compile the lock files again; options (--upgrade) go to uv
"""

# Old Pythons must be able to parse this file and say the sentence "python": no match, no walrus, no future import.
import argparse
import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)

SENTENCES = {  # key: (English, French)
    "python": (
        "Atelier LLM needs Python 3.11, 3.12 or 3.13; this is {found}. "
        "Install one (python.org/downloads), then: {try_this}",
        "Atelier LLM demande Python 3.11, 3.12 ou 3.13 ; celui-ci est {found}. "
        "Installez-en un (python.org/downloads), puis : {try_this}",
    ),
    "no_venv": (
        "This Python lacks the modules venv and ensurepip. On Debian or Ubuntu: sudo apt install python{version}-venv",
        "Il manque à ce Python les modules venv et ensurepip. "
        "Sur Debian ou Ubuntu : sudo apt install python{version}-venv",
    ),
    "disk_full": (
        "The disk is full: setting up needs about {gigabytes} GB in {place} (and some for caches). "
        "Free some space, then start again.",
        "Le disque est plein : l'installation demande environ {gigabytes} Go dans {place} (et un peu pour les caches). "
        "Libérez de la place, puis relancez.",
    ),
    "network": (
        "No package index could be reached. Check the network (and the proxy: HTTPS_PROXY), then start again. "
        "Details: {log}",
        "Aucun dépôt de paquets n'est joignable. Vérifiez le réseau (et le proxy : HTTPS_PROXY), puis relancez. "
        "Détails : {log}",
    ),
    "compiler": (
        "No working C++ compiler was found, so llama-cpp-python could not be built. "
        "Install one ({how}), then: python3 run.py setup",
        "Aucun compilateur C++ utilisable : llama-cpp-python n'a pas pu être construit. "
        "Installez-en un ({how}), puis : python3 run.py setup",
    ),
    "step_failed": (
        "This step failed: {step}. The reason is at the end of {log}; the next start tries again.",
        "Cette étape a échoué : {step}. La raison est à la fin de {log} ; le prochain lancement réessaie.",
    ),
    "port_used": (
        "Port {port} is in use on {host} (is Atelier LLM already running there?). "
        "Stop that program, or try: --port {other}",
        "Le port {port} est occupé sur {host} (Atelier LLM y tourne-t-il déjà ?). "
        "Arrêtez ce programme ou essayez : --port {other}",
    ),
    "port_refused": (
        "The system does not let you use port {port}. Try: --port {other}",
        "Le système vous refuse le port {port}. Essayez : --port {other}",
    ),
    "host_unknown": (
        "{host} is no address of this machine. "
        "Leave --host out to serve this machine alone, or use 0.0.0.0 for the network.",
        "{host} n'est pas une adresse de cette machine. "
        "Sans --host, seule cette machine est servie ; 0.0.0.0 pour le réseau.",
    ),
    "this_machine_only": (
        "This interface alone has no log-in, so it serves this machine only. For others: python3 run.py class",
        "Cette interface seule n'a pas de contrôle d'accès : elle ne sert que cette machine. "
        "Pour d'autres : python3 run.py class",
    ),
    "not_writable": (
        "Writing was refused: {what}. Put the project into a folder of your own, or close what is using that file.",
        "Écriture refusée : {what}. Placez le projet dans un dossier à vous, ou fermez ce qui utilise ce fichier.",
    ),
    "system": ("The system refused: {what}", "Le système a refusé : {what}"),
    "unknown_command": (
        "Unknown command: {name}. See: python3 run.py --help",
        "Commande inconnue : {name}. Voir : python3 run.py --help",
    ),
    "interrupted": ("Interrupted; the next start goes on from here.", "Interrompu ; le prochain lancement reprendra."),
    "failed": ("Failed: {steps}", "Échec : {steps}"),
    "waiting": ("another run.py is setting up", "un autre run.py installe déjà"),
    "make_venv": ("creating .venv", "création de .venv"),
    "install_uv": ("fetching the installer", "récupération de l'installateur"),
    "install": ("installing the packages", "installation des paquets"),
    "install_slowly": ("installing the packages with pip (minutes)", "installation des paquets avec pip (minutes)"),
    "native": ("building llama-cpp-python (about 4 minutes)", "construction de llama-cpp-python (environ 4 minutes)"),
    "native_ready": ("llama-cpp-python is installed.", "llama-cpp-python est installé."),
    "native_building": ("llama-cpp-python is being built.", "llama-cpp-python est en construction."),
    "still": ("still running", "toujours en cours"),
    "done": ("done", "fait"),
    "stopped": ("stopped", "arrêt"),
}


def in_french() -> bool:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return os.environ[name].lower().startswith("fr")
    if sys.platform == "win32":  # has no such variables; the low ten bits are the language, 0x0c is French
        import ctypes

        return bool(ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == 0x0C)
    else:
        return False


def say(key: str, **values: object) -> str:
    return SENTENCES[key][in_french()].format(**values)


def refuse_python() -> None:
    found = "{}.{}".format(*sys.version_info)
    known = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    launcher = "py -3.12" if sys.platform == "win32" else "python3.12"
    sys.exit(say("python", found=found, try_this=(known or [launcher])[0] + " run.py"))


if not OLDEST <= sys.version_info[:2] <= NEWEST:
    refuse_python()

# From here on nothing runs on an old Python.
from collections.abc import Callable, Iterator  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import IO, Any, Self  # noqa: E402

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

SCHEMA = 1  # of the stamp: raise it when set-up itself changes, and every .venv is brought up to date at its next start
NEEDED_GB = 3
NATIVE = "llama-cpp-python"
LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = {LOOPBACK, "localhost", "::1"}
LOCKS = ("requirements.lock", "requirements-dev.lock")
TRANSIENT = {"network", "disk_full"}  # reasons for which a failed build is tried again without being asked

# Nothing phones home, in any child.
QUIET = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}

# What the output of pip, uv and CMake says when they fail, the most telling first.
SYMPTOMS = {
    "disk_full": r"No space left on device|not enough space on the disk|Disk quota exceeded|os error (28|112|122)\b",
    "compiler": r"No CMAKE_C(XX)?_COMPILER could be found|CMAKE_C(XX)?_COMPILER not set"
    r"|is not able to compile a simple test program|could not find any instance of Visual Studio",
    "network": r"name resolution|getaddrinfo failed|nodename nor servname|dns error"
    r"|Failed to establish a new connection|error sending request|Network is unreachable"
    r"|Connection(Error| refused| reset| timed out)|ReadTimeout|ProxyError"
    r"|Could not connect|tunnel error|SSLError|invalid peer certificate",
}
COMPILER_ADVICE = {
    "win32": "Visual Studio Build Tools, C++ workload",
    "darwin": "xcode-select --install",
}


class Trouble(Exception):
    """One sentence for the person at the keyboard."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(say(key, **values))
        self.key = key


@dataclass(frozen=True)
class Place:
    """Where a clone keeps its environment and what is known about it."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.venv), "platbase": str(self.venv)}))

    @property
    def stamp(self) -> Path:
        return self.venv / "atelier-stamp.json"

    @property
    def unfinished(self) -> Path:
        """The file that exists while set-up is at work, holding the name of the step."""
        return self.venv / "atelier-unfinished"

    @property
    def log(self) -> Path:
        return self.venv / "setup.log"

    @property
    def native_state(self) -> Path:
        return self.venv / "native-build.json"

    @property
    def native_log(self) -> Path:
        return self.venv / "native-build.log"

    @property
    def native_lock(self) -> Path:
        return self.venv / "native-build.lock"


# --- files ------------------------------------------------------------------------------------------------------------


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty where there is no file, or one that was cut off."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_atomically(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def try_lock(path: Path) -> IO[bytes] | None:
    """The open file that holds the lock until it is closed; None where another process has it.

    A lock of the operating system ends with its process, so there is no stale one to detect."""
    handle = path.open("a+b")
    try:
        if sys.platform == "win32":
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return None
        raise
    return handle


def is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    handle = try_lock(path)
    if handle is None:
        return True
    handle.close()
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    handle = try_lock(path)
    if handle is None:
        with Progress(say("waiting")) as progress:
            while handle is None:
                progress.tick()
                handle = try_lock(path)
    with handle:
        yield


# --- steps ------------------------------------------------------------------------------------------------------------


class Progress:
    """The current step with its seconds: one moving line on a terminal, elsewhere a line now and then."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.started = self.told = time.monotonic()
        self.moving = sys.stderr.isatty()
        if self.moving and sys.platform == "win32":
            os.system("")  # has an old console understand escape sequences

    def __enter__(self) -> Self:
        if not self.moving:
            self.write(f"{self.label} ...\n")
        return self

    def __exit__(self, *failure: object) -> None:
        seconds = f"{time.monotonic() - self.started:.0f} s"
        ending = say("done" if failure[0] is None else "stopped")
        self.write(
            f"\r{self.label}: {ending}, {seconds}\033[K\n" if self.moving else f"{self.label}: {ending}, {seconds}\n"
        )

    def tick(self, detail: str = "") -> None:
        """Waits a moment and shows that time goes by."""
        time.sleep(0.1)
        now = time.monotonic()
        if now - self.told < (0.5 if self.moving else 60):
            return
        self.told = now
        line = f"{self.label}: {now - self.started:.0f} s {detail}"
        self.write(f"\r{line}\033[K" if self.moving else f"{line} ({say('still')})\n")

    def write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def child_environment(place: Place) -> dict[str, str]:
    """The caller's environment as it would be with .venv activated, and nothing else's packages."""
    foreign = {"PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "CONDA_PREFIX", "PIP_TARGET", "PIP_PREFIX"}
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    path = os.pathsep.join([str(place.python.parent), environment.get("PATH", os.defpath)])
    own = {"VIRTUAL_ENV": str(place.venv), "PATH": path, "PYTHONUTF8": "1", "PIP_USER": "0", "PIP_NO_INPUT": "1"}
    if in_french():
        environment.setdefault("LANG", "fr_FR.UTF-8")  # Windows has no such variable, by which the programs would know
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):  # without bytecode every start takes twice the processor time
        environment["PYTHONPYCACHEPREFIX"] = str(place.venv / "bytecode")
    return {**environment, **own, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **QUIET}


def diagnose(output: str, step: str, log: Path) -> Trouble:
    for key, pattern in SYMPTOMS.items():
        if re.search(pattern, output, re.IGNORECASE):
            how = COMPILER_ADVICE.get(sys.platform, "sudo apt install g++")
            return Trouble(key, log=log, gigabytes=NEEDED_GB, place=log.parent, how=how)
    return Trouble("step_failed", step=step, log=log)


def run_step(place: Place, step: str, command: list[str]) -> None:
    with place.log.open("ab") as log, Progress(step) as progress:
        start = log.tell()
        child = subprocess.Popen(
            command, cwd=place.root, env=child_environment(place), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        with child:
            while child.poll() is None:
                progress.tick()
        if child.returncode:
            output = place.log.read_bytes()[start:].decode("utf-8", "replace")
            raise diagnose(output, step, place.log)


# --- set-up -----------------------------------------------------------------------------------------------------------


def pins(lock: str) -> list[str]:
    """Each package of a lock file with its hashes, as text."""
    return re.findall(r"(?m)^[\w.-]+==.*\n(?:[ \t].*\n)*", lock)


def pin_of(place: Place, package: str) -> str:
    """The lines of one package in the lock, which start with name==version."""
    lock = (place.root / LOCKS[0]).read_text(encoding="utf-8")
    return next(pin for pin in pins(lock) if pin.startswith(f"{package}=="))


def is_installed(place: Place, package: str) -> bool:
    name, _, version = pin_of(place, package).split()[0].partition("==")
    # pip and uv write RECORD last
    return (place.site_packages / f"{name.replace('-', '_')}-{version}.dist-info" / "RECORD").exists()


def wanted_stamp(place: Place, dev: bool) -> dict[str, object]:
    stamp: dict[str, object] = {"schema": SCHEMA, "python": "{}.{}".format(*sys.version_info)}
    for name in LOCKS[: 1 + dev]:
        stamp[name] = hashlib.sha256((place.root / name).read_bytes()).hexdigest()
    return stamp


def is_set_up(place: Place, dev: bool) -> bool:
    return place.python.exists() and wanted_stamp(place, dev).items() <= read_json(place.stamp).items()


def set_up(place: Place, dev: bool = False) -> None:
    """Installs what has a wheel, as the lock files say, unless the stamp tells that it was done."""
    if is_set_up(place, dev):
        return
    with locked(place.root / ".venv.lock"):
        if is_set_up(place, dev):  # by the one we waited for
            return
        place.stamp.unlink(missing_ok=True)
        if not is_usable(place):
            make_venv(place)
        install(place, dev)
        write_atomically(place.stamp, json.dumps(wanted_stamp(place, dev), indent=1))
        place.unfinished.unlink()


def is_usable(place: Place) -> bool:
    """Whether .venv, by whomever it was made, is whole and of this Python's version."""
    if not place.python.exists() or (place.unfinished.exists() and place.unfinished.read_text() == "make_venv"):
        return False
    ask = "import pip, sys; print('{}.{}'.format(*sys.version_info), sys.prefix != sys.base_prefix)"
    try:
        answer = subprocess.run([place.python, "-c", ask], capture_output=True, text=True, env=child_environment(place))
    except OSError:  # made for another system, or cut off
        return False
    return answer.stdout.split() == ["{}.{}".format(*sys.version_info), "True"]


def make_venv(place: Place) -> None:
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        raise Trouble("no_venv", version="{}.{}".format(*sys.version_info))
    stop_native_build(place)
    place.venv.mkdir(exist_ok=True)
    for entry in place.venv.iterdir():  # not .venv itself, which may be a link to a larger disk
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    if shutil.disk_usage(place.venv).free < NEEDED_GB * 1e9:
        raise Trouble("disk_full", gigabytes=NEEDED_GB, place=place.root)
    place.unfinished.write_text("make_venv")
    # The base interpreter: started from some other environment, a .venv would lean on that one
    base = getattr(sys, "_base_executable", sys.executable)
    run_step(place, say("make_venv"), [base, "-m", "venv", str(place.venv)])


def install(place: Place, dev: bool) -> None:
    # A killed installer leaves packages that look whole and are not, so after an interruption all are laid anew
    again = place.unfinished.exists() and place.unfinished.read_text() == "install"
    place.unfinished.write_text("install")
    wheels = write_wheels_lock(place, dev)
    options = ["--no-deps", "--require-hashes", "-r", str(wheels)]
    if not (has_uv(place, again) and install_with_uv(place, [*options, *["--reinstall"] * again])):
        pip = [str(place.python), "-m", "pip", "install", *options, *["--force-reinstall"] * again]
        run_step(place, say("install_slowly"), pip)
    # A .pth file makes engine and apps importable at once, with no build backend to fetch; relative, so that it
    # survives a move of the folder and accents in its name
    (place.site_packages / "atelier.pth").write_text(os.path.relpath(place.root, place.site_packages) + "\n")


def write_wheels_lock(place: Place, dev: bool) -> Path:
    """The lock without the one package that compiles."""
    locks = "".join((place.root / name).read_text(encoding="utf-8") for name in LOCKS[: 1 + dev])
    path = place.venv / "wheels.lock"
    path.write_text("".join(pin for pin in pins(locks) if not pin.startswith(f"{NATIVE}==")), encoding="utf-8")
    return path


def has_uv(place: Place, again: bool) -> bool:
    """Whether uv is there, fetched if need be; False where it has no wheel for this platform."""
    if is_installed(place, "uv") and not again:
        return True
    lock = place.venv / "uv.lock"
    lock.write_text(pin_of(place, "uv"), encoding="utf-8")
    options = [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
        str(lock),
        *["--force-reinstall"] * again,
    ]
    try:
        run_step(place, say("install_uv"), [str(place.python), "-m", "pip", "install", *options])
    except Trouble as trouble:
        if trouble.key != "step_failed":
            raise
        return False
    return True


def install_with_uv(place: Place, options: list[str]) -> bool:
    """Whether it worked; False where uv finds no index: pip may have settings (mirror, proxy) that uv does not read."""
    command = [str(place.python), "-m", "uv", "pip", "install", "--python", str(place.python), *options]
    try:
        run_step(place, say("install"), command)
    except Trouble as trouble:
        if trouble.key != "network":
            raise
        return False
    return True


# --- llama-cpp-python, the one package that compiles ------------------------------------------------------------------


def compilers() -> list[str]:
    """What decides whether a build can succeed; a failed one is tried again when this changes."""
    found = [shutil.which(name) or "" for name in ("c++", "g++", "clang++", "cl", "cmake")]
    studio = Path(os.environ.get("PROGRAMFILES(X86)", ""), "Microsoft Visual Studio")
    found += sorted(entry.name for entry in studio.iterdir()) if sys.platform == "win32" and studio.is_dir() else []
    return found + [os.environ.get(name, "") for name in ("CC", "CXX", "CMAKE_ARGS", "PIP_EXTRA_INDEX_URL")]


def native_attempt(place: Place) -> list[str]:
    return [pin_of(place, NATIVE).split()[0], "{}.{}".format(*sys.version_info), *compilers()]


def write_native_state(place: Place, state: str, message: str, reason: str | None = None) -> None:
    """Tells the application how the build stands; it shows the message and translates the reason."""
    before = read_json(place.native_state)
    now = time.time()
    content = {
        "state": state,
        "started": now if state == "building" else before.get("started", now),
        "finished": None if state == "building" else now,
        "pid": os.getpid(),
        "message": message,
        "reason": reason,
        "log": str(place.native_log),
        "attempt": native_attempt(place),
    }
    write_atomically(place.native_state, json.dumps(content, indent=1))


def native_is_due(place: Place, asked: bool) -> bool:
    """Whether a build should be started now; asked says that somebody wants it in spite of an earlier failure."""
    if is_locked(place.native_lock):
        return False
    state = read_json(place.native_state)
    if is_installed(place, NATIVE):
        if state.get("state") != "ready":
            write_native_state(place, "ready", say("native_ready"))
        return False
    failed = state.get("state") == "failed" and state.get("attempt") == native_attempt(place)
    return asked or not failed or state.get("reason") in TRANSIENT


def start_native_build(place: Place) -> subprocess.Popen[bytes]:
    """The child that builds, in a process group of its own: Ctrl-C stops the application, not the build.

    A group and not a session: Linux weighs sessions against each other before it looks at niceness."""
    command = [str(place.python), str(Path(__file__).resolve()), "_build-native", str(place.root)]
    apart: dict[str, int] = {"process_group": 0}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | subprocess.IDLE_PRIORITY_CLASS
        apart = {"creationflags": flags}
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options: dict[str, Any] = {**silent, **apart}
    write_native_state(place, "building", say("native_building"))  # the application may look before the child does
    child: subprocess.Popen[bytes] = subprocess.Popen(command, env=child_environment(place), **options)
    return child


def build_native(place: Place) -> int:
    """What the child does: holds the lock, steps back behind all else, builds, leaves the outcome in the state."""
    handle = try_lock(place.native_lock)
    for _ in range(5):  # somebody may hold it for an instant, to see whether it is held
        if handle is None:
            time.sleep(0.1)
            handle = try_lock(place.native_lock)
    if handle is None:
        return 0
    with handle:
        if sys.platform != "win32":
            os.nice(19)
        write_native_state(place, "building", say("native_building"))
        trouble = pip_install_native(place, handle)
        if trouble:
            write_native_state(place, "failed", str(trouble), trouble.key)
        else:
            write_native_state(place, "ready", say("native_ready"))
    return 1 if trouble else 0


def pip_install_native(place: Place, lock_handle: IO[bytes]) -> Trouble | None:
    pin = pin_of(place, NATIVE)
    lock = place.venv / "native.lock"
    lock.write_text(pin, encoding="utf-8")
    # The lock knows the hash of the source; an index of prebuilt wheels, which its user trusts, has others
    what = [pin.split()[0]] if os.environ.get("PIP_EXTRA_INDEX_URL") else ["--require-hashes", "-r", str(lock)]
    # pip, not uv: pip keeps the built wheel in its cache for the next environment. -v: the log shows how far CMake is
    command = [str(place.python), "-m", "pip", "install", "-v", "--no-deps", *what]
    # pip holds the lock too: if this process is killed, nobody starts a second build beside the orphan
    shared = () if sys.platform == "win32" else (lock_handle.fileno(),)
    with place.native_log.open("wb") as log:
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "pass_fds": shared}
        code = subprocess.call(command, env=child_environment(place), **options)
    return native_trouble(place) if code else None


def native_trouble(place: Place) -> Trouble:
    output = place.native_log.read_text(encoding="utf-8", errors="replace") if place.native_log.exists() else ""
    return diagnose(output, say("native"), place.native_log)


def native_progress(log: Path) -> str:
    """How far the compilation is, as "12/240"; empty where it has not begun."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 8192))
        steps = re.findall(rb"\[(\d+/\d+)\]", stream.read())
    return steps[-1].decode() if steps else ""


def finish_native_build(place: Place) -> None:
    """Waits until llama-cpp-python is there; raises Trouble where it cannot be."""
    child = start_native_build(place) if native_is_due(place, asked=True) else None
    if child or is_locked(place.native_lock):
        with Progress(say("native")) as progress:
            try:
                while (child and child.poll() is None) or is_locked(place.native_lock):
                    progress.tick(native_progress(place.native_log))
            except KeyboardInterrupt:
                stop_native_build(place)
                raise
    if not is_installed(place, NATIVE):
        raise native_trouble(place)


def stop_native_build(place: Place) -> None:
    if not is_locked(place.native_lock):
        return
    pid: int = read_json(place.native_state)["pid"]
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], check=False, capture_output=True)
    else:
        os.killpg(pid, signal.SIGTERM)  # it leads its group
    while is_locked(place.native_lock):
        time.sleep(0.1)


# --- commands ---------------------------------------------------------------------------------------------------------


def prepare(place: Place) -> None:
    """Sets up what the application needs to start; llama-cpp-python may come later, behind it."""
    set_up(place)
    if native_is_due(place, asked=False):
        start_native_build(place)


def become(place: Place, *arguments: str, folder: Path | None = None) -> int:
    """Runs Python of .venv in this process's place, so that signals reach the program itself."""
    command = [str(place.python), *arguments]
    os.chdir(folder or place.root)
    if sys.platform == "win32":
        return accompany(command, child_environment(place))
    os.execve(command[0], command, child_environment(place))


def accompany(command: list[str], environment: dict[str, str]) -> int:
    """What Windows has instead of exec: waits for the child, which gets Ctrl-C too and ends when it is ready."""
    with subprocess.Popen(command, env=environment) as child:
        while child.poll() is None:
            with contextlib.suppress(KeyboardInterrupt):
                child.wait()
    return child.returncode


def address(arguments: list[str], host: str, port: int) -> tuple[str, int, list[str]]:
    """Host, port and the options that are not ours."""
    parser = argparse.ArgumentParser(prog="run.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--host", default=host)
    parser.add_argument("--port", default=port, type=int, choices=range(65536), metavar="PORT")
    options, others = parser.parse_known_args(arguments)
    return options.host, options.port, others


def bind(host: str, port: int) -> None:
    """Takes the address for a moment; raises the OSError that the server would meet."""
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        if sys.platform == "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # as servers do: a connection that lingers after its server ended is no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(where)


def check_address(host: str, port: int) -> None:
    try:
        bind(host, port)
    except (socket.gaierror, UnicodeError) as error:
        raise Trouble("host_unknown", host=host) from error
    except OSError as error:
        keys = {errno.EADDRINUSE: "port_used", errno.EADDRNOTAVAIL: "host_unknown"}
        keys |= dict.fromkeys((errno.EACCES, errno.EPERM), "port_refused")
        if error.errno not in keys:
            raise
        key = keys[error.errno]
        other = 0 if key == "host_unknown" else free_port(host, port)
        raise Trouble(key, host=host, port=port, other=other) from error


def free_port(host: str, port: int) -> int:
    """The next port that can be had, above the privileged ones."""
    for other in range(max(port, 1024) + 1, 65536):
        with contextlib.suppress(OSError):
            bind(host, other)
            return other
    return 0  # the system chooses


def serve(place: Place, arguments: list[str]) -> int:
    host, port, others = address(arguments, LOOPBACK, 8501)
    check_address(host, port)
    prepare(place)
    return become(place, "-m", "apps.server", "--host", host, "--port", str(port), *others)


def serve_class(place: Place, arguments: list[str]) -> int:
    host, port, others = address(arguments, "0.0.0.0", 8501)
    return serve(place, ["--host", host, "--port", str(port), "--class", *others])


def own_address(arguments: list[str], port: int) -> tuple[str, int, list[str]]:
    """Like address, for programs without a guard at their door."""
    host, port, others = address(arguments, LOOPBACK, port)
    if host not in LOOPBACK_NAMES:
        raise Trouble("this_machine_only")
    check_address(host, port)
    return host, port, others


def streamlit(place: Place, arguments: list[str]) -> int:
    host, port, others = own_address(arguments, 8501)
    prepare(place)
    options = ["--server.address", host, "--server.port", str(port), *others]
    return become(place, "-m", "streamlit", "run", str(place.root / "apps" / "streamlit_app.py"), *options)


def gradio(place: Place, arguments: list[str]) -> int:
    host, port, others = own_address(arguments, 7860)
    prepare(place)
    return become(place, "-m", "apps.gradio_app", "--host", host, "--port", str(port), *others)


def cli(place: Place, arguments: list[str]) -> int:
    prepare(place)
    return become(place, "-m", "engine", *arguments, folder=Path.cwd())  # files are named from where the person stands


def bench(place: Place, arguments: list[str]) -> int:
    prepare(place)
    return become(place, "-m", "bench", *arguments)


def setup(place: Place, arguments: list[str]) -> int:
    set_up(place)
    finish_native_build(place)
    return 0


CHECKS = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
}


def run_all(place: Place, steps: dict[str, list[str]]) -> int:
    """Runs every step, whatever the others give, and names those that failed."""
    failed = []
    for name, arguments in steps.items():
        print(f"== {name}", flush=True)
        if subprocess.call([str(place.python), *arguments], cwd=place.root, env=child_environment(place)):
            failed.append(name)
    if failed:
        print(say("failed", steps=", ".join(failed)), file=sys.stderr)
    return 1 if failed else 0


def check(place: Place, arguments: list[str]) -> int:
    set_up(place, dev=True)
    return run_all(place, CHECKS)


def fix(place: Place, arguments: list[str]) -> int:
    set_up(place, dev=True)
    return run_all(
        place, {"ruff check": ["-m", "ruff", "check", "--fix", "."], "ruff format": ["-m", "ruff", "format", "."]}
    )


def test(place: Place, arguments: list[str]) -> int:
    set_up(place, dev=True)
    finish_native_build(place)
    # By file: what a file's fixtures start (a server, a browser, a loaded model) is started once
    return run_all(place, {**CHECKS, "pytest": ["-m", "pytest", "-n", "2", "--dist", "loadfile", *arguments]})


def lock(place: Place, arguments: list[str]) -> int:
    set_up(place)
    compiling = [
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
    ]
    compiling += ["--custom-compile-command", "python3 run.py lock", *arguments]
    runtime, dev = LOCKS
    return run_all(
        place,
        {
            runtime: [*compiling, "requirements.txt", "-o", runtime],
            dev: [*compiling, "requirements-dev.txt", "-c", runtime, "-o", dev],
        },
    )


def show_help(place: Place, arguments: list[str]) -> int:
    print(__doc__)
    return 0


COMMANDS: dict[str, Callable[[Place, list[str]], int]] = {
    "serve": serve,
    "class": serve_class,
    "setup": setup,
    "test": test,
    "check": check,
    "fix": fix,
    "streamlit": streamlit,
    "gradio": gradio,
    "cli": cli,
    "bench": bench,
    "lock": lock,
    "help": show_help,
    "--help": show_help,
    "-h": show_help,
}


def split_command(arguments: list[str]) -> tuple[str, list[str]]:
    """The command and what follows it; options alone are meant for serve."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in COMMANDS):
        return "serve", arguments
    return arguments[0], arguments[1:]


def system_sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return say("disk_full", gigabytes=NEEDED_GB, place=error.filename or Path(__file__).parent)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return say("not_writable", what=error)
    return say("system", what=error)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["_build-native"]:
        return build_native(Place(Path(arguments[1])))
    command, others = split_command(arguments)
    try:
        if command not in COMMANDS:
            raise Trouble("unknown_command", name=command)
        return COMMANDS[command](Place(Path(__file__).resolve().parent), others)
    except KeyboardInterrupt:
        print("\n" + say("interrupted"), file=sys.stderr)
        return 130
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except OSError as error:
        print(system_sentence(error), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
