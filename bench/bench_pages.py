"""A conversation of 500 messages in both interfaces: the page's run at the server, its drawing in Chromium, the memory
that each open conversation takes. The model is the echo: it costs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

from bench import stage
from bench.doors import streamlit_run
from bench.report import median, publish
from engine.conversation import Conversation, Node, new_id
from engine.engine import Engine
from engine.person import LOCAL
from engine.settings import Settings

MODEL = "echo"
SHOWN = 30
ANSWER = "A token is a piece of a word.  \n- It has a number,\n- and *a place* in the text: `{number}`. "
CHROMIUM = "/usr/bin/chromium"
LAST = "message {last} "  # what the last message begins with
DRAWN = {
    "streamlit": ("[data-testid=stChatMessage]", "messages plus anciens"),
    "gradio": ("#history [data-testid=user], #history [data-testid=bot]", "messages plus anciens"),
}


def main() -> None:
    """Measures both interfaces, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench pages", description=__doc__)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--open", type=int, default=20, help="conversations opened to weigh one")
    parser.add_argument("--chromium", default=CHROMIUM)
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    with stage.data_folder() as folder:
        chats = stored(folder, options.messages, options.open + 1)
        with stage.application(folder, ATELIER_MODEL=MODEL) as (address, process):
            stage.wait_for(f"{address}/gradio/fr/", process, 300)
            for face in (Streamlit(address), Gradio(address)):
                found[face.name] = server(face, chats, options.rounds, process)
            with browser(options.chromium) as chromium:
                for name in found:
                    last = LAST.format(last=options.messages)
                    found[name] |= drawing(chromium, address, name, chats[0], last, options.rounds)
    rows = [
        {"interface": name, **{what: median(all_of) for what, all_of in one.items()}} for name, one in found.items()
    ]
    publish("pages", rows, {"load": os.getloadavg(), **found}, options.out)


def stored(folder: Path, messages: int, count: int) -> list[str]:
    """Ids of so many conversations of that length, in the store of that data folder."""
    engine = Engine(Settings(home=folder, model=MODEL), serve=True)
    try:
        return [engine.chats.adopt(LOCAL.id, long_conversation(messages)).id for _ in range(count)]
    finally:
        engine.close()


def long_conversation(messages: int) -> Conversation:
    """Questions and answers in turn, as long as ordinary ones."""
    tree = Conversation(new_id(), title="a long one")
    for number in range(1, messages + 1):
        role, text = ("user", "What is a token?") if number % 2 else ("assistant", ANSWER.format(number=number) * 4)
        tree = tree.add(Node(new_id(), tree.leaf, role, f"message {number} {text}", float(number)))
    return tree


@dataclass(frozen=True)
class Streamlit:
    """A session of Streamlit's page without a browser."""

    address: str
    name: str = "streamlit"

    @contextlib.contextmanager
    def session(self, chat: str) -> Iterator[Callable[[], float]]:
        """The page of that conversation, drawn; calling it runs it again and gives the seconds of that."""
        with streamlit_run(self.address, urlencode({"chat": chat, "model": MODEL})) as again:
            yield again


@dataclass(frozen=True)
class Gradio:
    """A session of Gradio's page without a browser: the call that its page makes when it opens."""

    address: str
    name: str = "gradio"

    @contextlib.contextmanager
    def session(self, chat: str) -> Iterator[Callable[[], float]]:
        """The page of that conversation, opened; calling it opens it again and gives the seconds of that."""
        opening = self._opening()
        session = secrets.token_hex(6)

        def again() -> float:
            started = time.perf_counter()
            self._ask(
                f"/gradio/fr/gradio_api/queue/join?{urlencode({'chat': chat})}", opening | {"session_hash": session}
            )
            told = self._ask(f"/gradio/fr/gradio_api/queue/data?session_hash={session}")
            if LAST.strip().split()[0] not in told:
                raise RuntimeError(f"the conversation is not there: {told[:500]}")
            return time.perf_counter() - started

        again()
        yield again

    def _opening(self) -> dict[str, Any]:
        """What a browser sends to open the page: the values of its widgets as they are at first."""
        config = json.loads(self._ask("/gradio/fr/config"))
        values = {one["id"]: one["props"].get("value") for one in config["components"]}
        loads = [one for one in config["dependencies"] if any(event == "load" for _, event in one["targets"])]
        found = max(loads, key=lambda one: len(one["outputs"]))
        data = [values[one] for one in found["inputs"]]
        return {"data": data, "fn_index": found["id"], "event_data": None, "trigger_id": None}

    def _ask(self, path: str, body: Any = None) -> str:
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request("GET" if sent is None else "POST", path, sent, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {text[:300]}")
        return text


def server(face: Any, chats: list[str], rounds: int, process: psutil.Process) -> dict[str, list[float]]:
    """Seconds of a page's run at the server, and MiB that each open conversation adds to the process."""
    with face.session(chats[0]) as again:
        again()
        runs = [again() for _ in range(rounds)]
    before = process.memory_info().rss
    with contextlib.ExitStack() as stack:
        for chat in chats[1:]:
            stack.enter_context(face.session(chat))
        after = process.memory_info().rss
    print(face.name, runs, (after - before) / 2**20, flush=True)
    return {"run at the server (s)": runs, "memory per open one (MiB)": [(after - before) / 2**20 / (len(chats) - 1)]}


@contextlib.contextmanager
def browser(path: str) -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def drawing(chromium: Any, address: str, name: str, chat: str, last: str, rounds: int) -> dict[str, list[float]]:
    """Seconds from an empty page to the last 30 messages in sight, files of the page in the cache; and of "earlier"."""
    path = {"streamlit": "/", "gradio": "/gradio/fr/"}[name]
    page = chromium.new_context(locale="fr-FR", viewport={"width": 1280, "height": 720}).new_page()
    messages, earlier = DRAWN[name]
    url = f"{address}{path}?{urlencode({'chat': chat, 'model': MODEL})}"
    found: dict[str, list[float]] = {"opened in Chromium (s)": [], "earlier in Chromium (s)": []}
    for turn in range(rounds + 1):
        page.goto("about:blank")
        started = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.locator(messages).filter(has_text=last).last.wait_for()
        opened = time.perf_counter() - started
        drawn = page.locator(messages).count()
        button = page.get_by_role("button", name=earlier)
        started = time.perf_counter()
        button.click()
        page.wait_for_function(
            "([what, count]) => document.querySelectorAll(what).length > count", arg=[messages, drawn]
        )
        if turn:  # the first one fills the browser's cache
            found["opened in Chromium (s)"].append(opened)
            found["earlier in Chromium (s)"].append(time.perf_counter() - started)
    print(name, drawn, found, flush=True)
    return found
