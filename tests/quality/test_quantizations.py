"""The table of quantizations: where files go, and one kind measured with the real model and tiny sizes."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import pytest

from engine.errors import BadInput, BadParameter
from engine.models.bundled import bundled_file
from engine.models.quantize import part_of
from engine.quality.quantizations import KEPT, KINDS, TASK, measure, scratch, target_file
from engine.settings import Settings
from engine.tasks import TaskRun

TEXT = "The quick brown fox jumps over the lazy dog. Le vif renard brun saute par-dessus le chien paresseux. " * 4


def test_a_kind_replaces_the_kind_in_the_name(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for name in ("small.Q4_1.gguf", "small-q4_k_m.gguf", "small.gguf"):
        assert target_file(settings, Path(name), "Q2_K") == tmp_path / "models" / "small.Q2_K.gguf"
    assert target_file(settings, Path("BF16-talk.gguf"), "Q8_0").name == "BF16-talk.Q8_0.gguf"
    with pytest.raises(BadParameter):
        target_file(settings, Path("small.gguf"), "../Q2_K")
    own = tmp_path / "models" / "small.Q2_K.gguf"
    own.parent.mkdir()
    own.touch()
    with pytest.raises(BadInput):
        target_file(settings, own, "Q2_K")
    assert scratch([own]) == (part_of(own),) and {"Q8_0", "Q2_K"} <= set(KINDS)


@pytest.mark.model
def test_the_table_of_the_real_model(tmp_path: Path) -> None:
    source, made, odd = bundled_file(), tmp_path / "m.Q2_K.gguf", tmp_path / "m.IQ1_S.gguf"
    args = {
        "source": str(source), "targets": {"Q2_K": str(made), "IQ1_S": str(odd)}, "text": TEXT, "window": 32,
        "plan": {"prompts": [8], "generated": [2], "repetitions": 1},
    }  # fmt: skip
    work = TaskRun(TASK, args)
    done = [step.done for step in work]
    assert done == sorted(done) and done[-1] <= 8
    base, row, failed = work.result["rows"]
    assert (base["quantization"], base["base"], base["size_bytes"]) == ("Q4_1", True, source.stat().st_size)
    assert (row["quantization"], row["base"], row["reused"]) == ("Q2_K", False, False)
    assert row["size_bytes"] == made.stat().st_size < base["size_bytes"]
    assert row["bits_per_weight"] == pytest.approx(8 * row["size_bytes"] / 134_515_008)
    assert row["mean_kld"] > 0 and 0 < row["same_top"] < 1
    assert row["ratio"] == pytest.approx(row["perplexity"] / base["perplexity"], rel=1e-4)
    assert set(row["speed"]) == {"pp8", "tg2"} and math.isfinite(base["perplexity"])
    assert failed["error"]["code"] == "job_failed" and failed["quantization"] == "IQ1_S"  # it needs more than weights
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == [made.name]


def test_a_file_that_is_there_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, made = tmp_path / "a.gguf", tmp_path / "a.Q4_1.gguf"
    for path in (source, made):
        shutil.copy(bundled_file(), path)
    os.utime(made, ns=(source.stat().st_mtime_ns,) * 2)

    def told(result: dict[str, object]):  # type: ignore[no-untyped-def]
        def work(*_: object):  # type: ignore[no-untyped-def]
            return result
            yield

        return work

    far = {**dict.fromkeys(KEPT, 1), "standard_error": 1, "bits_per_byte": 1, "card": {}}
    monkeypatch.setattr("engine.quality.perplexity.measure", told(far))
    monkeypatch.setattr("engine.quality.divergence.measure", told(far))
    monkeypatch.setattr("engine.quality.stopwatch.measure", told({"rows": [], "card": {"sha256": "x"}}))
    work = measure(str(source), {"Q4_1": str(made)}, "text")
    with pytest.raises(StopIteration) as end:
        while True:
            next(work)
    assert [row["base"] for row in end.value.value["rows"]] == [True, False]
    assert end.value.value["rows"][1]["reused"] is True
