"""An open conversation: what a person does to it, what is stored, what a failure leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from apps.ui.i18n import words
from apps.ui.present import error_text
from engine import Engine, Settings
from engine.asked import Summaries
from engine.chat import Chat, Choice
from engine.conversation import Attachment, ChatSettings, Node
from engine.errors import BadInput, BadTemplate, EngineError, NotFound, NotSupported, PromptTooLong, StoreFailed
from engine.params import Params
from engine.providers import typed_in
from engine.types import Message, PromptProgress
from tests.conftest import small_settings
from tests.standins.openai_server import OpenAIStandIn

ECHO = Choice("echo")
PATIENCE_S = 60.0


@pytest.fixture
def desk() -> Iterator[Engine]:
    opened = Engine(Settings())
    yield opened
    opened.close()


@pytest.fixture
def chat(desk: Engine) -> Chat:
    return Chat(desk, "local")


def orders(**how: Any) -> str:
    return json.dumps(how)


def said(chat: Chat, text: str, choice: Choice = ECHO, **more: Any) -> Node:
    writing = chat.say(text, choice, **more)
    assert writing is not None
    return writing.wait()


def stored(chat: Chat) -> Any:
    return chat._engine.chats.get(chat.owner, chat.conversation.id)


def texts(chat: Chat) -> list[str]:
    return [node.content for node in chat.conversation.path()]


def until(holds: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


SLOW = {"answer": "one " + "and more " * 1000, "delay": 0.1}  # it cannot end before it is stopped


def slow(chat: Chat) -> Any:
    writing = chat.say(orders(**SLOW), ECHO)
    assert writing is not None
    until(lambda: "and" in writing.view.text)
    return writing


def test_a_question_gets_its_answer_and_both_are_stored(chat: Chat) -> None:
    node = said(chat, "Hello world")
    assert texts(chat) == ["Hello world", "Hello world"] and chat.writing is None
    assert (node.role, node.model, node.outcome, node.state) == ("assistant", "echo", "stop", "done")
    assert isinstance(node.params["seed"], int)
    assert node.stats is not None and node.stats["stopReason"] == "eosFound"
    assert node.usage is not None and node.usage["completion_tokens"] == 2
    assert node.window is not None and node.window["dropped"] == []
    assert chat._engine.traces.get(node.trace_id or "", "local").model == "echo"
    assert stored(chat) == chat.conversation and chat.conversation.title == "Hello world"
    again = Chat(chat._engine, "local", chat.conversation.id)
    assert again.conversation == chat.conversation


def test_nothing_is_stored_before_the_first_message(chat: Chat) -> None:
    chat.settings(system="Be brief.")
    chat.rename("x")
    assert chat._engine.chats.lines("local") == ()
    said(chat, "hi")
    assert stored(chat).settings.system == "Be brief." and stored(chat).title == "x"


def test_the_whole_path_is_sent_with_the_system_prompt(chat: Chat) -> None:
    chat.settings(system="Be brief.")
    said(chat, "one")
    node = said(chat, "two")
    model, request = chat.request_of(node.id)
    assert model == "echo" and request.params["seed"] == node.params["seed"]
    assert [(m.role, m.content) for m in request.messages] == [
        ("system", "Be brief."), ("user", "one"), ("assistant", "one"), ("user", "two"),
    ]  # fmt: skip
    chat._engine.traces.prune()
    chat.settings(system="Changed since.")
    assert chat.request_of(node.id)[1].messages[0].content == "Be brief."
    with pytest.raises(NotFound):
        chat.request_of(chat.conversation.path()[0].id)


def test_other_roles_only_add_a_message(chat: Chat) -> None:
    assert chat.say("I am the model.", None, role="assistant") is None
    assert chat.say("Be brief.", ECHO, role="system") is None
    assert [node.role for node in stored(chat).path()] == ["assistant", "system"]
    with pytest.raises(BadInput):
        chat.say("  ", ECHO)


def test_regenerating_keeps_both_and_draws_another_seed(chat: Chat) -> None:
    first = said(chat, "hi")
    second = chat.regenerate(first.id, ECHO).wait()
    assert chat.conversation.siblings(first.id) == (first.id, second.id) and chat.conversation.leaf == second.id
    assert first.params["seed"] != second.params["seed"]
    third = chat.regenerate(chat.conversation.path()[0].id, ECHO).wait()
    assert len(chat.conversation.siblings(third.id)) == 3
    fixed = Choice("echo", Params(seed=7))
    assert chat.regenerate(first.id, fixed).wait().params["seed"] == 7
    chat.choose(first.id)
    assert chat.conversation.leaf == first.id == stored(chat).leaf


def test_an_answer_is_continued_in_its_own_message(chat: Chat) -> None:
    first = said(chat, "one two three four", Choice("echo", Params(max_tokens=2)))
    assert (first.content, first.outcome) == ("one two", "max_tokens")
    more = chat.resume(first.id, ECHO)
    assert next(iter(more.views())).text.startswith("one two")
    node = more.wait()
    # the echo repeats the last message, which is what was written so far
    assert node.id == first.id and node.content == "one twoone two" and node.outcome == "stop"
    assert len(chat.conversation.nodes) == 2 and stored(chat) == chat.conversation
    chat.undo()
    assert chat.conversation.node(first.id) == first


def test_a_branch_begins_with_the_words_given(chat: Chat) -> None:
    first = said(chat, "one two")
    other = chat.branch_with(first.id, "three", ECHO).wait()
    assert other.content == "threethree" and chat.conversation.siblings(first.id) == (first.id, other.id)


def test_branching_editing_deleting_and_undoing(chat: Chat) -> None:
    first = said(chat, "one")
    said(chat, "two")
    chat.at(first.id)
    said(chat, "three")
    assert texts(chat) == ["one", "one", "three", "three"] and len(chat.conversation.children(first.id)) == 2
    chat.edit(first.id, "changed")
    chat.delete(chat.conversation.children(first.id)[1])
    assert texts(chat) == ["one", "changed", "two", "two"] and len(stored(chat).nodes) == 4
    for _ in range(2):
        chat.undo()
    assert texts(chat) == ["one", "one", "three", "three"]
    chat.undo()
    assert len(stored(chat).nodes) == 4
    assert chat.can_undo and chat.can_redo
    for _ in range(3):
        chat.redo()
    assert texts(chat) == ["one", "changed", "two", "two"] and not chat.can_redo
    while chat.can_undo:
        chat.undo()
    assert stored(chat).nodes == {}


def test_a_copy_has_a_life_of_its_own(chat: Chat) -> None:
    first = said(chat, "one")
    said(chat, "two")
    copy = Chat(chat._engine, "local", chat.copy_from(first.id))
    assert texts(copy) == ["one", "one"]
    copy.edit(first.id, "changed")
    assert chat.conversation.node(first.id).content == "one"


def test_files_go_into_the_message(chat: Chat) -> None:
    node = said(chat, "Sum up.", attachments=[Attachment("a.txt", "text", "the file")])
    assert node.content == "``` a.txt\nthe file\n```\n\nSum up."
    assert texts(chat)[0] == "Sum up." and stored(chat).path()[0].attachments[0].name == "a.txt"


def test_raw_mode_sends_the_text_as_it_is(chat: Chat) -> None:
    chat.settings(mode="raw")
    said(chat, "first")
    node = said(chat, "Once upon a time")
    assert node.content == "Once upon a time"
    request = chat.request_of(node.id)[1]
    assert (request.raw, request.messages) == ("Once upon a time", ())


def test_a_refused_question_is_a_draft_and_nothing_is_lost(chat: Chat) -> None:
    said(chat, "one")
    before = chat.conversation
    writing = chat.say("word " * 9000, ECHO, attachments=[Attachment("a.txt", "text", "x")])
    assert writing is not None
    with pytest.raises(PromptTooLong) as refused:
        writing.wait()
    assert refused.value.window == 8192 and chat.error is refused.value
    assert chat.conversation.nodes == before.nodes == stored(chat).nodes and chat.conversation.leaf == before.leaf
    assert chat.draft == "word " * 9000 and chat.draft_attachments[0].name == "a.txt"
    assert Chat(chat._engine, "local", before.id).draft == chat.draft
    said(chat, "two")
    assert chat.draft is None and chat.error is None and Chat(chat._engine, "local", before.id).draft is None
    chat.undo()
    assert chat.conversation.nodes == before.nodes


def test_a_failed_regeneration_leaves_all_as_it_was(chat: Chat) -> None:
    first = said(chat, "one")
    before = chat.conversation
    with pytest.raises(BadInput):
        chat.regenerate(first.id, Choice("nonsense")).wait()
    assert chat.conversation.nodes == before.nodes and chat.conversation.leaf == first.id and chat.draft is None
    with pytest.raises(BadInput):
        chat.resume(first.id, Choice("nonsense")).wait()
    assert stored(chat).nodes == before.nodes


def test_what_came_before_a_failure_stays_and_is_marked(chat: Chat) -> None:
    node = said(chat, orders(answer="one two three", fail_after=2))
    assert (node.content, node.state, node.outcome) == ("one two", "interrupted", "failed")
    assert node.error is not None and node.error["code"] == "server_failed"
    assert chat.error is not None and chat.error.code == "server_failed" and chat.draft is None
    assert stored(chat).node(node.id) == node


def test_a_failure_before_a_word_leaves_no_empty_answer(chat: Chat) -> None:
    question = orders(answer="one", fail_after=0)
    writing = chat.say(question, ECHO)
    assert writing is not None
    writing.ended()
    assert chat.conversation.nodes == {} == stored(chat).nodes and chat.draft == question


def test_a_stopped_answer_keeps_its_text(chat: Chat) -> None:
    writing = slow(chat)
    chat.stop()
    node = writing.wait()
    assert (node.outcome, node.state) == ("user_stopped", "done") and node.content.startswith("one")
    assert stored(chat).node(node.id) == node


def test_a_new_question_ends_the_answer_under_way(chat: Chat) -> None:
    writing = slow(chat)
    node = said(chat, "next")
    assert chat.conversation.node(writing.node_id).outcome == "user_stopped" and node.content == "next"
    assert chat.conversation.node(node.parent or "").parent == writing.node_id


def test_undo_takes_an_answer_under_way_back_with_its_question(chat: Chat) -> None:
    slow(chat)
    chat.undo()
    assert chat.conversation.nodes == {} and chat.writing is None
    chat.redo()
    assert [node.outcome for node in chat.conversation.path()] == [None, "user_stopped"]


def test_views_show_the_wait_and_the_growing_text(chat: Chat) -> None:
    writing = chat.say(orders(answer="one two", prompt_delay=0.5), ECHO)
    assert writing is not None
    views = list(writing.views())
    assert any(isinstance(view.waiting, PromptProgress) for view in views)
    assert views[-1].text == "one two" and views[-1].finished is not None
    assert list(writing.views())[-1] == views[-1]


def test_an_answer_that_nobody_wants_is_stopped(desk: Engine) -> None:
    chat = Chat(desk, "local", wanted=lambda: False)
    assert said(chat, orders(**SLOW)).outcome == "user_stopped"


def test_the_text_so_far_is_in_the_store_and_marked_after_a_crash(chat: Chat) -> None:
    writing = slow(chat)
    until(lambda: "and" in stored(chat).node(writing.node_id).content)
    assert stored(chat).node(writing.node_id).state == "writing"
    serving = Engine(chat._engine.settings, serve=True)
    node = serving.chats.get("local", chat.conversation.id).node(writing.node_id)
    assert (node.state, node.outcome) == ("interrupted", "failed") and "and" in node.content
    serving.close()
    chat.stop(wait=True)


KILLED = """
import sys, time
from engine import Engine, Settings
from engine.chat import Chat, Choice

