"""What goes out comes in again unchanged; other programs' exports come whole; hostile files get one clear refusal."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.conversation import Attachment, ChatSettings, Conversation, Node
from engine.errors import BadFile, BadInput
from engine.transfer import export_all, export_conversation, import_any, to_bytes, to_markdown, to_openai_jsonl
from engine.types import OUTCOMES, ROLES

DATA = Path(__file__).parents[1] / "data" / "transfer"


def sample(name: str) -> tuple[Conversation, ...]:
    return import_any((DATA / name).read_bytes(), name)


def shown(conversation: Conversation) -> list[tuple[str, str]]:
    return [(node.role, node.content) for node in conversation.path()]


def branches(conversation: Conversation) -> int:
    return sum(1 for key in conversation.nodes if not conversation.children(key))


# --- other programs


def test_chatgpt_with_every_message_and_branch() -> None:
    first, second = sample("chatgpt.json")
    assert (first.title, first.created, first.updated) == ("Capitales", 1760000000.5, 1760000100.25)
    assert len(first.nodes) == 9 and branches(first) == 3  # the root and the empty system message say nothing
    assert shown(first) == [
        ("user", "Quelle est la capitale de la France ?"),
        ("assistant", ""),
        ("assistant", "Paris."),
        ("user", "[image: file-service://file-Abc123]\n\nEt cette ville ?\n\n[file: ville.png]"),
        ("assistant", "```python\nprint('Nantes')\n```"),
        ("tool", "Nantes"),
        ("assistant", "[content: hologram_v9]"),
    ]
    assert first.path()[1].reasoning == "Capitals\nIt is Paris."
    assert [node.model for node in first.path()[:3]] == [None, "o3", "o3"]
    answers = [first.nodes[key].content for key in first.children(first.path()[0].id)]
    assert answers == ["Lyon.", ""]  # in the order of `children`, not of the clock
    assert (second.title, shown(second)) == ("hi there", [("user", "hi there")])


def test_open_webui_with_every_message_and_branch() -> None:
    first, old = sample("open_webui.json")
    assert (first.title, first.settings.system, first.pinned) == ("🌍 Capitales", "Sois bref.", True)
    assert (first.created, first.updated, first.leaf) == (1761000000, 1761000011, "m5")
    assert len(first.nodes) == 5 and branches(first) == 2
    assert shown(first) == [
        ("user", "Capitale de l’Espagne ?\n\n[file: notes.pdf]"),
        ("assistant", "Madrid."),
        ("user", "Sûr ?"),
        ("assistant", "[error: connection refused]"),
    ]
    assert first.siblings("m2") == ("m3", "m2")
    assert first.nodes["m1"].attachments == (
        Attachment("image", "image", "", data_url="data:image/png;base64,iVBORw0KGgo="),
    )
    assert first.nodes["m2"].model == "llama3.2:1b"
    assert (old.title, shown(old)) == ("old", [("user", "hi"), ("assistant", "hello")])


def test_openai_messages() -> None:
    first, second = sample("openai.jsonl")
    assert first.settings.system == "Sois bref." and first.title == "Bonjour"
    assert shown(first) == [("user", "Bonjour"), ("assistant", "Salut \u2028!")]
    assert shown(second) == [
        ("user", "What is this?\n\n[image_url: https://example.org/cat.png]"),
        ("assistant", '[call: {"name": "look", "arguments": "{}"}]'),
        ("tool", "a cat"),
    ]
    assert len(second.path()[0].attachments) == 1
    plain = import_any(b'[{"role": "developer", "content": "x"}, {"role": "user", "content": "y"}]', "list.json")
    assert plain[0].settings.system == "x" and shown(plain[0]) == [("user", "y")]


# --- ours: out and in again

TEXT = st.text(max_size=30)
WORDS = st.text(min_size=1, max_size=8, alphabet="abcé 😀\\<!-message:\n#")
VALUES = st.dictionaries(st.sampled_from(("temperature", "stop", "seed")), st.none() | st.integers() | TEXT, max_size=2)
FILES = st.lists(
    st.builds(
        Attachment,
        name=TEXT,
        kind=st.sampled_from(("text", "image")),
        text=TEXT,
        tokens=st.none() | st.integers(0, 9),
        data_url=st.none() | TEXT.map("data:image/png;base64,{}".format),
        warnings=st.lists(TEXT, max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Any valid tree, with everything that a message may carry."""
    made = Conversation(draw(st.uuids()).hex, draw(TEXT), created=draw(st.floats(0, 2e9)), pinned=draw(st.booleans()))
    for place in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from([None, *made.nodes]))
        made = made.add(
            Node(
                f"n{place}",
                parent,
                draw(st.sampled_from(ROLES)),
                draw(TEXT),
                draw(st.floats(0, 2e9)),
                reasoning=draw(TEXT),
                model=draw(st.none() | TEXT),
                params=draw(VALUES),
                outcome=draw(st.none() | st.sampled_from(OUTCOMES)),
                stats=draw(st.none() | VALUES),
                attachments=draw(FILES),
                tokens=draw(st.lists(VALUES, max_size=2).map(tuple)),
                state=draw(st.sampled_from(("done", "interrupted"))),
            )
        )
    settings = ChatSettings(
        draw(TEXT), policy="rolling", virtual_window=draw(st.none() | st.integers(1, 9)), mode="raw", token_view=True
    )
    return replace(made.at(draw(st.sampled_from([None, *made.nodes]))), settings=settings)


