"""The gate in front of the real server: what is read once serves everybody, and nobody is lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.backends.base import Control
from engine.errors import EngineError, RuntimeDied
from engine.runtime.client import LlamaServer
from engine.runtime.gate import Gate
from engine.runtime.warm import opening
from engine.settings import Settings
from engine.types import PromptProgress, Queued
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.standins.llama_server import bare_server

pytestmark = pytest.mark.model

SLOTS = 4


@pytest.fixture(scope="module")
def slot_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slots")


@pytest.fixture(scope="module")
def server(slot_dir: Path) -> Iterator[LlamaServer]:
    with bare_server(slots=SLOTS, threads=1, batch=64, slot_dir=f"{slot_dir}/") as bare:
        client = LlamaServer(bare.address, bare.key)
        yield client
        client.close()


@pytest.fixture
def gate(server: LlamaServer, slot_dir: Path) -> Iterator[Gate]:
    for slot in range(SLOTS):
        server.post(f"/slots/{slot}?action=erase", {})
    gate = Gate(server, SLOTS, 1024, Settings(long_prompt=96, prefix_mb=64), slot_dir)
    yield gate
    gate.close()


def tokens(server: LlamaServer, text: str) -> list[int]:
    found: list[int] = server.post("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]
    return found


def verses(number: int, name: str = "Marin") -> str:
    return "\n".join(f"Vers {n}: Le nom de carnet {n} est {name}." for n in range(1, number + 1))


def complete(server: LlamaServer, prompt: list[int], slot: int, count: int = 8) -> dict[str, Any]:
    body = {"prompt": prompt, "n_predict": count, "id_slot": slot, "temperature": 0, "cache_prompt": True}
    answer: dict[str, Any] = server.post("/completion", body)
    return answer


def test_a_short_prompt_is_ready_at_once_and_position_says_nothing(gate: Gate, server: LlamaServer) -> None:
    with gate.enter(tokens(server, "hi")) as ticket:
        assert ticket.ready.result(SOON_S) == 0
        assert ticket.position() is None


def test_one_prefix_is_read_once_and_gives_the_same_text(gate: Gate, server: LlamaServer) -> None:
    prompt = tokens(server, verses(20))
    bare = server.post("/completion", {"prompt": prompt, "n_predict": 8, "temperature": 0, "cache_prompt": False})
    tickets = [gate.enter(prompt, owner=f"p{n}") for n in range(3)]
    slots = [ticket.ready.result(60) for ticket in tickets]
    answers = [complete(server, prompt, slot) for slot in slots]
    for ticket in tickets:
        ticket.leave(8)
    assert len(set(slots)) == 3
    assert [answer["content"] for answer in answers] == [bare["content"]] * 3
    assert [answer["timings"]["prompt_n"] for answer in answers] == [1, 1, 1]
    assert gate.snapshot().prefixes == 1


def test_a_filled_slot_reads_the_rest_of_a_question_only(gate: Gate, server: LlamaServer) -> None:
    shared = opening(server)
    assert len(shared) > 10
    gate.fill(shared)
    asked = server.post("/apply-template", {"messages": [{"role": "user", "content": "hi"}]})["prompt"]
    prompt = tokens(server, asked)
    for _ in range(SLOTS):
        with gate.enter(prompt) as ticket:
            assert ticket.cached == len(shared)
            told = complete(server, prompt, ticket.ready.result(SOON_S), 1)["timings"]
            assert told["cache_n"] >= len(shared)
            ticket.leave(None)
        prompt[-1] += 1
    assert not list(Path(gate._prefixes.folder).glob("prefix-*"))  # type: ignore[union-attr]


def test_reading_shows_its_progress_to_everybody_who_waits_for_it(gate: Gate, server: LlamaServer) -> None:
    prompt = tokens(server, verses(40, "Zoé"))
    first, second = gate.enter(prompt, owner="a"), gate.enter(prompt, owner="b")
    seen: set[type] = set()
    while not second.ready.done():
        seen.add(type(second.position()))
        time.sleep(0.01)
    assert PromptProgress in seen
    assert second.cached >= len(prompt) - 1
    first.leave(0)
    second.leave(0)


def test_a_short_question_starts_while_a_long_prompt_is_read(gate: Gate, server: LlamaServer) -> None:
    long = gate.enter(tokens(server, verses(45, "Anaïs")))
    other = gate.enter(tokens(server, verses(45, "Basile")))
    short = gate.enter(tokens(server, "hi"))
    assert short.ready.result(SOON_S) < SLOTS - 1
    assert not long.ready.done()
    assert other.position() == Queued(1)
    for ticket in (short, other, long):
        ticket.leave()


def test_who_leaves_while_his_prompt_is_read_gives_the_slot_back(gate: Gate, server: LlamaServer) -> None:
    ticket = gate.enter(tokens(server, verses(45, "Chloé")))
    time.sleep(0.1)
    ticket.leave()
    assert wait_for(lambda: gate.snapshot().running == 0, SOON_S)
    assert wait_for(lambda: not any(slot["is_processing"] for slot in server.get("/slots")), SOON_S)


def test_a_reading_that_others_wait_for_goes_on_without_its_first_reader(gate: Gate, server: LlamaServer) -> None:
    prompt = tokens(server, verses(45, "Denis"))
    first, second = gate.enter(prompt, owner="a"), gate.enter(prompt, owner="b")
    first.leave()
    slot = second.ready.result(60)
    assert complete(server, prompt, slot, 1)["timings"]["prompt_n"] == 1
    second.leave(1)


def test_a_lost_state_is_read_again(gate: Gate, server: LlamaServer, slot_dir: Path) -> None:
    prompt = tokens(server, verses(20, "Élise"))
    with gate.enter(prompt) as ticket:
        ticket.ready.result(60)
    for file in slot_dir.glob("prefix-*.bin"):
        file.unlink()
    with gate.enter(prompt) as ticket:
        slot = ticket.ready.result(60)
        assert complete(server, prompt, slot, 1)["timings"]["prompt_n"] == 1


def test_a_closed_gate_ends_those_who_wait_and_refuses_new_ones(gate: Gate, server: LlamaServer) -> None:
    prompt = tokens(server, "hi")
    inside = [gate.enter([*prompt, n]) for n in range(SLOTS)]
    waiting = gate.enter(prompt)
    gate.close()
    with pytest.raises(RuntimeDied):
        waiting.ready.result(SOON_S)
    with pytest.raises(RuntimeDied):
        gate.enter(prompt)
    for ticket in (*inside, waiting):
        ticket.leave()


def test_many_at_once_lose_nobody(gate: Gate, server: LlamaServer) -> None:
    prompts = [tokens(server, verses(18 + n % 3, "Farid")) if n % 2 else tokens(server, f"hi {n}") for n in range(24)]
    done: list[int] = []

    def one(prompt: list[int], owner: str) -> None:
        with gate.enter(prompt, owner=owner) as ticket:
            done.append(complete(server, prompt, ticket.ready.result(120), 2)["tokens_predicted"])

    threads = [threading.Thread(target=one, args=(prompt, f"p{n}")) for n, prompt in enumerate(prompts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert done == [2] * 24
    assert gate.snapshot().running == 0 and not gate.snapshot().waiting


def test_stopping_a_stream_needs_no_byte_from_the_server(server: LlamaServer) -> None:
    control = Control()
    body = {"prompt": verses(40, "Gaël"), "n_predict": 4, "stream": True}
    stream = server.stream("/completion", body, control)
    threading.Timer(0.2, control.stop).start()
    started = time.monotonic()
    with contextlib.suppress(EngineError):  # which one, or none, depends on where the reader was
        list(stream)
    assert time.monotonic() - started < SOON_S
