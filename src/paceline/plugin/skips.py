"""Tests that skip themselves, or are skipped by a plugin: perhaps only as others did not run."""

from __future__ import annotations

import pytest


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
