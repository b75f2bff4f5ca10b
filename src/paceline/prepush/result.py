"""What came of one step."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from paceline.errors import CheckFailed, IncompleteEvidence, MissingTool

#: "proven" is a pass by receipt. "unchecked" was not run, or not to its end.
Verdict = Literal[
    "passed", "proven", "failed", "skipped", "not set up", "unchecked", "could not check"
]


@dataclass(frozen=True)
class StepResult:
    """What came of one step."""

    name: str
    verdict: Verdict
    seconds: float = 0.0
    #: Why the verdict is not "passed", for people.
    reason: str = ""
    #: Everything the step's commands printed, in order.
    output: str = ""
    #: Exit code of the last command that ran; None if none did.
    exit_code: int | None = None
    #: The last command that ran or could not be started.
    command: tuple[str, ...] = ()
    #: The variables the step sets for its commands.
    env: tuple[tuple[str, str], ...] = ()
    #: The command a person would type to run just this step; empty means `command` as it is.
    again: str = ""
    #: Whether nobody may know a verdict because the time budget ran out.
    over_budget: bool = False

    @property
    def rerun(self) -> str:
        """The shell line that repeats the step from the project's folder."""
        if self.again:
            return self.again
        assignments = [f"{key}={shlex.quote(value)}" for key, value in self.env]
        return " ".join([*assignments, shlex.join(self.command)])


def exit_code(results: Sequence[StepResult], *, over_budget: str = "fail") -> int:
    """Return what the results mean for the push.

    1 if a step failed, 11 if a step could not be checked for want of a tool, 12 if evidence is
    missing for another reason, else 0. With `over_budget` "pass", what the budget left out
    is left to CI.
    """
    verdicts = {result.verdict for result in results}
    if "failed" in verdicts:
        return CheckFailed.exit_code
    if "could not check" in verdicts:
        return MissingTool.exit_code
    left = [result for result in results if result.verdict == "unchecked"]
    if any(over_budget == "fail" or not result.over_budget for result in left):
        return IncompleteEvidence.exit_code
    return 0
