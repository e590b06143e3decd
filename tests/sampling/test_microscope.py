"""The microscope on the real model: what is read again and what is not, and what happens when its worker dies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.errors import BadFile, BadGrammar, BadInput, EngineError, ModelFileCorrupt, PromptTooLong, RuntimeDied
from engine.output import Output
from engine.params import Params
from engine.sampling.exploration import Exploration
from engine.sampling.microscope import Lens, Microscope
from engine.sampling.moments import Recipe, compare, grid, grown, moment, run
from engine.settings import Settings
from tests.patience import SOON_S
from tests.standins.llama_server import bundled_gguf

pytestmark = pytest.mark.model

WINDOW = 192
FRANCE = "The capital of France is"


@pytest.fixture(scope="module")
def microscope(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microscope]:
    # a megabyte is the state of about 45 tokens of this model
    settings = Settings(home=tmp_path_factory.mktemp("home"), threads=1, microscope_mb=1)
    opened = Microscope(settings)
    yield opened
    opened.close()


@pytest.fixture
def lens(microscope: Microscope) -> Lens:
    return microscope.open(bundled_gguf(), WINDOW)


def text_of(lens: Lens, begin: str, length: int) -> tuple[int, ...]:
    """So many tokens, of a text that begins so."""
    return lens.tokens(f"{begin} sat on a mat and looked at the sea, which was as blue as ever. " * 12)[:length]


def test_words_and_tokens(lens: Lens) -> None:
    text = "l'été 🧒 <|im_start|>user\n"
    ids = lens.tokens(text)
    assert lens.vocabulary.text(ids) == text
    special = lens.tokens("<|im_start|>")
    assert len(special) == 1 and special[0] in lens.vocabulary.specials and special[0] not in lens.vocabulary.ends
    assert len(lens.vocabulary) == 49152 and lens.vocabulary.ends
    assert "llama-cpp-python" in lens.runtime
    assert lens.tokens("\n")[0] in lens.breakers and lens.tokens("cat")[0] not in lens.breakers


def test_one_more_token_is_one_decode(lens: Lens) -> None:
    ids = lens.tokens("As we all know, the capital of France is")
    first = lens.look("ann", ids)
    best = int(first.logits.argmax())
    assert (first.logits.shape, first.read) == ((49152,), len(ids))
    assert lens.vocabulary.text([best]) == " Paris"
    assert lens.look("ann", (*ids, best)).read == 1
    assert lens.look("ann", (*ids, best)).read == 0  # asked before
    assert lens.look("ann", (*ids[:-1], best)).read == 1  # a branch


def test_visitors_do_not_destroy_each_others_and_the_oldest_goes(lens: Lens) -> None:
    texts = {name: text_of(lens, f"{name.title()} the {name}", 26) for name in ("cat", "dog", "owl")}
    one = texts["cat"][0]
    assert all(lens.look(name, ids).read >= len(ids) - 2 for name, ids in texts.items())
    assert lens.look("dog", (*texts["dog"], one)).read == 1  # a megabyte has room for one of them
    assert lens.look("cat", (*texts["cat"], one)).read > 20
    lens.forget("cat")
    assert lens.look("cat", (*texts["cat"], one, one)).read > 20


def test_many_at_once_are_served_one_after_the_other(lens: Lens) -> None:
    texts = {word: lens.tokens(f"The {word} and the {word} and the") for word in ("cat", "dog", "sea", "sun")}
    pid = lens.pid
    with ThreadPoolExecutor(4) as pool:  # llama.cpp would end the process if they met in it
        found = list(pool.map(lens.look, texts, texts.values()))
    assert all(look.read > 1 and np.isfinite(look.logits).all() for look in found)
    assert lens.pid == pid


def test_a_restored_state_gives_the_same_numbers(lens: Lens) -> None:
    ids = lens.tokens(FRANCE + " Paris. The capital of Italy is")
    lens.look("eve", ids[:-1])
    lens.look("bob", text_of(lens, "Nobody", 10))
    again = lens.look("eve", ids)
    assert again.read == 1
    assert lens.vocabulary.text([int(again.logits.argmax())]) == " Rome"


def test_a_text_longer_than_the_window_is_refused_and_nothing_is_lost(lens: Lens) -> None:
    ids = lens.tokens("What was read stays read")
    lens.look("ann", ids)
    pid = lens.pid
    for length in (WINDOW, WINDOW + 500):
        with pytest.raises(PromptTooLong) as caught:
            lens.look("ann", (5,) * length)
        assert (caught.value.prompt_tokens, caught.value.window) == (length, WINDOW)
    assert (lens.look("ann", (*ids, 17)).read, lens.pid) == (1, pid)


@pytest.mark.parametrize("ids", [(), (-1,), (49152,)])
def test_no_text_and_tokens_that_do_not_exist(lens: Lens, ids: tuple[int, ...]) -> None:
    with pytest.raises(BadInput):
        lens.look("ann", ids)


def test_a_killed_worker_is_told_once_and_starts_anew(lens: Lens) -> None:
    ids, asked = lens.tokens("Once upon a time, long ago"), lens.tokens(FRANCE)
    lens.look("ann", asked)
    pid = lens.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeDied, match="microscope") as caught:
        lens.look("ann", ids)
    assert caught.value.details["exit_code"] == -signal.SIGKILL
    assert lens.look("ann", ids).read == len(ids)
    assert lens.pid not in (None, pid)
    assert lens.look("ann", asked).read == 0  # what was asked before outlives the worker


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal here")
def test_a_worker_killed_while_it_reads(lens: Lens) -> None:
    errors: list[EngineError] = []
    ids = lens.tokens("Never asked before")
    pid = lens.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)  # so that it cannot be done before it is killed

    def ask() -> None:
        try:
            lens.look("ann", ids)
        except EngineError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    os.kill(pid, signal.SIGKILL)
    asking.join(SOON_S)
    assert [error.code for error in errors] == ["runtime_died"]
    assert lens.look("ann", ids).read == len(ids)


def test_a_grammar_allows_what_may_come_and_nothing_else(lens: Lens) -> None:
    form = Output("grammar", 'root ::= "yes" | "no"')
    words, yes = lens.vocabulary, lens.tokens("yes")
    first = {words.text([token]) for token in np.flatnonzero(lens.allowed(form))}
    assert first and all("yes".startswith(piece) or "no".startswith(piece) for piece in first)
    assert set(np.flatnonzero(lens.allowed(form, yes))) <= words.ends
    pid = lens.pid
    with pytest.raises(BadInput) as caught:  # llama.cpp would end the process here
        lens.allowed(form, (*yes, *yes))
    assert caught.value.details["place"] == len(yes)
    with pytest.raises(BadGrammar):
        lens.allowed(Output("grammar", "root ::= ("))
    assert lens.pid == pid


def test_a_schema_and_its_share_of_the_model(lens: Lens) -> None:
    recipe = Recipe(Params(seed=1, temperature=0), form=Output("json_schema", '{"type": "boolean"}'))
    *_, end = moments = list(run(lens, "ann", lens.tokens("Is water wet? Answer:"), recipe, 8))
    hits = [now.dart.token for now in moments if now.dart]
    assert lens.vocabulary.text(hits[:-1]).strip() in ("true", "false") and hits[-1] in lens.vocabulary.ends
    assert moments[0].allowed_mass is not None and 0 < moments[0].allowed_mass < 0.5
    assert end.stages[1].step.kind == "grammar"


def test_a_run_repeats_with_its_seed_and_ends_with_the_window(lens: Lens) -> None:
    ids = lens.tokens("Once upon a time")
    hot = Recipe(Params(seed=3, temperature=1.5, top_k=0, top_p=1.0, min_p=0.0))

    def written(recipe: Recipe) -> list[int]:
        return [now.dart.token for now in run(lens, "ann", ids, recipe, 3) if now.dart]

    assert written(hot) == written(hot) != written(Recipe(hot.params.replace(seed=4)))
    whole = text_of(lens, "Sam", WINDOW - 2)
    greedy = Recipe(Params(seed=0, temperature=0))
    assert len(list(run(lens, "ann", whole, greedy, 9))) == 2  # tokens 191 and 192: then it is full


def test_two_recipes_and_a_grid_share_one_reading(lens: Lens) -> None:
    ids = lens.tokens("My favourite colour is")
    recipes = [Recipe(Params(seed=1, temperature=t)) for t in (0.2, 1.5)]
    cold, hot = (moment(lens, "ann", ids, (), recipe) for recipe in recipes)
    found = compare(cold.stages[-1], hot.stages[-1])
    assert 0 < found.distance <= 1 and found.only_one == found.only_other == 0  # temperature comes last: it cuts nobody
    begun = Exploration("", ids)
    words, other = lens.vocabulary, int(cold.stages[0].probabilities.argmin())
    by_dart, by_hand = grown(begun, cold, words, recipes[0]), grown(begun, cold, words, recipes[0], other)
    assert cold.dart and by_dart.written == (cold.dart.token,) and by_hand.nodes[0].probability == 0
    assert by_dart.nodes[0].alternatives[0][1] == cold.stages[0].p_max
    assert Recipe.from_dict(by_dart.nodes[0].settings) == recipes[0]
    cells = list(grid(lens, "ann", ids, Recipe(Params(seed=5)), (0.0, 1.0), (0.5, 1.0), 2, 1))
    assert [(cell.temperature, cell.top_p, cell.seed) for cell in cells[:3]] == [(0, 0.5, 5), (0, 0.5, 6), (0, 1, 5)]
    assert len({cell.ids for cell in cells if cell.temperature == 0}) == 1 and len(cells) == 8


def test_the_lens_opened_longest_ago_rests(microscope: Microscope, lens: Lens, tmp_path: Path) -> None:
    ids = lens.tokens(FRANCE)
    lens.look("ann", ids)
    others = [microscope.open(tmp_path / f"{number}.gguf", 64) for number in range(2)]
    assert lens.pid is None
    (tmp_path / "1.gguf").write_bytes(b"no model")
    for other, wanted in zip(others, (BadFile, ModelFileCorrupt), strict=True):
        with pytest.raises(wanted):
            other.look("ann", (1,))
        assert other.pid is None
    assert lens.look("ann", ids).read == 0 and lens.tokens(FRANCE) == ids and lens.pid
    microscope.clear()  # when the class is wiped
    assert lens.pid is None
    assert lens.look("ann", ids).read == len(ids)


def test_a_closed_one_starts_nothing(tmp_path: Path) -> None:
    opened = Microscope(Settings(home=tmp_path))
    lens = opened.open(bundled_gguf(), WINDOW)
    opened.close()
    with pytest.raises(RuntimeDied):
        lens.look("ann", (1,))