@settings(deadline=None)
@given(conversations())
def test_our_format_is_the_identity(conversation: Conversation) -> None:
    told = to_bytes(export_conversation(conversation))
    assert import_any(told, "one.json") == (conversation,)
    assert json.loads(told)["format"] == "atelier-chat/1"


@settings(deadline=None)
@given(st.lists(conversations(), min_size=1, max_size=3))
def test_many_in_one_file(several: list[Conversation]) -> None:
    assert import_any(to_bytes(export_all(several)), "all.json") == tuple(several)


def talk(system: str, texts: list[str]) -> Conversation:
    made = Conversation("c", "title", settings=ChatSettings(system))
    for place, text in enumerate(texts):
        made = made.add(Node(str(place), made.leaf, ("user", "assistant")[place % 2], text, float(place)))  # type: ignore[arg-type]
    return made


@settings(deadline=None)
@given(st.just("") | WORDS, st.lists(WORDS, min_size=1, max_size=5))
def test_markdown_and_messages_keep_the_branch(system: str, texts: list[str]) -> None:
    conversation = talk(system, texts)
    (again,) = import_any(to_markdown([conversation]).encode(), "chat.md")
    assert (again.title, again.settings.system, shown(again)) == ("title", system, shown(conversation))
    (again,) = import_any(to_openai_jsonl([conversation]).encode(), "chat.jsonl")
    assert again.messages() == conversation.messages()


def test_many_in_one_markdown_file() -> None:
    told = to_markdown([talk("s", ["a", "# b\n\n## c"]), talk("", ["d"])], {"user": "Élève", "assistant": "Modèle"})
    assert "## Élève\n\na\n" in told and "## Modèle\n" in told
    first, second = import_any(told.replace("\n", "\r\n").encode("utf-8-sig"), "windows.md")
    assert shown(first) == [("user", "a"), ("assistant", "# b\n\n## c")] and shown(second) == [("user", "d")]


def test_an_answer_that_was_being_written_is_not_written_on_elsewhere() -> None:
    conversation = talk("", ["hi"]).update(replace(talk("", ["hi"]).nodes["0"], state="writing"))
    (again,) = import_any(to_bytes(export_conversation(conversation)), "x.json")
    assert again.nodes["0"].state == "interrupted"


def test_half_a_character_does_not_spoil_the_file() -> None:
    (again,) = import_any(to_bytes(export_conversation(talk("", ["a\ud83db"]))), "x.json")
    assert shown(again) == [("user", "a?b")]


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (rb"a\ud83d", "a\ufffd"), (rb"\uDE00 b", "\ufffd b"), (rb"\ud83d\ude00\ud83d", "\U0001f600\ufffd"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"), (rb"\ud83d\u0041", "\ufffdA"),
    ],
)  # fmt: skip
def test_half_a_character_in_another_programs_export(told: bytes, read: str) -> None:
    (found,) = import_any(b'{"messages": [{"role": "user", "content": "' + told + b'"}]}', "x.json")
    assert shown(found) == [("user", read)]


# --- hostile files


def own(**changes: Any) -> Any:
    return {**export_conversation(talk("", ["a", "b"])), **changes}


def node(key: str, parent: str | None, **more: Any) -> dict[str, Any]:
    return {"id": key, "parent": parent, "role": "user", "content": "x", "created": 1, **more}


def webui(messages: dict[str, Any]) -> Any:
    return [{"chat": {"history": {"messages": messages}}}]


def spot(key: str, parent: str | None) -> dict[str, Any]:
    return {"id": key, "parent": parent, "message": {"author": {"role": "user"}, "content": {"parts": ["x"]}}}


