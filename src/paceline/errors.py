"""Everything that can go wrong, each with its exit code and what to do next.

Exit codes: 1 a check failed, 10 the configuration is wrong, 11 a tool or interpreter is
missing, 12 the evidence is incomplete. nox keeps 2 and 3 for itself, 130 is an interrupt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PacelineError(Exception):
    """An error a person can act on.

    `message` says what happened and where, `hint` what to do next (may be empty).
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"error: {self.message}"
        return f"{text}\n       {self.hint}" if self.hint else text


class CheckFailed(PacelineError):
    """A check ran and did not pass."""

    exit_code = 1


class MissingTool(PacelineError):
    """A program, package or interpreter that is needed is not there."""

    exit_code = 11


class IncompleteEvidence(PacelineError):
    """What was found does not prove what was asked: never a pass."""

    exit_code = 12

    def __init__(self, problems: Sequence[str], hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n       ".join(self.problems), hint)


@dataclass(frozen=True)
class Problem:
    """One configuration problem: where it is, what was found, what is allowed."""

    file: str
    key: str
    text: str
    suggestion: str = ""

    def __str__(self) -> str:
        line = f"error: {self.file}: {self.key}: {self.text}"
        return f'{line}\n       did you mean "{self.suggestion}"?' if self.suggestion else line


class ConfigurationError(PacelineError):
    """The configuration is wrong; carries every problem found, not only the first."""

    exit_code = 10

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("invalid configuration")

    def __str__(self) -> str:
        count = len(self.problems)
        closing = f"{count} problem{'s' if count != 1 else ''}; nothing was run."
        return "\n".join([*(str(problem) for problem in self.problems), closing])


class UsageError(PacelineError):
    """A command was given an argument it cannot use."""

    exit_code = 10
