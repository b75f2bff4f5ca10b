"""State that belongs to the process and not to a module of the project, by who looks at it.

A test may leave it changed: a variable, the working folder, where modules are looked for, levels of
loggers. Nothing is imported here: what nobody has imported nobody has changed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from paceline.impact.inputs import ALL_VARIABLES
from paceline.impact.readers import settings_of_loggers
from paceline.impact.recorder import SEARCH_FOLDERS, WORKING_FOLDER

#: The names by which code gets at the state.
Label = frozenset[str]

#: Variables that pytest and Paceline set themselves.
_OURS: Final = (b"PYTEST_", b"PACELINE_")

_SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD")
    if hasattr(signal, name)
)


def _logging(logging: Any) -> object:
    named = logging.root.manager.loggerDict.items()
    loggers = [one for _, one in named if isinstance(one, logging.Logger)]
    changed = [
        one for one in loggers if one.level or one.disabled or one.handlers or not one.propagate
    ]
    return logging.root.manager.disable, settings_of_loggers([*changed, logging.root])


def _decimal(decimal: Any) -> object:
    context = decimal.getcontext()
    return context.prec, context.rounding, context.Emin, context.Emax, tuple(context.traps.items())


#: By module: the names that code mentions which looks at this state, and how it is read.
_READERS: Final[dict[str, tuple[Label, Callable[[Any], object]]]] = {
    "logging": (Label(("logging", "getLogger", "caplog")), _logging),
    "decimal": (Label(("decimal", "Decimal", "getcontext", "localcontext")), _decimal),
    "locale": (
        Label(("locale", "setlocale", "localeconv", "strftime", "strcoll")),
        lambda locale: locale.setlocale(locale.LC_ALL),
    ),
    "socket": (
        Label(("socket", "create_connection", "urlopen", "getdefaulttimeout")),
        lambda socket: socket.getdefaulttimeout(),
    ),
    "warnings": (
        Label(("warnings", "warn", "catch_warnings", "simplefilter", "filterwarnings")),
        lambda warnings: list(map(id, warnings.filters)),
    ),
}


def read() -> dict[Label, object]:
    """Return the process's state by the names of each part; the watch does not see it."""
    variables: Any = os.environ
    found: dict[Label, object] = {
        Label((os.fsdecode(name),)): value
        for name, value in variables._data.items()
        if not os.fsencode(name).startswith(_OURS)
    }
    with contextlib.suppress(OSError):  # it may be gone
        found[Label((WORKING_FOLDER, "getcwd", "cwd", "abspath", "absolute"))] = os.getcwd()
    found[Label((SEARCH_FOLDERS,))] = tuple(sys.path)
    found[Label(("argv", "parse_args"))] = tuple(sys.argv)
    found[Label(("signal", "getsignal", "raise_signal"))] = list(map(signal.getsignal, _SIGNALS))
    found[Label(("tzname", "localtime", "mktime", "fromtimestamp", "strftime"))] = (
        time.tzname,
        time.timezone,
        time.altzone,
    )
    for name, (label, reader) in _READERS.items():
        if name in sys.modules:
            found[label] = reader(sys.modules[name])
    return found


def changes(before: dict[Label, object], now: dict[Label, object]) -> set[Label]:
    """Return the labels of what is not as it was; of the first look at something nothing is."""
    found = {
        label
        for label in now.keys() | before.keys()
        if now.get(label) != before.get(label) and not _is_first_look(label, before)
    }
    if any(len(label) == 1 and SEARCH_FOLDERS not in label for label in found):
        found.add(Label((ALL_VARIABLES,)))
    return found


def _is_first_look(label: Label, before: dict[Label, object]) -> bool:
    """Return whether the module that holds this state was not imported before."""
    return label not in before and any(label == known for known, _ in _READERS.values())
