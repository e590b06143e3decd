"""The sheet's experiments: its words, its numbers, and prompts that can be asked."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from engine.comptine.guided import QUOTED, steps

SHEET = Path(__file__).parents[3] / "shared" / "seeds" / "003_36f7e1ddd5d27c89.txt"
CELLS = [cell for step in steps() for cell in chain(step.readings.values(), step.hypotheses.values())]


def test_three_experiments_with_both_readings() -> None:
    zero_shot, hundred, limit = steps()
    assert [cell.verses for cell in zero_shot.readings.values()] == [69]
    assert [(cell.verses, cell.shots) for cell in hundred.readings.values()] == [(100, 0), (100, 1)]
    assert [(cell.verses, cell.window) for cell in limit.readings.values()] == [(160, 2048), (160, 4096)]
    assert limit.observed == QUOTED


def test_every_one_asks_the_sheets_question() -> None:
    for cell in CELLS:
        made = cell.prompt()
        assert made.text.endswith("\n\nRépète uniquement les informations des vers 1 à 30 dans l’ordre.")
        assert made.requested == tuple(range(1, 31))


@pytest.mark.skipif(not SHEET.exists(), reason="the course sheet is not beside this checkout")
def test_words_are_the_sheets() -> None:
    text = SHEET.read_text(encoding="utf-8")
    assert QUOTED in text
    assert all(step.quote in text for step in steps())
