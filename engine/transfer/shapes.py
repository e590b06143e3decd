"""What the records of a message must be for whoever shows them: numbers where numbers are. Knows no format of files."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, StringConstraints, TypeAdapter

from engine.conversation import WINDOW_MAX

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**12)]
_Mode = Literal["documents_only", "documents_and_model", "retrieval_only", "whole_document", "summary"]
Picture = Annotated[str, StringConstraints(pattern=r"^data:image/")]  # any other address would be fetched


class _Record(BaseModel):
    """What a newer program wrote besides is let be."""

    model_config = ConfigDict(extra="allow")


class _Statistics(_Record):
    tokensPerSecond: Number | None = None
    timeToFirstTokenSec: Number | None = None
    totalTimeSec: Number | None = None
    wallTimeSec: Number | None = None


class _Used(_Record):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    cached_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Failure(_Record):
    code: StrictStr = ""
    message: StrictStr = ""
    details: dict[str, Any] = {}


class _Window(_Record):
    policy: StrictStr = ""
    exact: bool = False
    window: Count | None = None
    needed: Count | None = None
    prompt_tokens: Count | None = None
    estimate: Count | None = None
    segments: dict[str, Count] | None = None
    dropped: list[Count] = []
    cut: dict[str, dict[str, Count]] = {}
    summary: StrictStr | None = None


class _Token(_Record):
    token: StrictStr = ""
    id: Annotated[int, Field(strict=True)] | None = None
    bytes: list[Annotated[int, Field(strict=True, ge=0, le=255)]] | None = None
    logprob: Number | None = None
    prob: Number | None = None
    top_logprobs: list[_Token] | None = None
    top_probs: list[_Token] | None = None


class _File(_Record):
    tokens: Count | None = None
    pages: Count | None = None
    whole: Count | None = None
    data_url: Picture | None = None


class _Passage(_Record):
    number: Count
    collection: StrictStr
    file: StrictStr
    chunk: StrictStr
    chunk_number: Count
    name: StrictStr
    page: Count | None
    heading: StrictStr | None
    start: Count
    end: Count
    tokens: Count
    found: StrictStr
    text: StrictStr
    fate: Literal["sent", "cut", "no_room"]
    sent: Count
    scores: dict[str, Number]
    ranks: dict[str, Count]
    warnings: list[StrictStr]


class _Grounding(_Record):
    mode: _Mode
    wanted: _Mode
    question: StrictStr
    query: StrictStr
    language: Literal["fr", "en"]
    collections: list[StrictStr] = []
    sources: list[_Passage] = []
    left_out: list[_Passage] = []
    rewritten: bool = False
    rewriting_trace: StrictStr | None = None
    below: Count = 0
    nearest: Number | None = None
    seconds: dict[str, Number] = {}
    tokens: Count | None = None
    retrieval: dict[str, Any] = {}
    asked: bool = True


class _Message(_Record):
    stats: _Statistics | None = None
    usage: _Used | None = None
    error: _Failure | None = None
    window: _Window | None = None
    grounding: _Grounding | None = None
    tokens: list[_Token] = []
    attachments: list[_File] = []


class _Settings(_Record):
    policy: Literal["stop", "rolling", "truncate_middle", "summarize"] = "stop"
    virtual_window: Annotated[int, Field(strict=True, ge=1, le=WINDOW_MAX)] | None = None
    collections: list[StrictStr] = []
    grounding: _Mode = "documents_and_model"
    retrieval: dict[str, Any] | None = None
    rewrite: bool = True


class _Shown(BaseModel):
    nodes: dict[str, _Message]
    settings: _Settings = _Settings()


@cache
def shown() -> TypeAdapter[_Shown]:
    """The adapter that judges the nodes by id and the settings of a conversation; what it makes of them is not used."""
    return TypeAdapter(_Shown)
