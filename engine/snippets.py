"""A request as text that somebody else can run: curl, PowerShell, JavaScript, the openai client, LangChain, LlamaIndex.
Knows no key, only the name of the variable that holds it.
"""

from __future__ import annotations

import json
import pprint
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine import snippets_replicate as replicate
from engine.shapes import REPLICATE, RESPONSES, openai_shape, shape_of

Body = Mapping[str, Any]

# Fields that only serve our own reader of the stream; the answer's text is the same without them.
OURS = frozenset({"cache_prompt", "response_fields", "return_progress", "return_tokens", "stream_options", "verbose"})

# What the two libraries take by name; all other fields go through `extra_body`, which lands in the body as it is.
# LANGCHAIN without max_tokens: ChatOpenAI would rename it to max_completion_tokens, which several servers do not take.
LANGCHAIN = frozenset({"model", "temperature", "seed", "top_p", "presence_penalty", "frequency_penalty"})
_OPENAI = LANGCHAIN | {"stream", "stream_options", "max_tokens", "stop", "logit_bias", "n", "user", "logprobs"}
OPENAI_CHAT = _OPENAI | {"messages", "tools", "tool_choice", "response_format", "top_logprobs"}
RESPONSES_NAMED = frozenset({"model", "input", "temperature", "top_p", "stream", "max_output_tokens"})
OPENAI_TEXT = _OPENAI | {"prompt", "suffix", "echo", "best_of"}
LANGCHAIN_OWN = frozenset({"messages", "stream", "stream_options"})  # said by the call itself
LLAMAINDEX_OWN = frozenset({"model", "messages", "stream"})
LLAMAINDEX_HOTTEST = 2.0  # the highest temperature that its class takes by name
_PLAIN = {"role", "content"}

FORMS = {
    "curl": "bash",
    "powershell": "powershell",
    "javascript": "javascript",
    "python": "python",
    "langchain": "python",
    "llamaindex": "python",
}
_POWERSHELL_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")  # all of them end a text in single quotes


@dataclass(frozen=True)
class Form:
    """One text: `name` as in Snippets, the `language` a page colours it as, None where the form does not exist."""

    name: str
    language: str
    text: str | None


@dataclass(frozen=True)
class Snippets:
    """One request in six forms; None where a form does not exist."""

    curl: str
    powershell: str
    javascript: str
    python: str
    langchain: str | None
    llamaindex: str | None

    def forms(self) -> tuple[Form, ...]:
        """The six, in the order to show them."""
        return tuple(Form(name, language, getattr(self, name)) for name, language in FORMS.items())


def snippets(body: Body, address: str, key_variable: str | None) -> Snippets:
    """The request `body` to the base URL `address` (".../v1") in all forms; `key_variable` names where its key is."""
    asked = (body, address, key_variable)
    if shape_of(body) is REPLICATE:  # its names of inputs are the model's own: nobody else's client knows them
        return Snippets(
            replicate.curl(*asked),
            replicate.powershell(*asked),
            replicate.javascript(*asked),
            replicate.python(*asked),
            None,
            None,
        )
    known = (openai_shape(body), address, key_variable)  # these three speak OpenAI's protocols alone
    return Snippets(
        curl(*asked),
        powershell(*asked),
        javascript(*asked),
        python_openai(*known),
        langchain(*known),
        llamaindex(*known),
    )


def portable(body: Body, model: str) -> dict[str, Any]:
    """The body for any OpenAI-style route: with the model's name, without what only our reader needs, not streamed."""
    kept = {name: value for name, value in body.items() if name not in OURS}
    return {"model": model, **kept, "stream": False}


def curl(body: Body, address: str, key_variable: str | None) -> str:
    """A bash command that posts the body; bash changes no character of it, since the here-document is quoted."""
    lines = [f"curl{' -N' if body.get('stream') else ''} {shlex.quote(_route(body, address))}"]
    lines.append('  -H "Content-Type: application/json"')
    if key_variable:
        lines.append(f'  -H "Authorization: Bearer ${key_variable}"')
    lines.append("  --data-binary @- <<'JSON'")
    return " \\\n".join(lines) + f"\n{to_json(body)}\nJSON\n"


