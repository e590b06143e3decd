"""Perplexity and divergence against llama.cpp's own llama-perplexity: the same figures, in as much time.

`--native` is that program, built from llama.cpp's sources of the same version; the project does not depend on it. Both
read the same files with as many threads at the same priority, and are timed as whole processes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from bench import stage
from bench.report import median, publish, ratios
from engine.cli.perplexity import text_at
from engine.models import quantize
from engine.models.bundled import bundled_file
from engine.quality import divergence, perplexity
from engine.settings import Settings
from engine.tasks import TaskRun, run

LIMITS = {"time": 1.3, "perplexity": 0.005, "mean_kld": 0.02, "median_kld": 0.02, "same_top": 0.02}
NUMBER = r"\s*[:=]\s*([\d.]+)"
PRINTED = {"perplexity": "PPL", "mean_kld": "Mean    KLD", "median_kld": "Median  KLD", "same_top": "Same top p"}


def main() -> int:
    """0; with --check 1 where a figure or the time is further from llama-perplexity's than it may."""
    parser = argparse.ArgumentParser(prog="python -m bench perplexity", description=__doc__)
    parser.add_argument("--native", required=True, metavar="PATH", help="llama-perplexity")
    parser.add_argument("--text", default="/usr/share/common-licenses/GPL-3", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    with stage.data_folder() as folder:
        base, small = (made(folder, kind) for kind in ("Q8_0", "Q2_K"))
        times: dict[str, list[float | None]] = {"ours": [], "native": []}
        for _ in range(options.rounds):
            theirs, seconds = native(options, base)
            times["native"].append(seconds)
            started = time.perf_counter()
            ours = measured(perplexity.TASK, path=base, text=text_at(options.text))
            times["ours"].append(time.perf_counter() - started)
        native(options, base, "--kl-divergence-base", str(folder / "base"))
        far, _ = native(options, small, "--kl-divergence-base", str(folder / "base"), "--kl-divergence")
        found = measured(divergence.TASK, base=base, other=small, text=text_at(options.text))
    rows = [row("perplexity", ours["perplexity"], theirs["perplexity"])]
    rows += [row(name, found[name], far[name]) for name in ("mean_kld", "median_kld", "same_top")]
    ratio = ratios(times["ours"], times["native"]) or 0
    rows.append({"figure": "seconds", "ours": median(times["ours"]), "native": median(times["native"]), "ratio": ratio})
    publish("perplexity", rows, {"times": times, "ours": [ours, found], "native": [theirs, far]}, options.out)
    near = all(abs(one["ratio"] - 1) <= LIMITS[one["figure"]] for one in rows[:-1])
    return int(options.check and not (near and ratio <= LIMITS["time"]))


def made(folder: Path, kind: str) -> str:
    """The bundled model in that number format."""
    target = str(folder / f"{kind}.gguf")
    run(quantize.TASK, {"source": str(bundled_file()), "target": target, "kind": kind})
    return target


def measured(task: str, **args: str) -> dict[str, Any]:
    """Our own result, at llama-perplexity's priority and with as many threads."""
    settings = Settings()
    work = TaskRun(task, {**args, "threads": settings.threads}, nice=settings.job_nice)
    for _ in work:
        pass
    result: dict[str, Any] = work.result
    return result


def native(options: argparse.Namespace, model: str, *flags: str) -> tuple[dict[str, float], float]:
    """What llama-perplexity prints, shares as such, and its seconds."""
    settings = Settings()
    command = ["nice", "-n", str(settings.job_nice), options.native, "-m", model, "-t", str(settings.threads)]
    started = time.perf_counter()
    done = subprocess.run([*command, "-f", options.text, *flags], capture_output=True, text=True, check=True)
    seconds, said = time.perf_counter() - started, done.stdout + done.stderr
    found = {name: re.search(words + NUMBER, said) for name, words in PRINTED.items()}
    told = {name: float(match[1]) for name, match in found.items() if match}
    return told | ({"same_top": told["same_top"] / 100} if "same_top" in told else {}), seconds


def row(name: str, ours: float, theirs: float) -> dict[str, Any]:
    """A figure beside the other's."""
    return {"figure": name, "ours": ours, "native": theirs, "ratio": ours / theirs}
