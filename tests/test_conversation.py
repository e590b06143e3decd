"""A conversation stays a tree, whatever is done to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.conversation import Attachment, ChatSettings, Conversation, Node, fenced, new_id, title_of
from engine.errors import BadInput, NotFound
from engine.history import STEPS_MAX, History, Patch
from engine.types import Message


def node(key: str, parent: str | None = None, role: Any = "user", content: str = "", created: float = 0.0) -> Node:
    return Node(key, parent, role, content or key, created)


def small() -> Conversation:
    """q - a1 | a2 - q2 - b"""
    empty = Conversation("c")
    tree = empty.add(node("q")).add(node("a1", "q", "assistant")).add(node("a2", "q", "assistant"))
    return tree.add(node("q2", "a2")).add(node("b", "q2", "assistant"))


def ids(conversation: Conversation) -> list[str]:
    return [each.id for each in conversation.path()]


def test_siblings_stay_and_can_be_chosen() -> None:
    tree = small()
    assert ids(tree) == ["q", "a2", "q2", "b"]
    assert tree.siblings("a1") == tree.siblings("a2") == ("a1", "a2")
    assert ids(tree.choose("a1")) == ["q", "a1"]
    assert ids(tree.choose("a1").choose("a2")) == ["q", "a2", "q2", "b"]
    assert tree.children(None) == ("q",) and tree.siblings("q") == ("q",)


def test_a_branch_begins_where_one_stands() -> None:
    tree = small().at("q")
    assert ids(tree) == ["q"]
    assert ids(tree.add(node("a3", "q", "assistant"))) == ["q", "a3"]
    assert tree.at(None).path() == ()
    assert small().at(None).add(node("other")).children(None) == ("q", "other")


def test_an_edit_keeps_what_follows() -> None:
    before = small().update(replace(small().node("a2"), tokens=({"id": 1},), state="interrupted"))
    tree = before.edit("a2", "new")
    assert tree.node("a2").content == "new" and ids(tree) == ["q", "a2", "q2", "b"]
    assert (tree.node("a2").tokens, tree.node("a2").state) == ((), "done")
    assert before.edit("a2", "a2") is before


def test_a_deleted_branch_leaves_one_at_its_neighbour_or_parent() -> None:
    assert ids(small().delete("a2")) == ["q", "a1"]
    assert ids(small().choose("a1").delete("a1")) == ["q", "a2", "q2", "b"]
    assert ids(small().delete("b")) == ["q", "a2", "q2"]
    assert small().delete("q") == replace(Conversation("c"))
    assert ids(small().delete("a1")) == ["q", "a2", "q2", "b"]


def test_siblings_of_one_moment_keep_their_order() -> None:
    tree = Conversation("c").add(node("q", created=5.0))
    for key in "zyx":
        tree = tree.add(node(key, "q", created=5.0))
    assert tree.children("q") == ("z", "y", "x")


def test_what_is_not_there() -> None:
    for act in (small().node, small().edit, small().choose, small().at, small().delete):
        with pytest.raises(NotFound):
            act("nobody", "x") if act.__name__ == "edit" else act("nobody")
    with pytest.raises(NotFound):
        small().add(node("x", "nobody"))
    with pytest.raises(BadInput):
        small().add(node("q"))


@pytest.mark.parametrize(
    ("nodes", "leaf"),
    [
        ({"a": node("a", "b")}, None),
        ({"a": node("b")}, None),
        ({"a": node("a", "b"), "b": node("b", "a")}, None),
        ({"a": node("a", "a")}, None),
        ({"a": node("a")}, "b"),
    ],
)
def test_what_is_no_tree_is_refused(nodes: dict[str, Node], leaf: str | None) -> None:
    with pytest.raises(BadInput):
        Conversation("c", nodes=nodes, leaf=leaf).check()


def test_a_model_reads_the_system_prompt_first_and_nothing_empty() -> None:
    tree = replace(small(), settings=ChatSettings(system="Be brief."))
    tree = tree.edit("a2", "").edit("q", "Why?")
    roles = [(message.role, message.content) for message in tree.messages()]
    assert roles == [("system", "Be brief."), ("user", "Why?"), ("user", "q2"), ("assistant", "b")]
    assert tree.messages("q") == (Message("system", "Be brief."), Message("user", "Why?"))
    assert small().messages()[0].role == "user"


def test_files_stand_in_front_of_what_was_typed() -> None:
    file = Attachment("a b\n.txt", "text", "one ``` two")
    assert fenced(file) == "```` a b .txt\none ``` two\n````"
    asked = replace(node("q", content="Sum up."), attachments=(file,))
    assert asked.message() == Message("user", f"{fenced(file)}\n\nSum up.")
    assert replace(asked, content="").message().content == fenced(file)


def test_an_image_makes_a_message_of_parts() -> None:
    image = Attachment("x.png", "image", "", data_url="data:image/png;base64,AA==")
    sent = replace(node("q", content="What is it?"), attachments=(image,)).message().to_dict()
    assert [part["type"] for part in sent["content"]] == ["text", "image_url"]
    assert sent["content"][0]["text"] == "What is it?"


def test_titles() -> None:
    assert title_of("\n  Hello \nworld") == "Hello"
    assert title_of("") == "" and len(title_of("x" * 100)) == 60


ROLES = st.sampled_from(["system", "user", "assistant"])
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "root", "edit", "branch", "regenerate", "delete", "choose", "at", "undo", "redo"]),
        st.integers(0, 10**6),
        ROLES,
    ),
    max_size=60,
)


class Desk:
    """A conversation with its undo, as the controller keeps it."""

    def __init__(self) -> None:
        self.tree = Conversation("c")
        self.history = History()

    def act(self, action: str, pick: int, role: Any) -> None:
        before = self.tree
        if action in ("undo", "redo"):
            self.tree = getattr(self.history, action)(before)
            return
        self.tree = self.changed(action, pick, role)
        if self.tree.nodes is not before.nodes:
            self.history.step(before, self.tree)

    def changed(self, action: str, pick: int, role: Any) -> Conversation:
        tree, keys = self.tree, list(self.tree.nodes)
        if action == "root" or not keys:
            return tree.add(node(new_id(), None, role))
        key = keys[pick % len(keys)]
        if action == "add":
            return tree.add(node(new_id(), tree.leaf, role))
        if action == "branch":
            return tree.at(key).add(node(new_id(), key, role))
        if action == "regenerate":
            return tree.add(node(new_id(), tree.node(key).parent, "assistant"))
        if action == "edit":
            return tree.edit(key, str(pick))
        return {"delete": tree.delete, "choose": tree.choose, "at": tree.at}[action](key)


@given(ACTIONS)
def test_any_sequence_keeps_a_valid_tree(actions: list[tuple[str, int, Any]]) -> None:
    desk = Desk()
    for action, pick, role in actions:
        desk.act(action, pick, role)
        desk.tree.check()
        assert ids(desk.tree)[-1:] == ([desk.tree.leaf] if desk.tree.leaf else [])
        for key in desk.tree.nodes:
            assert key in desk.tree.siblings(key)


@given(ACTIONS)
@settings(max_examples=50)
def test_undoing_all_and_redoing_all_comes_back(actions: list[tuple[str, int, Any]]) -> None:
    desk = Desk()
    for action, pick, role in actions:
        if action not in ("undo", "redo"):
            desk.act(action, pick, role)
    there = desk.tree
    while desk.history.can_undo:
        desk.act("undo", 0, "user")
    assert not desk.tree.nodes
    while desk.history.can_redo:
        desk.act("redo", 0, "user")
    assert desk.tree.nodes == there.nodes
    desk.tree.check()


@given(ACTIONS, ACTIONS)
@settings(max_examples=50)
def test_a_patch_made_elsewhere_never_breaks_the_tree(first: Any, second: Any) -> None:
    one, two = Desk(), Desk()
    for action, pick, role in first:
        one.act(action, pick, role)
    two.tree = one.tree
    for action, pick, role in second:
        two.act(action, pick, role)
    back = Patch.back(two.tree, one.tree)
    for desk in (one, two):
        for action, pick, role in second[::-1]:
            desk.act(action, pick, role)
        after = back.on(desk.tree)
        after.check()


def test_so_many_steps_are_remembered() -> None:
    history, tree = History(), Conversation("c")
    for count in range(STEPS_MAX + 5):
        after = tree.add(node(f"n{count:03}", tree.leaf))
        history.step(tree, after)
        tree = after
    while history.can_undo:
        tree = history.undo(tree)
    assert len(tree.nodes) == 5


def test_settings_are_undone_too() -> None:
    history, before = History(), small()
    after = replace(before, settings=ChatSettings(system="x"))
    history.step(before, after)
    assert history.undo(after).settings.system == ""
    assert history.redo(before).settings.system == "x"


def test_no_id_looks_like_a_flag() -> None:
    assert not any(new_id().startswith("-") for _ in range(2000))
