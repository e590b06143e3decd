"""How each remote endpoint is reached: the rows of providers.toml as values. Knows no HTTP and holds no key.

A key belongs to the hosts of its row: `key_of` gives it only for a base URL of that row.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import BadInput, UnknownModel
from engine.params import PARAMS
from engine.settings import from_environment, secret
from engine.types import Capability

Native = Literal["lmstudio", "ollama", "replicate"]
Protocol = Literal["chat", "responses"]
TokenField = Literal["max_tokens", "max_completion_tokens"]
# usage_always: counts come in the last chunk by themselves, `stream_options` may be refused
# reasoning_strict: reasoning models of this provider refuse temperature, top_p and penalties
# prompt_progress: tells how much of the prompt is read; also, it then notices at once that a client has gone
# deployment_name: the model's name is the name of the person's own deployment
# usage_short: an answer that its limit cut is counted one token too short (LM Studio's bug 2335)
# no_model_list: it does not tell which models it has
# short_lived_key: what it takes for a key ends after an hour
Quirk = Literal[
    "usage_always",
    "reasoning_strict",
    "prompt_progress",
    "deployment_name",
    "usage_short",
    "no_model_list",
    "short_lived_key",
]
USUAL: frozenset[Capability] = frozenset({"cancel", "tools", "reasoning", "json_schema"})

# Each name in braces is an environment variable that completes the host, such as an Azure resource.
_WRITTEN = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,2000}")
_PLACEHOLDER = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"ATELIER_[A-Z0-9_]{1,60}_KEY")
COMMON_PARAMS = frozenset(param.name for param in PARAMS if param.openai)


class Provider(BaseModel):
    """One endpoint: `params` are the names of engine.params that it takes, `token_field` is how it wants `max_tokens`
    spelled, `key_env` names the variable that holds its key.

    `addresses` are more base URLs with the same models. `native` is a protocol of its own behind the same address,
    `protocol` the one of OpenAI's two that it speaks. `price` is the provider's id in a price list ("local" costs
    nothing, None is unknown), `window` the tokens to ask for where the request decides, `students` says whether they
    may use it too, with the key that is known here, `public_only` that its hosts must have public addresses.

    `base_env` names a variable that holds another address of the same service, `stream_hosts` are the addresses of its
    event streams, which get the key too, `file_hosts` the hosts that its files come from, which get none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    name: str = Field(min_length=1, max_length=80)
    base_url: str
    base_env: str | None = None
    stream_hosts: tuple[str, ...] = Field((), max_length=8)
    file_hosts: tuple[str, ...] = Field((), max_length=8)
    addresses: tuple[str, ...] = Field((), max_length=15)
    key_env: str | None = None
    token_field: TokenField = "max_tokens"
    params: frozenset[str] = frozenset({"temperature", "max_tokens", "top_p", "stop"})
    capabilities: frozenset[Capability] = USUAL
    local: bool = False
    native: Native | None = None
    protocol: Protocol = "chat"
    quirks: frozenset[Quirk] = frozenset()
    price: str | None = None
    window: int | None = Field(None, ge=64, le=4_194_304)
    students: bool = False
    public_only: bool = False
    homepage: str | None = None

    def address(self) -> str:
        """The base URL, its placeholders filled from the environment. Raises BadInput naming the missing variable."""
        other = from_environment(self.base_env) if self.base_env else None
        if other:
            return f"{typed_in(other).base_url.rstrip('/').removesuffix('/v1')}/v1"
        return _PLACEHOLDER.sub(lambda match: _host_label(self.id, match[1]), self.base_url)

    def all_addresses(self) -> tuple[str, ...]:
        """Every base URL that has its models, `address()` first. Raises BadInput."""
        return (self.address(), *self.addresses)

    def key_of(self, base_url: str) -> str | None:
        """The key in the environment or in `.streamlit/secrets.toml`, for an address on this row's own hosts only; None
        elsewhere, when unset, and for a variable that this row may not name.
        """
        if self.key_env is None or origin(base_url) not in map(origin, self.all_addresses()):
            return None
        if variable_problem(self) is not None:  # an older version kept any name: what it names is never read
            return None
        return secret(self.key_env)

    def to_dict(self) -> dict[str, Any]:
        """The fields that differ from the defaults, ready for JSON; no key among them."""
        told = self.model_dump(mode="json", exclude_defaults=True)
        return {name: sorted(value) if name in _SETS else value for name, value in told.items()}


_SETS = frozenset({"params", "capabilities", "quirks"})


def _host_label(provider: str, variable: str) -> str:
    value = from_environment(variable) or ""
    if not _HOST_LABEL.fullmatch(value):
        raise BadInput(f"{provider}: the environment variable {variable} must hold one host label", variable=variable)
    return value


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an address: what a key is bound to."""
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
    # A brace would name a variable, a password stand in traces and code; white space and half characters are nowhere
    if (
        not right
        or "{" in base_url
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        or not _WRITTEN.fullmatch(base_url)
    ):
        text = "an endpoint is written http(s)://host[:port]/path, without user, query or fragment"
        raise BadInput(text, what="base_url", reason="endpoint_address")
    name = parts.netloc[:80]
    return Provider(id="endpoint", name=name, base_url=base_url, params=COMMON_PARAMS)


def variable_problem(row: Provider) -> tuple[Literal["endpoint_variable", "endpoint_key"], Provider | None] | None:
    """Why the row may not name its variable: it is not one made for typed rows, or it is that of another row, which is
    told, and whose hosts are others. None where it may.
    """
    if row.key_env is None or _VARIABLE.fullmatch(row.key_env) or providers().get(row.id) == row:
        return None
    owners = [other for other in providers().values() if other.key_env == row.key_env]
    if not owners:
        return "endpoint_variable", None
    for other in owners:
        at_home = other.local and other.id == row.id
        if not at_home and not all(_host_of(other, url) for url in (row.base_url, *row.addresses)):
            return "endpoint_key", other
    return None


def _host_of(row: Provider, url: str) -> bool:
    """Whether the address is on a host of that row of providers.toml; a variable in it stands for any label."""
    scheme, host, port = origin(re.sub(r"\{\w+\}", "any-label", row.base_url))
    wanted = re.escape(host or "").replace(re.escape("any-label"), r"[a-z0-9-]+")
    told = origin(url)
    return (told[0], told[2]) == (scheme, port) and re.fullmatch(wanted, told[1] or "") is not None


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
