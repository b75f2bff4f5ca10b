"""What a change means for the tests: the decision, the digests and the stored snapshot."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.impact import snapshot
from paceline.impact.snapshot import Selection, Snapshot

MODULE = "LIMIT = 1\n\n\ndef plain(a, b=2):\n    return a + b\n"

#: Statements that run at import, so that no function body holds them.
STATEMENTS = st.sampled_from(
    [
        "LIMIT = {0}",
        "import json as name_{0}",
        "class Made{0}: size = 1",
        "assert {0} >= 0",
        "def made_{0}(a): pass",
        "def plain(a, b={0} + 3): pass",
        "@staticmethod\ndef decorated():\n    return {0}",
        "def setup_module():\n    return {0}",
        "for _ in range({0}): pass",
        "'''text {0}'''",
    ]
)


def taken(root: Path, environment: str = "env", **texts: str) -> Snapshot:
    names = []
    for stem, text in texts.items():
        name = stem.replace("__", ".")
        (root / name).write_text(text, encoding="utf-8")
        names.append(name)
    return replace(snapshot.take(root, sorted(names), environment), passed=True)


def selection(before: Snapshot | None, now: Snapshot) -> Selection:
    return snapshot.decide(before, now).selection


def test_nothing_known_runs_everything(tmp_path: Path) -> None:
    """Without a record of an earlier run, every test runs and the reason says so."""
    decision = snapshot.decide(None, taken(tmp_path, m__py=MODULE))
    assert decision.selection is Selection.EVERYTHING
    assert decision.reason == "no record of an earlier run"


def test_nothing_changed_runs_nothing(tmp_path: Path) -> None:
    """The same files in the same environment after a passing run need no test."""
    before = taken(tmp_path, m__py=MODULE)
    assert selection(before, taken(tmp_path, m__py=MODULE)) is Selection.NOTHING


def test_a_failed_run_is_repeated(tmp_path: Path) -> None:
    """Nothing changed, but tests failed: testmon is asked, which runs those again."""
    before = replace(taken(tmp_path, m__py=MODULE), passed=False)
    decision = snapshot.decide(before, taken(tmp_path, m__py=MODULE))
    assert decision.selection is Selection.TESTMON
    assert "failed last time" in decision.reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return a + b", "return a - b"),
        ("return a + b", "x = a\n    return x + b"),
        ("    return a + b", "    # a comment\n    return a + b"),
        ("LIMIT = 1\n", "LIMIT = 1  # a comment\n"),
    ],
)
def test_a_function_body_is_left_to_testmon(old: str, new: str, tmp_path: Path) -> None:
    """A changed body or comment of an ordinary module asks testmon and names the file."""
    before = taken(tmp_path, m__py=MODULE)
    decision = snapshot.decide(before, taken(tmp_path, m__py=MODULE.replace(old, new)))
    assert decision.selection is Selection.TESTMON
    assert "m.py" in decision.reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 1", "LIMIT = 2"),
        ("b=2", "b=3"),
        ("def plain", "def renamed"),
        ("def plain", "async def plain"),
        ("def plain(a, b=2)", "def plain(a, b=2) -> int"),
        ("LIMIT = 1", "import json"),
        ("return a + b\n", "return a + b\n\n\nprint(plain(1))\n"),
        ("return a + b", "return (a + b"),
    ],
)
def test_import_time_code_runs_everything(old: str, new: str, tmp_path: Path) -> None:
    """A constant, a signature, an import or a syntax error is beyond testmon."""
    before = taken(tmp_path, m__py=MODULE)
    now = taken(tmp_path, m__py=MODULE.replace(old, new))
    assert selection(before, now) is Selection.EVERYTHING


@pytest.mark.parametrize("kind", ["@cache\ndef f():", "def setup_module():", "def setup_class(c):"])
def test_bodies_that_outlive_a_test_run_everything(kind: str, tmp_path: Path) -> None:
    """The body of a decorated or a set-up function counts as code that runs at import."""
    before = taken(tmp_path, m__py=f"{kind}\n    return 1\n")
    now = taken(tmp_path, m__py=f"{kind}\n    return 2\n")
    assert selection(before, now) is Selection.EVERYTHING


@given(st.lists(st.tuples(STATEMENTS, st.integers(0, 9)), min_size=1, max_size=4), st.booleans())
def test_any_change_outside_bodies_runs_everything(
    added: list[tuple[str, int]], at_start: bool
) -> None:
    """Whatever statement is added at a module's top, the digest of import-time code changes."""
    text = "\n".join(statement.format(number) for statement, number in added)
    changed = f"{text}\n{MODULE}" if at_start else f"{MODULE}\n{text}\n"
    before, now = (
        Snapshot("env", {"m.py": _pair(content)}, passed=True) for content in (MODULE, changed)
    )
    assert selection(before, now) is Selection.EVERYTHING


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5))
def test_any_change_inside_a_body_asks_testmon(numbers: list[int]) -> None:
    """However a plain function's body changes, the code outside it is seen as the same."""
    body = "".join(f"    a += {number}\n" for number in numbers)
    changed = MODULE.replace("    return a + b\n", f"{body}    return a + b\n")
    before, now = (
        Snapshot("env", {"m.py": _pair(content)}, passed=True) for content in (MODULE, changed)
    )
    assert selection(before, now) is Selection.TESTMON


