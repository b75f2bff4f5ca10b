"""What a test changes in a function or class itself is told by the names that lead to it."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paceline.impact.rebinding import EVENTS, Rebinding

TEXT = """
def plain(x=1):
    return x


class Shop:
    def rate(self, x=1):
        return x

    @staticmethod
    def free(x=1):
        return x


def make():
    def inner(x=1):
        return x
    return inner


made = make()
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a module of the project."""
    path = tmp_path / "rebound_app.py"
    path.write_text(TEXT, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("rebound_app", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "rebound_app", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rebinding(tmp_path: Path) -> Iterator[Rebinding]:
    """Return what follows Python's events until the test ends."""
    found = Rebinding(lambda path: path.startswith(str(tmp_path)))
    listening = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event in EVENTS:
            listening.clear()  # what is read meanwhile raises events as well
            found.note(arguments)
            listening.append(True)

    sys.addaudithook(hook)  # Python has no way to remove one
    yield found
    listening.clear()


def set_defaults(function: Any) -> None:
    """Set other defaults."""
    function.__defaults__ = (2,)


def labels(rebinding: Rebinding) -> set[frozenset[str]]:
    """Return by which names what was changed can be got at."""
    return set(rebinding.changed())


@pytest.mark.parametrize(
    ("change", "label"),
    [
        (lambda app: set_defaults(app.plain), {"plain"}),
        (lambda app: set_defaults(app.Shop.rate), {"Shop", "rate"}),
        (lambda app: set_defaults(app.Shop.free), {"Shop", "free"}),
        (lambda app: set_defaults(app.made), {"made"}),
        (lambda app: setattr(app.plain, "__kwdefaults__", {"x": 2}), {"plain"}),
        (lambda app: setattr(app.plain, "__code__", (lambda x=1: x + 2).__code__), {"plain"}),
        (lambda app: delattr(app.plain, "__defaults__"), {"plain"}),
        (lambda app: setattr(app.Shop, "__name__", "Other"), {"Shop"}),
    ],
)
def test_what_is_set_is_told(
    app: Any, rebinding: Rebinding, change: Callable[[Any], None], label: set[str]
) -> None:
    """Each kind of attribute, set or removed, of what is a global or in a class, once."""
    change(app)
    assert labels(rebinding) == {frozenset(label)}
    assert labels(rebinding) == set()


def test_what_is_put_back_is_not_told(
    app: Any, rebinding: Rebinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that leaves a function as it was has changed nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(app.plain, "__defaults__", (2,))
        assert app.plain() == 2
    assert labels(rebinding) == set()


def test_what_is_just_being_made_is_not_told(app: Any, rebinding: Rebinding) -> None:
    """Nobody else can have what is not a global yet, as a class that a decorator completes."""
    inner = app.make()
    set_defaults(inner)
    kind = type("Shop", (), {"__module__": app.__name__})
    kind.__doc__ = "text"
    assert labels(rebinding) == set()


def test_functions_of_libraries_are_told_with_their_module(
    rebinding: Rebinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any code that mentions the library may run them."""
    monkeypatch.setattr(textwrap.dedent, "__code__", (lambda text: text * 2).__code__)
    assert labels(rebinding) == {frozenset(("textwrap", "dedent"))}


def test_what_has_no_such_attributes_is_passed_over(rebinding: Rebinding) -> None:
    """Any object may be given to the event, whatever its class makes of attributes."""

    class Odd:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

    rebinding.note((Odd(), "__doc__", ""))
    rebinding.note((Odd(), "__defaults__", ()))
    assert labels(rebinding) == set()
