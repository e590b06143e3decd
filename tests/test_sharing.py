"""Which files go to one worker."""

from __future__ import annotations

from tests.sharing import TOGETHER, cost_of, scope_of
from tests.standins.app_server import ROOT


def test_what_is_named_exists() -> None:
    assert [path for path in TOGETHER if not (ROOT / path).exists()] == []


def test_files_that_share_an_application_have_one_scope() -> None:
    assert scope_of("tests/browser/test_pages.py") == scope_of("tests/browser/test_sidebar.py") == "application"
    assert scope_of("tests/browser/test_class.py") == "class"
    assert scope_of("tests/test_types.py") == "tests/test_types.py" and cost_of("tests/test_types.py::test_x") == 0
