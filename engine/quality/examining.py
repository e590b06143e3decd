"""Questions put to a model as one job: by likelihood and by what it writes. A task for a job child; judges nothing."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from engine.quality.evaluating import ANSWER_TOKENS, Method, evaluate
from engine.settings import Settings
from engine.tasks import Progress

TASK = "engine.quality.examining:examine"


def examine(
    home: str, source: str, name: str, model: str, methods: Sequence[Method], limit: int, owner: str,
    role: Literal["teacher", "student"], key: str | None = None, max_tokens: int = ANSWER_TOKENS,
) -> Generator[Progress, None, dict[str, Any]]:  # fmt: skip
    """What `evaluate` gives for the items of `source`, called `name`, with the model of that id. Raises the same."""
    from engine.engine import Engine

    found: dict[str, Any] = {}
    with closing(Engine(Settings(home=Path(home)))) as engine:
        opened = engine.model(model, key, role=role)
        options: dict[str, Any] = {"methods": methods, "limit": limit, "max_tokens": max_tokens, "owner": owner}
        for step in evaluate(engine, source, opened, here=True, **options):
            if isinstance(step, Progress):
                yield step
            else:
                found = step
    return {**found, "source": name}
