"""The chat tab in Chromium: what is asked first, two pages on one conversation, links, the person's prompts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from apps.ui.i18n import words
from engine.chat import Chat, Choice
from engine.conversation import ChatSettings, Conversation, Node
from engine.person import LOCAL
from engine.prompts import Prompt, Prompts
from tests.browser.tabs import PATIENCE_MS
from tests.gradio.conftest import Site
from tests.standins.app_server import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

BOX = "#question textarea"
FR = words("fr")
HOSTILE = (
    '<img src="http://example.invalid/a" onerror="window.hit=1"><script>window.hit=1</script> '
    "![x](http://example.invalid/b)"
)


@pytest.fixture(scope="module")
def context(chromium: Any) -> Iterator[Any]:
    """One person's browser: its pages share the interface's files."""
    opened = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="fr-FR")
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    opened = context.new_page()
    yield opened
    opened.close()


def visit(page: Any, site: Site, query: str = "") -> None:
    page.goto(f"{site.language('fr')}?{query}")
    page.locator(f"{BOX}:enabled").wait_for()


def say(page: Any, text: str) -> None:
    page.fill(BOX, text)
    page.press(BOX, "Enter")


def kept(site: Site, *said: tuple[str, str], **settings: Any) -> str:
    """A conversation with these messages, by its id."""
    nodes: dict[str, Node] = {}
    for role, text in said:
        parent = next(reversed(nodes), None)
        answered: Any = {"model": "echo", "outcome": "stop"} if role == "assistant" else {}
        nodes[f"n{len(nodes)}"] = Node(f"n{len(nodes)}", parent, role, text, time.time(), **answered)  # type: ignore[arg-type]
    made = Conversation("x", title="t", nodes=nodes, leaf=next(reversed(nodes)), settings=ChatSettings(**settings))
    return site.engine.chats.adopt(LOCAL.id, made).id


def until(page: Any, script: str) -> None:
    page.wait_for_function(script, timeout=PATIENCE_MS)


def test_a_link_opens_its_section_and_what_is_asked_at_once_gets_its_values(site: Site, page: Any) -> None:
    page.goto(f"{site.language('fr')}?section=comptine&max_tokens=3")
    page.get_by_role("tab", name="Comptine", selected=True).wait_for()
    until(page, "document.body.dataset.opened")  # from here on sections are written into the address
    page.get_by_role("tab", name="Discuter").click()
    until(page, "!location.search.includes('section')")
    page.locator(f"{BOX}:enabled").wait_for()
    say(page, "un deux trois quatre cinq")
    page.get_by_text(FR.t("outcome.max_tokens")).wait_for()
    page.get_by_role("tab", name="Modèles").click()
    until(page, "location.search.includes('section=models') && location.search.includes('max_tokens=3')")


def test_an_answer_is_judged_and_before_the_policy_leaves_messages_out_a_person_is_asked(site: Site, page: Any) -> None:
    chat = kept(site, ("user", "one two three"), ("assistant", "four five six"), policy="rolling", virtual_window=40)
    tree = site.engine.chats.get(LOCAL.id, chat)
    form = {"kind": "json_schema", "source": '{"type": "object"}'}
    site.engine.chats.save(LOCAL.id, tree.update(replace(tree.path()[-1], form=form)), tree)
    visit(page, site, f"chat={chat}")
    page.locator("#acts-left").get_by_text("✗").wait_for()  # judged beside the page, which comes to show it by itself
    long = "word " * 21
    for way in ("keep", "anyway"):
        say(page, long)
        alert = page.locator("#alert [role=alert]")
        alert.filter(has_text=FR.n("chat_window.will_drop", 2).split("(")[0].strip()).wait_for()
        assert page.locator("#history del").all_inner_texts() == ["one two three", "four five six"]
        until(page, f"document.querySelector('{BOX}').value.startsWith('word')")  # what was typed stays
        assert len(site.engine.chats.get(LOCAL.id, chat).nodes) == 2  # nothing was sent
        alert.locator(f"button[data-act={way}]").click()
        alert.wait_for(state="detached")
    page.get_by_text(FR.n("chat_window.dropped", 2)).wait_for()
    found = site.engine.chats.get(LOCAL.id, chat).path()
    assert len(found) == 4 and found[2].content == long
    until(page, f"document.querySelector('{BOX}').value === ''")


def test_two_pages_of_one_person_do_not_take_each_others_answer(site: Site, page: Any, context: Any) -> None:
    chat = kept(site, ("user", "one"), ("assistant", "two"))
    other = context.new_page()
    visit(page, site, f"chat={chat}")
    visit(other, site, f"chat={chat}")
    other.locator("#acts-left button[data-act=regenerate]").wait_for()
    say(page, "held " + "drop " * 30)
    page.locator("#stop").wait_for()
    other.locator("#acts-left button[data-act=regenerate]").click()
    other.locator("#alert").get_by_text(FR.t("prompt_problem.being_written")).wait_for()
    other.locator("#stop").wait_for()  # it shows what the first one asked for
    assert wait_for(lambda: "held drop" in other.inner_text("#history"))
    site.echo.release.set()
    for one in (page, other):
        one.locator("#stop").wait_for(state="hidden")
        until(one, "document.querySelector('#history').innerText.split('drop').length === 61")
    other.close()
    found = site.engine.chats.get(LOCAL.id, chat)
    assert len(found.nodes) == 4 and {node.outcome for node in found.nodes.values()} == {None, "stop"}


def test_what_another_interface_writes_cannot_be_continued_and_comes_by_itself(site: Site, page: Any) -> None:
    chat = kept(site, ("user", "one"), ("assistant", "two"))
    elsewhere = Chat(site.engine, LOCAL.id, chat)
    writing = elsewhere.say("held " + "drop " * 30, Choice("echo"))
    assert writing is not None
    visit(page, site, f"chat={chat}")
    button = page.locator("#acts-left button[data-act=continue]")
    button.wait_for()
    assert button.is_disabled() and FR.t("chat_act.elsewhere") in str(button.get_attribute("title"))
    site.echo.release.set()
    writing.ended()
    page.locator("#acts-left button[data-act=continue]:enabled").wait_for()
    assert wait_for(lambda: page.inner_text("#history").count("drop") == 60)  # drawn after the buttons


def test_hostile_prompts_and_imports_run_and_fetch_nothing_and_a_prompt_is_deleted(site: Site, page: Any) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.partition("//")[2].partition("/")[0]))
    Prompts(site.engine.library).save(LOCAL.id, Prompt("Zoo", "zoo", HOSTILE))
    visit(page, site)
    say(page, "/zoo")
    shown = page.locator("#fields").get_by_text("window.hit").first
    shown.wait_for()
    page.get_by_role("button", name=f"{FR.t('chat_library.write')} · {FR.t('chat_library.transfer')}").click()
    page.locator("#prompt-drop").click()
    shown.wait_for(state="detached")
    page.locator("#prompt-drop").wait_for(state="hidden")
    assert Prompts(site.engine.library).all(LOCAL.id) == ()
    lines = json.dumps({"messages": [{"role": role, "content": HOSTILE} for role in ("system", "user", "assistant")]})
    page.get_by_role("button", name=f"{FR.t('chat_list.rename')} · {FR.t('chat_list.transfer')}").click()
    file = {"name": f"{HOSTILE[:8]}.jsonl", "mimeType": "text/plain", "buffer": lines.encode()}
    page.locator("input[type=file][accept*=jsonl]").set_input_files(files=[file])
    until(page, "document.querySelector('#history').innerText.includes('window.hit')")
    assert page.evaluate("window.hit") is None
    risks = "[src*='example.invalid'], [href*='example.invalid'], #history script, [onerror]"
    assert page.locator(risks).count() == 0 and hosts == {site.address.partition("//")[2]}
