"""How xdist hands out the test files: those that share a started application to one worker, the longest first.

Knows no test. With two workers the suite ends when the last file does, and a started application is a worker's own.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadFileScheduling

# What the files of a folder or a file share, and about how many seconds of processor they take together
TOGETHER = {
    "tests/browser/test_strips.py": ("strips", 50),
    "tests/browser/test_class.py": ("class", 60),
    "tests/browser/": ("application", 200),
    "tests/gradio/": ("gradio", 150),
    "tests/test_guard.py": ("guard", 60),
    "tests/test_server.py": ("server", 80),
    "tests/pages/": ("pages", 100),
    "tests/e2e/": ("e2e", 50),
}


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


def scheduler(config: Any, log: Any) -> LoadFileScheduling | None:
    """Ours instead of `--dist loadfile`; none where another way was asked for."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # xdist would begin with the scope of the most tests
    return Sharing(config, log)
