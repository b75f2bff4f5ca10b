"""Tests that skip themselves, or are skipped by a plugin: perhaps only as others did not run."""

from __future__ import annotations

import os
from typing import Final

import pytest

#: The functions of pytest that call those of a test: file and name.
_CALLING: Final = frozenset(
    (
        ("fixtures.py", "call_fixture_func"), ("fixtures.py", "finish"),
        ("python.py", "pytest_pyfunc_call"), ("unittest.py", "runtest"),
    )
)  # fmt: skip


def is_skipped_by_itself(item: pytest.Item, error: BaseException) -> bool:
    """Return whether `error` skips the test, and no mark or decorator does.

    pytest shows what these skip at the test itself (skipping.py); so it does with all that a
    `unittest.TestCase` skips. `pytest.xfail()` skips a test as well.
    """
    if type(error).__name__ == "XFailed":
        return True
    if type(error).__name__ not in ("Skipped", "SkipTest"):
        return False
    if not getattr(error, "_use_item_location", False):
        return True
    owners = (getattr(item, "obj", None), getattr(item, "cls", None))
    by_decorator = any(getattr(owner, "__unittest_skip__", False) for owner in owners)
    return (
        not by_decorator
        and not any(item.iter_markers("skip"))
        and not any(item.iter_markers("skipif"))
    )


def is_by_hook(error: BaseException) -> bool:
    """Return whether neither the test nor a fixture of it has raised `error`, but a plugin.

    It may have asked which tests have run: in its own process, where others run in more of them.
    """
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if (os.path.basename(code.co_filename), code.co_name) in _CALLING:
            return False
        trace = trace.tb_next
    return True
