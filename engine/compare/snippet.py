"""A side as the course writes it with LangChain: `prompt | llm | StrOutputParser()` and `chain.stream`. Knows no key,
only the name of the variable that holds it; asks nobody.
"""

from __future__ import annotations

import pprint
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.catalog import RECORDED
from engine.compare.side import Side
from engine.errors import NotSupported
from engine.params import BY_NAME, Params
from engine.providers import Provider, provider
from engine.snippets import LANGCHAIN

if TYPE_CHECKING:
    from engine.catalog import ModelCard

OWN = "http://localhost:8501/v1"  # ours, as run.py serves it
OWN_KEY = "ATELIER_KEY"
TEMPLATE = """\
{imports}from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

prompt = ChatPromptTemplate.from_messages(
    [
{system}        ("placeholder", "{{chat_history}}"),
        ("user", "{{user_question}}"),
    ]
)
llm = ChatOpenAI(
    base_url={address!r},
    api_key={key},
    model={model!r},
{arguments}    use_responses_api={responses},
)
chain = prompt | llm | StrOutputParser()

chat_history = {history}
user_question = {question}
for chunk in chain.stream({{"chat_history": chat_history, "user_question": user_question}}):
    print(chunk, end="", flush=True)
"""


def chain_snippet(
    side: Side,
    question: str,
    *,
    card: ModelCard | None = None,
    history: Iterable[tuple[str, str]] = (),
    address: str = OWN,
    key_variable: str | None = OWN_KEY,
) -> str:
    """A Python program that asks this side the question and prints its answer as it comes.

    `card` is the side's where it is open; without it, the row of providers.toml tells. A model of this machine is asked
    through our own `/v1` at `address`, whose key is in `key_variable`. `history` are questions and answers before.
    Raises NotSupported for a recording and for Replicate, whose protocol LangChain's class does not speak; UnknownModel
    for a row that nobody knows.
    """
    if side.model.startswith(RECORDED):
        raise NotSupported("a recording has no server", capability="chat", backend="recorded")
    row, base_url, model = _where(side.model, card)
    if row is not None and row.native == "replicate":
        raise NotSupported("Replicate has a protocol of its own", capability="chat", backend="replicate")
    key = row.key_env if row else key_variable
    return TEMPLATE.format(
        imports="import os\n\n" if key else "",
        system=f'        ("system", {_text(_meant(side.system))}),\n' if side.system else "",
        address=base_url or address,
        key=f'os.environ.get("{key}", "none")' if key else '"none"',
        model=model,
        arguments=_arguments(_fields(side.params, row, model)),
        responses=row is not None and row.protocol == "responses",
        history=_literal([message for pair in history for message in zip(("user", "assistant"), pair, strict=True)]),
        question=_text(question),
    )


def _where(model_id: str, card: ModelCard | None) -> tuple[Provider | None, str | None, str]:
    """The row of a remote model, its address and its name there; for others the name alone, as our `/v1` knows it."""
    if card is not None:
        endpoint = card.endpoint
        return (endpoint.provider, endpoint.base_url, endpoint.model) if endpoint else (None, None, card.id)
    row_id, slash, model = model_id.partition("/")
    if not slash:
        return None, None, model_id
    row = provider(row_id)
    return row, row.address(), model


def _fields(params: Params, row: Provider | None, model: str) -> dict[str, Any]:
    """The fields of the body that the parameters become there, as the engine itself sends them."""
    told = params.to_llamacpp()
    if row is None:  # our own /v1 knows all of them, and what nobody said stands as the model's configuration wants it
        return {name: value for name, value in told.items() if name in params.given and value != -1}
    names = {"max_tokens"} if _thinks_strictly(row, model) else row.params
    given = {name: value for name, value in told.items() if name in names}
    limit = given.pop("max_tokens", -1)
    fields = {BY_NAME[name].openai or name: value for name, value in given.items()}
    field = "max_output_tokens" if row.protocol == "responses" else row.token_field
    return fields if limit == -1 else {**fields, field: limit}


def _thinks_strictly(row: Provider, model: str) -> bool:
    if "reasoning_strict" not in row.quirks:
        return False
    from engine.backends.openai_compat import REASONING_MODEL  # which takes seconds: LangChain comes with it

    return REASONING_MODEL.match(model) is not None


def _arguments(fields: Mapping[str, Any]) -> str:
    """What ChatOpenAI takes by name; all else goes into the body as it is, since it would rename `max_tokens`."""
    named = {name: value for name, value in fields.items() if name in LANGCHAIN}
    rest = {name: value for name, value in fields.items() if name not in LANGCHAIN}
    lines = [f"    {name}={value!r},\n" for name, value in named.items()]
    return "".join([*lines, f"    extra_body={_literal(rest)},\n"] if rest else lines)


def _meant(text: str) -> str:
    """The text as a template of LangChain that means just it."""
    return text.replace("{", "{{").replace("}", "}}")


def _text(text: str) -> str:
    """The text as Python source of one line; what is no UTF-8 as an escape."""
    return repr(text) if _is_utf8(text) else ascii(text)


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=110, sort_dicts=False).replace("\n", "\n    ")