def _pair(text: str) -> tuple[str, str]:
    digest = snapshot._import_time(text.encode())
    assert digest is not None
    return (text, digest)


def test_other_files_run_everything(tmp_path: Path) -> None:
    """A changed data file, a new file, a deleted file and a conftest.py are beyond testmon."""
    before = taken(tmp_path, m__py=MODULE, data__json="1", conftest__py=MODULE)
    body = MODULE.replace("a + b", "a - b")
    cases = {
        "data.json changed": taken(tmp_path, m__py=MODULE, data__json="2", conftest__py=MODULE),
        "conftest.py changed": taken(tmp_path, m__py=MODULE, data__json="1", conftest__py=body),
        "data.json was deleted": taken(tmp_path, m__py=MODULE, conftest__py=MODULE),
        "new file new.txt": taken(
            tmp_path, m__py=MODULE, data__json="1", conftest__py=MODULE, new__txt=""
        ),
    }
    for reason, now in cases.items():
        decision = snapshot.decide(before, now)
        assert decision.selection is Selection.EVERYTHING
        assert decision.reason.startswith(reason)


def test_another_environment_runs_everything(tmp_path: Path) -> None:
    """Equal files in another environment prove nothing."""
    before = taken(tmp_path, m__py=MODULE)
    now = taken(tmp_path, environment="other", m__py=MODULE)
    assert selection(before, now) is Selection.EVERYTHING


def test_a_folder_is_never_equal(tmp_path: Path) -> None:
    """A submodule is not seen through, so each look at it counts as a change."""
    (tmp_path / "sub").mkdir()
    first, second = (snapshot.take(tmp_path, ["sub"], "env") for _ in range(2))
    assert selection(replace(first, passed=True), second) is Selection.EVERYTHING


def test_a_missing_file_is_seen(tmp_path: Path) -> None:
    """A file that git still tracks but that is gone can be taken, and differs from when it was."""
    before = taken(tmp_path, data__json="1")
    (tmp_path / "data.json").unlink()
    now = snapshot.take(tmp_path, ["data.json"], "env")
    assert selection(before, now) is Selection.EVERYTHING


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A stored snapshot comes back equal, names that are not ASCII included."""
    kept = replace(taken(tmp_path, m__py=MODULE), files={"ä/ö m.py": ("1", "2")})
    snapshot.write(tmp_path / "deep" / "snapshot.json", kept)
    assert snapshot.read(tmp_path / "deep" / "snapshot.json") == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"version": 99, "environment": "e", "files": {}, "passed": true}',
        '{"version": 1, "files": {}, "passed": true}',
        '{"version": 1, "environment": "e", "files": {"a": 1}, "passed": true}',
        '{"version": 1, "environment": "e", "files": {"a": ["1"]}, "passed": true}',
        '{"version": 1, "environment": "e", "files": [], "passed": true}',
    ],
)
def test_a_damaged_snapshot_counts_as_none(text: str, tmp_path: Path) -> None:
    """Whatever is wrong with the file, it is as if there were none: everything runs."""
    file = tmp_path / "snapshot.json"
    file.write_text(text, encoding="utf-8")
    assert snapshot.read(file) is None


def test_only_true_counts_as_passed(tmp_path: Path) -> None:
    """A truthy value that is not `true` does not stand for a passing run."""
    file = tmp_path / "snapshot.json"
    data = {"version": 1, "environment": "e", "files": {}, "passed": "yes"}
    file.write_text(json.dumps(data), encoding="utf-8")
    read = snapshot.read(file)
    assert read is not None
    assert not read.passed


def test_an_absent_snapshot_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file is no record, and no reason to warn."""
    assert snapshot.read(tmp_path / "none.json") is None
    assert capsys.readouterr().err == ""


def test_a_submodule_listed_by_git_can_be_taken(tmp_path: Path) -> None:
    """Git lists a nested repository as a folder name; taking it does not crash."""
    subprocess.run(["git", "init", "-q", tmp_path / "inner"], check=True)
    assert set(snapshot.take(tmp_path, ["inner/"], "e").files) == {"inner/"}
