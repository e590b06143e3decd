"""Templates: the same prompt as llama.cpp's, and nothing that a template does reaches beyond its child."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine import templates
from engine.engine import Engine
from engine.errors import BadTemplate
from engine.native import native_state
from engine.runtime.client import LlamaServer
from engine.templates import NAMES, compiled, injected, injected_system, render
from engine.types import Message
from tests.standins.llama_server import BareServer

WORDS = [
    "hello",
    "Où ?",
    " spaces ",
    "line\nbreak",
    "<|im_end|>",
    "{{ 7 * 7 }}",
    "日本",
    "'quote'",
    '"double"',
    "\\n",
    "",
]
HI = [Message("user", "hi")]


def conversation(seed: int) -> list[dict[str, str]]:
    """A random one: perhaps a system prompt, then question and answer in turns, the question last."""
    choice = random.Random(seed)
    texts = [" ".join(choice.choices(WORDS, k=choice.randint(1, 4))) for _ in range(2 * choice.randint(0, 3) + 2)]
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts[1:])]
    return [{"role": "system", "content": texts[0]}, *turns] if choice.random() < 0.5 else turns


@pytest.mark.model
def test_the_models_own_template_gives_llama_cpps_prompt(bare_llama: BareServer) -> None:
    server = LlamaServer(bare_llama.address, bare_llama.key)
    try:
        source = server.get("/props")["chat_template"]
        ours = compiled(source)
        for seed in range(50):
            messages = conversation(seed)
            theirs = server.post("/apply-template", {"messages": messages})["prompt"]
            assert ours({"messages": messages, "add_generation_prompt": True}) == theirs, messages
        asked = [Message(turn["role"], turn["content"]) for turn in messages]  # type: ignore[arg-type]
        assert render(source, asked) == theirs  # the same through the child
    finally:
        server.close()


def test_every_name_of_llama_cpps_gives_its_prompt() -> None:
    if not native_state().ready:
        pytest.skip("llama-cpp-python is not built")
    import llama_cpp

    names = (ctypes.c_char_p * 200)()
    count = llama_cpp.llama_chat_builtin_templates(names, 200)
    assert tuple(sorted(name.decode() for name in names[:count] if name)) == NAMES
    for name in NAMES:
        ours = compiled(_source(name))
        for seed in range(20):
            for ask in (True, False):
                messages = conversation(seed)
                given = {"messages": messages, "add_generation_prompt": ask}
                assert ours(given) == _llama_cpp(name, messages, ask), (name, messages)


def _source(name: str) -> str:
    from engine.templates import source

    return source(name)


def _llama_cpp(name: str, messages: list[dict[str, str]], ask: bool) -> str:
    import llama_cpp

    turns = [
        llama_cpp.llama_chat_message(role=turn["role"].encode(), content=turn["content"].encode()) for turn in messages
    ]
    room = ctypes.create_string_buffer(65536)
    written = llama_cpp.llama_chat_apply_template(
        name.encode(), (llama_cpp.llama_chat_message * len(turns))(*turns), len(turns), ask, room, len(room)
    )
    return room.raw[:written].decode()


@pytest.mark.model
def test_what_the_template_adds_is_known(engine: Engine) -> None:
    added = injected_system(engine.model())
    assert added == "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def _rendered(ours: Callable[[dict[str, Any]], str]) -> Callable[[list[Message]], str]:
    return lambda asked: ours({"add_generation_prompt": True, "messages": [turn.to_dict() for turn in asked]})


def test_a_template_that_adds_nothing() -> None:
    for name in ("chatml", "llama2-sys", "gemma", "zephyr"):
        assert injected(_rendered(compiled(_source(name)))) is None


def test_what_templates_may_use() -> None:
    bos = "{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}{{ tools is defined }}"
    assert render(bos, HI, bos="<s>", eos="</s>", tools=[]) == "<s>hi</s>True"
    given = {"messages": [{"role": "user", "content": "<é>"}]}
    assert compiled("{{ messages | tojson }}")(given) == '[{"role": "user", "content": "<é>"}]'
    assert compiled("{{ strftime_now('%Y') | int > 2000 }}")(given) == "True"
    assert compiled("{% for m in messages %}{% break %}{% endfor %}x")(given) == "x"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("ok\n{{ oops }", "line 2"),
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ nothing.at.all }}", "undefined"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ 'a' + 1 }}", "TypeError"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ range(10**9) | list }}", "Range too big"),
        ("{% include 'etc/passwd' %}", "loader"),
    ],
)
def test_what_a_template_must_not_do(source: str, reason: str) -> None:
    with pytest.raises(BadTemplate) as refused:
        compiled(source)({"messages": [{"role": "user", "content": "hi"}]})
    assert reason in refused.value.details["reason"], refused.value.message


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for %}", "line 1"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "time"),
        ("{{ 'a' * 10**10 }}", "memory"),
        ("{% for a in range(9999) %}{{ 'a' * 1000 }}{% endfor %}", "size"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "size"),
        ("", "empty"),
        ("x" * 70_000, "characters"),
    ],
)
def test_what_a_template_takes_ends_its_child_only(source: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "LIMITS", replace(templates.LIMITS, cpu_s=1 if reason == "time" else 3))
    with pytest.raises(BadTemplate) as refused:
        render(source, HI)
    assert reason in refused.value.details["reason"], refused.value.message