chat = Chat(Engine(Settings(), serve=True), "local")
chat.say(sys.argv[1], Choice("echo"))
print(chat.conversation.id, flush=True)
time.sleep(600)
"""


def test_a_killed_application_leaves_the_partial_answer_marked(desk: Engine) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, orders(**SLOW)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    key = child.stdout.readline().strip()
    until(lambda: "and" in desk.chats.get("local", key).path()[-1].content)
    child.kill()
    child.communicate()
    again = Engine(desk.settings, serve=True)
    question, answer = Chat(again, "local", key).conversation.path()
    assert question.content == orders(**SLOW) and answer.content.startswith("one and")
    assert (answer.state, answer.outcome) == ("interrupted", "failed")
    again.close()


def test_the_store_is_not_written_for_every_token(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []
    monkeypatch.setattr(chat._engine.chats, "journal", lambda *_: times.append(time.monotonic()))
    writing = slow(chat)
    until(lambda: len(times) > 3)
    chat.stop()
    writing.ended()
    assert all(later - sooner >= 0.35 for sooner, later in pairwise(times))


def test_a_store_that_fails_leaves_a_draft(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    said(chat, "one")
    before = chat.conversation

    def full(*_: Any) -> None:
        raise StoreFailed("full", reason="disk_full")

    with monkeypatch.context() as patch:
        patch.setattr(chat._engine.chats, "save", full)
        with pytest.raises(StoreFailed):
            chat.say("two", ECHO)
        assert chat.draft == "two" and chat.conversation == before and chat.writing is None
        writing = None
    said(chat, "two")
    writing = slow(chat)
    with monkeypatch.context() as patch:
        patch.setattr(chat._engine.chats, "save", full)
        chat.stop(wait=True)
    assert isinstance(chat.error, StoreFailed)
    assert "and" in chat.conversation.node(writing.node_id).content
    chat.edit(writing.node_id, "mended")
    assert stored(chat).node(writing.node_id).content == "mended"


def test_two_tabs_on_one_conversation(desk: Engine, chat: Chat) -> None:
    said(chat, "one")
    other = Chat(desk, "local", chat.conversation.id)
    writing = slow(chat)
    said(other, "from the other tab")
    chat.stop(wait=True)
    for tab in (chat, other):
        tab.refresh()
        tab.conversation.check()
        assert tab.conversation.nodes == stored(chat).nodes and len(tab.conversation.nodes) == 6
    assert "and" in other.conversation.node(writing.node_id).content
    assert texts(other)[-1] == "from the other tab" and texts(chat)[-1].startswith("one and")
    assert not chat.refresh()


def test_a_conversation_deleted_in_another_tab(desk: Engine, chat: Chat) -> None:
    said(chat, "one")
    desk.chats.delete("local", chat.conversation.id)
    with pytest.raises(NotFound):
        chat.say("two", ECHO)
    assert chat.draft == "two"


def test_a_conversation_of_500_messages_is_small(desk: Engine, chat: Chat) -> None:
    tree = chat.conversation
    for number in range(500):
        role: Any = "assistant" if number % 2 else "user"
        tree = tree.add(Node(f"n{number:03}", tree.leaf, role, "word " * 150, float(number), stats={"a": 1.5}))
    key = desk.chats.adopt("local", tree).id
    del tree
    tracemalloc.start()
    opened = Chat(desk, "local", key)
    for number in range(0, 500, 10):
        opened.edit(f"n{number:03}", "other " * 150)
        opened.choose(f"n{number:03}")
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(opened.conversation.path()) == 500 and used < 5e6


def test_the_settings_of_a_new_conversation(desk: Engine) -> None:
    assert Chat(desk, "local", settings=ChatSettings(system="x")).conversation.settings.system == "x"


def test_two_answers_at_the_end_are_refused_in_a_sentence_and_nothing_is_lost(chat: Chat) -> None:
    said(chat, "hi")
    chat.say("I write this.", None, role="assistant")
    chat.say("And this.", None, role="assistant")
    before = chat.conversation
    for ask in (chat.resume, chat.regenerate):
        writing = ask(before.leaf or "", ECHO)
        with pytest.raises(BadInput) as refused:
            writing.wait()
        assert chat.conversation.nodes == before.nodes and chat.conversation.leaf == before.leaf
        assert stored(chat).nodes == before.nodes and chat.error is refused.value
    assert chat.preview("", ECHO).prompt_tokens  # what a next question would be sent with
    assert said(chat, "again").content == "again"


def test_two_answers_have_a_sentence_in_both_languages() -> None:
    error = BadInput("x", what="message", reason="two_answers")
    assert error_text(error, words("en")).what.startswith("The last message is an answer already")
    assert error_text(error, words("fr")).what.startswith("Le dernier message est déjà une réponse")


def test_a_virtual_window_is_kept_only_where_tokens_are_counted(desk: Engine, openai_server: OpenAIStandIn) -> None:
    desk.catalog.add(typed_in(openai_server.base_url))
    far = Choice("endpoint/plain")
    chat = Chat(desk, "local", settings=ChatSettings(virtual_window=40, policy="rolling"))
    node = said(chat, "hi", far)
    assert node.window is not None and not node.window["exact"] and node.window["estimate"]
    model, request = chat.request_of(node.id)
    assert request.virtual_window is None and desk.model(model).body(request)["messages"]
    near = said(chat, "one", ECHO)
    assert chat.request_of(near.id)[1].virtual_window == 40


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine(small_settings(tmp_path_factory.mktemp("chat")), serve=True)
    yield opened
    opened.close()


def greedy(tokens: int) -> Choice:
    return Choice("smollm2-135m-instruct", Params(temperature=0, max_tokens=tokens))


@pytest.mark.model
def test_a_continued_greedy_answer_is_the_uncut_one(real: Engine) -> None:
    whole = said(Chat(real, "local"), "Tell me about the sea.", greedy(40))
    chat = Chat(real, "local")
    first = said(chat, "Tell me about the sea.", greedy(15))
    assert first.outcome == "max_tokens" and whole.content.startswith(first.content)
    assert chat.resume(first.id, greedy(25)).wait().content == whole.content


@pytest.mark.model
def test_regenerating_changes_something(real: Engine) -> None:
    chat, choice = Chat(real, "local"), Choice("smollm2-135m-instruct", Params(temperature=1.5, max_tokens=24))
    first = said(chat, "Invent a name.", choice)
    answers = {first.content, *(chat.regenerate(first.id, choice).wait().content for _ in range(2))}
    assert len(answers) > 1


@pytest.mark.model
def test_what_is_previewed_is_what_is_counted(real: Engine) -> None:
    chat = Chat(real, "local")
    chat.settings(system="Be brief.", token_view=True)
    plan = chat.preview("Hello there", greedy(8))
    node = said(chat, "Hello there", greedy(8))
    assert node.usage is not None and node.usage["prompt_tokens"] == plan.prompt_tokens
    assert "".join(entry["token"] for entry in node.tokens) == node.content
    assert len(node.tokens[0]["top_logprobs"]) == 5


@pytest.mark.model
def test_a_window_that_is_too_small_refuses_with_numbers_or_rolls(real: Engine) -> None:
    chat = Chat(real, "local")
    said(chat, "one " * 60, greedy(8))
    chat.settings(virtual_window=128)
    with pytest.raises(PromptTooLong) as refused:
        said(chat, "two " * 60, greedy(8))
    assert refused.value.window == 128 and chat.draft is not None
    chat.settings(policy="rolling")
    node = said(chat, "two " * 60, greedy(8))
    assert node.window is not None and node.window["dropped"]
    assert chat._engine.traces.get(node.trace_id or "", "local").window == node.window


@pytest.mark.model
def test_what_was_summarized_once_is_not_summarized_again(real: Engine) -> None:
    summaries, model = Summaries("local"), real.model("smollm2-135m-instruct")
    told = (Message("user", "My name is Ada."), Message("assistant", "Hello Ada!"))
    before = len(real.traces.list("local", 1000))
    first, again = (summaries.by(model, lambda: False)(told, 8) for _ in range(2))
    assert first == again and len(real.traces.list("local", 1000)) == before + 1


@pytest.mark.model
def test_two_answers_are_what_llama_cpp_refuses_too(real: Engine) -> None:
    told = [Message("user", "hi"), Message("assistant", "a"), Message("assistant", "b")]
    with pytest.raises(EngineError) as refused:
        real.model("smollm2-135m-instruct").answer(told, Params(max_tokens=1))
    assert "2 or more assistant messages" in str(refused.value)


@pytest.mark.model
def test_a_template_of_ones_own_makes_the_prompt(real: Engine) -> None:
    chat = Chat(real, "local")
    chat.settings(template="{{ eos_token }}{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}A:")
    node = said(chat, "hi", greedy(4))
    assert chat.request_of(node.id)[1].raw == "<|im_end|>user=hi;A:"
    more = chat.resume(node.id, greedy(4)).wait()
    assert chat.request_of(node.id)[1].raw == f"<|im_end|>user=hi;A:{node.content}"
    assert more.content.startswith(node.content)
    chat.settings(template="{{ ")
    with pytest.raises(BadTemplate):
        said(chat, "hi", greedy(4))


@pytest.mark.model
def test_the_form_of_an_answer_is_kept(real: Engine) -> None:
    chat = Chat(real, "local")
    chat.settings(output_kind="grammar", output_source='root ::= "yes" | "no"', token_view=True)
    assert said(chat, "Is the sea blue?", greedy(8)).content in ("yes", "no")
    chat.settings(output_kind="json_schema", output_source='{"type": "boolean"}', mode="raw")
    node = said(chat, "Is the sea blue? ", greedy(8))
    assert json.loads(node.content) in (True, False) and node.tokens
    chat.settings(output_source="{")
    with pytest.raises(BadInput):
        said(chat, "Is the sea blue?", greedy(8))
    assert chat.draft == "Is the sea blue?"


def test_a_form_that_the_backend_cannot_hold_is_refused(chat: Chat) -> None:
    chat.settings(output_kind="grammar", output_source='root ::= "yes"')
    with pytest.raises(NotSupported):
        said(chat, "hi")


def test_only_an_answer_is_gone_on_with(chat: Chat) -> None:
    said(chat, "one two")
    question = chat.conversation.path()[0]
    chat.say("rules", None, role="system")
    before = chat.conversation
    for node in (question, before.path()[-1]):
        for ask in (chat.resume, lambda key, choice: chat.branch_with(key, "x", choice)):
            with pytest.raises(BadInput):
                ask(node.id, ECHO)
    assert chat.conversation == before
    with pytest.raises(BadInput):
        chat.say("x", ECHO, role="owner")  # type: ignore[arg-type]


def test_an_answer_under_way_in_one_tab_is_not_gone_on_with_in_another(chat: Chat, desk: Engine) -> None:
    writing = slow(chat)
    until(lambda: stored(chat).node(writing.node_id).content)
    other = Chat(desk, "local", chat.conversation.id)
    with pytest.raises(BadInput) as refused:
        other.resume(writing.node_id, ECHO)
    assert refused.value.details["reason"] == "being_written"
    chat.stop(wait=True)
    whole = stored(chat).node(writing.node_id).content
    assert other.resume(writing.node_id, ECHO).wait().content.startswith(whole)  # it has ended, though nobody looked


def test_the_records_of_an_import_do_not_break_a_branch(chat: Chat) -> None:
    answer = said(chat, "one two")
    odd = chat.conversation.update(replace(answer, tokens=({"token": 3}, {"bytes": "x"}, {})))
    chat._store(lambda _: odd)
    assert chat.branch_with(answer.id, "one", ECHO).wait().tokens == ()
