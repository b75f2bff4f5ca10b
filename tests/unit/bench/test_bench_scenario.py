"""Measuring real children, in turns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from paceline.bench import sample
from paceline.bench.scenario import Scenario, interleave, run_scenarios, summarise
from paceline.errors import CheckFailed, MissingTool

BURN = "import time\nwhile time.process_time() < 0.2: pass"


def test_cpu_time_is_counted_apart_from_waiting(tmp_path: Path) -> None:
    """CPU time holds the child's work, its own children's too, and its exit code is kept."""
    nested = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}]); sys.exit(3)"
    )
    taken = sample.measure([sys.executable, "-c", nested], cwd=tmp_path)
    assert taken.exit_code == 3
    assert taken.cpu_seconds >= 0.19
    assert taken.wall_seconds > 0


def test_missing_command(tmp_path: Path) -> None:
    """A command that is not there is a missing tool."""
    with pytest.raises(MissingTool):
        sample.measure(["no-such-program-here"], cwd=tmp_path)


def test_calibration_takes_time() -> None:
    """The calibration loop takes a time that can be divided by."""
    assert sample.calibrate(10) > 0


def test_interleave() -> None:
    """Scenarios take turns instead of running in blocks."""
    a, b, c = (Scenario(name, "", ()) for name in "abc")
    assert [scenario.name for scenario in interleave([a, b, c], 2)] == list("abcabc")


def test_run_scenarios(tmp_path: Path) -> None:
    """Every round prepares, and commands get their variables and take turns."""
    log = tmp_path / "log"
    write = f"import os; open({str(log)!r}, 'a').write(os.environ['WHO'])"
    command = (sys.executable, "-c", write)
    a = Scenario("a", "", command, {"WHO": "a"}, prepare=command)
    b = Scenario("b", "", command, {"WHO": "b"})
    seen: list[str] = []
    measures = run_scenarios(
        [a, b], 2, cwd=tmp_path, on_sample=lambda scenario, _: seen.append(scenario.name)
    )
    assert log.read_text() == "aabaab"
    assert seen == ["a", "b", "a", "b"]
    assert [(m.scenario, m.rounds) for m in measures] == [("a", 2), ("b", 2)]
    assert all(m.wall > 0 and m.calibration > 0 for m in measures)


@pytest.mark.parametrize("where", ["command", "prepare"])
def test_failing_command_is_no_measurement(where: str, tmp_path: Path) -> None:
    """A failing command ends the benchmark and says how to see why."""
    good = (sys.executable, "-c", "")
    bad = (sys.executable, "-c", "raise SystemExit(4)")
    command, prepare = (bad, ()) if where == "command" else (good, bad)
    with pytest.raises(CheckFailed, match="exit code 4"):
        run_scenarios([Scenario("a", "", command, prepare=prepare)], 1, cwd=tmp_path)


@pytest.mark.parametrize(("names", "rounds"), [("aa", 1), ("ab", 0)])
def test_misuse(names: str, rounds: int, tmp_path: Path) -> None:
    """No rounds, or two scenarios of one name, are refused before anything runs."""
    with pytest.raises(ValueError, match="at least one round"):
        run_scenarios([Scenario(name, "", ()) for name in names], rounds, cwd=tmp_path)


def test_summary_is_of_medians() -> None:
    """A measure holds medians of its rounds and the noise of the wall time."""
    samples = [sample.Sample(wall, wall / 2, 0) for wall in (1.0, 2.0, 9.0)]
    measure = summarise("a", samples, [0.1, 0.2, 0.3])
    assert (measure.wall, measure.cpu, measure.noise, measure.calibration) == (2.0, 1.0, 1.0, 0.2)
