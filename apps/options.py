"""How this process serves: address, class mode, what is in front of it. Read once from the command line or the
environment; knows no framework and no engine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

LM_STUDIO_PORT = 1234
_YES = frozenset({"1", "true", "yes", "on"})


def is_loopback(host: str) -> bool:
    """Whether a name or address (no port) means this machine alone."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Options:
    """The choices of one serving process; each is `--<name>` on the command line and `ATELIER_<NAME>` in the
    environment.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    class_mode: bool = False
    lmstudio_port: int = 0
    codespaces: bool = False
    root_path: str = ""
    demo: bool = False
    gradio_on_demand: bool = False
    public_host: str = ""
    proxy: str = ""
    forwarded_host: str = ""

    @property
    def guarded(self) -> bool:
        """Whether people must give a class code: always, unless only this machine (or its Codespace) can come in."""
        return self.class_mode or bool(self.public_host) or not is_loopback(self.host)

    def to_env(self) -> dict[str, str]:
        """The environment variables that give these options back."""
        return {_variable(field.name): _text(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Options:
        """The options that the environment names. Raises ValueError where a number is none."""
        given: dict[str, Any] = {}
        for field in fields(cls):
            text = environ.get(_variable(field.name))
            if text is not None:
                given[field.name] = _value(field.default, text)
        given.setdefault("codespaces", environ.get("CODESPACES", "").lower() in _YES)
        if given.get("class_mode") and not given["codespaces"]:
            given.setdefault("host", "0.0.0.0")  # a class on loopback alone has to be asked for
        options = cls(**given)
        return _with_forwarded_host(options, environ)

    @classmethod
    def from_argv(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Options:
        """The options of a command line; what it leaves out comes from the environment. Exits with usage on a bad
        one.
        """
        given = vars(_parser().parse_args(argv))
        return cls.from_env({**environ, **{_variable(name): _text(value) for name, value in given.items()}})


def _variable(name: str) -> str:
    return f"ATELIER_{'CLASS' if name == 'class_mode' else name.upper()}"


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _value(default: object, text: str) -> object:
    if isinstance(default, bool):
        return text.lower() in _YES
    return int(text or 0) if isinstance(default, int) else text


def _with_forwarded_host(options: Options, environ: Mapping[str, str]) -> Options:
    """In a Codespace, the one host name under which GitHub forwards our port, as its environment spells it."""
    name, domain = environ.get("CODESPACE_NAME"), environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN")
    if not (options.codespaces and name and domain):
        return options
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return Options(**{**values, "forwarded_host": f"{name}-{options.port}.{domain}"})


def _parser() -> Any:
    import argparse

    parser = argparse.ArgumentParser(prog="python3 run.py", argument_default=argparse.SUPPRESS)
    parser.add_argument("--host", help="address to listen on (127.0.0.1); any other asks people for a class code")
    parser.add_argument("--port", type=int, help="port to listen on (8501)")
    parser.add_argument("--class", dest="class_mode", action="store_true", help="serve a room: codes, roles, QR code")
    parser.add_argument(
        "--lmstudio-port",
        type=int,
        nargs="?",
        const=LM_STUDIO_PORT,
        help=f"also answer where LM Studio does: 127.0.0.1:{LM_STUDIO_PORT}",
    )
    parser.add_argument("--codespaces", action="store_true", help="we are behind the port forwarding of a Codespace")
    parser.add_argument("--root-path", help="path under which a proxy shows us, such as /atelier")
    parser.add_argument("--public-host", help="host name(s) under which a proxy shows us, comma separated")
    parser.add_argument("--proxy", help="addresses of proxies to believe besides this machine, comma separated")
    parser.add_argument(
        "--gradio-on-demand", action="store_true", help="import Gradio when somebody opens /gradio, not at the start"
    )
    demo = "answer with the echo model, without weights; the comparison opens with recorded answers"
    parser.add_argument("--demo", action="store_true", help=demo)
    return parser
