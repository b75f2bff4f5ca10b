"""What is stored for testmon is what testmon itself would have stored."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.impact.parsing import Parsing
from paceline.impact.recorder import Recorder
from paceline.impact.syntax import Walk
from paceline.plugin.fingerprints import Executions, Fingerprints

testmon = importlib.import_module("testmon.process_code")

SOURCE = """
import os

LIMIT = 3


class Box:
    size = 1

    def grow(self, by):
        def add(value):
            return value + by

        return add(self.size)

    def empty(self): self.size = 0


def decorated(function): return lambda: function()


@decorated
def last():
    return [
        LIMIT,
        os.sep,
    ]
"""


@given(covered=st.lists(st.sets(st.integers(1, SOURCE.count("\n") + 2)), min_size=1))
def test_a_fingerprint_is_the_one_that_testmon_makes(covered: list[set[int]]) -> None:
    """Whichever lines ran, and whatever was asked before, the checksums are testmon's own."""
    module = testmon.Module(source_code=SOURCE)
    fingerprints = Fingerprints()
    for lines in covered:
        assert fingerprints(module, frozenset(lines)) == testmon.create_fingerprint(module, lines)


def test_blocks_are_those_that_testmon_makes() -> None:
    """Of a tree that was parsed for us come the very blocks that testmon makes of the text."""
    own = sorted(Path(__file__).parents[3].glob("src/paceline/**/*.py"))
    for text in (SOURCE, *(path.read_text(encoding="utf-8") for path in own)):
        module = testmon.Module(source_code=text)
        made = [(block.start, block.end, block.code, block.name) for block in module.blocks]
        assert Walk(ast.parse(text), text.encode()).testmon_blocks() == made


@contextmanager
def here() -> Iterator[None]:
    yield


def reports(outcome: str = "passed") -> dict[str, SimpleNamespace]:
    return {"call": SimpleNamespace(outcome=outcome, duration=0.1, failed=outcome == "failed")}


def stored(root: Path, parsing: Parsing | None, batch: dict[str, dict[str, set[int]]]) -> object:
    """Return what is in testmon's data after the batch, stored by us or by testmon alone."""
    core = importlib.import_module("testmon.testmon_core")
    data = core.TestmonData.for_local_run(
        str(root), database=None, system_packages="", environment=""
    )
    data.determine_stable()
    known = {test: reports() for test in batch}
    if parsing is None:
        data.save_test_execution_file_fps(data.get_tests_fingerprints(batch, known))
    else:
        executions = Executions(data, parsing, Recorder("session"), here)
        executions.add(executions.of(batch, known))
        executions.pytest_sessionfinish()
    query = (
        "SELECT test_name, filename, fsha, method_checksums, failed FROM test_execution"
        " JOIN test_execution_file_fp ON test_execution.id = test_execution_id"
        " JOIN file_fp ON file_fp.id = fingerprint_id ORDER BY test_name, filename"
    )
    found = data.db.con.execute(query).fetchall()
    data.db.con.close()
    return found


@pytest.mark.parametrize("white_space", ["", "   \n"])
def test_what_is_stored_is_what_testmon_stores(tmp_path: Path, white_space: str) -> None:
    """Tests, files, digests and checksums are the same as by testmon's own way."""
    batch = {"test_a.py::one": {"app.py": {1, 11}}, "test_a.py::two": {"app.py": {1, 17}}}
    found = []
    for name, parsing in (("ours", Parsing()), ("plain", None)):
        (tmp_path / name).mkdir()
        text = SOURCE.replace("LIMIT = 3", f'LIMIT = """\n{white_space}"""')
        (tmp_path / name / "app.py").write_text(text, encoding="utf-8")
        found.append(stored(tmp_path / name, parsing, batch))
    assert found[0] == found[1]
    assert found[0]


def test_a_file_that_is_gone_is_no_dependency(tmp_path: Path) -> None:
    """What the run made and removed is nothing that testmon could look at."""
    (tmp_path / "app.py").write_text(SOURCE, encoding="utf-8")
    batch = {"test_a.py::one": {"app.py": {1}, "gone.py": {1}}}
    rows = stored(tmp_path, Parsing(), batch)
    assert [row[1] for row in rows] == ["app.py"]  # type: ignore[attr-defined]
