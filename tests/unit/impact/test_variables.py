"""Which variables count for code that asks for one, for all, or for a copy."""

from __future__ import annotations

import os
from typing import Any

import pytest

from paceline.impact.variables import Variables

#: A variable that says something, and one that differs from shell to shell.
VALUES = {"APP_MODE": "plain", "OLDPWD": "/somewhere"}


@pytest.fixture
def noted() -> list[str]:
    """The variables that were asked for."""
    return []


@pytest.fixture
def environ(noted: list[str]) -> Any:
    """An environment with these two variables that notes what it is asked for."""
    kind: Any = type(os.environ)
    stand_ins = Variables(lambda: True, noted.append)

    class Watched(kind):  # type: ignore[misc]
        __getitem__ = stand_ins.one(kind.__getitem__)
        __iter__ = stand_ins.each(kind.__iter__)
        __len__ = stand_ins.all(kind.__len__)
        copy = stand_ins.all(kind.copy)

    parts = ("encodekey", "decodekey", "encodevalue", "decodevalue")
    coders = [getattr(os.environ, name) for name in parts]
    data = {os.environ.encodekey(key): os.environ.encodevalue(VALUES[key]) for key in VALUES}
    return Watched(data, *coders)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("environ['OLDPWD']", {"OLDPWD"}),
        ("environ.get('OLDPWD')", {"OLDPWD"}),
        ("dict(environ)", {"*", "APP_MODE"}),
        ("{**environ}", {"*", "APP_MODE"}),
        ("environ.copy()", {"*", "APP_MODE"}),
        ("list(environ.items())", {"*", "APP_MODE"}),
        ("list(environ.values())", {"*", "APP_MODE"}),
        ("[environ[name] for name in environ]", {"*", "APP_MODE", "OLDPWD"}),
        ("(dict(environ), environ['OLDPWD'])", {"*", "APP_MODE", "OLDPWD"}),
        ("(list(environ), environ.get('OLDPWD'))", {"*", "OLDPWD"}),
        ("len(environ)", {"*"}),
    ],
)
def test_what_is_asked_for(environ: Any, noted: list[str], code: str, expected: set[str]) -> None:
    """A variable of the shell counts by name, and not where a copy takes it along."""
    eval(code, {"environ": environ})
    assert set(noted) == expected


def test_what_wsgi_handlers_copy_at_import_counts_for_nobody(
    environ: Any, noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who imports them gets at none of it; a function of that name elsewhere counts."""
    from wsgiref import handlers

    monkeypatch.setattr(os, "environ", environ)
    handlers.read_environ()
    assert noted == []
    scope: dict[str, Any] = {"__name__": "app"}
    exec("def read_environ(environ):\n    return dict(environ)", scope)
    scope["read_environ"](environ)
    assert set(noted) == {"*", "APP_MODE"}
