"""Conversations are stored for their owner, and two who save one at the same time never break it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chats import Chats, fold, merge
from engine.conversation import Attachment, ChatSettings, Conversation, Node, new_id
from engine.errors import BadInput, NotFound, StoreFailed
from engine.people import People
from engine.store import Store
from tests.databases import KINDS, fresh_store


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with fresh_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def chats(store: Store) -> Chats:
    return Chats(store)


def node(key: str, parent: str | None = None, content: str = "", **more: Any) -> Node:
    return Node(key, parent, more.pop("role", "user"), content or key, more.pop("created", 0.0), **more)


def stored(chats: Chats, *more: Node, owner: str = "local", title: str = "") -> Conversation:
    tree = chats.create(owner, title=title)
    for each in more:
        tree = replace(tree, nodes={**tree.nodes, each.id: each}, leaf=each.id)
    return chats.save(owner, tree, chats.get(owner, tree.id))


FULL = node(
    "a", "q", "été \ud800\0 ```", role="assistant", created=5.5, reasoning="hm \ud800", model="m", params={"seed": 1},
    outcome="stop", stats={"tokensPerSecond": 2.5}, usage={"prompt_tokens": 3}, trace_id="t", error={"code": "x"},
    window={"dropped": [1]}, tokens=({"id": 1},), state="interrupted",
    attachments=(Attachment("x.txt", "text", "x", 1, 2, True, None, ("w",)),),
)  # fmt: skip


def test_everything_comes_back(chats: Chats) -> None:
    tree = stored(chats, node("q"), FULL, title="Été")
    tree = chats.save("local", replace(tree, settings=ChatSettings(system="s", virtual_window=256), pinned=True), tree)
    assert chats.get("local", tree.id) == tree
    assert tree.node("a") == FULL and tree.leaf == "a"
    assert tree.revision == chats.revision("local", tree.id) == 3


def test_only_the_owner_finds_it(store: Store, chats: Chats) -> None:
    anne = People(store).join("Anne", "student").id
    tree = stored(chats, node("q"))
    assert chats.lines(anne) == ()
    acts = [chats.get, chats.revision, chats.delete, chats.pin, chats.draft, lambda *who: chats.rename(*who, "mine")]
    for act in acts:
        with pytest.raises(NotFound):
            act(anne, tree.id)
    for base in (tree, None):
        with pytest.raises(NotFound):
            chats.save(anne, tree.edit("q", "mine"), base)
    chats.journal(anne, tree.id, "q", "mine")
    chats.keep_draft(anne, tree.id, "mine")
    assert chats.get("local", tree.id) == tree and chats.draft("local", tree.id) is None


@pytest.mark.parametrize("nodes", [{}, {"q": node("q", content="mine")}, {"w": node("w", content="mine")}])
def test_a_new_conversation_under_an_id_that_somebody_has_changes_nothing(
    store: Store, chats: Chats, nodes: dict[str, Node]
) -> None:
    anne = People(store).join("Anne", "student").id
    tree = stored(chats, node("q", state="writing", role="assistant"))
    chats.keep_draft("local", tree.id, "draft")
    guessed = Conversation(tree.id, "mine", nodes, next(iter(nodes), None))
    with pytest.raises(StoreFailed) as refused:
        chats.save(anne, guessed)
    assert refused.value.details["reason"] == "conflict"
    chats.journal(anne, tree.id, "q", "mine")
    assert chats.get("local", tree.id) == tree and chats.draft("local", tree.id) == "draft"
    assert chats.lines(anne) == ()
    copied = chats.adopt(anne, tree)  # what somebody exported and sent: one's own copy
    chats.save(anne, copied.delete("q"), copied)
    chats.delete(anne, copied.id)
    assert chats.get("local", tree.id) == tree


def test_the_list_shows_pinned_ones_first_then_the_newest(store: Store) -> None:
    times = iter(range(100))
    chats = Chats(store, clock=lambda: float(next(times)))
    one, two, three = (stored(chats, node("q", content=text), title=text) for text in ("un", "deux", "trois"))
    assert [line.title for line in chats.lines("local")] == ["trois", "deux", "un"]
    chats.pin("local", one.id)
    chats.rename("local", two.id, "  Deux\nbis ")
    lines = chats.lines("local")
    assert [(line.title, line.pinned, line.messages) for line in lines] == [
        ("un", True, 1), ("trois", False, 1), ("Deux bis", False, 1)
    ]  # fmt: skip
    assert [line.id for line in chats.lines("local", limit=1)] == [one.id]
    chats.delete("local", three.id)
    assert len(chats.lines("local")) == 2


def test_every_word_is_looked_for_in_titles_and_messages(chats: Chats) -> None:
    tree = stored(chats, node("q", content="Où est l'ÉTÉ ? 100 % sûr"), title="Saisons")
    for words in ("ete", "ÉTÉ", "saisons où", "100 %", "L'é", ""):
        assert [line.id for line in chats.lines("local", words)] == [tree.id], words
    for words in ("hiver", "été hiver", "1_0", "100%"):
        assert chats.lines("local", words) == (), words
    assert fold("Œuvre ÀÉ") == "œuvre ae"
    assert chats.lines("local", "saisons " * 500_000)  # what somebody pasted there


def test_what_did_not_change_is_not_written(chats: Chats) -> None:
    tree = stored(chats, node("q"))
    assert chats.save("local", tree, tree) is tree
    assert chats.revision("local", tree.id) == tree.revision
    again = chats.save("local", replace(tree, title="x"), tree)
    assert (again.updated, again.revision) == (tree.updated, tree.revision + 1)


def test_two_tabs_keep_the_messages_of_both(chats: Chats) -> None:
    base = stored(chats, node("q"))
    one = chats.save("local", base.add(node("a", "q", created=1.0)), base)
    two = chats.save("local", base.add(node("b", "q", created=2.0)), base)
    assert two.children("q") == ("a", "b") and two.leaf == "b"
    three = chats.save("local", replace(one, title="mine"), one)
    assert three.title == "mine" and three.children("q") == ("a", "b")
    assert chats.get("local", base.id) == three


def test_of_one_message_the_last_writing_stays(chats: Chats) -> None:
    base = stored(chats, node("q"), node("a", "q"))
    chats.save("local", base.edit("q", "one"), base)
    now = chats.save("local", base.edit("q", "two"), base)
    assert now.node("q").content == "two"


def test_what_was_written_under_a_deleted_message_brings_it_back(chats: Chats) -> None:
    base = stored(chats, node("q"), node("a", "q"))
    chats.save("local", base.delete("q"), base)
    now = chats.save("local", base.add(node("b", "a")), base)
    assert [each.id for each in now.path()] == ["q", "a", "b"]
    now.check()


def test_a_deletion_takes_what_another_tab_put_below(chats: Chats) -> None:
    base = stored(chats, node("q"), node("a", "q"))
    chats.save("local", base.add(node("b", "a")), base)
    now = chats.save("local", base.delete("a"), base)
    assert set(now.nodes) == {"q"} == set(chats.get("local", base.id).nodes) and now.leaf == "q"


def test_a_conversation_deleted_elsewhere_is_said_to_be_gone(chats: Chats) -> None:
    base = stored(chats, node("q"))
    chats.delete("local", base.id)
    with pytest.raises(NotFound):
        chats.save("local", base.add(node("a", "q")), base)


def test_the_text_so_far_is_kept_without_a_revision(chats: Chats) -> None:
    tree = stored(chats, node("q"), node("a", "q", role="assistant", state="writing"))
    chats.journal("local", tree.id, "a", "so far", "hm")
    chats.journal("local", tree.id, "q", "never")
    chats.journal("local", tree.id, "gone", "never")
    now = chats.get("local", tree.id)
    assert (now.node("a").content, now.node("a").reasoning, now.revision) == ("so far", "hm", tree.revision)
    assert now.node("q").content == "q"


def test_what_was_being_written_when_all_ended_is_marked_or_taken_out(chats: Chats) -> None:
    empty = node("b", "q", role="assistant", state="writing", created=1.0)
    tree = stored(chats, node("q"), node("a", "q", role="assistant", state="writing"), replace(empty, content=""))
    other = stored(chats, node("q"))
    assert chats.recover() == 2
    now = chats.get("local", tree.id)
    assert (now.node("a").state, now.node("a").outcome, now.node("a").content) == ("interrupted", "failed", "a")
    assert set(now.nodes) == {"q", "a"} and now.leaf == "q" and now.revision > tree.revision
    assert chats.get("local", other.id) == other
    assert chats.recover() == 0


def test_a_draft_is_kept(chats: Chats) -> None:
    tree = stored(chats, node("q"))
    assert chats.draft("local", tree.id) is None
    chats.keep_draft("local", tree.id, "not sent \ud800")
    assert chats.draft("local", tree.id) == "not sent \ud800"


def test_a_conversation_from_elsewhere_gets_an_id_of_its_own(chats: Chats) -> None:
    tree = stored(chats, node("q"), node("a", "q"), title="x")
    copy = chats.adopt("local", tree)
    assert copy.id != tree.id and (copy.nodes, copy.leaf, copy.title) == (tree.nodes, tree.leaf, "x")
    assert chats.get("local", copy.id) == copy
    with pytest.raises(BadInput):
        chats.adopt("local", replace(tree, leaf="nowhere"))


def test_what_a_newer_program_stored_is_passed_over(store: Store, chats: Chats) -> None:
    tree = stored(chats, node("q"))
    with store.write() as connection:
        connection.exec_driver_sql("""UPDATE conversations SET settings = '{"system":"s","later":1}'""")
        connection.exec_driver_sql("""UPDATE nodes SET data = '{"model":"m","later":1}'""")
    now = chats.get("local", tree.id)
    assert now.settings.system == "s" and now.node("q").model == "m"


STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["add", "edit", "delete", "root"]), st.integers(0, 999)), max_size=40
)


@given(STEPS)
@settings(max_examples=30)
def test_two_who_save_in_turns_never_break_the_tree(steps: list[tuple[int, str, int]]) -> None:
    stored_now = Conversation("c", revision=1)
    tabs = [stored_now, stored_now]
    for number, (who, act, pick) in enumerate(steps):
        base = tabs[who]
        keys = list(base.nodes)
        if not keys or act == "root":
            mine = base.add(node(f"n{number}"))
        else:
            key = keys[pick % len(keys)]
            mine = {"add": lambda: base.add(node(f"n{number}", key)), "edit": lambda: base.edit(key, f"{number}"),  # noqa: B023
                    "delete": lambda: base.delete(key)}[act]()  # noqa: B023  # fmt: skip
        merged = merge(mine, base, stored_now)
        merged.check()
        if act in ("add", "root"):
            assert f"n{number}" in merged.nodes or not keys
        stored_now = replace(merged, revision=stored_now.revision + 1)
        tabs[who] = stored_now


def test_four_threads_save_one_conversation(chats: Chats) -> None:
    base = stored(chats, node("q"))

    def work(number: int) -> None:
        mine = base
        for count in range(10):
            mine = chats.save("local", mine.add(node(f"{number}.{count}", mine.leaf, created=float(count))), mine)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    now = chats.get("local", base.id)
    now.check()
    assert len(now.nodes) == 41 and now.revision == base.revision + 40
    assert new_id() != new_id()
