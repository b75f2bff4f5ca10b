"""Durations: reading what is damaged, and losing nothing when written at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paceline.errors import CheckFailed
from paceline.sharding import durations, locking
from paceline.sharding.estimation import FLOOR, estimate
from paceline.sharding.groups import group_of, without_group


def test_absent_file_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A first run has no durations and needs no warning for it."""
    assert durations.read(tmp_path / "none") == {}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["{", "3", '"text"', "\udcff"])
def test_damaged_file_warns_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """A damaged file counts as empty and costs one warning that names it."""
    path = tmp_path / "durations"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert durations.read(path) == {}
    error = capsys.readouterr().err
    assert error.count("warning") == 1
    assert str(path) in error


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "-1", '"1"', "null", "true", "[]", "1" + "0" * 400]
)
def test_unusable_value_is_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """A value no clock can have measured is ignored and the others are kept."""
    path = tmp_path / "durations"
    path.write_text(f'{{"a": {value}, "b": 2, "c": {value}, "d": 0}}', encoding="utf-8")
    assert durations.read(path) == {"b": 2.0, "d": 0.0}
    assert capsys.readouterr().err.count("warning") == 1


def test_old_list_of_pairs_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The old form of pytest-split is read, and entries that are no pair are ignored."""
    path = tmp_path / "durations"
    path.write_text('[["a", 1.5], ["b", 2], ["c"], 4, [["x"], 1]]', encoding="utf-8")
    assert durations.read(path) == {"a": 1.5, "b": 2.0}
    assert capsys.readouterr().err.count("warning") == 1


def test_later_part_wins_in_a_merge() -> None:
    """Of two durations of one test the later one is kept."""
    assert durations.merge([{"a": 1.0, "b": 1.0}, {"b": 2.0}]) == {"a": 1.0, "b": 2.0}


def test_update_drops_tests_that_are_gone(tmp_path: Path) -> None:
    """Tests that are no longer collected leave the file, but only if that is known."""
    path = tmp_path / "durations"
    durations.write(path, {"old": 1.0, "kept": 2.0})
    durations.update(path, {"new": 3.0}, None)
    assert durations.read(path) == {"old": 1.0, "kept": 2.0, "new": 3.0}
    durations.update(path, {"new": 4.0}, ["kept", "new"])
    assert durations.read(path) == {"kept": 2.0, "new": 4.0}
    assert [file.name for file in tmp_path.iterdir()] == ["durations"]


def test_concurrent_updates_lose_nothing(tmp_path: Path) -> None:
    """Processes that update one file at once all find their tests in it."""
    path = tmp_path / "durations"
    code = (
        "import sys; from pathlib import Path; from paceline.sharding.durations import update\n"
        "for i in range(10): update(Path(sys.argv[1]), {f'{sys.argv[2]}-{i}': 1.0}, None)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(number)])
        for number in range(4)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert len(durations.read(path)) == 40


def test_stale_lock_is_broken(tmp_path: Path) -> None:
    """A lock left behind by a dead process, even while breaking one, holds nobody up."""
    path = tmp_path / "durations"
    for name in (".durations.lock", ".durations.lock.break"):
        (tmp_path / name).write_text("gone", encoding="utf-8")
        os.utime(tmp_path / name, (time.time() - 100, time.time() - 100))
    durations.update(path, {"a": 1.0}, None)
    assert [file.name for file in tmp_path.iterdir()] == ["durations"]


def test_held_lock_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh lock is waited for, and the error names it in the end."""
    monkeypatch.setattr(locking, "WAIT_AT_MOST", 0.05)
    path = tmp_path / "durations"
    with locking.lock(path), pytest.raises(CheckFailed, match=r"\.durations\.lock"):
        durations.update(path, {"a": 1.0}, None)
    assert not path.exists()


def test_lock_of_another_is_not_released(tmp_path: Path) -> None:
    """Who lost the lock as stale must not remove the lock of the next one."""
    file = tmp_path / ".durations.lock"
    with locking.lock(tmp_path / "durations"):
        file.write_text("another", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "another"


def test_written_file_is_in_the_format_of_pytest_split(tmp_path: Path) -> None:
    """What is written is one JSON object of node id to seconds."""
    path = tmp_path / "durations"
    durations.write(path, {"b": 1.0, "a": 2.0})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 2.0, "b": 1.0}


def test_unknown_test_takes_the_nearest_mean() -> None:
    """File, then the nearest known folder, then the suite give an unknown test its estimate."""
    known = {"t/a/x.py::1": 1.0, "t/a/x.py::2": 3.0, "t/a/y.py::1": 8.0, "u/z.py::1": 20.0}
    tests = ["t/a/x.py::9", "t/a/n.py::1", "t/b/c/n.py::1", "v/n.py::1", "n.py::1"]
    assert estimate(tests, known) == [2.0, 4.0, 4.0, 8.0, 8.0]


def test_nothing_known_is_one_second() -> None:
    """Without any durations all tests weigh the same."""
    assert estimate(["a.py::x", "b"], {}) == [1.0, 1.0]


def test_estimate_is_never_zero() -> None:
    """A measured zero, and a mean of zeros, still weigh something."""
    assert estimate(["a.py::x", "a.py::y"], {"a.py::x": 0.0}) == [FLOOR, FLOOR]


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("a.py::x@g", "g"),
        ("a.py::x[1]@g", "g"),
        ("a.py::x[me@home]", None),
        ("a@b/c.py::x", None),
        ("a@b", None),
        ("a.py::x", None),
    ],
)
def test_group_of_xdist_is_recognised(test: str, group: str | None) -> None:
    """Only an "@" after the name is a group, not one in a parameter or folder."""
    assert group_of(test) == group


def test_grouped_test_finds_its_plain_duration() -> None:
    """Durations measured without xdist also hold for the id with a group."""
    assert without_group("a.py::x@g") == "a.py::x"
    assert estimate(["a.py::x@g"], {"a.py::x": 7.0}) == [7.0]
    assert estimate(["a.py::x"], {"a.py::x@g": 7.0}) == [7.0]
