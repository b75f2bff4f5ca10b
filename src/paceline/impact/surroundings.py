"""State that belongs to the process and not to a module of the project, by who looks at it.

A test may leave it changed: a variable, the working folder, where modules are looked for, levels of
loggers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from gc import get_referents
from itertools import chain
from typing import Any, Final

from paceline.impact.describing import described
from paceline.impact.inputs import ALL_VARIABLES
from paceline.impact.memory import identities
from paceline.impact.reached import Change, Label
from paceline.impact.recorder import SEARCH_FOLDERS, WORKING_FOLDER
from paceline.impact.settings import CONTAINERS, READERS

#: Variables that pytest and Paceline set themselves.
_OURS: Final = (b"PYTEST_", b"PACELINE_")

#: The one in C, without the enumeration that `signal` makes of each answer.
_getsignal: Final[Callable[[int], object]] = getattr(
    sys.modules.get("_signal"), "getsignal", signal.getsignal
)

_SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD")
    if hasattr(signal, name)
)


_FOLDER: Final = Label((WORKING_FOLDER, "getcwd", "cwd", "abspath", "absolute"))
_SEARCH_FOLDERS: Final = Label((SEARCH_FOLDERS,))
_ARGUMENTS: Final = Label(("argv", "parse_args"))
_HANDLERS: Final = Label(("signal", "getsignal", "raise_signal"))
_TIME_ZONE: Final = Label(("tzname", "localtime", "mktime", "fromtimestamp", "strftime"))


@dataclass(frozen=True)
class Surroundings:
    """The variables as the environment keeps them, and all other state by its label.

    `kept` is what is in containers, by label, and `identities` all of it in one.
    """

    variables: dict[Any, Any]
    others: dict[Label, object]
    kept: dict[Label, bytes]
    identities: bytes


def read(before: Surroundings | None = None) -> Surroundings:
    """Return the process's state as it is; the watch does not see it.

    What is kept in containers rarely changes: it is told apart only where it is not as `before`.
    """
    environ: Any = os.environ
    found: dict[Label, object] = {
        _SEARCH_FOLDERS: tuple(sys.path),
        _ARGUMENTS: tuple(sys.argv),
        _HANDLERS: list(map(_getsignal, _SIGNALS)),
        _TIME_ZONE: (time.tzname, time.timezone, time.altzone),
    }
    with contextlib.suppress(OSError):  # it may be gone
        found[_FOLDER] = os.getcwd()
    for name, label, reader in READERS:
        module = sys.modules.get(name)
        if module is not None:
            try:
                found[label] = reader(module)
            except Exception:  # a test may have put a stand-in in its place, which does anything
                found[label] = None
    containers = _containers()
    every = identities(get_referents(*chain.from_iterable(containers.values())))
    if before is not None and before.identities == every:
        kept = before.kept
    else:
        kept = {label: identities(get_referents(*some)) for label, some in containers.items()}
    return Surroundings(dict(environ._data), found, kept, every)


def _containers() -> dict[Label, list[object]]:
    """Return the containers of the modules that were imported, as `impact.settings` has them."""
    found: dict[Label, list[object]] = {}
    for module, label, names in CONTAINERS:
        if module in sys.modules:
            try:
                found[label] = [getattr(sys.modules[module], name, None) for name in names]
            except Exception:  # of a stand-in, as above
                found[label] = []
    return found


def changes(before: Surroundings, now: Surroundings) -> dict[Label, Change]:
    """Return what is not as it was, by its label; of the first look at something nothing is."""
    variables = {
        Label((os.fsdecode(name),)): frozenset(described((now.variables.get(name),)))
        for name, _ in before.variables.items() ^ now.variables.items()
        if not os.fsencode(name).startswith(_OURS)
    }
    if variables:
        variables[Label((ALL_VARIABLES,))] = frozenset().union(*variables.values())
    others, known = {**now.others, **now.kept}, {**before.others, **before.kept}
    return {label: Change(added=added) for label, added in variables.items()} | {
        label: Change()
        for label in others.keys() | known.keys()
        if others.get(label) != known.get(label)
        and not (label not in known and _is_first_look(label))
    }


def _is_first_look(label: Label) -> bool:
    """Return whether the module that holds this state was not imported before."""
    return any(label == known for _, known, _ in (*READERS, *CONTAINERS))
