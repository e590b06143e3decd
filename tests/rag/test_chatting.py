"""Conversations grounded in collections: what is sent and kept, answers anew and continued, window policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine import Engine, Settings
from engine.backends.echo import Echo
from engine.chat import Chat, Choice
from engine.conversation import ChatSettings, Node
from engine.errors import BadInput, EngineError, NotFound
from engine.params import Params
from engine.rag import retrieval as searching
from engine.rag.grounding import Grounding
from engine.rag.retrieval import Found
from engine.rag.rewriting import Rewritten
from engine.rag.sources import pasted
from engine.rag.values import Chunk, Passage, Retrieval, Splitting
from engine.transfer import export_conversation, import_any
from tests.standins.rag import EMBEDDER, fill

ECHO = Choice("echo", language="fr")
QUESTION = "Où est la tour ?"


@pytest.fixture
def desk() -> Iterator[Engine]:
    opened = Engine(Settings())
    yield opened
    opened.close()


class Searches(list[Any]):
    """The questions that were looked for; `texts` is what every search finds."""

    texts: tuple[str, ...] = ("La tour est à Paris.", "Elle est haute.")


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Searches:
    asked = Searches()

    def search(engine: Any, owner: str, collections: Any, question: str, retrieval: Any = None, **_: Any) -> Found:
        asked.append((owner, tuple(collections), question))
        passages = tuple(
            Passage(Chunk(f"c{n}", "f", "tour.pdf", n, text, 0, len(text), 5, n + 1), {"vector": 0.9}, collection="col")
            for n, text in enumerate(asked.texts)
        )
        return Found(passages, question, retrieval or Retrieval())

    def rewrite(model: Any, history: Any, question: str, *, owner: str = "local") -> Rewritten:
        return Rewritten(question, f"{question} (la tour)", asked=True, trace_id="t")

    monkeypatch.setattr(searching, "search", search)
    monkeypatch.setattr("engine.rag.rewriting.rewrite", rewrite)
    return asked


def grounded(desk: Engine, **settings: Any) -> Chat:
    return Chat(desk, "local", settings=ChatSettings(collections=("col",), **settings))


def said(chat: Chat, text: str = QUESTION, choice: Choice = ECHO) -> Node:
    writing = chat.say(text, choice)
    assert writing is not None
    return writing.wait()


def prompt(desk: Engine, node: Node) -> str:
    assert node.trace_id
    text = desk.traces.get(node.trace_id, "local").prompt
    assert text is not None
    return text


def test_an_answer_keeps_its_passages_and_the_trace_the_prompt(desk: Engine, searches: Searches) -> None:
    chat = grounded(desk, system="Sois bref.")
    node = said(chat)
    kept = Grounding.of(desk.chats.get("local", chat.conversation.id).node(node.id).grounding or {})
    assert [source.text for source in kept.sources] == list(searches.texts) and kept.language == "fr"
    sent = prompt(desk, node)
    assert sent.startswith("system: Sois bref.\nuser: Réponds") and "La tour est à Paris." in sent
    assert sent.count("user:") == 1 and sent.endswith(f"{QUESTION}\nassistant:")
    assert searches == [("local", ("col",), QUESTION)]
    assert node.window and node.window["segments"]["retrieved"] > 10 and node.window["dropped"] == []


def test_the_next_question_is_rewritten_and_old_passages_are_not_sent_again(desk: Engine, searches: Searches) -> None:
    chat = grounded(desk)
    said(chat)
    searches.texts = ("Trois cents mètres.",)
    node = said(chat, "Et sa hauteur ?")
    assert searches[-1][2] == "Et sa hauteur ? (la tour)"
    assert node.grounding and node.grounding["rewritten"] and node.grounding["rewriting_trace"] == "t"
    sent = prompt(desk, node)
    assert sent.startswith(f"user: {QUESTION}\nassistant:") and sent.count("<passage n=") == 1 + 2  # the echo's own
    chat.settings(rewrite=False)
    said(chat, "Et son poids ?")
    assert searches[-1][2] == "Et son poids ?"


def test_regenerate_searches_anew_and_continue_goes_on_with_the_same(desk: Engine, searches: Searches) -> None:
    chat = grounded(desk)
    first = said(chat)
    searches.texts = ("Tout autre chose.",)
    again = chat.regenerate(first.id, ECHO).wait()
    assert again.grounding and again.grounding["sources"][0]["text"] == "Tout autre chose."
    searches.texts = ("Encore autre chose.",)
    longer = chat.resume(first.id, ECHO).wait()
    assert longer.grounding == first.grounding and len(searches) == 2
    assert "La tour est à Paris." in prompt(desk, longer) and "autre chose" not in prompt(desk, longer)
    branch = chat.branch_with(first.id, "La tour", ECHO).wait()
    assert branch.grounding == first.grounding and "La tour est à Paris." in prompt(desk, branch)
    assert prompt(desk, branch).rstrip().endswith("assistant: La tour\nassistant:")


def test_without_passages_the_sentence_is_said_and_nobody_asked(desk: Engine, searches: Searches) -> None:
    searches.texts = ()
    chat = grounded(desk, grounding="documents_only")
    node = said(chat)
    assert node.content == "Je ne trouve pas la réponse dans les documents." and node.trace_id is None
    assert node.outcome == "stop" and node.grounding and node.grounding["empty"] and not node.grounding["asked"]
    assert not desk.traces.list("local")
    assert chat.resume(node.id, ECHO).wait().content == node.content
    with pytest.raises(NotFound):
        chat.request_of(node.id)


def test_retrieval_only_lists_the_passages(desk: Engine, searches: Searches) -> None:
    node = said(grounded(desk, grounding="retrieval_only"))
    assert node.content.startswith("[1] tour.pdf, p. 1\n\n> La tour est à Paris.") and node.trace_id is None


@pytest.mark.parametrize("policy", ["rolling", "truncate_middle", "summarize"])
def test_policies_drop_old_turns_and_keep_the_passages(desk: Engine, searches: Searches, policy: str) -> None:
    chat = grounded(desk, policy=policy, rewrite=False, virtual_window=400, system="Sois bref.")
    for number in range(4):
        chat.say(f"vieux {number} " * 30, None, role="user")
        chat.say(f"reponse {number} " * 30, None, role="assistant")
    node = said(chat, choice=Choice("echo", Params(max_tokens=40)))
    sent = prompt(desk, node)
    assert "La tour est à Paris." in sent and QUESTION in sent and "vieux 1 " not in sent
    path = [one.id for one in chat.conversation.path()]
    assert node.window and node.window["dropped"]
    assert all(1 <= index < len(path) - 1 for index in node.window["dropped"])  # never the question itself


def test_the_policy_stop_drops_nothing_but_passages(desk: Engine, searches: Searches) -> None:
    searches.texts = tuple(f"passage {n} " * 40 for n in range(4))
    node = said(grounded(desk, virtual_window=400), choice=Choice("echo", Params(max_tokens=40)))
    assert node.grounding and node.grounding["left_out"] and node.grounding["sources"]
    assert "passage 0" in prompt(desk, node) and "passage 3" not in prompt(desk, node)


def test_a_template_of_ones_own_gets_the_passages(desk: Engine, searches: Searches) -> None:
    node = said(grounded(desk, template="{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"))
    assert prompt(desk, node).startswith("<user>Réponds") and prompt(desk, node).count("<user>") == 1


def test_a_raw_prompt_is_sent_as_it_stands(desk: Engine, searches: Searches) -> None:
    node = said(grounded(desk, mode="raw"), "Il était une fois")
    assert prompt(desk, node) == "Il était une fois" and node.grounding is None and not searches


def test_an_ungrounded_conversation_is_as_before(desk: Engine, searches: Searches) -> None:
    node = said(Chat(desk, "local"))
    assert node.grounding is None and not searches


def test_a_question_that_cannot_be_searched_is_no_answer(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def search(*_: Any, **__: Any) -> Found:
        raise NotFound("no collection col", what="collection", key="col")

    monkeypatch.setattr(searching, "search", search)
    chat = grounded(desk)
    with pytest.raises(EngineError) as caught:
        said(chat)
    assert caught.value.code == "not_found" and chat.draft == QUESTION and not chat.conversation.nodes


def test_settings_of_the_search(desk: Engine, searches: Searches) -> None:
    made = desk.collections.create("local", "cours")
    chat = Chat(desk, "local", settings=ChatSettings(collections=(made.id,), retrieval={"k": 2, "files": ["f"]}))
    node = said(chat)
    assert node.grounding and node.grounding["retrieval"]["k"] == 2 and node.grounding["retrieval"]["files"] == ["f"]
    opened = Chat(desk, "local", chat.conversation.id)
    assert opened.conversation.settings == chat.conversation.settings
    chat.settings(retrieval={"nonsense": 1})
    with pytest.raises(BadInput):
        said(chat, "Encore ?")


def test_passages_travel_with_the_conversation(desk: Engine, searches: Searches) -> None:
    chat = grounded(desk)
    node = said(chat)
    data = json.dumps(export_conversation(chat.conversation)).encode()
    [back] = import_any(data, "chat.json")
    assert [one.grounding for one in back.path() if one.grounding] == [json.loads(json.dumps(node.grounding))]
    assert back.settings.collections == ("col",)


def test_a_delayed_answer_shows_its_passages_while_it_is_written(desk: Engine, searches: Searches) -> None:
    desk.model("echo").backend = Echo(delay=0.05)
    writing = grounded(desk).say(QUESTION, ECHO)
    assert writing is not None
    for view in writing.views():
        if view.text:
            break
    assert writing.grounding and writing.grounding["sources"][0]["name"] == "tour.pdf"
    writing.stop()
    writing.ended()


def test_a_preview_foresees_passages_of_the_collections_own_length(desk: Engine) -> None:
    words = " ".join(f"mot{number}" for number in range(2000))
    made = desk.collections.create("local", "cours", EMBEDDER, Splitting(size=200, overlap=0))
    fill(desk.collections, made, pasted("a.txt", words))  # ten chunks
    bare, long = (Chat(desk, "local").preview(text, ECHO) for text in (QUESTION, words))
    assert bare.prompt_tokens and long.prompt_tokens
    whole = long.prompt_tokens - bare.prompt_tokens
    for mode, share in (("documents_and_model", (0.4, 0.7)), ("whole_document", (0.9, 1.3))):
        settings = ChatSettings(collections=(made.id,), grounding=mode)
        chat = Chat(desk, "local", settings=settings)
        for typed in (QUESTION, ""):
            plan = chat.preview(typed, ECHO)
            assert plan.foreseen and plan.segments and not bare.foreseen
            low, high = (part * whole for part in share)
            assert low < plan.segments.retrieved < high
    assert not chat.conversation.path()


def test_nothing_is_foreseen_where_nothing_can_be(desk: Engine) -> None:
    empty = desk.collections.create("local", "vide", EMBEDDER)
    for collections, mode in (((empty.id,), "documents_only"), (("gone",), "documents_only"), ((empty.id,), "summary")):
        chat = Chat(desk, "local", settings=ChatSettings(collections=collections, grounding=mode))
        plan = chat.preview(QUESTION, ECHO)
        assert not plan.foreseen and plan.segments and plan.segments.retrieved == 0
