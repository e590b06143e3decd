"""The verb `chats` from the first to the last action, on a store that somebody else uses too."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.chats import Chats
from engine.cli import main
from engine.conversation import Attachment, ChatSettings, Conversation, Node
from engine.people import People
from engine.settings import Settings
from engine.store import Store
from engine.transfer import import_any

Out = tuple[int, str, str]

NODES = {
    "q": Node("q", None, "user", "Où est l’été ?\n<!-- message: user -->", 1.0,
              attachments=(Attachment("a.txt", "text", "x", 1, 2, True, None, ("w",), 9),)),
    "a": Node("a", "q", "assistant", "Ici. 🌊", 2.0, "hm", "m", {"seed": 1, "stop": ["x"]}, "stop",
              {"numGpuLayers": None}, {"prompt_tokens": 3}, "t", {"code": "x"}, window={"dropped": [0]},
              tokens=({"token": "Ici"},)),
    "b": Node("b", "q", "assistant", "Là.", 3.0, state="interrupted", outcome="failed"),
    "s": Node("s", "a", "system", "Rime.", 4.0),
}  # fmt: skip
SETTINGS = ChatSettings("Sois bref.", "p", "rolling", 256, "raw", "chatml", "grammar", 'root ::= "x"', True)
TREE = Conversation("mine", "Été", NODES, "b", SETTINGS, True, 5.0, 6.0)


@pytest.fixture
def store(isolation: Path) -> Iterator[Store]:
    """The store that the command line opens."""
    opened = Store(Settings().url)
    yield opened
    opened.close()


@pytest.fixture
def chats(store: Store) -> Chats:
    return Chats(store)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Out:
    """Exit code, stdout and stderr."""
    code = main(["chats", *arguments])
    return (code, *capsys.readouterr())


def test_what_is_exported_and_imported_is_the_same(
    chats: Chats, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = chats.adopt("local", TREE)
    file = str(tmp_path / "mine.json")
    assert run(capsys, "export", mine.id, "-o", file) == (0, "", "")
    assert run(capsys, "delete", mine.id) == (0, "", "")
    assert run(capsys, "list") == (0, "", "")
    code, out, err = run(capsys, "import", file)
    again = chats.get("local", out.strip())
    assert (code, err) == (0, "") and again == replace(mine, id=again.id)
    both = str(tmp_path / "all.json")
    assert run(capsys, "export", "all", "-o", both)[0] == 0
    keys = json.loads(run(capsys, "import", both, "--json")[1])
    assert [chats.get("local", key) for key in keys] == [replace(mine, id=keys[0])]


def test_other_formats_hold_the_branch_that_is_shown(
    chats: Chats, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = chats.adopt("local", TREE)
    for form, many in (("markdown", "all"), ("openai", mine.id)):
        file = tmp_path / form
        assert run(capsys, "export", many, "--format", form, "-o", str(file)) == (0, "", "")
        (read,) = import_any(file.read_bytes(), form)
        assert [node.role for node in read.path()] == ["user", "assistant"]
        assert read.settings.system == "Sois bref." and read.path()[1].content == "Là."
    assert "Là." in run(capsys, "show", mine.id)[1]
    assert json.loads(run(capsys, "show", mine.id, "--json")[1])["leaf"] == "b"


def test_the_list_is_searched_and_counts(chats: Chats, capsys: pytest.CaptureFixture[str]) -> None:
    mine = chats.adopt("local", TREE)
    assert run(capsys, "list") == (0, f"{mine.id}  *    4  Été\n", "")
    (line,) = json.loads(run(capsys, "list", "--search", "ETE", "--json")[1])
    assert (line["id"], line["messages"], line["pinned"]) == (mine.id, 4, True)
    assert run(capsys, "list", "--search", "hiver") == (0, "", "")


def test_nothing_of_somebody_else_is_read_or_lost(
    store: Store, chats: Chats, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anne = People(store).join("Anne", "student").id
    hers = chats.adopt(anne, TREE)
    assert run(capsys, "list") == (0, "", "")
    for action in ("show", "export", "delete"):
        code, out, err = run(capsys, action, hers.id)
        assert (code, out) == (2, "") and err.startswith("not_found: ")
    assert json.loads(run(capsys, "export", "all")[1])["conversations"] == []
    assert chats.get(anne, hers.id) == hers


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "bad_file"), (b"\xff", "bad_file"), (b'{"mapping": []}', "bad_file"), (None, "bad_file")]
)
def test_a_file_that_is_none_leaves_all_as_it_was(
    data: bytes | None, code: str, chats: Chats, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    if data is not None:
        file.write_bytes(data)
    exit_code, out, err = run(capsys, "import", str(file))
    assert (exit_code, out) == (2, "") and err.startswith(f"{code}: ") and err.count("\n") == 1
    assert chats.lines("local") == ()


def test_an_action_without_its_conversation_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show")
    assert (code, out) == (2, "") and "chats list" in err


def test_a_title_from_elsewhere_gives_the_terminal_no_orders(chats: Chats, capsys: pytest.CaptureFixture[str]) -> None:
    chats.adopt("local", replace(TREE, title="a\x1b]0;x\x07\nb\x9b2J"))
    out = run(capsys, "list")[1]
    assert out.count("\n") == 1 and not set(out) & {"\x1b", "\x07", "\x9b"}


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "\u2028"])
def test_odd_text_survives_standard_output(
    text: str, chats: Chats, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = chats.adopt("local", Conversation("x", "t", {"q": Node("q", None, "user", text, 1.0)}, "q"))
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8"))
    assert main(["chats", "export", mine.id]) == 0
    sys.stdout.flush()
    (read,) = import_any(raw.getvalue(), "x")
    assert read.nodes["q"].content == text.replace("\ud800", "\ufffd")
