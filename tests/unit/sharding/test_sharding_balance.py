"""What people read of the durations: how well they fit, and what keeps shards from being even."""

from __future__ import annotations

import json
from pathlib import Path

from paceline.sharding import balance, history, stored
from paceline.sharding.estimation import knowledge
from paceline.sharding.history import Sample
from paceline.sharding.result import ShardResult


def shard(index: int, tests: tuple[str, ...], predicted: float) -> ShardResult:
    """Return the result of one shard of two."""
    return ShardResult(
        group="unit",
        index=index,
        total=2,
        python="3.12",
        commit=None,
        dirty=False,
        plan_digest="",
        collected=tests,
        selected=tests,
        ran=dict.fromkeys(tests, 1),
        outcomes={},
        exit_code=0,
        coverage=False,
        folder=Path(f"{index}of2"),
        predicted_seconds=predicted,
        predicted_wall_seconds=2.0,
        wall_seconds=2.5,
    )


def test_rows_show_predicted_beside_measured() -> None:
    """Each shard has its predicted and measured sum of tests, and the same of its wall time."""
    results = [shard(1, ("a", "b"), 3.0), shard(2, ("c",), 3.0)]
    assert balance.rows(results, {"a": 1.0, "b": 2.5, "c": 9.0}) == [
        ("unit 1of2", "2", "3.00 s", "3.50 s", "2.00 s", "2.50 s"),
        ("unit 2of2", "1", "3.00 s", "9.00 s", "2.00 s", "2.50 s"),
    ]


def test_longest_tests_are_named_to_be_split_first() -> None:
    """Only tests that are long against a mean shard are named, and none for one shard."""
    times = {"a": 1.0, "b": 2.5, "c": 9.0}
    assert balance.split_first(2, times) == ["c (9.00 s)", "b (2.50 s)"]
    assert balance.split_first(1, times) == []


def test_unknown_and_stale_tests_are_counted() -> None:
    """A warning is due where a tenth of the suite is unknown or gone, not on a first run."""
    found = knowledge(["a.py::x", "a.py::y@g"], {"a.py::y": 1.0, "a.py::z": 1.0})
    assert (found.unknown, found.stale, found.outdated) == (1, 1, True)
    assert str(found) == (
        "1 of 2 tests (50%) have no stored duration, 1 stored durations have no test"
    )
    assert not knowledge(["a.py::x"], {}).outdated
    assert not knowledge(["a.py::x"], {"a.py::x": 1.0}).outdated


def test_merged_durations_are_estimates_of_the_history(tmp_path: Path) -> None:
    """Merging again and again stores medians, counts no run twice, and forgets deleted tests."""
    file = tmp_path / "ci" / "unit.json"
    folder = tmp_path / "1of1"
    for seconds in (1.0, 5.0, 1.2):
        run = {"a.py::x": Sample(0.0, seconds, 0.0), "a.py::gone": Sample(0.0, 1.0, 0.0)}
        history.write(folder / history.FILE, history.add(history.History({}), "here", run))
        for _ in range(2):
            stored.update(file, [folder], None)
    stored.update(file, [], ["a.py::x"])
    assert json.loads(file.read_text(encoding="utf-8")) == {"a.py::x": 1.2}


def test_plain_durations_merge_without_a_history(tmp_path: Path) -> None:
    """A folder that has only pytest-split's file gives its durations."""
    (tmp_path / stored.DURATIONS).write_text('{"a.py::x": 2.0}', encoding="utf-8")
    file = tmp_path / "stored.json"
    stored.update(file, [tmp_path], None)
    assert json.loads(file.read_text(encoding="utf-8")) == {"a.py::x": 2.0}


def test_costly_file_is_a_unit_unless_marks_divide_it(tmp_path: Path) -> None:
    """The history binds a file with expensive shared set-up; marked groups come first."""
    file = tmp_path / "unit.json"
    run = {f"a.py::t{i}": Sample(9.0 if i == 0 else 0.0, 0.5, 0.0) for i in range(3)}
    history.write(history.beside(file), history.add(history.History({}), "here", run))
    together, shared = stored.units(file, {})
    assert together == dict.fromkeys(run, "a.py")
    assert shared == {"a.py": 9.0}
    assert stored.units(file, {"a.py::t1": "g"})[0] == {"a.py::t1": "g"}
