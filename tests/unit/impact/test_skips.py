"""Who skips a test is told apart: a mark, the test itself or a fixture of it, a plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.plugin.skips import is_by_hook, is_skipped_by_itself

CONFTEST = """
import pytest

def pytest_runtest_setup(item):
    if item.name == "test_by_hook":
        pytest.skip("another has not run")
    if item.name == "test_expected_by_hook":
        pytest.xfail("another has failed")
"""
TEXT = """
import unittest
import pytest

@pytest.fixture
def gone(): pytest.skip("not there")

def test_by_hook(): pass
def test_expected_by_hook(): pass
def test_by_itself(): pytest.skip("not now")
def test_by_fixture(gone): pass
@pytest.mark.skip
def test_by_mark(): pass
@unittest.skip("never")
def test_by_decorator(): pass
def test_that_fails(): assert False
class TestCase(unittest.TestCase):
    def test_of_unittest(self): self.skipTest("not now")
"""


class Skips:
    """A plugin that notes who skipped each test: by itself, by a hook."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[bool, bool]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):  # type: ignore[no-untyped-def]
        """Ask as a run does: pytest replaces the exceptions of unittest."""
        by_hook = call.excinfo is not None and is_by_hook(call.excinfo.value)
        report = yield
        if call.excinfo is not None:
            self.found[item.name] = is_skipped_by_itself(item, call.excinfo.value), by_hook
        return report


def test_who_skips_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a run of pytest, with each way there is."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_skipping.py").write_text(TEXT, encoding="utf-8")
    skips = Skips()
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    assert pytest.main(options, plugins=[skips]) == pytest.ExitCode.TESTS_FAILED
    assert skips.found == {
        "test_by_hook": (True, True),
        "test_expected_by_hook": (True, True),
        "test_by_itself": (True, False),
        "test_by_fixture": (True, False),
        "test_by_mark": (False, True),
        "test_by_decorator": (True, False),
        "test_that_fails": (False, False),
        "test_of_unittest": (True, False),
    }
