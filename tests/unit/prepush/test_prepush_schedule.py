"""Which steps may start, and what becomes of those that never do."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.prepush.flow import Limits, run_steps
from paceline.prepush.result import StepResult, exit_code
from paceline.prepush.schedule import startable
from paceline.prepush.steps import PlannedStep

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
PASS = (sys.executable, "-c", "pass")
FAIL = (sys.executable, "-c", "raise SystemExit(1)")
STEPS = st.lists(
    st.builds(
        PlannedStep,
        name=st.uuids().map(str),
        commands=st.just((PASS,)),
        kind=st.sampled_from(["reads", "fixes"]),
        weight=st.integers(1, 5),
        expected_seconds=st.none() | st.floats(0, 100),
    ),
    max_size=8,
    unique_by=lambda step: step.name,
)


def step(name: str, *commands: tuple[str, ...], **more: object) -> PlannedStep:
    return PlannedStep(name, commands or (PASS,), **more)  # type: ignore[arg-type]


def names(steps: list[PlannedStep]) -> list[str]:
    return [found.name for found in steps]


def test_the_longest_known_starts_first_and_the_unknown_before_it() -> None:
    """On one core, a step of unknown length starts first, then the longest."""
    steps = [step("short", expected_seconds=1.0), step("long", expected_seconds=9.0), step("new")]
    assert names(startable(steps, [], {}, 1)) == ["new"]
    assert names(startable(steps[:2], [], {}, 1)) == ["long"]


def test_a_light_step_passes_a_heavy_one_that_does_not_fit() -> None:
    """What the heavy step leaves free is used, and a step heavier than the machine runs alone."""
    heavy = step("heavy", weight=4, expected_seconds=9.0)
    light = step("light", expected_seconds=1.0)
    running = [step("running", weight=2)]
    assert names(startable([heavy, light], running, {}, 4)) == ["light"]
    assert names(startable([heavy], [], {}, 2)) == ["heavy"]


def test_a_fixing_step_runs_alone_unless_it_needs_a_reading_one() -> None:
    """Fixing steps go first, one at a time; one with needs waits for them like any other."""
    fix, other = step("fix", kind="fixes"), step("fix2", kind="fixes")
    read = step("read")
    assert names(startable([read, fix, other], [], {}, 8)) == ["fix"]
    assert startable([read, other], [fix], {}, 8) == []
    assert startable([other], [read], {}, 8) == []
    late = step("late", kind="fixes", needs=("read",))
    assert names(startable([late, read], [], {}, 8)) == ["read"]


@given(STEPS, st.integers(1, 4))
def test_every_step_starts_once_within_the_cores(steps: list[PlannedStep], cores: int) -> None:
    """Whatever the steps, all of them run, never on more cores than there are."""
    waiting, seen = list(steps), []
    while waiting:
        started = startable(waiting, [], {}, cores)
        assert started
        assert sum(one.weight for one in started) <= cores or len(started) == 1
        assert len(started) == 1 or all(one.kind == "reads" for one in started)
        seen += names(started)
        waiting = [one for one in waiting if one not in started]
    assert sorted(seen) == sorted(names(steps))


def test_what_needs_a_failed_step_is_not_run(tmp_path: Path) -> None:
    """A need that failed leaves its followers unchecked, each naming what it needs."""
    steps = [step("a", FAIL), step("b", needs=("a",)), step("c", needs=("b",)), step("d")]
    results = run_steps(steps, cwd=tmp_path, cores=2)
    assert [result.verdict for result in results] == ["failed", "unchecked", "unchecked", "passed"]
    assert results[1].reason == "it needs a, which did not pass"
    assert exit_code(results) == 1


def test_a_skipped_need_is_met(tmp_path: Path) -> None:
    """A step whose need had nothing to do runs."""
    steps = [step("a", skip="no input changed"), step("b", needs=("a",))]
    assert run_steps(steps, cwd=tmp_path, cores=1)[1].verdict == "passed"


def test_fail_fast_ends_the_others(tmp_path: Path) -> None:
    """With fail_fast, the first failure ends what runs and keeps the rest from starting."""
    steps = [step("slow", SLEEP), step("bad", FAIL), step("never", SLEEP, needs=("slow",))]
    begun = time.monotonic()
    results = run_steps(steps, cwd=tmp_path, cores=2, limits=Limits(fail_fast=True))
    assert time.monotonic() - begun < 30
    assert [result.verdict for result in results] == ["unchecked", "failed", "unchecked"]
    assert results[0].reason == "bad failed, and fail_fast is set"


def test_the_budget_ends_what_runs_and_names_what_is_left(tmp_path: Path) -> None:
    """When the budget is used up, the push fails, or by choice leaves the rest to CI."""
    limits = Limits(time.monotonic() + 0.5, "500ms")
    steps = [step("slow", SLEEP), step("never", SLEEP, needs=("slow",)), step("quick")]
    results = run_steps(steps, cwd=tmp_path, cores=2, limits=limits)
    verdicts = [result.verdict for result in results]
    assert verdicts[:2] == ["unchecked", "unchecked"]
    assert results[1].reason == "the budget of 500ms is used up"
    assert exit_code(results) == 12
    assert exit_code(results, over_budget="pass") == 0


def test_a_budget_does_not_excuse_a_need_that_failed() -> None:
    """Only what the budget itself left out may be left to CI."""
    left = StepResult("a", "unchecked", over_budget=True)
    other = StepResult("b", "unchecked", reason="it needs c, which did not pass")
    assert exit_code([left, other], over_budget="pass") == 12


def test_a_step_is_ended_after_its_own_limit(tmp_path: Path) -> None:
    """A step that takes longer than its timeout fails and says so."""
    (result,) = run_steps([step("slow", SLEEP, timeout=0.3)], cwd=tmp_path, cores=1)
    assert (result.verdict, result.reason) == ("failed", "ended after its limit of 0.3 s")


def test_a_fixing_step_that_changed_files_fails_and_names_them(tmp_path: Path) -> None:
    """A fixer that passes but changed files fails the push; one that changed none passes."""
    changes = iter([["a.py", "b.py"], []])
    steps = [step("fix", kind="fixes"), step("fix2", kind="fixes")]
    results = run_steps(steps, cwd=tmp_path, cores=1, changed_files=lambda: next(changes))
    assert results[0].reason == "it changed a.py, b.py"
    assert [result.verdict for result in results] == ["failed", "passed"]


def test_a_caller_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    """What `check_alive` raises ends every step and reaches the caller."""

    def gone() -> None:
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_steps([step("slow", SLEEP)], cwd=tmp_path, cores=1, check_alive=gone)
    assert time.monotonic() - begun < 30
