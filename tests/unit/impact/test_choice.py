"""What a run leaves out, as it is told to workers and corrected later."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from paceline.impact import inputs, source
from paceline.impact.giving import as_value
from paceline.impact.recorder import Kind, Need
from paceline.impact.records import NeedRecord, Records, SegmentRecord, SourceRecord, TestRecord
from paceline.impact.usage import Usage
from paceline.plugin import handover
from paceline.plugin.choice import Choice

ONE, TWO, THREE = "test_a.py::test_one", "test_a.py::test_two", "test_b.py::test_three"


def items(*names: str) -> list[Any]:
    return [SimpleNamespace(nodeid=name) for name in names]


def leaving() -> Records:
    """Return what is known of two tests: one fills a list, the other mentions it and failed."""
    text = b"import app\ndef test_one(): app.KEPT.append(1)\ndef test_two(): assert not app.KEPT\n"
    left = NeedRecord(Need.STATE, ".", as_value({"KEPT": set()}))
    segments = {
        place: SegmentRecord(
            Kind.TEST, test, {1: 1 << place}, needs, (), (), frozenset(), frozenset(), ()
        )
        for place, test, needs in ((1, ONE, (1,)), (2, TWO, ()))
    }
    tests = {ONE: TestRecord("passed", 0.1, 1), TWO: TestRecord("failed", 0.1, 2)}
    item = SourceRecord("test_a.py", inputs.digest(text), source.parse(text))
    return Records(tests, segments, {1: item}, {1: left})


def choice(folder: Path, *, narrowed: bool = False) -> Choice:
    made = Choice(folder, selecting=True, narrowed=narrowed)
    made.reasons = {ONE: ("app.py changed",)}
    made.unaffected = frozenset((TWO, THREE))
    made.quiet_files = frozenset(("test_b.py",))
    return made


def test_a_worker_is_told_what_to_leave_out(tmp_path: Path) -> None:
    """What crosses to a worker is plain data, and the same choice there."""
    told = Choice.told(json.loads(json.dumps(choice(tmp_path).as_told())))
    assert told.unaffected == {TWO, THREE}
    assert told.quiet_files == {"test_b.py"}
    collected = items(ONE, TWO)
    assert [item.nodeid for item in told.leave_out_of(collected, ())] == [TWO]
    assert [item.nodeid for item in collected] == [ONE]


def test_what_is_left_out_can_be_selected_later(tmp_path: Path) -> None:
    """A test that is selected after all has its reason, and no file is quiet any more."""
    made = choice(tmp_path)
    made.select_also({TWO: ("a test changed state that it may use (x)",)})
    assert made.unaffected == {THREE}
    assert not made.quiet_files
    assert made.affected == {ONE, TWO}


def test_tests_that_run_to_be_measured_have_no_reason_of_their_own(tmp_path: Path) -> None:
    """They are selected, and not held for affected when they are narrowed away."""
    made = choice(tmp_path)
    made.measure_anew({TWO: "its coverage is not known"}, None)
    assert TWO in made.reasons
    assert made.affected == {ONE}


def test_one_that_only_runs_to_be_measured_may_be_affected_in_the_end(tmp_path: Path) -> None:
    """As long as it has not run, since the run was narrowed."""
    made = choice(tmp_path)
    made.measure_anew({TWO: "its coverage is not known"}, None)
    assert made.without_reason({ONE}) == {TWO, THREE}
    assert made.without_reason({ONE, TWO}) == {THREE}


def test_tests_that_waited_in_vain_lose_their_reason(tmp_path: Path) -> None:
    """Those that moved the numbers are remembered, so that others go on building on them."""
    made = choice(tmp_path)
    made.leave_out_for_good([ONE], {TWO: {"made": 1}})
    assert not made.reasons
    assert made.counted == {TWO}


def test_in_a_narrowed_run_only_what_was_asked_for_is_left_out(tmp_path: Path) -> None:
    """What workers left out counts as well; the rest was not asked for."""
    made = choice(tmp_path, narrowed=True)
    assert not made.leaves_something_out
    made.leave_out_of(items(ONE, TWO), ())
    assert made.left_out == {TWO}
    assert made.affected == {ONE}
    assert handover.read(tmp_path).dropped == frozenset()


def test_held_back_tests_add_up(tmp_path: Path) -> None:
    """What has to run next time is never forgotten by a later word."""
    made = choice(tmp_path)
    made.hold_back([ONE])
    made.hold_back([THREE])
    assert made.held_back == {ONE, THREE}
    assert made.left_out == {TWO, THREE}


def test_one_that_failed_has_to_run_after_its_company(tmp_path: Path) -> None:
    """A run may end before it is repeated after those that leave what it may find."""
    made = choice(tmp_path)
    assert made.ran_alone({TWO}, {}) == set()
    made.usage = Usage(leaving())
    assert made.ran_alone({TWO, THREE}, {TWO: 2}) == {TWO}
    assert made.ran_alone({ONE, TWO}, {TWO: 1, ONE: 2}) == {TWO}
    assert made.ran_alone({ONE, TWO}, {ONE: 1, TWO: 2}) == set()
    assert made.ran_alone({ONE, TWO}, {}) == set()
