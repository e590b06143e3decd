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
from functools import partial
from pathlib import Path
from statistics import linear_regression
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
WARM = 5  # conversations open before the first that is weighed
PATIENCE_MS = 120_000
Found = dict[str, list[float]]
PATHS = {"streamlit": "/", "gradio": "/gradio/fr/"}
LAST = "message {last} "  # what the last message begins with
DRAWN = {
    "streamlit": ("[data-testid=stChatMessage]", "messages plus anciens"),
    "gradio": ("#history [data-testid=user], #history [data-testid=bot]", "messages plus anciens"),
}


def main() -> None:
    """Measures both interfaces, prints the table, writes the JSON, with what was found where a part fails."""
    parser = argparse.ArgumentParser(prog="python -m bench pages", description=__doc__)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--open", type=int, default=40, help="conversations opened to weigh one")
    parser.add_argument("--interface", choices=tuple(DRAWN), action="append", help="those alone")
    parser.add_argument("--chromium", default=CHROMIUM)
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    found: dict[str, Found] = {name: {} for name in options.interface or DRAWN}
    failures: list[Exception] = []
    with stage.data_folder() as folder:
        chats = stored(folder, options.messages, options.open + WARM + 1)
        with stage.application(folder, ATELIER_MODEL=MODEL) as (address, process):
            stage.wait_for(f"{address}/gradio/fr/", process, 300)  # it is mounted in the background, in this process
            for name, figures in found.items():
                face = FACES[name](address)
                for part in (
                    partial(reruns, face, chats[0], options.rounds, process),
                    partial(weights, face, chats[1:], process),
                    partial(drawings, address, name, chats[0], options),
                ):
                    try:
                        figures |= part()
                    except Exception as error:  # the other parts are measured all the same; it is raised at the end
                        failures.append(error)
                    print(name, figures, flush=True)
    rows = [
        {"interface": name, **{what: median(all_of) for what, all_of in one.items()}} for name, one in found.items()
    ]
    raw = {"load": os.getloadavg(), "failures": [repr(error) for error in failures], **found}
    publish("pages", rows, raw, options.out)
    if failures:
        raise ExceptionGroup("parts that failed", failures)


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


def reruns(face: Any, chat: str, rounds: int, process: psutil.Process) -> Found:
    """Seconds of a page's run at the server, and of the server's processor for it; the first of a session apart."""
    with face.session(chat):  # the first one of a process imports what it needs
        pass
    started = time.perf_counter()
    with face.session(chat) as again:
        first, walls, used = time.perf_counter() - started, [], []
        for _ in range(rounds):
            before = sum(process.cpu_times()[:2])
            walls.append(again())
            used.append(sum(process.cpu_times()[:2]) - before)
    return {"first run (s)": [first], "run at the server (s)": walls, "processor (s)": used}


def weights(face: Any, chats: list[str], process: psutil.Process) -> Found:
    """MiB that each open conversation adds to the process: the slope over all of them, once some are open."""
    weighed = []
    with contextlib.ExitStack() as stack:
        for number, chat in enumerate(chats):
            stack.enter_context(face.session(chat))
            if number >= WARM:
                weighed.append(process.memory_info().rss / 2**20)
    return {"memory per open one (MiB)": [linear_regression(range(len(weighed)), weighed).slope]}


@contextlib.contextmanager
def browser(path: str) -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def drawings(address: str, name: str, chat: str, options: argparse.Namespace) -> Found:
    """Seconds from an empty page to the last 30 messages in sight, files of the page in the cache; and of "earlier"."""
    opened: list[float] = []
    earlier: list[float] = []
    messages, button = DRAWN[name]
    with browser(options.chromium) as chromium:
        page = chromium.new_context(locale="fr-FR", viewport={"width": 1280, "height": 720}).new_page()
        page.set_default_timeout(PATIENCE_MS)
        for _ in range(options.rounds + 1):
            page.goto("about:blank")
            started = time.perf_counter()
            page.goto(f"{address}{PATHS[name]}?{urlencode({'chat': chat, 'model': MODEL})}", wait_until="commit")
            last = LAST.format(last=options.messages)
            page.locator(messages).filter(has_text=last).last.wait_for()
            opened.append(time.perf_counter() - started)
            drawn = page.locator(messages).count()
            started = time.perf_counter()
            page.get_by_role("button", name=button).click()
            more = "([what, count]) => document.querySelectorAll(what).length > count"
            page.wait_for_function(more, arg=[messages, drawn])
            earlier.append(time.perf_counter() - started)
    return {"opened in Chromium (s)": opened[1:], "earlier in Chromium (s)": earlier[1:]}  # the first fills the cache


FACES = {face.name: face for face in (Streamlit, Gradio)}
