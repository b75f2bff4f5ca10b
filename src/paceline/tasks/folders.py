"""A task that takes as many folders as are named: `invoke durations.merge DIR...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task

NAME = "durations.merge"


class TaskOfFolders(Task[Any]):
    """The task `durations.merge`; its body has the folders after the first in `also`.

    invoke knows no positional argument with many values and parses the command line only after
    it has asked each task for its arguments, so that they are counted here.
    """

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the task's own arguments, and one more for each further folder."""
        first, *rest = super().get_arguments(ignore_unknown_help)
        more = range(2, count(sys.argv) + 1)
        return [first, *(Argument(name=f"folder{n}", positional=True) for n in more), *rest]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body."""
        more = sorted((key for key in kwargs if key[6:].isdigit()), key=lambda key: int(key[6:]))
        further = [kwargs.pop(key) for key in more]
        return super().__call__(*args, **{**kwargs, "also": [*kwargs.get("also", ()), *further]})


def count(command: Sequence[str]) -> int:
    """Return how many values of no option follow the task's name in `command`."""
    start = next((i for i, token in enumerate(command) if token.endswith(NAME)), len(command))
    return sum(
        not token.startswith("-") and not (before.startswith("--") and "=" not in before)
        for before, token in pairwise(["", *command[start + 1 :]])
    )
