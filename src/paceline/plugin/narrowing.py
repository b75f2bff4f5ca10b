"""Whether the command line asks for some of the tests only."""

from __future__ import annotations

import os
import re

import pytest

#: An argument with -m, alone or behind other short options, as in -qm.
_MARKS = re.compile(r"-[a-zA-Z]*m")


def is_narrowed(config: pytest.Config) -> bool:
    """Return whether options leave tests out that the project's own settings would run.

    A `-m` in `addopts` is the project's setting; one on the command line is not.
    """
    option = config.option
    chosen = ("keyword", "lf", "deselect", "stepwise")
    if os.environ.get("PYTEST_ADDOPTS"):
        return True  # what stands there holds for this run only
    return any(getattr(option, name, None) for name in chosen) or any(
        _MARKS.match(argument) for argument in map(str, config.invocation_params.args)
    )
