"""One run with records: what to leave out before it, what to store after it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from paceline.coverage.keeping import Measurement, keep
from paceline.coverage.ledger import Ledger
from paceline.impact import inputs, rows, saving
from paceline.impact.building import Builder, Declared
from paceline.impact.database import Store
from paceline.impact.environment import Surroundings
from paceline.impact.parsing import Parsing
from paceline.impact.recorder import Need
from paceline.impact.recording import Recording, from_json
from paceline.impact.records import UNKNOWN_TESTS, Records
from paceline.impact.scope import Scope
from paceline.impact.shared import is_own_work
from paceline.store import ignored_by_git

#: Seen in a file's status when it was edited: times, size, place.
Status = tuple[int, int, int, int]


_LONGEST_RUN_SECONDS = 86_400.0

_FOLDER = Path(".paceline")

#: Where a run without selection notes the tests that selection would have missed.
AUDIT_FILE = _FOLDER / "reports" / "impact-audit.json"

#: Names another place for the records, such as that of the checkout a worktree belongs to.
RECORDS_VARIABLE = "PACELINE_IMPACT_RECORDS"


def records_file(root: Path) -> Path:
    """Return where the impact records of the project at `root` are kept."""
    elsewhere = os.environ.get(RECORDS_VARIABLE)
    return Path(elsewhere) if elsewhere else root / _FOLDER / "impact" / "records.db"


@dataclass
class Run:
    """A run in progress. `name` marks the tests that it has taken on."""

    store: Store
    scope: Scope
    surroundings: Surroundings
    environment: str
    folder: Path
    environ: Mapping[str, str]
    working_folder: str
    name: str = field(default_factory=lambda: f"running {uuid.uuid4().hex[:8]}")
    _before: dict[str, Status] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, root: Path, surroundings: Surroundings, environ: Mapping[str, str], working_folder: str
    ) -> Run:
        """Prepare a run in the project at `root`, begun with these variables in this folder."""
        place = records_file(root)
        if root / _FOLDER in place.parents:
            ignored_by_git(root / _FOLDER)
        place.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(place.parent)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=place.parent))
        digest = surroundings.digest(os.environ)
        run = cls(Store(place), Scope(root), surroundings, digest, folder, environ, working_folder)
        run._before = _statuses(root)
        return run

    def known(self) -> Records:
        """Return the records of this environment."""
        return self.store.load(self.environment)

    def ledger(self) -> Ledger:
        """Return what the tests of this environment covered; empty if that is damaged."""
        return self.store.load_ledger(self.environment)

    def take_on(self, tests: Iterable[str]) -> None:
        """Mark tests that are about to run: if this run dies, they have to run again."""
        with self.store.open() as connection:
            number = self._environment(connection)
            rows.mark(connection, number, tests, self.name)

    def finish(
        self,
        own: Recording,
        declared: Mapping[str, Declared],
        complete: Sequence[str],
        partial: Sequence[str],
        affected: Iterable[str],
        *,
        parsing: Parsing,
        again: Iterable[str] = (),
        alone: Callable[[Set[str]], Iterable[str]] = lambda _: (),
        counted: Collection[str] = (),
        starts: Sequence[str] = (),
        coverage: Measurement | None = None,
    ) -> None:
        """Store what this run's processes recorded.

        `affected` are the tests that had a reason to run; those that were narrowed away keep
        it, although what they build on is recorded anew. The tests of `again` run next time,
        passed or not, and those that `alone` tells to have run without others. Who built on how far
        the tests of `counted` move a number on goes on to do so. `coverage` is given where the run
        measured it.

        `complete` are the test files of which every test was collected, `partial` those of
        which only some were asked for. `starts` are given where the run looked into every file:
        the files and folders that pytest began with.
        """
        recordings = [own, *self.left_behind(own.process)]
        disturbed = self._disturbed(recordings)
        with self.store.open() as connection:
            opened = rows.opened_files(connection)
        builder = Builder(self.scope, parsing, disturbed, self.environ, self.working_folder)
        nodes, tests = builder.build(recordings, declared, opened)
        names = {test.name for test, _ in tests}
        collected = names.union(*(one.collected for one in recordings))
        with self.store.open() as connection:
            number = self._environment(connection)
            stored = saving.save(connection, number, nodes, tests, self.name)
            # Without what others have left for it now, a test that runs later would find another.
            missed = {*affected} - names
            company = saving.givers(connection, number, missed) & names
            looked_into = {node for one in recordings for node in one.collectors}
            alone_now = alone(names | looked_into)
            saving.hold_back(connection, number, {*missed, *company, *again, *alone_now})
            saving.hand_on_counts(connection, number, counted)
            modules = {self.scope.relative(path) for path in disturbed}
            saving.hold_back(connection, number, saving.importing(connection, number, modules))
            if coverage is not None:
                segments = {number: node for number, (node, _) in stored.items()}
                keep(connection, segments, coverage, builder, self.scope.root)
            saving.settle_files(connection, number, collected, complete, partial)
            known = {node + UNKNOWN_TESTS for node in looked_into.difference(partial)} - names
            saving.forget(connection, number, lambda test: test in known)
            if starts:
                self._settle_project(connection, number, own, collected, starts)
            # Counts that were handed on are not as they were stored.
            written = {} if counted else {at: record for at, (_, record) in stored.items()}
            saving.clean(connection, number, written)

    def touched(self) -> set[str]:
        """Return the absolute paths of files that are not what they were when the run began."""
        after = _statuses(self.scope.root)
        return {
            str(self.scope.root / name)
            for name in self._before.keys() | after.keys()
            if self._before.get(name) != after.get(name)
        }

    def _settle_project(
        self,
        connection: sqlite3.Connection,
        number: int,
        own: Recording,
        collected: set[str],
        starts: Sequence[str],
    ) -> None:
        """Note which files there are, and forget tests whose files are gone."""
        root = self.scope.root

        def is_gone(test: str) -> bool:
            return test not in collected and not (root / saving.file_of(test)).exists()

        saving.forget(connection, number, is_gone)
        files = own.values[Need.FILES, str(root)].split("\n")
        rows.note_files(connection, number, files, starts)

    def end(self) -> None:
        """Remove what the run kept beside the store."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _environment(self, connection: sqlite3.Connection) -> int:
        detail = self.surroundings.as_text()
        return rows.environment_number(connection, self.environment, detail, here=True)

    def left_behind(self, own: int) -> list[Recording]:
        """Return what processes recorded that have ended, but for the process `own`."""
        found: list[Recording] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                if data["process"] == own:
                    continue
                if data["finished"]:
                    found.append(from_json(data))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # a process without a recording counts as unseen
        return found

    def _disturbed(self, recordings: Sequence[Recording]) -> set[str]:
        """Return the files that someone else changed while the tests ran."""
        root = self.scope.root
        written = {path for one in recordings for path in one.written}
        contents = {
            name: value
            for one in recordings
            for (need, name), value in one.values.items()
            if need is Need.CONTENT
        }
        touched = self.touched()
        # A new time alone is no other content.
        touched -= {
            path for path in touched & contents.keys() if self._is_old(path, contents[path])
        }
        outside = {
            name
            for one in recordings
            for (need, name), value in one.values.items()
            if os.path.isabs(name)
            and need not in (Need.FILES, Need.FOLDER)  # reports of the run itself are new files
            and not name.startswith(str(root) + os.sep)
            and inputs.value(need, name) != value
        }
        return {path for path in touched | outside if not is_own_work(path, written)}

    def _is_old(self, path: str, content: str) -> bool:
        """Return whether a file still has the `content` it was read with, and selected by.

        Between the selection and the first time that it was read it may have been edited as well.
        """
        if inputs.value(Need.CONTENT, path) != content:
            return False
        name = self.scope.relative(path)
        with self.store.open() as connection:
            known = rows.known_contents(connection, name)
        return not known or content in known


def _remove_leftovers(folder: Path) -> None:
    """Remove what runs left that were killed; one that still goes on is younger."""
    for path in folder.glob("run-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LONGEST_RUN_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _statuses(root: Path) -> dict[str, Status]:
    found: dict[str, Status] = {}
    for name in inputs.project_files(root):
        try:
            status = os.stat(root / name)
        except OSError:
            continue
        found[name] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return found
