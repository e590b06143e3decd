"""Importing Gradio without its stubs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import gradio
import pytest

from apps.gradio_import import without_stubs


def test_only_gradios_classes_have_no_file_and_only_meanwhile() -> None:
    before = inspect.getfile
    with without_stubs():
        with pytest.raises(OSError):
            inspect.getfile(gradio.Textbox)
        assert inspect.getfile(subprocess.Popen) == subprocess.__file__
        assert inspect.getfile(gradio) == gradio.__file__
    assert inspect.getfile is before and inspect.getfile(gradio.Textbox)


def test_gradio_imported_so_parses_no_source_of_its_own() -> None:
    code = (
        "import ast; parse = ast.parse; count = []\n"
        "ast.parse = lambda source, *a, **k: (count.append(1), parse(source, *a, **k))[1]\n"
        "from apps.gradio_import import import_gradio; import_gradio(); import gradio\n"
        "assert gradio.Chatbot and len(count) < 20, len(count)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