def powershell(body: Body, address: str, key_variable: str | None) -> str:
    """A PowerShell 5.1 or 7 command that posts the body as UTF-8 and shows the answer; never streamed, since neither
    version can show a stream.
    """
    uri = _POWERSHELL_QUOTES.sub(r"\g<0>\g<0>", _route(body, address))
    headers = f' -Headers @{{ Authorization = "Bearer $env:{key_variable}" }}' if key_variable else ""
    whole = {name: value for name, value in body.items() if name != "stream_options"} | {"stream": False}
    return f"""$body = @'
{to_json(whole)}
'@
$answer = Invoke-WebRequest -UseBasicParsing -Method Post -Uri '{uri}' `
  -ContentType 'application/json; charset=utf-8'{headers} `
  -Body ([Text.Encoding]::UTF8.GetBytes($body))
# PowerShell 5.1 takes an answer without charset for Latin-1: so its bytes are read as what they are
$answer = [Text.Encoding]::UTF8.GetString($answer.RawContentStream.ToArray()) | ConvertFrom-Json
$answer.{shape_of(body).powershell}
"""


def javascript(body: Body, address: str, key_variable: str | None) -> str:
    """A JavaScript module for Node or a browser's console that sends the body with `fetch` and writes the answer."""
    key = [f'const key = globalThis.process?.env.{key_variable} ?? "";', ""] if key_variable else []
    bearer = ", Authorization: `Bearer ${key}`" if key_variable else ""
    lines = [
        *key,
        f"const answer = await fetch({json.dumps(_route(body, address))}, {{",
        '  method: "POST",',
        f'  headers: {{ "Content-Type": "application/json"{bearer} }},',
        f"  body: JSON.stringify({to_json(body)}),",
        "});",
        "if (!answer.ok) throw new Error(await answer.text());",
        *_javascript_reading(body),
    ]
    return "\n".join(lines) + "\n"


def python_openai(body: Body, address: str, key_variable: str | None) -> str:
    """A Python program for the `openai` package that sends the body and prints the answer."""
    if shape_of(body) is RESPONSES:
        return _python_responses(body, address, key_variable)
    named = OPENAI_CHAT if _is_chat(body) else OPENAI_TEXT
    call = "client.chat.completions.create" if _is_chat(body) else "client.completions.create"
    text = ("delta.content" if body.get("stream") else "message.content") if _is_chat(body) else "text"
    lines = [
        *_imports(key_variable, "from openai import OpenAI"),
        f"client = OpenAI(base_url={address!r}, api_key={_key(key_variable)})",
        f"answer = {call}(",
        *_arguments(body, named),
        ")",
        *_printing(bool(body.get("stream")), f"choices[0].{text}", choices=True),
    ]
    return "\n".join(lines) + "\n"


def _python_responses(body: Body, address: str, key_variable: str | None) -> str:
    lines = [
        *_imports(key_variable, "from openai import OpenAI"),
        f"client = OpenAI(base_url={address!r}, api_key={_key(key_variable)})",
        "answer = client.responses.create(",
        *_arguments(body, RESPONSES_NAMED),
        ")",
        "print(answer.output_text)",
    ]
    return "\n".join(lines) + "\n"


def langchain(body: Body, address: str, key_variable: str | None) -> str | None:
    """A Python program for `langchain-openai` that sends the body and prints the answer; None for a raw prompt, which
    LangChain would send with settings of its own.
    """
    if not _is_chat(body):
        return None
    streamed = bool(body.get("stream"))
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    lines = [
        *_imports(key_variable, "from langchain_openai import ChatOpenAI"),
        "model = ChatOpenAI(",
        f"    base_url={address!r},",
        f"    api_key={_key(key_variable)},",
        *_arguments(body, LANGCHAIN, leave_out=LANGCHAIN_OWN),
        "    use_responses_api=False,",
        *([f"    stream_usage={usage},"] if streamed else []),
        ")",
        f"messages = {_literal(body['messages'])}",
        f"answer = model.{'stream' if streamed else 'invoke'}(messages)",
        *_printing(streamed, "content", choices=False),
    ]
    return "\n".join(lines) + "\n"


