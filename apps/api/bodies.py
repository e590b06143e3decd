"""What `/v1` accepts: JSON read with limits, then checked against models of OpenAI's and llama.cpp's fields. Knows no
route and no runtime.

Fields that are not named here pass through, except those by which llama.cpp's own parts talk to each other.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from apps.api.errors import ApiError

MAX_BODY = 8 * 2**20
DEEPEST = 48
MAX_INT = 2**63 - 1
CODE_MAX = 32 * 1024  # characters of a grammar or a JSON schema: it is compiled inside the shared runtime

# Never from outside: another's slot, several slots for one admission, and what llama.cpp's template parser hands down
PRIVATE = frozenset(
    {"id_slot", "n_cmpl", "lora", "grammar_lazy", "grammar_triggers", "preserved_tokens", "generation_prompt"}
    | {"message_delimiters", "chat_format", "chat_parser", "thinking_forced_open", "speculative", "verbose"}
    | {"response_fields", "n_cache_reuse", "sse_ping_interval", "backend_sampling", "prompt_logprobs"}
)

Number = StrictInt | StrictFloat
Code = Annotated[StrictStr, Field(max_length=CODE_MAX)]
Text = StrictStr
Object = dict[StrictStr, Any]
One = Field(min_length=1, max_length=1)


class Open(BaseModel):
    """A model that keeps what it does not know."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class Part(Open):
    """One part of a message's content."""

    type: StrictStr
    text: StrictStr | None = None


class FunctionCall(Open):
    """A function with its arguments, as JSON text."""

    name: StrictStr
    arguments: StrictStr | Object = "{}"


class ToolCall(Open):
    """A call that the assistant made before."""

    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(Open):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: StrictStr | list[Part] | None = None
    name: StrictStr | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: StrictStr | None = None
    reasoning_content: StrictStr | None = None


class Function(Open):
    """A function that the model may call."""

    name: StrictStr
    description: StrictStr | None = None
    parameters: Object | None = None


class Tool(Open):
    """A tool that the model may use."""

    type: Literal["function"]
    function: Function


class ResponseFormat(Open):
    """How the answer must look."""

    type: Literal["text", "json_object", "json_schema"]
    schema_: Object | None = Field(None, alias="schema")
    json_schema: Object | None = None


class StreamOptions(Open):
    """What a stream holds besides the answer."""

    include_usage: StrictBool | None = None


class Sampling(Open):
    """The fields that both routes share, by OpenAI's and llama.cpp's names."""

    model: StrictStr | None = None
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[StrictInt, Field(ge=-1)] | None = None
    max_completion_tokens: Annotated[StrictInt, Field(ge=-1)] | None = None
    n_predict: Annotated[StrictInt, Field(ge=-1)] | None = None
    n: Annotated[StrictInt, Field(ge=1, le=1)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=1000)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    min_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: Annotated[StrictInt, Field(ge=-1, le=2**31 - 1)] | None = None
    typical_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    seed: Annotated[StrictInt, Field(ge=-1, le=2**32 - 1)] | None = None
    stop: StrictStr | Annotated[list[StrictStr], Field(max_length=64)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-100, le=100)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-100, le=100)] | None = None
    repeat_penalty: Annotated[Number, Field(ge=0, le=100)] | None = None
    repeat_last_n: Annotated[StrictInt, Field(ge=-1, le=2**31 - 1)] | None = None
    min_keep: Annotated[StrictInt, Field(ge=0, le=2**31 - 1)] | None = None
    n_keep: Annotated[StrictInt, Field(ge=-1, le=2**31 - 1)] | None = None
    n_probs: Annotated[StrictInt, Field(ge=0, le=1000)] | None = None
    mirostat: Annotated[StrictInt, Field(ge=0, le=2)] | None = None
    samplers: list[StrictStr] | StrictStr | None = None
    dry_sequence_breakers: Annotated[list[StrictStr], Field(min_length=1, max_length=64)] | None = None
    logit_bias: dict[StrictStr, Number] | list[tuple[StrictInt | StrictStr, Number | StrictBool]] | None = None
    grammar: Code | None = None
    json_schema: Object | None = None
    ignore_eos: StrictBool | None = None
    cache_prompt: StrictBool | None = None
    return_progress: StrictBool | None = None
    timings_per_token: StrictBool | None = None
    return_tokens: StrictBool | None = None
    post_sampling_probs: StrictBool | None = None
    user: StrictStr | None = None


