"""What the interpreter and libraries keep for the whole process, and who looks at it."""

from __future__ import annotations

import asyncio
import calendar
import copyreg
import csv
import decimal
import email.charset
import importlib
import logging
import shutil
import socket
import sqlite3
import sys
import tempfile
import tracemalloc
import zoneinfo
from collections.abc import Callable
from types import ModuleType
from unittest.mock import Mock
from xml.etree import ElementTree

import pytest

from paceline.impact import surroundings
from paceline.impact.randomness import Randomness

FOLDER = tempfile.gettempdir()

#: Each changed by what its documentation names, then as it was; with a name that gets at it.
CASES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "setrecursionlimit": (lambda: sys.setrecursionlimit(4321), lambda: sys.setrecursionlimit(1000)),
    "setswitchinterval": (lambda: sys.setswitchinterval(0.5), lambda: sys.setswitchinterval(0.005)),
    "displayhook": (
        lambda: setattr(sys, "displayhook", print),
        lambda: setattr(sys, "displayhook", sys.__displayhook__),
    ),
    "meta_path": (lambda: sys.meta_path.append(print), lambda: sys.meta_path.remove(print)),  # type: ignore[arg-type]
    "tracemalloc": (tracemalloc.start, tracemalloc.stop),
    "getLogger": (
        lambda: logging.addLevelName(logging.DEBUG, "MINE"),
        lambda: logging.addLevelName(logging.DEBUG, "DEBUG"),
    ),
    "Decimal": (
        lambda: setattr(decimal.getcontext(), "prec", 5),
        lambda: setattr(decimal.getcontext(), "prec", 28),
    ),
    "getdefaulttimeout": (
        lambda: socket.setdefaulttimeout(3),
        lambda: socket.setdefaulttimeout(None),
    ),
    "gettempdir": (
        lambda: setattr(tempfile, "tempdir", f"{FOLDER}/mine"),
        lambda: setattr(tempfile, "tempdir", FOLDER),
    ),
    "firstweekday": (lambda: calendar.setfirstweekday(6), lambda: calendar.setfirstweekday(0)),
    "DictReader": (lambda: csv.register_dialect("mine"), lambda: csv.unregister_dialect("mine")),
    "pickle": (
        lambda: copyreg.pickle(Kind, lambda _: ""),
        lambda: copyreg.dispatch_table.pop(Kind),
    ),
    "make_archive": (
        lambda: shutil.register_archive_format("mine", print),
        lambda: shutil.unregister_archive_format("mine"),
    ),
    "register_adapter": (
        lambda: sqlite3.register_adapter(Kind, str),
        lambda: sqlite3.adapters.pop((Kind, sqlite3.PrepareProtocol)),
    ),
    "add_alias": (
        lambda: email.charset.add_alias("mine", "utf-8"),
        lambda: email.charset.ALIASES.pop("mine"),
    ),
    "tostring": (
        lambda: ElementTree.register_namespace("mine", "urn:mine"),
        lambda: ElementTree._namespace_map.pop("urn:mine"),  # type: ignore[attr-defined]
    ),
    "ZoneInfo": (lambda: zoneinfo.reset_tzpath(["/mine"]), zoneinfo.reset_tzpath),
    "asyncio": (
        lambda: asyncio.set_event_loop_policy(Policy()),
        lambda: asyncio.set_event_loop_policy(None),
    ),
}


class Kind:
    """Something to register."""


class Policy(asyncio.DefaultEventLoopPolicy):
    """Another policy than the usual one."""


@pytest.mark.parametrize("name", CASES)
def test_what_is_changed_for_the_whole_process_is_told(name: str) -> None:
    """It is one change, and code that mentions the name may find it; as it was, nothing is."""
    change, undo = CASES[name]
    limit = sys.getrecursionlimit()
    before = surroundings.read()
    try:
        change()
        (label,) = surroundings.changes(before, surroundings.read())
    finally:
        undo()
        sys.setrecursionlimit(limit)
    assert name in label
    assert not surroundings.changes(before, surroundings.read())


@pytest.mark.parametrize(
    ("name", "change", "undo"),
    [
        ("numpy", "set_printoptions(precision=2)", "set_printoptions(precision=8)"),
        ("numpy", "seterr(divide='raise')", "seterr(divide='warn')"),
        ("pandas", "set_option('display.max_rows', 5)", "reset_option('display.max_rows')"),
        ("matplotlib", "rcParams.update({'lines.linewidth': 9})", "rcdefaults()"),
    ],
)
def test_what_is_changed_in_a_library_is_told(name: str, change: str, undo: str) -> None:
    """Options hold for whoever uses the library, under the short name as well."""
    library = importlib.import_module(name)
    eval(f"library.{undo}", {"library": library})
    before = surroundings.read()
    eval(f"library.{change}", {"library": library})
    (label,) = surroundings.changes(before, surroundings.read())
    eval(f"library.{undo}", {"library": library})
    assert name in label


@pytest.mark.parametrize("stand_in", [ModuleType("numpy"), object(), Mock()])
def test_a_stand_in_for_a_library_ends_no_run(
    stand_in: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests put all sorts of things into sys.modules."""
    for name in ("numpy", "numpy.random", "pandas._config.config", "matplotlib", "csv"):
        monkeypatch.setitem(sys.modules, name, stand_in)
    randomness = Randomness(lambda *_: None, lambda _: None, lambda _: False)
    assert randomness.end(in_test=True) == (set(), set())
    assert surroundings.read().others


def test_the_usual_policy_is_no_change() -> None:
    """Whoever asks first for the policy of event loops makes it."""
    asyncio.set_event_loop_policy(None)
    before = surroundings.read()
    asyncio.get_event_loop_policy()
    assert not surroundings.changes(before, surroundings.read())
    asyncio.set_event_loop_policy(None)