HOSTILE: dict[str, Any] = {
    "nothing": b"",
    "no json": b"{",
    "no utf-8": b"\xff\xfe\x00",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "a number": 3,
    "a text": "hello",
    "an empty list": [],
    "a list of numbers": [1, 2],
    "another format": {"format": "atelier-chat/9", "nodes": []},
    "no nodes": own(nodes=None),
    "a node that is none": own(nodes=[3]),
    "a node without role": own(nodes=[{"id": "a"}]),
    "an odd role": own(nodes=[node("a", None, role="root")]),
    "a wrong type": own(nodes=[node("a", None, content=[1])]),
    "a wrong time": own(nodes=[node("a", None, created="soon")]),
    "a missing parent": own(nodes=[node("a", "b")], leaf="a"),
    "a circle": own(nodes=[node("a", "b"), node("b", "a")], leaf="a"),
    "a message after itself": own(nodes=[node("a", "a")], leaf="a"),
    "two with one id": own(nodes=[node("a", None), node("a", None)], leaf="a"),
    "a leaf that is not there": own(leaf="zzz"),
    "an id with a zero": own(nodes=[node("a\0", None)]),
    "a bad setting": own(settings={"mode": "dance"}),
    "a policy that nobody has": own(settings={"policy": "forget"}),
    "a window below zero": own(settings={"virtual_window": -1}),
    "a window beyond all": own(settings={"virtual_window": 10**30}),
    "a picture elsewhere": own(
        nodes=[
            node(
                "a",
                None,
                attachments=[{"name": "x", "kind": "image", "text": "", "data_url": "http://example.invalid/x.png"}],
            )
        ]
    ),
    "a speed in words": own(nodes=[node("a", None, stats={"tokensPerSecond": "fast"})]),
    "a count in words": own(nodes=[node("a", None, usage={"prompt_tokens": "many"})]),
    "a token that is none": own(nodes=[node("a", None, tokens=[{"token": 3}])]),
    "a token of a gigabyte": own(nodes=[node("a", None, tokens=[{"token": "a", "bytes": 10**9}])]),
    "a token in a token": own(nodes=[node("a", None, tokens=[{"token": "a", "top_logprobs": [{"logprob": "x"}]}])]),
    "a window of words": own(nodes=[node("a", None, window={"segments": 5})]),
    "an error of numbers": own(nodes=[node("a", None, error={"code": 5})]),
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep inside": b'{"format": "atelier-chat/1", "nodes": ' + b'[{"a":' * 50_000 + b"1" + b"}]" * 50_000 + b"}",
    "webui circle": webui({"a": {"role": "user", "parentId": "b"}, "b": {"role": "user", "parentId": "a"}}),
    "webui itself": webui({"a": {"role": "user", "parentId": "a"}}),
    "webui orphan": webui({"a": {"role": "user", "parentId": "b"}}),
    "webui wrong": webui({"a": 3}),
    "webui messages": [{"chat": {"messages": 3}}],
    "chatgpt circle": [{"mapping": {"a": spot("a", "b"), "b": spot("b", "a")}, "current_node": "a"}],
    "chatgpt silent circle": [
        {"mapping": {"a": {"id": "a", "parent": "b"}, "b": {"id": "b", "parent": "a"}, "c": spot("c", "a")}}
    ],
    "chatgpt orphan": [{"mapping": {"a": spot("a", "gone")}}],
    "chatgpt twins": [{"mapping": {"a": spot("a", None), "b": spot("a", None)}}],
    "chatgpt wrong": [{"mapping": {"a": {"id": "a", "message": {"author": "me", "content": 3}}}}],
    "chatgpt infinite": b'[{"mapping": {}, "create_time": 1e999}]',
    "messages wrong": {"messages": [{"role": "user", "content": 3}]},
    "a line that is wrong": b'{"messages": []}\n{"messages": [{"role": "nobody"}]}\n',
    "a line that is no json": b'{"messages": []}\nhello\n',
    "too many in Markdown": b"<!-- message: conversation -->\n" * 20_001,
    "too large": b" " * (64 * 2**20 + 1),
    "too many parts": b"[" + b"{}," * 1_000_001 + b"{}]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_one_clear_refusal(name: str) -> None:
    told = HOSTILE[name]
    with pytest.raises(BadInput) as refused:
        import_any(told if isinstance(told, bytes) else json.dumps(told).encode(), "their.json")
    assert isinstance(refused.value, BadFile) and refused.value.code == "bad_file"
    assert refused.value.details["path"].startswith("their.json") and len(refused.value.message) < 600


@pytest.mark.timeout(240)
def test_many_messages_on_a_long_silence_are_read_at_once() -> None:
    silence = {str(key): {"id": str(key), "parent": str(key - 1) if key else None} for key in range(10_000)}
    fan = {f"m{key}": spot(f"m{key}", "9999") for key in range(9_000)}
    (found,) = import_any(json.dumps([{"mapping": silence | fan}]).encode(), "x")
    assert len(found.children(None)) == 9_000


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    with contextlib.suppress(BadFile):
        import_any(data, "x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(("a", "b", "user", "", "\0")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "a",
                    "b",
                    "id",
                    "parent",
                    "parentId",
                    "role",
                    "content",
                    "messages",
                    "mapping",
                    "chat",
                    "history",
                    "message",
                    "author",
                    "parts",
                    "children",
                    "nodes",
                    "settings",
                    "files",
                    "metadata",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.sampled_from(("mapping", "chat", "messages", "nodes")), JSON)
def test_random_shapes_are_refused_or_read(name: str, value: Any) -> None:
    told = [{name: value, "format": "atelier-chat/1"} if name == "nodes" else {name: value}]
    try:
        found = import_any(json.dumps(told).encode(), "x")
    except BadFile:
        return
    for conversation in found:
        conversation.check()


def test_memory_stays_bounded() -> None:
    data = b"[" + b'{"role":"user","content":""},' * 400_000 + b'{"role":"user","content":""}]'
    tracemalloc.start()
    try:
        with pytest.raises(BadFile):
            import_any(data, "x")
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()
