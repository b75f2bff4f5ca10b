"""The history: samples stay apart by where they were taken, and shared set-up is told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.sharding.history import (
    KEPT,
    History,
    Sample,
    add,
    beside,
    estimates,
    indivisible,
    merge,
    read,
    write,
)

SECONDS = st.floats(0, 100)
RUN = st.dictionaries(
    st.sampled_from(["a.py::x", "a.py::y", "b.py::x[ü 1]"]),
    st.builds(Sample, SECONDS, SECONDS, SECONDS),
)


def history(*runs: dict[str, Sample], context: str = "3.11") -> History:
    """Return the history of `runs` in one context."""
    found = History({})
    for run in runs:
        found = add(found, context, run)
    return found


def plain(seconds: float) -> Sample:
    """Return a sample whose time is all in the test itself."""
    return Sample(0.0, seconds, 0.0)


@given(st.lists(RUN, max_size=8))
def test_history_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, runs: list[dict[str, Sample]]
) -> None:
    """A history is the same after writing and reading, with its last samples only."""
    path = tmp_path_factory.mktemp("history") / "h.json"
    found = history(*runs)
    write(path, found)
    assert read(path) == found
    assert all(len(t) <= KEPT for tests in found.contexts.values() for t in tests.values())


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 2}', '{"version": 1, "contexts": [["a", {"t": [[1, 2]]}]]}']
)
def test_damaged_history_warns_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """A damaged history counts as empty and costs one warning that names it."""
    path = tmp_path / "h.json"
    path.write_text(text, encoding="utf-8")
    assert read(path) == History({})
    error = capsys.readouterr().err
    assert error.count("warning") == 1
    assert str(path) in error


def test_one_slow_run_does_not_move_an_estimate() -> None:
    """The median over the samples ignores a run that a loaded machine made slow."""
    runs = [{"a.py::x": plain(seconds)} for seconds in (1.0, 1.1, 9.0)]
    assert estimates(history(*runs)).durations == {"a.py::x": 1.1}


def test_contexts_are_not_mixed() -> None:
    """Times of another context only fill gaps, scaled by the tests that both know."""
    serial = {"a.py::x": plain(1.0), "a.py::y": plain(2.0)}
    found = add(history(serial, context="serial"), "4 workers", {"a.py::x": plain(3.0)})
    assert estimates(found).durations == {"a.py::x": 3.0, "a.py::y": 6.0}


def test_times_beside_other_workers_move_no_serial_estimate(tmp_path: Path) -> None:
    """After a serial run, a run of four workers on a loaded machine is a context of its own.

    Its times would make tests look slower by their neighbours. Once a serial run follows, its
    samples alone decide again.
    """
    serial, loaded = "3.11 with 4 cores, workers 1", "3.11 with 4 cores, workers 4"
    found = history({"a.py::x": plain(1.0), "a.py::y": plain(2.0)}, context=serial)
    found = add(found, loaded, {"a.py::x": plain(3.0), "a.py::y": plain(2.5)})
    found = add(found, serial, {"a.py::x": plain(1.2)})
    path = tmp_path / "h.json"
    write(path, found)
    assert estimates(read(path)).durations == pytest.approx({"a.py::x": 1.1, "a.py::y": 2.0})


def test_deleted_tests_expire() -> None:
    """A test that is collected no more leaves every context; an unknown collection keeps all."""
    found = history({"a.py::x": plain(1.0), "a.py::y": plain(1.0)})
    assert set(estimates(merge(found, [], ["a.py::x"])).durations) == {"a.py::x"}
    assert set(estimates(merge(found, [], None)).durations) == {"a.py::x", "a.py::y"}


def test_shared_set_up_is_charged_to_the_file() -> None:
    """The test that happened to come first does not look slow, whichever it was."""
    first = {f"a.py::t{i}": Sample(20.0 if i == 0 else 0.1, 1.0, 0.0) for i in range(4)}
    second = {f"a.py::t{i}": Sample(20.0 if i == 2 else 0.1, 1.0, 0.0) for i in range(4)}
    for runs in ([first], [first, second]):
        found = estimates(history(*runs))
        assert found.durations == pytest.approx({f"a.py::t{i}": 1.1 for i in range(4)})
        assert found.shared == pytest.approx({"a.py": 19.9})
        assert indivisible(found) == {f"a.py::t{i}": "a.py" for i in range(4)}


def test_cheap_shared_set_up_binds_nothing() -> None:
    """A file is one unit only where its set-up outweighs its tests."""
    run = {f"a.py::t{i}": Sample(2.0 if i == 0 else 0.1, 5.0, 0.0) for i in range(4)}
    found = estimates(history(run))
    assert set(found.shared) == {"a.py"}
    assert indivisible(found) == {}


def test_history_lies_beside_its_durations(tmp_path: Path) -> None:
    """The durations file stays pytest-split's own; the history has a name of its own."""
    assert beside(tmp_path / "unit.json") == tmp_path / "unit.history.json"
    assert beside(tmp_path / ".test_durations").name == ".test_durations.history.json"
    path = tmp_path / "unit.history.json"
    write(path, history({"a.py::x": plain(1.0)}))
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == 1
