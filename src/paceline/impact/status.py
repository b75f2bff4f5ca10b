"""What would run now? Answered from the records, without starting pytest."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paceline.impact import environment
from paceline.impact.database import Store
from paceline.impact.environment import Surroundings
from paceline.impact.project import Project
from paceline.impact.selection import Selector


@dataclass(frozen=True)
class Status:
    """The answer for one profile.

    `unknown` says why it cannot be told what would run; then everything would. `reasons` holds
    the tests that would run, `waiting` those of them that only run if others move a number on by
    another amount, `unaffected` those that would not, `unseen_files` what no run has looked into
    as it is: it may hold new tests.
    """

    unknown: str = ""
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unaffected: frozenset[str] = frozenset()
    unseen_files: tuple[str, ...] = ()
    waiting: frozenset[str] = frozenset()

    @property
    def nothing_affected(self) -> bool:
        """Whether no test has to run: known, and neither a reason nor an unseen file."""
        return not (self.unknown or self.reasons or self.unseen_files) and bool(self.unaffected)


def ask(
    root: Path, store: Store, profile: str, environ: Mapping[str, str], prefix: str = ""
) -> Status:
    """Return what a run of `profile` (a test group, "" for plain pytest) in `root` would select.

    `environ` are the variables it would see, `prefix` the folder of the Python it would use; empty
    means that of the profile's last run.
    """
    last = last_surroundings(store, profile, prefix)
    if last is None:
        return Status("no record of an earlier run")
    if not Path(last.prefix).is_dir():
        return Status("these records are of another checkout; `pytest --impact` can use them")
    digest = last.digest(environ)
    known = store.load(digest)
    if not known.tests:
        return Status("Python, a package or an option is not what it was")
    selector = Selector(known, Project(root, environ))
    selection = selector.select()
    return Status(
        "",
        selection.reasons,
        selection.unaffected,
        tuple(selector.new_files.with_tests()),
        selection.waiting,
    )


def profiles(store: Store) -> list[str]:
    """Return the profiles that were recorded, the last used first."""
    found = [one.profile for one in _all_surroundings(store)]
    return list(dict.fromkeys(found))


def last_surroundings(store: Store, profile: str, prefix: str = "") -> Surroundings | None:
    """Return the environment of the profile's last run, None if there was none."""
    for found in _all_surroundings(store):
        if found.profile == profile and prefix in ("", found.prefix):
            return found
    return None


def _all_surroundings(store: Store) -> list[Surroundings]:
    """Return all environments, the last used first; none if the store cannot be read."""
    if not store.exists():
        return []
    try:
        with store.open() as connection:
            rows = connection.execute(
                "SELECT detail FROM environment ORDER BY used_at DESC"
            ).fetchall()
        return [environment.from_text(detail) for (detail,) in rows]
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError):
        return []