class ChatBody(Sampling):
    """The body of `/v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=4096)]
    logprobs: StrictBool | None = None
    top_logprobs: Annotated[StrictInt, Field(ge=0, le=1000)] | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: StrictStr | Object | None = None
    parallel_tool_calls: StrictBool | None = None
    response_format: ResponseFormat | None = None
    chat_template_kwargs: Object | None = None
    reasoning_format: Literal["none", "auto", "deepseek", "deepseek-legacy"] | None = None
    reasoning_effort: StrictStr | None = None
    add_generation_prompt: StrictBool | None = None
    continue_final_message: StrictBool | None = None


class CompletionBody(Sampling):
    """The body of `/v1/completions`; several prompts are several requests."""

    prompt: StrictStr | Annotated[list[StrictInt], Field(min_length=1)] | Annotated[list[StrictStr], One]
    logprobs: Annotated[StrictInt, Field(ge=0, le=1000)] | None = None
    echo: Literal[False] | None = None
    best_of: Annotated[StrictInt, Field(ge=1, le=1)] | None = None
    suffix: Literal[""] | None = None


Body = TypeVar("Body", bound=Open)


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises ApiError: not JSON, not an object, NaN, too deep, half a character."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        raise _deep() from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ApiError(f"the body is not JSON: {error}", code="invalid_json") from error
    if not isinstance(value, dict):
        raise ApiError("the body must be a JSON object", code="invalid_type")
    _walk(value, 0)
    return value


def checked(kind: type[Body], raw: dict[str, Any]) -> dict[str, Any]:
    """The body without null and private fields, once it has the right types. Raises ApiError naming the first field."""
    try:
        kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if not _is_alternative(part))
        raise ApiError(f"{place}: {first['msg']}", code="invalid_value", param=place or None) from error
    for name in ("json_schema", "response_format", "tools"):
        if len(json.dumps(raw.get(name))) > CODE_MAX * 2:
            raise ApiError(f"{name} has more than {CODE_MAX * 2} characters", param=name)
    if raw.get("top_logprobs") and not raw.get("logprobs"):
        raise ApiError("top_logprobs asks for logprobs: true", param="top_logprobs")
    return {name: value for name, value in raw.items() if value is not None and name not in PRIVATE}


def wanted_tokens(body: dict[str, Any]) -> int:
    """How many tokens the answer may have at most as the client wrote it; -1 for as many as fit."""
    for name in ("max_completion_tokens", "max_tokens", "n_predict"):
        if name in body:
            return int(body[name])
    return -1


def check_token_ids(body: dict[str, Any], vocabulary: int) -> None:
    """Raise ApiError for a token id that the model does not have, in the prompt or in `logit_bias`."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
        _in_range(prompt, vocabulary, "prompt")
    bias = body.get("logit_bias") or {}
    names = bias if isinstance(bias, dict) else [pair[0] for pair in bias]
    ids = [int(name) for name in names if isinstance(name, int) or name.lstrip("-").isdecimal()]
    _in_range(ids, vocabulary, "logit_bias")


def _in_range(ids: list[int], vocabulary: int, param: str) -> None:
    for number in ids:
        if not 0 <= number < vocabulary:
            raise ApiError(f"{param}: token {number} is not in 0…{vocabulary - 1}", code="invalid_token", param=param)


def _is_alternative(part: int | str) -> bool:
    # pydantic names the alternatives of a union in the place: "stop.str", "messages.0.content.list[Part].0.type"
    return isinstance(part, str) and (part in {"str", "int", "float", "bool"} or part[:1].isupper() or "[" in part)


def _walk(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise _deep()
    if isinstance(value, str):
        _whole(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _whole(name)
            _walk(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _walk(item, depth + 1)
    elif isinstance(value, int | float) and not -MAX_INT <= value <= MAX_INT:
        raise ApiError("a number is beyond every range", code="invalid_json")


def _whole(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ApiError("a text holds half a character (a lone surrogate)", code="invalid_json") from error


def _deep() -> ApiError:
    return ApiError(f"the body is nested more than {DEEPEST} levels deep", code="invalid_json")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
