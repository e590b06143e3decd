"""The samplers in a row: what each stage tells, and what the order does."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadParameter
from engine.params import SAMPLERS, Params
from engine.sampling import HUGGING_FACE_ORDER, LLAMA_ORDER, Step, chain_of, run_chain
from engine.sampling.samplers import Logits

LOGITS = np.log([0.1, 0.5, 0.15, 0.25])
PLAIN = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}

# The square keeps them off the borders, where the last bit of a sum decides
arrays = st.lists(st.integers(-80, 80), min_size=3, max_size=12, unique=True).map(
    lambda whole: np.array(whole) / 10 + np.square(whole) * math.sqrt(2e-8)
)
settings = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.0, 0.3, 0.8, 1.0, 1.7]),
        "top_k": st.integers(0, 6),
        "top_p": st.sampled_from([0.1, 0.6, 0.95, 1.0]),
        "min_p": st.sampled_from([0.0, 0.05, 0.4]),
        "typical_p": st.sampled_from([0.3, 0.9, 1.0]),
        "top_n_sigma": st.sampled_from([-1.0, 0.5, 2.0]),
        "xtc_probability": st.sampled_from([0.0, 1.0]),
        "repeat_penalty": st.sampled_from([1.0, 1.3]),
        "dry_multiplier": st.sampled_from([0.0, 0.8]),
        "dynatemp_range": st.sampled_from([0.0, 0.4]),
        "mirostat": st.integers(0, 2),
    }
)


def test_the_chain_is_llama_cpps_and_says_what_is_off() -> None:
    chain = chain_of(Params())
    assert [step.kind for step in chain] == list(SAMPLERS) == list(LLAMA_ORDER)
    assert [step.kind for step in chain if step.active] == ["top_k", "top_p", "min_p", "temperature"]
    assert chain[3].values == {"top_k": 40}


def test_the_parameter_samplers_is_the_order_unless_another_is_given() -> None:
    params = Params(samplers=["temperature", "top_k"])
    assert [step.kind for step in chain_of(params)] == ["temperature", "top_k"]
    assert [step.kind for step in chain_of(params, LLAMA_ORDER)] == list(SAMPLERS)
    assert [step.kind for step in chain_of(params, HUGGING_FACE_ORDER)][:2] == ["penalties", "temperature"]
    with pytest.raises(BadParameter):
        chain_of(params, ["magic"])


def test_mirostat_takes_the_place_of_the_chain() -> None:
    chain = chain_of(Params(mirostat=2, mirostat_tau=3.0, top_k=5))
    assert [step.kind for step in chain] == ["temperature", "mirostat"]
    assert chain[1].values["mu"] == 6.0
    assert chain_of(Params(mirostat=1), mu=2.5)[1].values["mu"] == 2.5


def test_grammar_and_bias_come_first() -> None:
    allowed = np.array([True, True, True, False])
    chain = chain_of(Params(**PLAIN), bias={0: 1.0}, allowed=allowed)
    assert [step.kind for step in chain][:2] == ["grammar", "bias"]
    stages = run_chain(LOGITS, chain)
    assert stages[1].mass_kept == pytest.approx(0.75) and stages[1].eliminated.tolist() == [3]
    assert stages[2].probabilities[0] == pytest.approx(0.1 * math.e / (0.1 * math.e + 0.65))


def test_a_stage_tells_what_happened() -> None:
    raw, cut = run_chain(LOGITS, [Step("top_k", {"top_k": 2})])
    assert (raw.step.kind, raw.survivors, raw.mass_kept, raw.cut) == ("raw", 4, 1.0, None)
    assert raw.p_max == pytest.approx(0.5)
    assert raw.entropy_nats == pytest.approx(-sum(p * math.log(p) for p in (0.1, 0.5, 0.15, 0.25)))
    assert (cut.survivors, cut.eliminated_count, cut.eliminated.tolist()) == (2, 2, [2, 0])
    assert cut.mass_kept == pytest.approx(0.75) and cut.cut == pytest.approx(0.25)
    assert cut.probabilities.tolist() == pytest.approx([0, 2 / 3, 0, 1 / 3])
    assert cut.entropy_bits == pytest.approx(math.log2(3) - 2 / 3)


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Step("min_p", {"min_p": 0.4}), 0.2),
        (Step("top_p", {"top_p": 0.6}), 0.25),
        (Step("xtc", {"xtc_probability": 1.0, "xtc_threshold": 0.2}), 0.2),
        (Step("typ_p", {"typical_p": 0.5}), None),
        (Step("temperature", {"temperature": 2.0}), None),
    ],
)
def test_the_line_of_the_cut(step: Step, line: float | None) -> None:
    assert run_chain(LOGITS, [step])[-1].cut == (line if line is None else pytest.approx(line))


def test_the_same_numbers_in_another_order_give_another_answer() -> None:
    params = Params(**PLAIN | {"temperature": 2.0, "min_p": 0.4})
    assert run_chain(LOGITS, chain_of(params))[-1].survivors == 2  # 0.5 and 0.25, then flattened
    # flattened first: 0.45, 0.71, 0.61, 0.5 of the best one's
    assert run_chain(LOGITS, chain_of(params, HUGGING_FACE_ORDER))[-1].survivors == 4


def test_penalties_see_the_last_tokens_and_dry_the_repetition() -> None:
    logits = np.array([2.0, 1.0, -1.0, 0.5])
    near = Params(**PLAIN, repeat_penalty=2.0, repeat_last_n=1)
    assert run_chain(logits, chain_of(near), history=[0, 3])[-1].logits.tolist() == [2.0, 1.0, -1.0, 0.25]
    repeating = Params(**PLAIN, dry_multiplier=1.0)
    assert run_chain(logits, chain_of(repeating), history=[0, 1, 2, 0, 1])[-1].logits.tolist() == [2.0, 1.0, -2.0, 0.5]
    spared = chain_of(repeating, breakers={1: ((),)})
    assert run_chain(logits, spared, history=[0, 1, 2, 0, 1])[-1].logits.tolist() == logits.tolist()


def test_xtc_follows_its_draw() -> None:
    chain = chain_of(Params(**PLAIN, xtc_probability=0.5, xtc_threshold=0.2))
    assert run_chain(LOGITS, chain, draw=0.4)[-1].survivors == 3
    assert run_chain(LOGITS, chain, draw=0.6)[-1].survivors == 4


def test_llama_cpp_counts_tokens_without_a_chance_as_candidates() -> None:
    # top-n-sigma leaves two of four, dynamic temperature divides by ln 4: H = ln 2 is half of it, T = 0.5 + 0.5
    logits = np.array([3.0, 3.0, -3.0, -3.0])
    params = Params(**PLAIN, top_n_sigma=1.0, dynatemp_range=0.5)
    assert run_chain(logits, chain_of(params))[-1].logits[:2].tolist() == [3.0, 3.0]


def test_the_runtimes_order_is_kept() -> None:
    def order(**values: object) -> list[int]:
        return run_chain(LOGITS, chain_of(Params(**PLAIN | values)))[-1].order.tolist()  # type: ignore[arg-type]

    assert order() == [0, 1, 2, 3]
    assert order(min_p=0.3) == [1, 2, 3]  # cuts without sorting
    assert order(top_k=3) == order(top_p=0.9) == [1, 3, 2]
    assert order(top_k=3, min_p=0.4) == [1, 3]
    assert order(typical_p=0.8) == [3, 1, 2]  # the most typical first


def test_arrays_are_read_only_and_the_callers_is_not_touched() -> None:
    logits = LOGITS.astype(np.float32)
    stages = run_chain(logits, chain_of(Params()))
    assert logits.flags.writeable and not any(stage.logits.flags.writeable for stage in stages)
    assert not any(stage.probabilities.flags.writeable for stage in stages)


@given(arrays, settings, st.lists(st.integers(0, 2), max_size=8))
def test_every_stage_sums_to_1_and_nobody_comes_back(
    logits: Logits, values: dict[str, float], history: list[int]
) -> None:
    stages = run_chain(logits, chain_of(Params(values)), history)
    for before, after in pairwise(stages):
        assert after.probabilities.sum() == pytest.approx(1)
        assert 0 <= after.mass_kept <= 1 + 1e-12
        assert before.survivors - after.survivors == after.eliminated_count
        assert set(np.flatnonzero(after.logits > -np.inf)) <= set(after.order.tolist())
        assert 0 <= after.entropy_bits <= math.log2(len(logits)) + 1e-9


@given(arrays, settings, st.data())
def test_renumbering_the_vocabulary_renumbers_the_result(
    logits: Logits, values: dict[str, float], data: st.DataObject
) -> None:
    where = np.array(data.draw(st.permutations(range(len(logits)))))
    history = data.draw(st.lists(st.integers(0, 2), max_size=8))
    moved = [int(np.flatnonzero(where == token)[0]) for token in history]
    plain = run_chain(logits, chain_of(Params(values)), history)[-1].probabilities
    again = run_chain(logits[where], chain_of(Params(values)), moved)[-1].probabilities
    assert again == pytest.approx(plain[where], abs=1e-12)
