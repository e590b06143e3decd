"""Both READMEs: the tree that they draw is the one that is here."""

from __future__ import annotations

import ast
import re

import pytest

from tests.standins.app_server import ROOT

NAMES = re.compile(r"[\w.-]+(?:/|\.(?:py|toml|txt|lock))(?=[ ,;:)]|$)")


def tree(name: str) -> list[str]:
    """The paths that the tree of that file names."""
    text = (ROOT / name).read_text(encoding="utf-8")
    drawn = next(block for block in text.split("```") if "\napps/" in block)
    found, folder = [], ""
    for line in drawn.strip().splitlines():
        inner = line.startswith("  ")
        names = NAMES.findall(re.split(r" {2,}(?=\S*[^\s/.]+ \S)", line.strip())[0] if not inner else line)
        if not inner:
            folder = names[0] if names[0].endswith("/") else ""
        found += [f"{folder}{path}" if inner else path for path in names]
    return found


@pytest.mark.parametrize("name", ["README.md", "README.fr.md"])
def test_what_the_tree_names_exists(name: str) -> None:
    assert [
        path for path in tree(name) if not (ROOT / path).exists() and not (ROOT / path.split("/")[-1]).exists()
    ] == []


@pytest.mark.parametrize("name", ["README.md", "README.fr.md"])
def test_the_folders_of_the_engine_are_in_the_tree(name: str) -> None:
    packages = {f"engine/{path.parent.name}/" for path in (ROOT / "engine").glob("*/__init__.py")}
    assert packages <= set(tree(name))


def endpoints() -> set[str]:
    """The named endpoints of Gradio, as their modules list them."""
    found = {"/chat", "/models", "/count_tokens", "/render"}  # gradio_api.py, whose methods have these names
    for file in (ROOT / "apps").rglob("*api.py"):
        for line in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "NAMES":
                found |= {f"/{name}" for name in ast.literal_eval(line.value)}
    return found


@pytest.mark.parametrize("name", ["README.md", "README.fr.md"])
def test_every_endpoint_of_gradio_is_named(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    told = next(line for line in lines if line.startswith("- **`gradio_client`**"))
    assert set(re.findall(r"`(/\w+)`", told)) == endpoints() and len(endpoints()) > 25
