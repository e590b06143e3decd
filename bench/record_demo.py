"""`python -m bench.record_demo`: makes engine/compare/demo.json anew, from the bundled model on this machine.

Everything in it is really run here: one model in several quantizations and temperatures; no provider is imitated.
With `--again`, an answer that comes faster now than the one in the file takes its place: less was at work beside it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import stage
from engine.backends.recorded import Tape
from engine.compare import demo
from engine.engine import Engine
from engine.model import Model
from engine.models.quantize import TASK
from engine.params import Params
from engine.quality.cards import machine
from engine.quality.quantizations import target_file
from engine.quality.weights import shipped_file
from engine.tasks import run
from engine.types import Message

QUESTIONS = (
    "Write one sentence about the sea.",
    "Écris une phrase sur la mer.",
    "What is a token?",
    "Qu’est-ce qu’un token ?",
    "Explain to a child what a language model is, in two sentences.",
)
LONGEST = 120  # tokens of an answer
TRIES = 3  # of which the fastest is kept: other programs were at work beside it in the others
# id, name, quantization (None: as the application serves it), parameters
SETTINGS: tuple[tuple[str, str, str | None, Mapping[str, Any]], ...] = (
    ("recorded/smollm2-q8", "SmolLM2 135M, Q8_0, temperature 0", None, {"temperature": 0.0, "seed": 1}),
    ("recorded/smollm2-q8-hot", "SmolLM2 135M, Q8_0, temperature 1.3", None, {"temperature": 1.3, "seed": 7}),
    ("recorded/smollm2-q2", "SmolLM2 135M, Q2_K, temperature 0", "Q2_K", {"temperature": 0.0, "seed": 1}),
    ("recorded/smollm2-q4", "SmolLM2 135M, Q4_0, temperature 0", "Q4_0", {"temperature": 0.0, "seed": 1}),
)


def main() -> int:
    """Exit code 0, once the file is written."""
    kept = {one.id: one for one in demo.recorded()} if "--again" in sys.argv else {}
    with stage.data_folder() as folder, stage.engine(folder) as engine:
        found = [_recording(engine, kept.get(setting[0]), *setting) for setting in SETTINGS]
    told = {"format": demo.FORMAT, "recordings": [one.to_dict() for one in found]}
    path = Path(demo.__file__).with_name(demo.FILE)
    path.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(path, path.stat().st_size, "bytes")
    return 0


def _recording(
    engine: Engine,
    kept: demo.Recording | None,
    name: str,
    title: str,
    quantization: str | None,
    params: Mapping[str, Any],
) -> demo.Recording:
    model = _model(engine, quantization)
    told = Params(**params, max_tokens=LONGEST)
    model.answer([Message("user", "hi")], Params(max_tokens=1))  # loads it: that time is no part of an answer's
    here = machine()
    before = {tape.question: tape for tape in kept.tapes} if kept else {}
    tapes = tuple(_fastest(model, question, told, before.get(question)) for question in QUESTIONS)
    print(title, *(round(tape.stats.tokens_per_second or 0) for tape in tapes), "tok/s")
    where = {key: here[key] for key in ("machine", "cpu", "cores", "memory_gib", "system")}
    said = {"max_tokens": LONGEST, **params}
    served = quantization or engine.catalog.card(model.card.id).quantization or ""
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    threads = engine.settings.threads
    return demo.Recording(name, title, "smollm2-135m-instruct", served, said, threads, date, where, here["load"], tapes)


def _fastest(model: Model, question: str, params: Params, best: Tape | None) -> Tape:
    """The fastest of some tries, each given up once it is slower than the best so far."""
    for _ in range(TRIES):
        best = _tape(model, question, params, best)
    assert best is not None
    return best


def _tape(model: Model, question: str, params: Params, best: Tape | None) -> Tape:
    clock = time.monotonic()
    taping = demo.Taping(question, clock)
    generation = model.stream([Message("user", question)], params)
    for event in generation:
        now = time.monotonic()
        taping.note(event, now)
        if best is not None and now - clock > best.end:
            generation.stop()
    made = taping.tape(generation.result, time.monotonic())
    return made if best is None or made.end < best.end else best


def _model(engine: Engine, quantization: str | None) -> Model:
    """The bundled model as it is served, or in another quantization, made here from the weights as they come."""
    if quantization is None:
        return engine.model()
    source = shipped_file(engine, engine.model().card.id)
    target = target_file(engine.settings, source, quantization)
    run(TASK, {"source": str(source), "target": str(target), "kind": quantization, "threads": engine.settings.threads})
    return engine.model(next(card.id for card in engine.models() if target.name in {f.path.name for f in card.files}))


if __name__ == "__main__":
    raise SystemExit(main())
