"""How each remote endpoint is reached: the rows of providers.toml as values. Knows no HTTP and holds no key.

A key belongs to the hosts of its row: `key_of` gives it only for a base URL of that row.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import BadInput, UnknownModel
from engine.params import PARAMS
from engine.settings import from_environment

TokenField = Literal["max_tokens", "max_completion_tokens"]
# usage_always: counts come in the last chunk by themselves, `stream_options` may be refused
# reasoning_strict: reasoning models of this provider refuse temperature, top_p and penalties
# prompt_progress: tells how much of the prompt is read; also, it then notices at once that a client has gone
# deployment_name: the model's name is the name of the person's own deployment
Quirk = Literal["usage_always", "reasoning_strict", "prompt_progress", "deployment_name"]

# Each name in braces is an environment variable that completes the host, such as an Azure resource.
_WRITTEN = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,2000}")
_PLACEHOLDER = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class Provider(BaseModel):
    """One endpoint that speaks OpenAI's protocol: `params` are the names of engine.params that it takes, `token_field`
    is how it wants `max_tokens` spelled, `key_env` names the variable that holds its key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str
    base_url: str
    key_env: str | None = None
    token_field: TokenField = "max_tokens"
    params: frozenset[str] = frozenset({"temperature", "max_tokens", "top_p", "stop"})
    local: bool = False
    quirks: frozenset[Quirk] = frozenset()
    homepage: str | None = None

    def address(self) -> str:
        """The base URL, its placeholders filled from the environment. Raises BadInput naming the missing variable."""
        return _PLACEHOLDER.sub(lambda match: _host_label(self.id, match[1]), self.base_url)

    def key_of(self, base_url: str) -> str | None:
        """The key in the environment, for an address on this row's own host only; None elsewhere or when unset."""
        if self.key_env is None or _origin(base_url) != _origin(self.address()):
            return None
        return from_environment(self.key_env)


def _host_label(provider: str, variable: str) -> str:
    value = from_environment(variable) or ""
    if not _HOST_LABEL.fullmatch(value):
        raise BadInput(f"{provider}: the environment variable {variable} must hold one host label", variable=variable)
    return value


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def typed_in(base_url: str) -> Provider:
    """A row called `endpoint` for an address that a person gave; no key of the environment belongs to it. Raises
    BadInput.
    """
    try:
        parts = urlsplit(base_url)
        right = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:  # half an IPv6 address, a port that is none
        right = False
    # A password would stand in traces and code; white space and half characters are in no address
    if not right or "@" in parts.netloc or parts.query or parts.fragment or not _WRITTEN.fullmatch(base_url):
        raise BadInput("an endpoint is written http(s)://host[:port]/path, without user, query or fragment")
    common = frozenset(param.name for param in PARAMS if param.openai)
    return Provider(id="endpoint", name=parts.netloc, base_url=base_url, params=common)


@cache
def providers() -> dict[str, Provider]:
    """All rows of providers.toml by id, in the file's order."""
    rows = tomllib.loads(files("engine").joinpath("providers.toml").read_text(encoding="utf-8"))
    return {key: Provider(id=key, **row) for key, row in rows.items()}


def provider(provider_id: str) -> Provider:
    """The row of that id. Raises UnknownModel naming the rows that exist."""
    if provider_id not in providers():
        raise UnknownModel(
            f"no provider {provider_id!r}; there are {', '.join(providers())}",
            model=provider_id,
            known=list(providers()),
        )
    return providers()[provider_id]
