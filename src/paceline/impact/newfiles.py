"""Files that are new since the records: what they may change, and which may hold new tests."""

from __future__ import annotations

from paceline.impact import inputs, source
from paceline.impact.links import import_places, reachable
from paceline.impact.project import Project
from paceline.impact.recorder import Kind, Need
from paceline.impact.records import Records, SegmentRecord


class NewFiles:
    """Compares the files of the present project with those that the records know."""

    def __init__(self, records: Records, project: Project) -> None:
        self._records = records
        self._project = project
        self._imports = import_places(records.segments)

    def reasons(self) -> dict[str, str]:
        """Return the tests for which a file that is new since their run may be imported now."""
        news = {
            number: new
            for number, segment in self._records.segments.items()
            if segment.kind is Kind.SESSION and (new := self._new_modules(segment))
        }
        if not news:
            return {}
        found: dict[str, str] = {}
        for name, test in self._records.tests.items():
            reached = reachable([test.segment], self._records.segments, self._imports)
            asked: set[str] | None = None
            for session in reached & news.keys():
                asked = asked or {part for number in reached for part in self._parts(number)}
                for path in news[session]:
                    if reason := _new_file_reason(path, name, asked):
                        found[name] = reason
        return found

    def with_tests(self) -> list[str]:
        """Return the files that may hold tests which no run has seen: new, or with new functions.

        A new function alone is no reason to run the other tests of a file.
        """
        new = set(inputs.files(self._project.root)) - self._records.files
        holders = {name.partition("::")[0] for name in self._records.tests}
        return sorted(new.union(filter(self._has_new_functions, holders)))

    def _has_new_functions(self, path: str) -> bool:
        """Return whether a test file has a plain function that it had not when last imported."""
        if not path.endswith(source.SUFFIXES):
            return False  # what it holds goes by its content
        segment = self._records.segments.get(self._imports.get(path, 0))
        imported = [self._records.sources.get(item) for item in segment.code] if segment else []
        known = [item for item in imported if item is not None and item.path == path]
        now = self._project.value(Need.CONTENT, path)
        if known and all(item.sha == now for item in known):
            return False
        if not known:
            return True  # one outside the root, or behind a link
        new = self._project.parsed(path)
        if new is None:
            return False  # gone or broken: all its tests are affected
        had = [item.source.functions.keys() if item.source else set() for item in known]
        return any(not new.functions.keys() <= names for names in had)

    def _new_modules(self, session: SegmentRecord) -> list[str]:
        """Return the new modules, and with a slash at the end new folders, which are packages."""
        recorded = self._recorded_files(session)
        if not recorded:
            return []
        new = [name for name in inputs.files(self._project.root) if name not in recorded]
        folders = {above for name in recorded for above in _folders(name)}
        made = {above for name in new for above in _folders(name)} - folders
        # The __init__ of a new package matters to those alone who may import that.
        modules = [
            name
            for name in new
            if name.endswith(inputs.MODULE_SUFFIXES)
            and not (name.endswith("/__init__.py") and name.removesuffix("__init__.py") in made)
        ]
        return [*modules, *sorted(made)]

    def _recorded_files(self, session: SegmentRecord) -> set[str]:
        return {
            path
            for number in session.needs
            if (need := self._records.needs.get(number)) and need.need is Need.FILES
            for path in need.value.split("\n")
        }

    def _parts(self, number: int) -> set[str]:
        segment = self._records.segments[number]
        return {part for name in segment.modules | segment.missing for part in name.split(".")}


def _folders(path: str) -> list[str]:
    """Return all folders above the file at `path`, each with a slash at its end."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: length + 1]) + "/" for length in range(len(parts))]


def _new_file_reason(path: str, test: str, imported: set[str]) -> str:
    """Return why the new file or folder at `path` may change `test`, or ""."""
    if path.endswith("/"):
        name = path.rstrip("/").rpartition("/")[2]
        return f"new folder {path} may be what `import {name}` finds" if name in imported else ""
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    if name == "conftest.py":
        return f"new file {path}" if not folder or test.startswith(f"{folder}/") else ""
    if stem == "__init__":
        return f"new file {path} makes a package"
    # The folder that it came into was there: what `import` finds for that is what it was.
    return f"new file {path} may be what `import {stem}` finds" if stem in imported else ""
