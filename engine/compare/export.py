"""A comparison's report as CSV, JSON, Markdown and one HTML page that needs nothing else. Knows no file and no
interface: the words around the numbers are the caller's, English ones by default.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.compare.report import ComparisonReport

LABELS: Mapping[str, str] = {
    "lang": "en",
    "decimal": ".",
    "title": "Side by side",
    "question": "Question",
    "model": "Model",
    "first_token": "First token (s)",
    "speed": "Tokens/s",
    "speed_source": "Measured by",
    "total": "Total time (s)",
    "tokens_in": "Tokens in",
    "tokens_out": "Tokens out",
    "cost": "Cost",
    "thousand": "A thousand like it",
    "price_source": "Price from",
    "outcome": "Ended by",
    "system": "System prompt",
    "params": "Parameters",
    "machine": "Machine",
    "date": "Date",
    "unknown": "unknown",
    "recorded": "recorded earlier",
    "server": "server",
    "measured": "here",
    "local": "no bill",
}
COLUMNS = ("turn", "question", "model", "name", "recorded", "text", "outcome", "error", "first_token_s",
           "tokens_per_second", "measured_by", "generation_s", "total_s", "tokens_in", "tokens_cached", "tokens_out",
           "cost", "cost_of_a_thousand", "currency", "cost_kind", "price_source", "price_as_of", "params",
           "system")  # fmt: skip
_NUMBERS = ("first_token", "speed", "total", "tokens_in", "tokens_out")
_BARS = ("first_token", "speed", "total", "cost")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARKED = re.compile(r"([\\`*_{}\[\]()#+!|<>~-])")

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #ccc}
td{vertical-align:top}.bar{height:.5rem;background:#0072b2;margin-top:.2rem}
.text{white-space:pre-wrap;overflow-wrap:anywhere;border-left:.25rem solid #0072b2;padding-left:.8rem}
.error{border-left-color:#d55e00}.small{font-size:.85rem;color:#555}.wide{overflow-x:auto}
@media(prefers-color-scheme:dark){body{color:#eee;background:#111}th,td{border-color:#444}.small{color:#aaa}}
"""


def csv_of(report: ComparisonReport) -> str:
    """One line per side and question, after a line of names; no cell can be taken for a formula by a spreadsheet."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for side in report.sides:
        for number, turn in enumerate(side["turns"], 1):
            row = _row(side, turn, number)
            table.writerow([harmless(row[name]) for name in COLUMNS])
    return out.getvalue()


def json_of(report: ComparisonReport) -> str:
    """The whole report."""
    return json.dumps(report.to_dict(), ensure_ascii=False, indent=2) + "\n"


def markdown_of(report: ComparisonReport, words: Mapping[str, str] | None = None) -> str:
    """A table of the numbers and each answer as it was written, in a fence of its own, for every question."""
    said = {**LABELS, **(words or {})}
    parts = [f"# {_plain(said['title'])}\n\n{said['date']}: {report.date}  \n{said['machine']}: {_machine(report)}\n"]
    for number, question in enumerate(report.questions):
        parts.append(f"## {said['question']} {number + 1}\n\n{_fenced(question)}\n{_table(report, number, said)}")
        for side in report.sides:
            answer = side["turns"][number]
            error = answer["error"]
            told = f"\n`{error['code']}`: {_plain(error['message'])}\n" if error else ""
            parts.append(f"### {_plain(_title(side, said))}\n\n{_fenced(answer['text'])}{told}")
    return "\n".join(parts)


def html_of(report: ComparisonReport, words: Mapping[str, str] | None = None) -> str:
    """One page without scripts, fonts or pictures from elsewhere; all that a model or a person wrote is escaped."""
    said = {**LABELS, **(words or {})}
    title = html.escape(said["title"])
    body = "\n".join(_question(report, number, said) for number in range(len(report.questions)))
    told = f"{said['date']}: {report.date} · {said['machine']}: {_machine(report)}"
    return (
        f'<!doctype html>\n<html lang="{html.escape(said["lang"])}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
        f'<p class="small">{html.escape(told)}</p>\n{body}\n</body></html>\n'
    )


def figures(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of one answer of a report: seconds, tokens/s, tokens; `cost` as a decimal text. None is unknown."""
    stats, usage, cost = answer["stats"] or {}, answer["usage"] or {}, answer["cost"] or {}
    return {
        "first_token": stats.get("timeToFirstTokenSec"),
        "speed": stats.get("tokensPerSecond"),
        "total": stats.get("wallTimeSec"),
        "tokens_in": usage.get("prompt_tokens"),
        "tokens_out": usage.get("completion_tokens"),
        "cost": cost.get("total"),
        "thousand": cost.get("thousand"),
    }


def _row(side: Mapping[str, Any], turn: Mapping[str, Any], number: int) -> dict[str, Any]:
    stats, usage, cost, told = turn["stats"] or {}, turn["usage"] or {}, turn["cost"] or {}, figures(turn)
    return {
        "turn": number,
        "question": turn["question"],
        "model": side["model"],
        "name": side["name"],
        "recorded": "yes" if side["recorded"] else "no",
        "text": turn["text"],
        "outcome": turn["outcome"],
        "error": turn["error"] and turn["error"]["code"],
        "first_token_s": told["first_token"],
        "tokens_per_second": told["speed"],
        "measured_by": stats.get("source"),
        "generation_s": stats.get("totalTimeSec"),
        "total_s": told["total"],
        "tokens_in": told["tokens_in"],
        "tokens_cached": usage.get("cached_tokens"),
        "tokens_out": told["tokens_out"],
        "cost": told["cost"],
        "cost_of_a_thousand": told["thousand"],
        "currency": cost.get("currency") if told["cost"] else None,
        "cost_kind": cost.get("kind"),
        "price_source": cost.get("source"),
        "price_as_of": cost.get("as_of"),
        "params": json.dumps(side["params"], ensure_ascii=False),
        "system": side["system"],
    }


