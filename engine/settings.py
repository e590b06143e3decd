"""What the environment says, read once: data folder, limits, keys' places. The only reader of environment variables in
the engine.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

KV_BYTES_PER_SLOT = 188 * 2**20  # one 8192-token window of SmolLM2-135M in f16, measured (DESIGN.md)
MAX_SLOTS = 16
SECRETS = Path(".streamlit") / "secrets.toml"  # where Streamlit looks for them, too
HUB = "https://huggingface.co"


def default_slots() -> int:
    """As many whole 8192-token windows as fit in a quarter of the machine's memory, from 1 to 16."""
    return max(1, min(MAX_SLOTS, int(psutil.virtual_memory().total) // 4 // KV_BYTES_PER_SLOT))


class Settings(BaseSettings):
    """The settings of one process; each field is the environment variable `ATELIER_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="ATELIER_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=lambda: Path.home() / ".atelier-llm")
    database_url: str | None = None
    prepare: bool = True
    model: str = "smollm2-135m-instruct"
    window: int = Field(8192, ge=64)
    slots: int = Field(default_factory=default_slots, ge=1, le=64)
    threads: int = Field(default_factory=lambda: psutil.cpu_count(logical=False) or os.cpu_count() or 1, ge=1)
    batch: int = Field(128, ge=32, description="tokens of one evaluation: 128 reads as fast as 512, and lets others in")
    long_prompt: int = Field(256, ge=32, description="uncached tokens above which prompts are read one at a time")
    prefix_mb: int = Field(1024, ge=0, description="memory for saved prefix states; 0 switches them off")
    microscope_mb: int = Field(256, ge=0, description="memory for what each visitor's texts left in the microscope")
    strict_reproducibility: bool = False
    job_nice: int = Field(19, ge=0, le=19, description="niceness of heavy jobs; 19 lets everybody else go first")
    idle_unload_s: float = Field(0, ge=0, description="seconds without a request before the model is unloaded; 0 never")
    queue: int = Field(512, ge=1, description="requests that may wait for a slot")
    per_person: int = Field(4, ge=1, description="requests of one person under way at once, in class mode")
    lancedb_uri: str | None = Field(None, description="object storage for the chunks of collections; None: `home`")
    collection_mb: int = Field(100, ge=1, description="documents of one collection of a student")
    collections: int = Field(20, ge=1, description="collections of one student")
    upload_gb: int = Field(64, ge=1, description="size of one model file that is brought in through a page")
    private_hosts: str = Field("", description="host:port pairs, separated by spaces, that endpoints may be typed for "
                               "in class mode although they are private")  # fmt: skip
    trace_mb: int = Field(256, ge=1)
    trace_days: int = Field(30, ge=1)
    vector_cache_mb: int = Field(512, ge=1, description="vectors of passages that are kept on disk, for all embedders")
    hub: str = Field(default_factory=lambda: from_environment("HF_ENDPOINT") or HUB, description="address of the hub")
    llama_cpp: Path | None = Field(None, description="folder of llama.cpp's sources; None: where it is looked for")

    @property
    def url(self) -> str:
        """SQLAlchemy address of the store."""
        return self.database_url or f"sqlite:///{self.home / 'atelier.sqlite3'}"

    @property
    def models_dir(self) -> Path:
        """Where prepared and downloaded weights lie."""
        return self.home / "models"


def from_environment(name: str) -> str | None:
    """The value of the variable that a row of providers.toml or a person names; None when unset or empty."""
    return os.environ.get(name) or None


def secret(name: str) -> str | None:
    """A key: the environment's, else the one of `.streamlit/secrets.toml` in the working folder or in the home folder.

    The file is read as it is now; one that is no TOML holds no keys.
    """
    if found := from_environment(name):
        return found
    for folder in (Path.cwd(), Path.home()):
        try:
            told = tomllib.loads((folder / SECRETS).read_text(encoding="utf-8")).get(name)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        if isinstance(told, str) and told:
            return told
    return None


@contextmanager
def loading_with(**variables: str) -> Iterator[None]:
    """A block in which these variables are set, for a library that reads them once, when it is loaded."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
