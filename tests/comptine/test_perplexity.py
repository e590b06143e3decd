"""Surprise per verse: the same by both ways of measuring, gone after a few verses, and at the intruder again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from engine.cli import main
from engine.cli.comptine_text import perplexity_lines
from engine.comptine import perplexity as perplexity_module
from engine.comptine.perplexity import Method, Perplexity, Reading, Surprise, located, perplexity, read
from engine.comptine.rhyme import Rhyme, rhyme
from engine.engine import Engine
from engine.errors import BadInput, NotSupported, PromptTooLong
from engine.tasks import Progress
from engine.types import Rendered

ODD = rhyme(6, "intruder", seed=7)  # the last one


def measured(engine: Engine, what: Rhyme, method: Method | None) -> Perplexity:
    *progress, last = perplexity(engine, what, method=method)
    assert isinstance(last, Perplexity)
    told = [news for news in progress if isinstance(news, Progress)]
    assert told and told[-1].done == told[-1].total
    assert all(a.done <= b.done for a, b in pairwise(told))
    return last


def cut(text: str) -> Rendered:
    """A text cut every three bytes, within characters too."""
    data = text.encode()
    return Rendered(
        text, tuple(range(-(-len(data) // 3))), tuple(tuple(data[i : i + 3]) for i in range(0, len(data), 3))
    )


def test_tokens_of_a_verse_and_of_a_name() -> None:
    what = rhyme(12, "names", seed=1)
    rendered = cut(f"<user>{what.text}</user>")
    reading = located(rendered, what)
    for number, (verse, name) in enumerate(zip(reading.verses, reading.names, strict=True), 1):
        held = bytes(byte for token in verse for byte in rendered.pieces[token])  # type: ignore[misc]
        assert (
            what.verses[number - 1].encode() + b"\n" in held and len(held) <= len(what.verses[number - 1].encode()) + 5
        )
        said = bytes(byte for token in name for byte in rendered.pieces[token])  # type: ignore[misc]
        assert what.names[number - 1].encode() in said and len(said) <= len(what.names[number - 1].encode()) + 4


def test_a_text_that_the_template_changes() -> None:
    with pytest.raises(BadInput):
        located(cut(ODD.text.upper()), ODD)


def test_sums_and_means() -> None:
    reading = Reading(rhyme(2, "names", seed=1), (1, 2, 3, 4), (range(2), range(2, 4)), (range(1, 2), range(2, 4)))
    found = reading.measured([None, 1.0, 2.0, 4.0], "native", "m")
    assert [one.nats_per_token for one in found.verses] == [0.5, 3.0]
    assert [one.name_nats for one in found.verses] == [1.0, 6.0]
    assert found.nats_per_token == 1.75
    assert found.to_dict()["verses"][1]["name"] == "Lucie"


@pytest.mark.model
def test_both_ways_agree_and_the_intruder_stands_out(engine: Engine) -> None:
    native, forced = measured(engine, ODD, "native"), measured(engine, ODD, "forced")
    for a, b in zip(native.verses, forced.verses, strict=True):
        assert (a.verse, a.name, a.tokens, a.name_tokens) == (b.verse, b.name, b.tokens, b.name_tokens)
        # two builds of llama.cpp: up to a quarter of a nat on an unlikely token
        assert a.nats_per_token == pytest.approx(b.nats_per_token, abs=0.05, rel=0.1)
    names = [one.name_nats for one in forced.verses]
    assert ODD.intruder == 6
    assert names[0] > 5 and names[5] > 5 > 0.5 > max(names[3:5])
    assert native.method == "native" and forced.method == "forced"


@pytest.mark.model
def test_closing_it_cancels_the_job(engine: Engine) -> None:
    going = perplexity(engine, ODD, method="native")
    assert isinstance(next(going), Progress)
    going.close()  # type: ignore[attr-defined]
    assert engine.jobs.list()[-1].state == "cancelled"


@pytest.mark.model
def test_a_rhyme_that_is_too_long(engine: Engine) -> None:
    with pytest.raises(PromptTooLong):
        read(engine.model(), rhyme(100))


def test_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["comptine", "perplexity", "3", "--model", "echo"]) == 2
    assert capsys.readouterr().err.startswith("not_supported")
    found = Perplexity((Surprise(1, "Marin", 15, 4.75, 1, 11.951),), 4.75, "native", "m")
    assert list(perplexity_lines(found))[1:] == [
        "    1  Marin                    11.95            4.75",
        "mean 4.750 nats per token, native, m",
    ]


def test_without_llama_cpp_python_the_runtime_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        ready = False

    monkeypatch.setattr(perplexity_module, "native_state", Missing)
    engine = Engine()
    with pytest.raises(NotSupported):
        list(perplexity(engine, rhyme(3), engine.model("echo")))
    engine.close()
