"""How xdist hands out the test files: those that share a started application to one worker, the longest first.

Knows no test. With two workers the suite ends when the last file does, and a started application is a worker's own.
"""

from __future__ import annotations

import os
from typing import Any

from xdist.scheduler import LoadFileScheduling

from engine.child import BEHIND_CHILDREN_NICE

# What the files of a folder or a file share, and about how many seconds of processor they take together. Files that
# share nothing are named where they take so long that they would keep one worker busy at the end.
TOGETHER = {
    "tests/browser/test_strips.py": ("strips", 40),
    "tests/browser/test_crash.py": ("crash", 30),
    "tests/browser/test_class.py": ("class", 110),
    "tests/test_guard.py": ("class", 110),
    "tests/browser/": ("application", 200),
    "tests/gradio/": ("gradio", 120),
    "tests/pages/": ("pages", 80),
    "tests/test_notebooks.py": ("notebooks", 85),
    "tests/test_server.py": ("server", 60),
    "tests/e2e/": ("e2e", 50),
    "tests/api/test_v1.py": ("api", 40),
    "tests/api/test_served.py": ("served", 30),
    "tests/comptine/test_comptine_cli.py": ("rhyme", 30),
    "tests/test_output.py": ("output", 30),
    "tests/sampling/test_microscope.py": ("microscope", 25),
    "tests/window/test_model.py": ("window", 25),
    "tests/test_jobs.py": ("jobs", 20),
}

JOB_NICE = "ATELIER_JOB_NICE"


def scope_of(path: str) -> str:
    """What must run in one worker with this file; the file itself if nothing else."""
    return next((name for begin, (name, _) in TOGETHER.items() if path.startswith(begin)), path)


def cost_of(path: str) -> int:
    """Seconds of processor of the scope, 0 for any other file."""
    return next((cost for begin, (_, cost) in TOGETHER.items() if path.startswith(begin)), 0)


class Sharing(LoadFileScheduling):
    """Hands out scopes, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(super()._split_scope(nodeid))


def step_back() -> None:
    """Give the whole run, which inherits it, the niceness that the application takes by itself, and jobs the same: else
    its tests would have an application and jobs that Chromium, the model and the other worker leave a tenth of the
    processor.
    """
    os.environ[JOB_NICE] = str(BEHIND_CHILDREN_NICE)
    if hasattr(os, "nice"):
        os.nice(max(0, BEHIND_CHILDREN_NICE - os.nice(0)))


def scheduler(config: Any, log: Any) -> LoadFileScheduling | None:
    """Ours instead of `--dist loadfile`; none where another way was asked for."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # xdist would begin with the scope of the most tests
    return Sharing(config, log)