def llamaindex(body: Body, address: str, key_variable: str | None) -> str | None:
    """A Python program for `llama-index` that sends the body and prints the answer; None for a raw prompt and for
    messages that are more than a text, which LlamaIndex writes in its own way.
    """
    if not _is_chat(body) or not all(set(message) == _PLAIN for message in body["messages"]):
        return None
    streamed = bool(body.get("stream"))
    messages = [f"    ChatMessage(role={m['role']!r}, content={_literal(m['content'])})," for m in body["messages"]]
    lines = [
        *_imports(key_variable, "from llama_index.core.llms import ChatMessage, LLMMetadata"),
        "from llama_index.llms.openai import OpenAI",
        *([] if "temperature" in body else ["from openai import omit"]),
        "",
        "",
        "class AnyModel(OpenAI):  # OpenAI refuses the names of models that are not its own",
        "    @property",
        "    def metadata(self):",
        "        return LLMMetadata(model_name=self.model, is_chat_model=True)",
        "",
        "",
        "model = AnyModel(",
        f"    api_base={address!r},",
        f"    api_key={_key(key_variable)},",
        *_llamaindex_arguments(body),
        ")",
        "messages = [",
        *messages,
        "]",
        f"answer = model.{'stream_chat' if streamed else 'chat'}(messages)",
        *_printing(streamed, "delta" if streamed else "message.content", choices=False),
    ]
    return "\n".join(lines) + "\n"


def to_json(body: Body) -> str:
    """The body as readable JSON that is always valid UTF-8."""
    text = json.dumps(body, ensure_ascii=False, indent=2)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can hold
        return json.dumps(body, indent=2)
    return text


def _is_chat(body: Body) -> bool:
    return "messages" in body


def _route(body: Body, address: str) -> str:
    return shape_of(body).address(address)


def _key(variable: str | None) -> str:
    return f'os.environ.get("{variable}", "none")' if variable else '"none"'


def _imports(key_variable: str | None, line: str) -> Iterator[str]:
    if key_variable:
        yield from ("import os", "")
    yield from (line, "")


def _arguments(body: Body, named: frozenset[str], leave_out: frozenset[str] = frozenset()) -> Iterator[str]:
    rest = {name: value for name, value in body.items() if name not in named | leave_out}
    for name, value in body.items():
        if name in named:
            yield f"    {name}={_literal(value)},"
    if rest:
        yield f"    extra_body={_literal(rest)},"


def _llamaindex_arguments(body: Body) -> Iterator[str]:
    yield f"    model={body['model']!r},"
    rest = {name: value for name, value in body.items() if name not in LLAMAINDEX_OWN}
    if rest.get("temperature", LLAMAINDEX_HOTTEST + 1) <= LLAMAINDEX_HOTTEST:
        yield f"    temperature={rest.pop('temperature')!r},"
    yield "    additional_kwargs=dict("
    if "temperature" not in body:
        yield "        temperature=omit,  # it would send one of its own"
    yield from (f"    {line}" for line in _arguments(rest, OPENAI_CHAT))
    yield "    ),"


def _javascript_reading(body: Body) -> Iterator[str]:
    if "input" in body or not body.get("stream"):  # texts come back as vectors, of which there is no stream
        yield f"console.log((await answer.json()).{shape_of(body).text});"
        return
    text = f"choices[0]?.{'delta.content' if _is_chat(body) else 'text'}"
    yield f"""
const write = (text) => (globalThis.process ? process.stdout.write(text) : console.log(text));
const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
let rest = "";
for (let part = await reader.read(); !part.done; part = await reader.read()) {{
  const lines = (rest + part.value).split("\\n");
  rest = lines.pop();
  for (const line of lines) {{
    const data = line.startsWith("data: ") ? line.slice(6).trim() : "[DONE]";
    if (data !== "[DONE]") write(JSON.parse(data).{text} ?? "");
  }}
}}"""


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=110, sort_dicts=False).replace("\n", "\n    ")


def _printing(streamed: bool, text: str, *, choices: bool) -> Iterator[str]:
    if not streamed:
        yield f"print(answer.{text})"
        return
    yield "for chunk in answer:"
    indent = "    "
    if choices:  # the last chunk carries the counts and no choice
        yield "    if chunk.choices:"
        indent *= 2
    yield f'{indent}print(chunk.{text} or "", end="", flush=True)'
