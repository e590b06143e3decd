"""Imports go one way: pages and tabs → kits → engine → backends. Read from the source, those inside functions too."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

USERS_OF_BACKENDS = (
    "engine.engine",
    "engine.parts",
    "engine.model",
    "engine.generation",
    "engine.cli",
    "engine.store",
    "engine.trace",
    "engine.catalog",
)
# (files, what they must not import, why)
LAYOUT = ("engine.backends", "engine.runtime", "engine.store")
RULES = [
    ("engine/**/*.py", ("streamlit", "gradio", "apps", "pages", "bench", "tests"), "the engine knows no interface"),
    ("engine/backends/*.py", USERS_OF_BACKENDS, "a backend knows nothing of those who use it"),
    (
        "engine/runtime/*.py",
        ("engine.engine", "engine.parts", "engine.model", "engine.cli", "engine.store", "engine.catalog"),
        "a runtime only serves",
    ),
    ("apps/ui/**/*.py", ("streamlit", "gradio", "apps.streamlit_kit", "apps.gradio_kit"), "apps/ui is for both"),
    ("pages/*.py", ("gradio", "apps.tabs", *LAYOUT), "pages hold layout only"),
    ("apps/tabs/*.py", ("streamlit", "pages", *LAYOUT), "tabs hold layout only"),
    ("apps/streamlit_kit.py", ("gradio", "engine.backends", "pages"), "one kit, one framework"),
    ("apps/gradio_kit.py", ("streamlit", "engine.backends", "apps.tabs"), "one kit, one framework"),
]


def imports(source: str) -> Iterator[str]:
    """Every module name that the source imports, `from a import b` as `a` and `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def breaches(source: str, forbidden: tuple[str, ...]) -> list[str]:
    return [name for name in imports(source) if any(name == bad or name.startswith(bad + ".") for bad in forbidden)]


@pytest.mark.parametrize(("pattern", "forbidden", "reason"), RULES, ids=[rule[0] for rule in RULES])
def test_no_arrow_goes_back(pattern: str, forbidden: tuple[str, ...], reason: str) -> None:
    files = list(ROOT.glob(pattern))
    assert files, f"nothing matches {pattern}"
    found = {str(file.relative_to(ROOT)): breaches(file.read_text(encoding="utf-8"), forbidden) for file in files}
    assert not {name: bad for name, bad in found.items() if bad}, reason


def test_the_check_sees_imports_inside_functions() -> None:
    assert breaches("def f():\n    from engine.backends import echo", ("engine.backends",))
    assert not breaches("import enginex", ("engine",))


def test_notebooks_import_the_engine_and_never_an_interface() -> None:
    for notebook in ROOT.glob("notebooks/*.ipynb"):
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                code = "".join(line for line in cell["source"] if not line.lstrip().startswith(("%", "!")))
                assert not breaches(code, ("apps", "pages", "streamlit", "gradio")), notebook.name


def test_the_environment_is_read_in_the_settings_only() -> None:
    readers = {
        str(file.relative_to(ROOT))
        for file in ROOT.glob("engine/**/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    assert readers <= {"engine/settings.py", "engine/child.py"}  # children inherit it as it is


def test_pages_and_tabs_are_short() -> None:
    long = [str(f.relative_to(ROOT)) for p in ("pages/*.py", "apps/tabs/*.py") for f in ROOT.glob(p)
            if len(f.read_text(encoding="utf-8").splitlines()) > 150]  # fmt: skip
    assert not long
