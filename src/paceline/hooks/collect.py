"""What a hook's pytest really collects: its own command, rootdir and configuration, no test run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from paceline import process, store
from paceline.errors import MissingTool
from paceline.hooks.arguments import target_exists
from paceline.hooks.command import PytestCall

PROBE = Path(__file__).parent / "probe"
NAME = "paceline_hook_probe"


@dataclass(frozen=True)
class Collected:
    """What one start of pytest collects, or why it collects nothing."""

    tests: frozenset[str] = frozenset()
    rootdir: str = ""
    #: The configuration file that pytest took; empty for none.
    configuration: str = ""
    #: Why the command checks nothing, or not all; empty if it works.
    broken: str = ""
    #: Why it cannot be told what the command collects; empty if it can.
    unseen: str = ""
    seconds: float = 0.0

    @property
    def whole(self) -> frozenset[tuple[str, str, str]]:
        """The tests with what they are run under: equal sets are equal checks."""
        return frozenset((self.rootdir, self.configuration, test) for test in self.tests)


def collect(call: PytestCall, root: Path) -> Collected:
    """Return what `call` collects in the project in `root`. No test is run."""
    gone = [name for name in call.arguments.targets if not target_exists(name, root)]
    if gone:
        return Collected(broken=f"names a file that is gone: {', '.join(gone)}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "collected.json"
        probed = _with_probe(call)
        variables = {
            "PACELINE_HOOK_PROBE": str(file),
            "PYTHONPATH": _joined(os.environ.get("PYTHONPATH", "")),
            "PRE_COMMIT": "1",
        }
        command = probed.command("-p", NAME, "--collect-only", "-q")
        try:
            done = process.run(command, cwd=root, env=variables)
        except MissingTool as error:
            return Collected(broken=error.message)
        return _read(file, done)


def collect_all(calls: Sequence[PytestCall], root: Path) -> list[Collected]:
    """Return what each of `calls` collects, several at a time."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda call: collect(call, root), calls))


def _with_probe(call: PytestCall) -> PytestCall:
    variables = dict(call.environment)
    if "PYTHONPATH" in variables:
        variables["PYTHONPATH"] = _joined(variables["PYTHONPATH"])
    return replace(call, environment=tuple(variables.items()))


def _joined(path: str) -> str:
    return os.pathsep.join(filter(None, [str(PROBE), path]))


def _read(file: Path, done: process.Result) -> Collected:
    found = store.read_json(file, "list of collected tests")
    if not isinstance(found, dict) and NAME in done.output:
        return Collected(unseen="its Python does not load what lists its tests (PYTHONPATH)")
    if not isinstance(found, dict):
        return Collected(broken=f"ends at start-up with exit code {done.exit_code}: {_why(done)}")
    broken = ""
    if found["errors"]:
        number = found["errors"]
        broken = f"{number} error{'s' if number != 1 else ''} while collecting: {_why(done)}"
    elif not found["tests"]:
        broken = "collects no test"
    return Collected(
        frozenset(found["tests"]),
        found["rootdir"],
        found["configuration"],
        broken,
        seconds=done.seconds,
    )


def _why(done: process.Result) -> str:
    """Return the line of pytest's output that most likely says what is wrong."""
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("E  ", "ERROR", "error:"))]
    return (telling or lines or ["it printed nothing"])[0]