def harmless(value: Any) -> Any:
    """The value as a cell; a text that a spreadsheet would compute begins with an apostrophe (OWASP, CSV injection)."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _machine(report: ComparisonReport) -> str:
    return ", ".join(f"{name} {value}" for name, value in report.machine.items() if value is not None)


def _title(side: Mapping[str, Any], said: Mapping[str, str]) -> str:
    model = str(side["model"])
    return f"{model} ({said['recorded']})" if side["recorded"] else model


def _shown(name: str, answer: Mapping[str, Any], said: Mapping[str, str]) -> str:
    """One number as a text in the reader's way; a cost with its currency."""
    value = figures(answer)[name]
    cost = answer["cost"] or {}
    if value is None:
        return said["local"] if name in ("cost", "thousand") and cost.get("kind") == "local" else said["unknown"]
    if name in ("cost", "thousand"):
        return f"{value} {cost['currency']}".replace(".", said["decimal"])
    if isinstance(value, float):
        return f"{value:.3f}".replace(".", said["decimal"])
    return str(value)


def _sources(answer: Mapping[str, Any], said: Mapping[str, str]) -> tuple[str, str]:
    """Who measured the speed, and where the price comes from."""
    stats, cost = answer["stats"] or {}, answer["cost"] or {}
    price = " ".join(filter(None, (cost.get("source"), cost.get("as_of"))))
    return said.get(stats.get("source") or "", said["unknown"]), price or "–"


def _lines(report: ComparisonReport, number: int, said: Mapping[str, str]) -> Iterator[list[str]]:
    """The table of the numbers: its head, then a line per side."""
    yield [said[name] for name in ("model", *_NUMBERS, "cost", "thousand", "speed_source", "price_source", "outcome")]
    for side in report.sides:
        answer = side["turns"][number]
        told = [_shown(name, answer, said) for name in (*_NUMBERS, "cost", "thousand")]
        ended = answer["error"]["code"] if answer["error"] else str(answer["outcome"] or "–")
        yield [_title(side, said), *told, *_sources(answer, said), ended]


def _table(report: ComparisonReport, number: int, said: Mapping[str, str]) -> str:
    lines = [f"| {' | '.join(map(_plain, line))} |" for line in _lines(report, number, said)]
    return "\n".join([lines[0], "|" + " --- |" * (lines[0].count(" | ") + 1), *lines[1:]]) + "\n"


def _plain(text: str) -> str:
    """The text on one line of Markdown, meaning itself."""
    return _MARKED.sub(r"\\\1", " ".join(text.split()))


def _fenced(text: str) -> str:
    """The text as it is, in a fence that nothing in it can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}\n"


def _question(report: ComparisonReport, number: int, said: Mapping[str, str]) -> str:
    head, *lines = _lines(report, number, said)
    bars = [_bars(report, number, index) for index in range(len(report.sides))]
    names = ("model", *_NUMBERS, "cost")
    rows = [
        "".join(
            f"<td>{html.escape(cell)}{bars[index].get(names[place], '') if place < len(names) else ''}</td>"
            for place, cell in enumerate(line)
        )
        for index, line in enumerate(lines)
    ]
    answers = "\n".join(_answer(side, side["turns"][number], said) for side in report.sides)
    return (
        f"<h2>{html.escape(said['question'])} {number + 1}</h2>\n"
        f'<div class="text">{html.escape(report.questions[number])}</div>\n<div class="wide"><table><thead><tr>'
        + "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        + "</tr></thead><tbody>"
        + "".join(f"<tr>{row}</tr>" for row in rows)
        + f"</tbody></table></div>\n{answers}"
    )


def _bars(report: ComparisonReport, number: int, index: int) -> dict[str, str]:
    """A bar per number of that side; the longest of all sides is full."""
    told = [figures(side["turns"][number]) for side in report.sides]
    costs = [side["turns"][number]["cost"] or {} for side in report.sides]
    currencies = {cost["currency"] for cost in costs if cost.get("total")}
    bars = {}
    for name in _BARS:
        values = [float(one[name]) for one in told if one[name] is not None]
        value = told[index][name]
        if value is not None and max(values) > 0 and not (name == "cost" and len(currencies) > 1):
            bars[name] = f'<div class="bar" style="width:{100 * float(value) / max(values):.1f}%"></div>'
    return bars


def _answer(side: Mapping[str, Any], answer: Mapping[str, Any], said: Mapping[str, str]) -> str:
    error = answer["error"]
    system = f"{said['system']}: {side['system']} · " if side["system"] else ""
    params = json.dumps(side["params"], ensure_ascii=False) if side["params"] else "–"
    told = f"<p><code>{html.escape(error['code'])}</code>: {html.escape(error['message'])}</p>" if error else ""
    return (
        f"<h3>{html.escape(_title(side, said))}</h3>\n"
        f'<p class="small">{html.escape(system)}{html.escape(said["params"])}: {html.escape(params)}</p>\n'
        f'<div class="text{" error" if error else ""}">{html.escape(answer["text"])}</div>{told}'
    )
