"""A model's text as Markdown that makes a browser fetch nothing and follow nothing by itself. Knows no framework.

Models are not to be trusted: an image in an answer is a request to somebody's server, a link's words may hide where it
leads. Images and links become text with their address in sight; HTML is shown, not interpreted; code and formulas stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FENCE = re.compile(r"(?P<indent> *)(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)$")
_DEFINITION = re.compile(r"^[ >]*\[[^\]]*\]:")

_RISKY = re.compile(r"<[a-z/!?]|\][(\[:]|://|www\.|mailto:|<[^\s<>]+@", re.IGNORECASE)

# Alternatives are tried at each position from the left, as a Markdown reader does: what is found first is what it is.
_INLINE = re.compile(
    r"""(?P<escaped>\\[\\`*_{}\[\]()#+\-.!$<>~|])
      | (?P<code>(?<!`)(?P<ticks>`{1,3})(?!`)[^`\n]+(?<!`)(?P=ticks)(?!`))
      | (?P<math>(?<!\$)\$\$[^$`\n]+\$\$(?!\$)|(?<![\w$])\$(?=[^\s$])[^$`\n]*(?<=[^\s\\])\$(?![\w$]))
      | (?P<link>(?P<image>!?)\[(?P<text>[^\[\]\n]*)\]\(\s*<?(?P<target>[^()\s<>`]*(?:\([^()\s<>`]*\)[^()\s<>`]*)*)>?
          (?:\s+(?:"[^"\n]*"|'[^'\n]*'))?\s*\))
      | <(?P<angle>(?:[a-z][a-z0-9+.\-]{1,31}:|[^\s<>@`]+@)[^\s<>`]*)>
      | (?P<bare>(?<![\w`])(?:[a-z][a-z0-9+.\-]{0,20}://|www\.|mailto:)[^\s<>`"'\[\]]*[^\s<>`"'\[\].,;:!?)*_])
      | (?P<ticks_left>`+)
      | (?P<dollar>\$)
      | (?P<open><)(?=[a-z/!?])
      | (?P<bang>!)(?=\[)
      | (?P<close>\])(?=[(\[:])
      | (?P<directive>:)(?=[a-z\-]+\[)""",
    re.VERBOSE | re.IGNORECASE,
)


def safe_markdown(text: str) -> str:
    """The text as inert Markdown, for any reader of it, with or without HTML."""
    return "\n".join(_lines(text.split("\n")))


def _lines(lines: Iterable[str]) -> Iterable[str]:
    closing: re.Pattern[str] | None = None
    indent, formula = 0, False
    for line in lines:
        if closing is not None:
            yield _formula(line) if formula else _dedented(line, indent)
            closing = None if closing.fullmatch(line) else closing
        elif fence := _FENCE.fullmatch(line):
            # A block inside a list would end where the list does; at the margin, it ends where we say.
            indent, formula = len(fence["indent"]), False
            closing = re.compile(rf" *{fence['mark'][0]}{{{len(fence['mark'])},}} *")
            yield line[indent:]
        elif line.rstrip() == "$$":
            closing, formula = re.compile(r"\$\$ *"), True
            yield line
        else:
            yield _inert(line)


def _dedented(line: str, indent: int) -> str:
    spaces = len(line) - len(line.lstrip(" "))
    return line[min(indent, spaces) :]


def _formula(line: str) -> str:
    """The same formula, with a blank where a reader that knows no formulas would see HTML, an image or a link."""
    return re.sub(r"<(?=[a-z/!?])|!(?=\[)|\](?=[(\[:])|:(?=//)", r"\g<0> ", line, flags=re.IGNORECASE)


def _inert(line: str) -> str:
    if "|" in line and _RISKY.search(line):  # in a table's row a cell's end cuts code short, elsewhere it does not
        line = line.replace("`", "&#96;")
    if _DEFINITION.match(line):
        line = line.replace("[", "\\[", 1)
    return _INLINE.sub(_replaced, line)


def _replaced(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if match["ticks_left"] or match[0] == "\\`":  # would open a code that ends who knows where
        return "&#96;" * match[0].count("`")
    if match["escaped"] or match["code"]:
        return match[0]
    if match["math"]:
        return _formula(match[0])
    if match["link"] is not None:
        return _apart(match, _link(bool(match["image"]), match["text"], match["target"]))
    if address := match["angle"] or match["bare"]:
        return _apart(match, f"`{address}`")
    return "&lt;" if kind == "open" else f"\\{match[0]}"


def _apart(match: re.Match[str], text: str) -> str:
    """The text, with a blank where its code would grow together with a neighbour's."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    left = " " if text.startswith("`") and before not in {"", " ", "("} else ""
    return f"{left}{text}{' ' if text.endswith('`') and after == '`' else ''}"


def _link(image: bool, text: str, target: str) -> str:
    label = _INLINE.sub(_replaced, text).strip()
    shown = f"`{target}`" if target else ""
    words = label if label.strip("`") == target else f"{label} ({shown})" if label and shown else label or shown
    return f"🖼 {words}" if image else words
