"""Tracing that is suspended in a thread, as a profile function sees it."""

from __future__ import annotations

import sys
import threading
from types import FrameType

import pytest

from paceline.impact import suspending

pytestmark = pytest.mark.skipif(
    not suspending.IS_KNOWN, reason="Python can suspend tracing from 3.11 on"
)


def first() -> None:
    """Be called, as the next ones."""


def second() -> None:
    """Be called."""


def third() -> None:
    """Be called."""


def test_nothing_is_traced_until_each_suspension_has_ended() -> None:
    """Of nested suspensions all must end; what traces stays in place, and goes on."""
    called: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        suspending.suspend()
        suspending.suspend()
        first()
        suspending.go_on()
        second()
        during = sys.getprofile()
        suspending.go_on()
        third()
    finally:
        sys.setprofile(before)
    assert during is profile
    assert {"first", "second", "third"}.intersection(called) == {"third"}


def test_other_threads_are_traced_meanwhile() -> None:
    """Only the thread that suspends is not traced: another one goes on."""
    called: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    def other() -> None:
        sys.setprofile(profile)
        first()

    suspending.suspend()
    try:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    finally:
        suspending.go_on()
    assert "first" in called
