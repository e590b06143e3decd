"""Perplexity, divergence and surprise of a short text with the real weights."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.cli import main
from engine.cli import perplexity as perplexity_verb
from engine.comptine import nats
from engine.comptine.rhyme import rhyme
from engine.engine import Engine
from engine.errors import BadInput, LoadFailed
from engine.models import quantize
from engine.models.bundled import bundled_file
from engine.person import LOCAL_OWNER
from engine.quality import Divergence, Perplexity, Surprises, divergence, perplexity, surprise
from engine.quality.perplexity import begun, text_sha256
from engine.quality.reader import windows_at_once
from engine.quality.windows import apart
from engine.tasks import Progress, run
from tests.conftest import small_settings

TEXT = rhyme(5, "names", seed=3).text
MODEL = str(bundled_file())
CARD = {"file", "sha256", "quantization", "runtime", "threads", "date", "settings"}


def done(work: Generator[Progress, None, Any]) -> Any:
    """What the task returns, here in this process."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def read() -> Surprises:
    """Every token of the text, read in one window."""
    return Surprises.from_dict(done(surprise.measure(MODEL, TEXT)))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.model
def test_surprise_of_every_token(read: Surprises) -> None:
    assert "".join(token.piece for token in read.tokens) == TEXT
    assert sum(token.bytes for token in read.tokens) == len(TEXT.encode())
    assert read.tokens[0].nats is None
    assert all(token.nats is not None and token.nats >= 0 for token in read.tokens[1:])
    assert read.card.keys() >= CARD
    first = [token.nats for token in read.tokens[1:96]]  # one batch: a second, smaller one would round otherwise
    assert first == pytest.approx(done(nats.nats(MODEL, [token.id for token in read.tokens[:96]]))[1:], abs=0.05)


@pytest.mark.model
def test_a_long_text_is_read_in_windows_that_overlap(read: Surprises) -> None:
    cut = Surprises.from_dict(done(surprise.measure(MODEL, TEXT, window=64)))
    assert [token.id for token in cut.tokens] == [token.id for token in read.tokens]
    off = [abs((a.nats or 0) - (b.nats or 0)) for a, b in zip(cut.tokens, read.tokens, strict=True)]
    assert sum(off[:64]) / 64 < 0.1  # the same window, in a smaller batch
    assert max(off[64:]) > 0.1  # less is known


@pytest.mark.model
def test_perplexity_of_windows(read: Surprises, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "text.txt").write_text(TEXT + "\n", encoding="utf-8")
    found = Perplexity.from_dict(printed(capsys, "perplexity", str(file), "--model", MODEL, "--context", "32"))
    windows = len(read.tokens) // 32
    assert (found.tokens, found.counted, len(found.so_far)) == (len(read.tokens), windows * 15, windows)
    assert found.bytes == sum(read.tokens[32 * n + k].bytes for n in range(windows) for k in range(17, 32))
    assert found.perplexity == pytest.approx(math.exp(found.nats_per_token)) == pytest.approx(found.so_far[-1])
    assert found.bits_per_byte == pytest.approx(found.nats_per_token * found.counted / found.bytes / math.log(2))
    assert 0 < found.standard_error < found.perplexity
    # the first window is the beginning of the text, which was read before
    first = [token.nats or 0 for token in read.tokens[17:32]]
    assert found.so_far[0] == pytest.approx(math.exp(sum(first) / 15), rel=0.05)
    assert found.card["settings"] == {"window": 32, "stride": None, "text_sha256": text_sha256(TEXT)}
    (kept,) = printed(capsys, "perplexity", "--kept")
    assert kept["title"] == f"{Path(MODEL).name} text.txt"


