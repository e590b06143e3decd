"""Which files go to one worker."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engine.child import BEHIND_CHILDREN_NICE
from tests.sharing import TOGETHER, cost_of, scope_of
from tests.standins.app_server import ROOT


def test_what_is_named_exists() -> None:
    assert [path for path in TOGETHER if not (ROOT / path).exists()] == []


def test_files_that_share_an_application_have_one_scope() -> None:
    assert scope_of("tests/browser/test_pages.py") == scope_of("tests/browser/test_sidebar.py") == "application"
    assert scope_of("tests/browser/test_class.py") == scope_of("tests/test_guard.py") == "class"
    assert scope_of("tests/test_types.py") == "tests/test_types.py" and cost_of("tests/test_types.py::test_x") == 0


@pytest.mark.skipif(not hasattr(os, "nice"), reason="no niceness on this system")
def test_the_whole_run_steps_back_as_far_as_the_application() -> None:
    code = "import os; from tests.sharing import step_back; step_back(); step_back(); print(os.nice(0))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == max(os.nice(0), BEHIND_CHILDREN_NICE)
