"""SIGKILL of the whole application in the middle of an answer: the next one has the conversation, and says where it
broke off.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from engine.chats import Chats
from engine.conversation import Conversation
from engine.store import Store
from tests.browser.chatting import StreamlitChat
from tests.standins.app_server import AppServer, app_server

# The application starts twice, on machines that are shared
pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

DELAY_S = 0.5  # the answer takes longer than any browser to show its beginning
ANSWER = " ".join(f"mot{number}" for number in range(1, 800))
QUESTION = json.dumps({"answer": ANSWER, "delay": DELAY_S})


def kill_whole(app: AppServer) -> None:
    """End it and all its children at once, as a power cut does."""
    root = psutil.Process(app.process.pid)
    family = [root, *root.children(recursive=True)]
    for process in family:
        process.kill()
    app.process.wait()
    psutil.wait_procs(family, 20)


def kept(home: Path) -> Conversation:
    """The only conversation, as the store holds it."""
    store = Store(f"sqlite:///{home / 'atelier.sqlite3'}")
    chats = Chats(store)
    (line,) = chats.lines("local")
    found = chats.get("local", line.id)
    store.close()
    return found


def test_a_killed_application_loses_half_a_second(chromium: Any, tmp_path: Path) -> None:
    where = {"ATELIER_HOME": str(tmp_path)}
    with app_server(environment=where) as first:
        tab = StreamlitChat(chromium, first.address)
        tab.open().say(QUESTION)
        tab.grown(QUESTION, 60)
        seen = tab.said()[-1][1].rpartition(" ")[0]
        time.sleep(4 * DELAY_S)  # what was seen is older than half a second by now, on slow machines as well
        kill_whole(first)
        query = {name: values[0] for name, values in parse_qs(urlsplit(tab.page.url).query).items()}
        tab.close()
    cut = kept(tmp_path)
    assert cut.leaf is not None and cut.node(cut.leaf).state == "writing"
    partial = cut.node(cut.leaf).content
    with app_server(environment=where) as second:
        again = StreamlitChat(chromium, second.address)
        again.open(**query)
        shown = again.until(lambda text: again.words.t("chat.interrupted") in text)
        again.act("continue")  # what the crash left can be gone on with
        again.then(lambda said: len(said) == 2 and len(said[-1][1]) > len(partial))
        again.close()
    assert ANSWER.startswith(partial) and seen and partial.startswith(seen) and partial in shown
    assert [node.role for node in cut.path()] == ["user", "assistant"] and cut.path()[0].content == QUESTION
