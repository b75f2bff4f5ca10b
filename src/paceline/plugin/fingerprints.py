"""What pytest-testmon stores of each test, made from the recorder's trace.

testmon takes the checksums of blocks anew for each test and file, and stores each test in a
transaction of its own. Here a test only keeps its lines, and what follows from them is worked out
when many tests are stored together, once for all that ran the same.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path, PurePath
from typing import Any, Final

import pytest

from paceline.impact import inputs
from paceline.impact.owners import Owners
from paceline.impact.parsing import Parsing, lines_of
from paceline.impact.recorder import Kind, Need, Recorder, Segment
from paceline.impact.source import indices

#: What testmon returns for a batch: test, then file, then lines; None for the current segment's.
Batch = dict[str, Any]
#: What testmon stores of one file that a test depends on.
Dependency = dict[str, Any]

_FIRST_LINE: Final = frozenset[object]((1,))

#: So many tests wait at most. What a killed run could not store is as it was: testmon runs it.
_SIZE: Final = 5000


@dataclass(frozen=True, slots=True)
class Ran:
    """What a test ran: its segment, or by file name what the tracer saw in it; how it ended."""

    files: Segment | Mapping[str, frozenset[object]]
    outcome: Mapping[str, Any]


class Files:
    """Tells which files a test ran, as testmon names them."""

    def __init__(self, recorder: Recorder, root: str) -> None:
        self._recorder = recorder
        self._names = lru_cache(maxsize=None)(partial(_relative, root))

    def of(self, test: str, segment: Segment) -> dict[str, frozenset[object]]:
        """Return what the test and the fixtures it uses ran, by relative file name."""
        files: dict[str, frozenset[object]] = {}
        parts = [segment, *(link for link in segment.links if link.kind is Kind.FIXTURE)]
        for part in parts:
            for code in (part.code, part.early):
                for path, seen in code.items():
                    name = self._names(path)
                    if name and not self._is_made(path):
                        files[name] = files[name] | seen if name in files else seen
        own = test.partition("::")[0]
        if _is_digestible(own):
            files.setdefault(own, _FIRST_LINE)  # as testmon itself does
        return files

    def _is_made(self, path: str) -> bool:
        """Return whether the run made the file: it is gone or another when testmon looks for it.

        One that was imported before the run wrote to it was not made.
        """
        recorder = self._recorder
        return path in recorder.written and (Need.CONTENT, path) not in recorder.values


def _relative(root: str, path: str) -> str:
    """Return `path` as testmon names it, "" if testmon cannot digest or store it."""
    name = os.path.relpath(path, root).replace(os.sep, "/")
    return name if _is_digestible(name) else ""


def _is_digestible(name: str) -> bool:
    """Return whether testmon can store the name, and finds an extension in it."""
    storable = name.encode(errors="ignore").decode() == name
    return storable and PurePath(name).suffix != ""


class Fingerprints:
    """Does what testmon's `create_fingerprint` does, with each block's checksum taken once.

    A block belongs to the fingerprint if one of its lines ran (testmon 2.2, process_code.py).
    """

    def __init__(self) -> None:
        self._checksums: Any = importlib.import_module("testmon.process_code").methods_to_checksums
        #: Of each module what tells which of its blocks ran, and the checksums of these.
        self._modules: dict[Any, tuple[Owners, list[int]]] = {}
        self._made: dict[tuple[Any, int], list[int]] = {}

    def take(self, module: Any, owners: Owners) -> None:
        """Tell blocks of `module` by `owners`, in whose last division they are."""
        blocks = sorted(module.blocks, key=lambda block: block.start)
        self._modules[module] = owners, self._checksums([block.code for block in blocks])

    def __call__(self, module: Any, covered: frozenset[object]) -> list[int]:
        """Return the checksums of the blocks of `module` in which one of the `covered` lies."""
        if module not in self._modules:
            lines = lines_of([(block.start, block.end) for block in module.blocks])
            self.take(module, Owners(lambda: [lines]))
        owners, checksums = self._modules[module]
        bits = owners.of(covered)[-1]
        if (module, bits) not in self._made:
            self._made[module, bits] = [checksums[place] for place in indices(bits)]
        return self._made[module, bits]


class Executions:
    """Stands between testmon's plugin and its data: keeps what ran, and stores it later."""

    def __init__(
        self,
        data: Any,
        parsing: Parsing,
        recorder: Recorder,
        aside: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._data = data
        self._parsing = parsing
        self._recorder = recorder
        self._aside = aside
        self._files = Files(recorder, str(data.rootdir))
        #: What was changed since then may not be what ran.
        self._began = time.time()
        self._save = data.save_test_execution_file_fps
        self._process_code: Any = importlib.import_module("testmon.process_code")
        self._result: Any = importlib.import_module("testmon.testmon_core").process_result
        self._fingerprints = Fingerprints()
        self._dependencies: dict[tuple[Any, frozenset[object]], Dependency] = {}
        #: Whether each of testmon's modules is still what it was when it was asked for.
        self._readable: dict[Any, bool] = {}
        self._waiting: dict[str, Any] = {}

    def of(self, batch: Batch, reports: Any) -> dict[str, Any]:
        """Return what testmon is to store of the tests, as `add` takes it."""
        return {test: self._ran(test, files, reports[test]) for test, files in batch.items()}

    def _ran(self, test: str, files: Any, reports: Any) -> Ran:
        data = self._data
        forced = test in data.stable_test_names and test not in data.failing_tests
        ran = self._recorder.current if files is None else files
        return Ran(ran, {**self._result(reports), "forced": forced})

    def _module(self, name: str) -> Any:
        """Return testmon's module of a file as it is now, None if the file is not there.

        testmon 2.2 remembers that a file was missing, and ends in an AttributeError once it is
        there, as generated code is.
        """
        tree = self._data.source_tree
        module = tree.cache.get(name)
        # One in an archive cannot even be looked for.
        if module is None and os.path.exists(os.path.join(self._data.rootdir, name)):
            tree.cache.pop(name, None)
            module = tree.get_file(name)
        return module

    def add(self, executions: Mapping[str, Any]) -> None:
        """Store what was found out about these tests: a failed one now, others soon."""
        self._waiting.update(executions)
        failed = any(isinstance(one, Ran) and one.outcome["failed"] for one in executions.values())
        if failed or len(self._waiting) >= _SIZE:
            self.flush()

    def flush(self) -> None:
        """Store what waits."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        with self._aside():
            self._recorder.take(self._recorder.current)
            self._save(
                {
                    test: self._execution(test, one) if isinstance(one, Ran) else one
                    for test, one in waiting.items()
                }
            )

    def _execution(self, test: str, ran: Ran) -> dict[str, Any]:
        """Return what testmon stores of a test.

        What ran is unknown of a file that was edited meanwhile. The test counts as failed then, so
        that testmon runs it again: of a test that it does not know it would not, in a file that is
        as before.
        """
        found = self._dependencies_of(test, ran.files)
        known = [one for one in found if one is not None]
        unknown = {"failed": True} if len(known) < len(found) else {}
        return {"deps": known, **ran.outcome, **unknown}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Store the rest, before testmon ends its run."""
        self.flush()
        # Python looks through all that is kept for garbage when it ends.
        self._dependencies.clear()
        self._fingerprints = Fingerprints()

    def _dependencies_of(
        self, test: str, files: Segment | Mapping[str, Any]
    ) -> list[Dependency | None]:
        ran = self._files.of(test, files) if isinstance(files, Segment) else files
        found = ((name, self._module(name), frozenset(seen)) for name, seen in ran.items())
        return [self._dependency(*one) for one in found if one[1] is not None]

    def _dependency(self, name: str, module: Any, seen: frozenset[object]) -> Dependency | None:
        if (module, seen) not in self._dependencies:
            if module not in self._readable:
                self._readable[module] = self._read(name, module)
            if not self._readable[module]:
                return None
            self._dependencies[module, seen] = {
                "filename": name,
                "mtime": module.mtime,
                "fsha": module.fs_fsha,
                "method_checksums": self._fingerprints(module, seen),
            }
        return self._dependencies[module, seen]

    def _read(self, name: str, module: Any) -> bool:
        """Take the file apart; return whether it still is what testmon saw."""
        path = os.path.join(self._data.rootdir, name)
        try:
            text = Path(path).read_bytes()
        except OSError:
            text = None
        if module._source_code is None and (text is None or not self._is_version(module, text)):
            return False
        if not self._is_as_it_ran(path, text, module):
            return False
        # testmon reads a text that differs in white space, within strings too.
        if (
            text is not None
            and module.ext == "py"
            and module.source_code.encode()
            in (
                text,
                text + b"\n",
            )
        ):
            parsed = self._parsing.of(path, text)
            if parsed.testmon_blocks is not None:
                make = self._process_code.Block
                module._blocks = [
                    make(first, last, code=code, name=name)
                    for first, last, code, name in parsed.testmon_blocks
                ]
                self._fingerprints.take(module, parsed.owners)
        return True

    def _is_as_it_ran(self, path: str, text: bytes | None, module: Any) -> bool:
        """Return whether the file is what was imported, or at least older than this run."""
        imported = self._recorder.values.get((Need.CONTENT, path))
        if imported is None or text is None:
            return bool(module.mtime < self._began)
        return imported == inputs.digest(text)

    def _is_version(self, module: Any, text: bytes) -> bool:
        """Return whether `text` has the digest that testmon, or git for it, took."""
        by_git = hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()
        return module.fs_fsha in (by_git, self._process_code.bytes_to_string_and_fsha(text)[1])