@pytest.mark.model
def test_strided_perplexity_as_a_job_that_keeps_the_text_to_itself(tmp_path: Path) -> None:
    with closing(Engine(small_settings(tmp_path))) as engine:
        args = {"path": MODEL, "window": 32, "stride": 24}
        job = engine.jobs.submit(LOCAL_OWNER, perplexity.TASK, args, secrets={"text": TEXT})
        job = engine.jobs.wait(job.id)
        assert job.state == "done" and "text" not in job.args
        found = Perplexity.from_dict(job.result)
    assert found.counted == 24 * len(found.so_far) == 24 * -(-(found.tokens - 32) // 24)
    assert found.stride == 24


@pytest.mark.model
def test_divergence_from_a_quantization_and_from_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smaller = str(tmp_path / "q4_0.gguf")
    run(quantize.TASK, {"source": MODEL, "target": smaller, "kind": "Q4_0", "threads": 1})
    (file := tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    flags = ("divergence", str(file), "--context", "32", "--base", MODEL, "--model")
    found = Divergence.from_dict(printed(capsys, *flags, smaller))
    assert 0 < found.median_kld < found.kld["90"] <= found.kld["max"] and found.kld["50"] == found.median_kld
    assert found.kld["min"] >= -1e-5
    assert 0 < found.mean_kld < 0.5 < found.same_top < 1
    assert found.ratio == pytest.approx(found.perplexity / found.base_perplexity)
    assert found.dp["min"] <= found.median_dp <= found.dp["max"] and found.rms_dp > abs(found.mean_dp)
    assert found.correlation is not None and found.correlation > 0.8
    assert found.card["quantization"] == "Q4_0" and found.base_card["quantization"] == "Q4_1"

    same = Divergence.from_dict(done(divergence.measure(MODEL, MODEL, TEXT, window=32)))
    assert (same.mean_kld, same.same_top, same.ratio, same.rms_dp) == (0, 1, 1, 0)
    assert same.base_perplexity == pytest.approx(found.base_perplexity)


@pytest.mark.model
def test_what_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        done(perplexity.measure(MODEL, "too short"))
    assert caught.value.details["reason"] == "text_too_short"
    (empty := tmp_path / "empty.gguf").write_bytes(b"GGUF")
    with pytest.raises(LoadFailed):
        done(perplexity.measure(str(empty), TEXT))
    assert Surprises.from_dict(done(surprise.measure(MODEL, ""))).tokens == ()


def test_the_verbs_refuse_what_is_not_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    for model, code in (("echo", "not_supported"), ("none.gguf", "bad_file"), ("none", "unknown_model")):
        assert main(["perplexity", str(file), "--model", model]) == 2
        assert capsys.readouterr().err.startswith(code)
    assert main(["divergence", str(tmp_path / "nowhere"), "--base", "echo", "--model", "echo"]) == 2
    assert capsys.readouterr().err.startswith("bad_file")
    for flags in (["perplexity"], ["divergence", str(file), "--base", "echo"]):
        assert main(flags) == 2
        assert capsys.readouterr().err.startswith("bad_input")


def test_what_the_verbs_print() -> None:
    card = {"file": "m.gguf", "sha256": "abc"}
    told = Perplexity(20.5, 0.75, 3.0, 0.9, 2000, 765, 3000, 512, 128, (19.0, 20.5), 1.5, card)
    assert list(perplexity_verb.lines(told.to_dict())) == [
        "[1]19.0000,[2]20.5000,",
        "PPL = 20.5000 +/- 0.75000",
        "0.9000 bits per byte, 3.0000 nats per token",
        "765 of 2000 tokens predicted, windows of 512, stride 128, 1.5 s",
        "m.gguf, sha256 abc",
    ]


def test_a_models_first_token_stands_in_place_of_the_first_of_each_window() -> None:
    """As llama-perplexity has it; SmolLM2 has no such token."""
    windows = apart(70, 32)
    for bos, first in ((99, 99), (None, 32)):
        reader: Any = SimpleNamespace(bos=bos)
        second = begun(reader, range(70), windows, bos=True)[1]
        assert second == [first, *range(33, 64)]
        assert begun(reader, range(70), windows, bos=False)[1] == list(range(32, 64))


def test_windows_read_at_once() -> None:
    assert windows_at_once(512, 49152) == 4  # as llama-perplexity
    assert windows_at_once(512, 256_000) == 2  # 512 MiB of logits
    assert windows_at_once(4096, 49152) == 1
