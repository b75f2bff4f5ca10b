"""What the flow says: table, JSON, live lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paceline import console
from paceline.git import Change
from paceline.prepush.checkout import Checkout
from paceline.prepush.flow import Event
from paceline.prepush.report import Report, as_json, closing, follow
from paceline.prepush.result import StepResult
from paceline.prepush.steps import PlannedStep

CHANGE = Change(frozenset({"b.py", "a.py"}), "against origin/main")
RESULTS = [
    StepResult("lint", "passed", 0.42, output="fine\n", exit_code=0, command=("ruff", "check")),
    StepResult(
        "deps", "could not check", 0.0, "uv is not installed", "error: no uv\n", None, ("uv",)
    ),
    StepResult("types", "failed", 12.34, "exit code 1", "a.py:1: wrong\n", 1, ("mypy", "a b")),
    StepResult("hooks", "skipped", reason="no input changed against origin/main"),
    StepResult("security", "not set up", reason="no bandit settings"),
]

CLOSING = """\
step      verdict          time    why
lint      passed           0.4 s
deps      could not check  0.0 s   uv is not installed
types     failed           12.3 s  exit code 1
hooks     skipped          -       no input changed against origin/main
security  not set up       -       no bandit settings

1 passed, 1 failed, 1 skipped, 1 not set up, 1 could not check \
(2 files changed against origin/main)

to re-run deps: uv
to re-run types: mypy 'a b'
a.py:1: wrong
"""


TYPES = PlannedStep("types", ())


def report(results: list[StepResult], change: Change = CHANGE) -> Report:
    return Report(tuple(results), change, Checkout(Path(), Path(), "abc"))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the colours of the machine that runs the tests out of them."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def test_closing_ends_with_the_first_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe the table is plain text and the failing step's output comes last."""
    closing(report(RESULTS))
    assert capsys.readouterr().out == CLOSING


def test_closing_without_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    """When all is well the summary is last, and an unknown change is explained."""
    closing(report(RESULTS[:1], Change(None, "no git repository")))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "1 passed (everything is checked: no git repository)"


def test_colour_is_forced_but_nothing_moves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FORCE_COLOR colours a pipe, and NO_COLOR leaves no colour."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    closing(report(RESULTS[2:3]))
    assert "\x1b[1;31mtypes" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    closing(report(RESULTS[2:3]))
    assert "\x1b[1;31m" not in capsys.readouterr().out


def test_json() -> None:
    """The JSON holds every step and what was compared, in a stable form."""
    data = json.loads(as_json(report(RESULTS[2:4])))
    assert data == {
        "version": 2,
        "exit_code": 1,
        "commit": "abc",
        "in_place": True,
        "change": {"files": ["a.py", "b.py"], "reason": "against origin/main"},
        "steps": [
            {
                "name": "types",
                "verdict": "failed",
                "seconds": 12.34,
                "reason": "exit code 1",
                "exit_code": 1,
                "command": ["mypy", "a b"],
                "rerun": "mypy 'a b'",
                "output": "a.py:1: wrong\n",
            },
            {
                "name": "hooks",
                "verdict": "skipped",
                "seconds": 0.0,
                "reason": "no input changed against origin/main",
                "exit_code": None,
                "command": [],
                "rerun": "",
                "output": "",
            },
        ],
    }


def test_json_survives_names_that_are_no_unicode() -> None:
    """A file name that is no valid text still gives ASCII JSON; an unknown change is null."""
    assert as_json(report([], Change(frozenset({"\udcff"}), ""))).isascii()
    assert json.loads(as_json(report([], Change(None, "why"))))["change"]["files"] is None


def test_live_is_quiet_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is no progress: the closing table says it all."""
    with console.live() as view:
        show = follow(view)
        show(Event("started", TYPES))
        show(Event("finished", TYPES, RESULTS[2]))
    assert capsys.readouterr() == ("", "")


def test_live_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the running and the finished steps are drawn."""
    monkeypatch.setattr(console, "_is_terminal", lambda _: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # so that rich takes the captured stream for one
    monkeypatch.setenv("TERM", "xterm-256color")
    with console.live() as view:
        show = follow(view)
        show(Event("started", PlannedStep("lint", (), expected_seconds=7.2)))
        show(Event("started", TYPES))
        show(Event("finished", TYPES, RESULTS[2]))
    text = capsys.readouterr().err
    assert "lint  0 s, about 7 s left" in text
    assert "exit code 1" in text


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, ["a     why", "lint  no input changed against origin/main"]),
        (32, ["a     why", "lint  no input changed against", "      origin/main"]),
        (20, ["a     why", "lint", "    no input changed", "    against", "    origin/main"]),
    ],
)
def test_narrow_layout(limit: int | None, expected: list[str]) -> None:
    """Only the last column wraps: below itself, or below the row where there is no room."""
    rows = [console.Row(("lint", "no input changed against origin/main"))]
    assert [line.text for line in console.layout(("a", "why"), rows, limit)] == expected


def test_output_that_the_stream_cannot_encode(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A lone surrogate in a tool's output is replaced, not an error."""
    console.out("a\udcffb")
    console.err("c\udcffd")
    assert capsys.readouterr() == ("a?b\n", "c?d\n")
