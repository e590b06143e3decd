"""What the tab shows as HTML: the text so far, branches, tables, exercises. Every word of a model is escaped.

Knows no event.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence

from apps.gradio_chat import acts
from apps.gradio_kit import Ui
from apps.ui import sampling
from apps.ui.theme import OKABE_ITO
from engine.sampling import Exploration, Moment, Sample
from engine.sampling import draws as darts

DRAWS = 200
TAIL = 400  # letters of the prompt in sight
BRANCHES = 60
PATH = 80  # letters of a branch
_BAR = "position:absolute;top:2px;bottom:2px;left:0;background:{colour}99;width:{wide:.1f}%"
_TICK = "position:absolute;top:0;bottom:0;left:{at:.1f}%;border-left:3px solid {colour}"


def lines(*said: str) -> str:
    """Sentences, one under the other."""
    return "".join(f"<p>{html.escape(one)}</p>" for one in said)


def examples(ui: Ui) -> str:
    """Three texts, a click each."""
    told = ui.t("sampling.example_help")
    texts = {name: ui.t(f"sampling.example.{name}") for name in sampling.EXAMPLES}
    return " ".join(acts.button("example", f"▶ {text}", told, name=name) for name, text in texts.items())


def exercises(ui: Ui) -> str:
    """One per sampler; a button sets what it begins with."""
    found = []
    for name, values in sampling.EXERCISES.items():
        button = acts.button("try", ui.t("sampling.try"), name=name) if values else ""
        found.append(f"<li>{html.escape(ui.t(f'sampling.exercise.{name}'))} {button}</li>")
    return f"<ol>{''.join(found)}</ol>"


def prompt(known: Exploration, ui: Ui) -> str:
    """The end of the text that the model continues."""
    tail = known.prompt if len(known.prompt) <= TAIL else "…" + known.prompt[-TAIL:]
    style = "white-space:pre-wrap;overflow-wrap:anywhere;margin:0"
    return (
        f"<p><strong>{html.escape(ui.t('sampling.written'))}</strong></p><pre style='{style}'>{html.escape(tail)}</pre>"
    )


def tree(known: Exploration, ui: Ui) -> str:
    """The ends of the branches and the beginning, each a click away."""
    parents = {node.parent for node in known.nodes}
    ends = [node for node in known.nodes if node.id not in parents or node.id == known.at]
    found = [_branch(ui, known, None, ui.t("sampling.tree_start"))]
    for node in ends[:BRANCHES]:
        path = "".join(one.text for one in known.path(node.id))
        found.append(_branch(ui, known, node.id, f"{path[-PATH:]} ({sampling.percent(node.raw, ui.words)})"))
    more = lines(ui.t("sampling.tree_more", count=BRANCHES)) if len(ends) > BRANCHES else ""
    return "".join(f"<div>{one}</div>" for one in found) + more


def _branch(ui: Ui, known: Exploration, number: int | None, text: str) -> str:
    here = f"{ui.t('sampling.tree_here')} " if known.at == number else ""
    return acts.button("node", here + text, node="" if number is None else str(number))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML cells; the head is text."""
    top = "".join(f"<th>{html.escape(one)}</th>" for one in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='atelier-scroll'><table class='atelier-table'><tr>{top}</tr>{body}</table></div>"


def stages(now: Moment, text: sampling.Shown, ui: Ui) -> str:
    """The waterfall in words and numbers."""
    head = [ui.t(f"sampling.column_{name}") for name in sampling.STAGE_COLUMNS]
    return table(head, [[html.escape(cell) for cell in row] for row in sampling.stage_rows(now, text, ui.words)])


def draws(now: Moment, text: sampling.Shown, seed: int, ui: Ui) -> str:
    """The darts as bars, what theory expects as ticks, and the test in a sentence."""
    words, last = ui.words, now.stages[-1]
    if not last.survivors:
        return ""
    counts = darts(last, DRAWS, seed)
    rows = sampling.draw_rows(counts, last, text)
    most = max(max(row["seen"], row["expected"]) for row in rows) or 1
    cells = [
        (f"<code>{html.escape(row['text'])}</code>", words.number(row["seen"]), words.number(row["expected"], 1),
         _bar(row["seen"] / most, row["expected"] / most))
        for row in rows
    ]  # fmt: skip
    head = [words.t("sampling.token"), words.t("sampling.column_seen"), words.t("sampling.column_expected"), ""]
    said = lines(words.t("sampling.draws", n=DRAWS, seed=seed, first=seed), sampling.chi_told(counts, last, words))
    return said + table(head, cells)


def _bar(seen: float, expected: float) -> str:
    bar = _BAR.format(colour=OKABE_ITO["blue"], wide=100 * seen)
    tick = _TICK.format(colour=OKABE_ITO["vermillion"], at=min(99.0, 100 * expected))
    box = "position:relative;height:1.2rem;min-width:7rem"
    return f"<div aria-hidden='true' style='{box}'><span style='{bar}'></span><span style='{tick}'></span></div>"


def cells(samples: Sequence[Sample], spell: Callable[[Iterable[int]], str], ui: Ui) -> str:
    """The grid: the continuations of each pair; `spell` writes tokens."""
    words = ui.words
    names = [words.number(top_p, 2) for top_p in sampling.TOP_PS]
    rows = []
    for temperature in sampling.TEMPERATURES:
        found = [[spell(one.ids) for one in samples if (one.temperature, one.top_p) == (temperature, top_p)]
                 for top_p in sampling.TOP_PS]  # fmt: skip
        rows.append([f"<strong>{words.number(temperature, 1)}</strong>", *(_cell(ui, one) for one in found)])
    return table([f"{ui.t('sampling.grid_corner')} \\ top-p", *names], rows)


def _cell(ui: Ui, found: Sequence[str]) -> str:
    if not found:
        return html.escape(ui.t("unit.unknown"))
    head = ui.t("sampling.grid_cell", distinct=len(set(found)), count=len(found))
    texts = "".join(f"<div>{html.escape(' '.join(one.split()))}</div>" for one in found)
    return f"<small>{html.escape(head)}</small>{texts}"
