"""What counts as a run of a hook, and what the measurement says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from paceline.bench import history
from paceline.hooks import measured
from paceline.hooks.measure import HookMeasure, Outcome, judge

PASSED = "a....................Passed\n- hook id: a\n- duration: 0.33s\n\n1 passed in 0.1s\n"
FAILED = (
    "a....................Failed\n- hook id: a\n- duration: 0.5s\n- exit code: {code}\n\n{text}"
)


@pytest.mark.parametrize(
    ("output", "code", "state", "reason"),
    [
        (PASSED, 0, "passed", ""),
        (FAILED.format(code=1, text="1 failed"), 1, "failed", "exit code 1"),
        (FAILED.format(code=2, text=""), 1, "did not run", "ended while collecting (exit code 2)"),
        (FAILED.format(code=4, text=""), 1, "did not run", "usage error (exit code 4)"),
        (FAILED.format(code=5, text=""), 1, "did not run", "no test collected (exit code 5)"),
        (
            FAILED.format(code=127, text=""),
            1,
            "did not run",
            "the program is not there (exit code 127)",
        ),
        (
            FAILED.format(code=1, text="Executable `x` not found"),
            1,
            "did not run",
            "Executable `x` not found",
        ),
        (
            FAILED.format(code=1, text="Traceback:\nModuleNotFoundError: No module named 'x'"),
            1,
            "did not run",
            "ModuleNotFoundError: No module named 'x'",
        ),
        (
            PASSED.replace("1 passed", "no tests ran"),
            0,
            "did not run",
            "pytest ran no test: no tests ran in",
        ),
        (
            PASSED.replace("1 passed", "3 skipped, 1 warning"),
            0,
            "did not run",
            "pytest ran no test: 3 skipped, 1 warning in",
        ),
        (
            "a.......(no files to check)Skipped\n",
            0,
            "did not run",
            "skipped: no files to check",
        ),
        ("a.......................Skipped\n", 0, "did not run", "skipped: SKIP"),
        (
            "No hook with id `a` in stage `x`\n",
            1,
            "did not run",
            "No hook with id `a` in stage `x`",
        ),
        ("", 0, "did not run", "the manager ran no such hook at this stage"),
        ("error: no\n  caused by: no file\n", 2, "did not run", "caused by: no file"),
        (
            "a...Failed\n- duration: 0s\n- files were modified by this hook\n",
            1,
            "failed",
            "it changed files",
        ),
        (PASSED, 1, "failed", "exit code 1"),
    ],
)
def test_only_a_hook_that_really_ran_counts(
    output: str, code: int, state: str, reason: str
) -> None:
    """A wrong stage, a failed start, a skip or silence is never taken for a fast run."""
    found = judge(output, code, 0.1, pytest=True)
    assert (found.state, found.reason) == (state, reason)
    assert (found.seconds > 0) == (state != "did not run" and "duration: 0s" not in output)


def test_a_round_that_did_not_run_takes_the_time_away() -> None:
    """A hook with one round that did not run has no time and no entry in the history."""
    good, bad = Outcome("passed", "", 0, 1.0, 1.0), Outcome("did not run", "skipped")
    assert HookMeasure("a", (good, good), 0.5, 0.1).measure("pre-push") is not None
    mixed = HookMeasure("a", (good, bad), 0.5, 0.1)
    assert (mixed.state, mixed.seconds, mixed.measure("pre-push")) == ("did not run", None, None)


def test_the_report_names_the_slowest_first_and_what_did_not_run() -> None:
    """The table, the Markdown and the JSON show time, start-up, codes, trend and state."""
    slow = HookMeasure("slow", (Outcome("passed", "", 0, 2.0, 1.0),) * 3, 0.75, 0.1)
    failed = HookMeasure("bad", (Outcome("failed", "exit code 1", 1, 1.0, 1.0),), None, 0.1)
    absent = HookMeasure("none", (Outcome("did not run", "skipped: SKIP"),), None, 0.1)
    before = HookMeasure("slow", (Outcome("passed", "", 0, 1.0, 0.5),), 0.5, 0.1)
    entry = before.measure("pre-push")
    assert entry is not None
    earlier = [history.Run("2026-01-01", (entry,))]
    hooks = [slow, failed, absent]
    assert "\n".join(line.text for line in measured.lines("pre-push", hooks, earlier, None)) == (
        "hook  median  noise    start-up  exit codes  trend              state\n"
        "slow  2.00 s  ±0.00 s  75%       0           +100 % REGRESSION  passed\n"
        "bad   1.00 s  ±0.00 s  -         1           -                  failed: exit code 1\n"
        "none  -       -        -         -           -                  did not run: skipped: SKIP\n"  # noqa: E501
        "\n"
        "2 of 3 hooks ran, 3.0 s one after another; 1 failed; "
        "1 did not really run and have no time"
    )
    assert "| slow | 2.00 s | ±0.00 s | 75% | 0 | +100 % REGRESSION | passed |" in (
        measured.markdown("pre-push", hooks, earlier)
    )
    data = measured.data("pre-push", hooks, earlier)["hooks"]
    assert [hook["seconds"] for hook in data] == [2.0, 1.0, None]


def test_the_manager_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pre-commit or prek is taken from beside the interpreter, else from the search path."""
    from paceline.errors import MissingTool
    from paceline.hooks import measure

    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(MissingTool, match="neither pre-commit nor prek"):
        measure.manager()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "prek").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "prek").chmod(0o755)
    assert measure.manager() == tmp_path / "bin" / "prek"
