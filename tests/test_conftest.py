"""The isolation that all other tests rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from engine.settings import Settings
from tests.standins.app_server import ROOT


def test_the_data_folder_is_a_fresh_one(isolation: Path, tmp_path_factory) -> None:
    assert Settings().home == isolation
    assert isolation.is_relative_to(tmp_path_factory.getbasetemp())
    assert Path.home() == isolation.parent


def test_no_key_is_visible(isolation: Path) -> None:
    assert not [name for name in os.environ if name.endswith("_API_KEY")]


FILE = """
import logging
import pytest

def test_no_key(tmp_path): (tmp_path / "a").write_text("no key")
def test_a_persons_own(tmp_path): (tmp_path / "secrets.toml").write_text("sk-marked-0123456789")
@pytest.fixture(scope="session")
def late(tmp_path_factory):
    yield
    LEAVING
def test_leaving(late): pass
"""
STORED = "(tmp_path_factory.mktemp('home') / 'store').write_bytes(b'x' * (2**20 - 5) + b'sk-marked-01')"
LOGGED = "logging.getLogger('far').warning('refused: %s', 'sk-marked-0123456789')"


def test_a_session_with_two_workers_that_leaves_keys_fails() -> None:
    # not in the folders of this session, which would fail then; without the other plugins, which take their time
    with tempfile.TemporaryDirectory(prefix="atelier-marks-") as folder:
        for name, leaving in (("test_stored.py", STORED), ("test_logged.py", LOGGED), ("test_none.py", "pass")):
            Path(folder, name).write_text(FILE.replace("LEAVING", leaving), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-p", "xdist.plugin", "-p", "tests.marks", "-n", "2", "-q"]
        command += ["--dist", "loadfile", "-c", os.devnull, "--rootdir", folder, f"--basetemp={folder}/kept", folder]
        alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
        for name in [name for name in alone if name.startswith(("PYTEST_XDIST", "PYTEST_ADDOPTS"))]:
            del alone[name]
        done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "9 passed" in done.stdout, done.stdout + done.stderr
    assert "store: sk-marked" in done.stdout and "log of far: sk-marked" in done.stdout
    assert "secrets.toml" not in done.stdout
