"""Every notebook runs from top to bottom, imports the engine only, and is stored without results unless it measures."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.name for path in NOTEBOOKS]
OURS = {"apps", "bench", "pages", "run", "tests"}
# Stored with the results of what takes minutes; what the test runs instead of their cells of parameters.
SMALL = {
    "comptine.ipynb": "VERSES, SEEDS = (3,), (1, 2)\nONE, SURPRISED = 5, 4",
    "quality.ipynb": """WINDOW, KINDS, SIZES = 16, ("Q4_0",), {"prompts": (4,), "generated": (1,), "repetitions": 1}
LANGUAGES, LENGTH, QUESTIONS = ("en",), 160, 1""",
    "documents.ipynb": 'FILES = ("lighthouse.md",)\nQUESTIONS, TOKENS = 3, 4',
}


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_of(path: Path) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert "foundations.ipynb" in NAMES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_stored_without_results_or_machine(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    if path.name not in SMALL:
        assert not any(cell.outputs or cell.execution_count for cell in cells)
    shown = path.read_text(encoding="utf-8")
    assert str(Path.home()) not in shown and str(ROOT) not in shown and path.stat().st_size < 2**20


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_imports_the_engine_only(path: Path) -> None:
    tree = ast.parse("\n".join(code_of(path)))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert not OURS & {module.partition(".")[0] for module in modules}
    # What is not public may change; a notebook shows what can be relied on.
    assert {module for module in modules if module.startswith("engine")} == {"engine"}


@pytest.mark.model
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("ATELIER_THREADS", "1")  # two threads of llama.cpp wait for each other beside other tests
    if path.name in SMALL:  # the preparation has the lowest priority, and its time is not this notebook's
        monkeypatch.setenv("ATELIER_PREPARE", "false")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = read(path)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = SMALL[path.name]
    # "python3" is the kernel of the interpreter that runs the tests, unless the machine's owner made one of that name
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    printed = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output.text for output in printed if output.get("name") == "stderr"]
