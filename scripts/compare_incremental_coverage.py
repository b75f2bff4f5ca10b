"""Is the coverage after `pytest --impact --cov` that of a full run? Tried on a real suite.

`python scripts/compare_incremental_coverage.py click --changes 30` takes click's source
distribution and makes seeded edits one after another: insert, delete, move, reformat, rename,
change code, tests and files. After each, `pytest --impact --cov --cov-branch` runs what the edit
can affect, and `pytest --cov --cov-branch` runs everything; the reports are compared file by file,
line by line, branch by branch, and every difference is printed. Where there is one, full runs are
repeated, to tell apart what a full run itself does not repeat. Instead of a name, the path of a
project may be given, whose tests this Python can run; with `--releases` several folders, each the
next state of the project. The exit code is 1 if there was a difference.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coverage_edits import KINDS, Edit, choose
from replay_suite import Suite, prepare

LIMIT_SECONDS = 1800.0
PLAIN = ("-p", "no:cacheprovider", "-p", "no:randomly", "--cov", "--cov-branch", "--cov-report=")
#: Exit codes of a run that covers all there is: tests passed, or some failed.
USABLE = (0, 1)

#: File to kind of line or branch to those of that kind.
Report = dict[str, dict[str, list[object]]]


@dataclass
class Tally:
    """What all changes together showed."""

    changes: int = 0
    differing: int = 0
    differences: int = 0
    unstable: int = 0
    ran: int = 0
    carried: int = 0
    seconds: list[tuple[float, float]] = field(default_factory=list)


def measure(suite: Suite, options: list[str], name: str) -> tuple[Report | None, str, float]:
    """Run the tests; return coverage's report (None if the run broke off), output and seconds."""
    data = suite.root / f".coverage.{name}"
    data.unlink(missing_ok=True)
    result = suite.run([*PLAIN, *options], LIMIT_SECONDS, {"COVERAGE_FILE": str(data)})
    if result.exit_code not in USABLE:
        return None, result.output, result.wall_seconds
    out = suite.root.parent / f"{name}.json"
    arguments = ["json", "-q", "-i", f"--data-file={data}", "-o", str(out)]
    made = suite.python_module("coverage", arguments)
    if made.returncode:
        return None, result.output + made.stdout.decode(), result.wall_seconds
    files = json.loads(out.read_text(encoding="utf-8"))["files"]
    kinds = ("executed_lines", "missing_lines", "excluded_lines")
    branches = ("executed_branches", "missing_branches")
    report = {
        file: {kind: found.get(kind, []) for kind in (*kinds, *branches)}
        for file, found in files.items()
    }
    return report, result.output, result.wall_seconds


def differences(one: Report, other: Report) -> Iterator[tuple[str, str, object]]:
    """Yield file, kind and line or branch of all that is in one report only."""
    for file in sorted(one.keys() | other.keys()):
        if file not in one or file not in other:
            yield file, "file", "only in the " + ("first" if file in one else "second")
            continue
        for kind, items in one[file].items():
            mine = {json.dumps(item) for item in items}
            others = {json.dumps(item) for item in other[file][kind]}
            yield from ((file, kind, f"+{item}") for item in sorted(mine - others))
            yield from ((file, kind, f"-{item}") for item in sorted(others - mine))


def compare(suite: Suite, workers: list[str], tally: Tally) -> bool:
    """Compare both runs of the tree as it is; return whether the tests could run at all."""
    full, output, full_seconds = measure(suite, workers, "full")
    if full is None:
        print(f"  the suite cannot run: {output.splitlines()[-1:]}")
        return False
    part, output, seconds = measure(suite, ["--impact", *workers], "part")
    counts = re.search(r"(\d+) tests ran", output)
    carried = re.search(r"that of (\d+) tests was carried", output)
    ran = int(counts[1]) if counts else 0
    kept = int(carried[1]) if carried else 0
    if part is None:
        print(f"  the incremental run broke off:\n{output}")
        tally.differences += 1
        return True
    found = list(differences(part, full))
    unstable: set[tuple[str, str, object]] = set()
    for _ in range(3 if found else 0):
        again, _, _ = measure(suite, workers, "again")
        unstable |= {
            (file, kind, str(what)[1:]) for file, kind, what in differences(again or {}, full)
        }
    real = [one for one in found if (one[0], one[1], str(one[2])[1:]) not in unstable]
    for file, kind, what in real:
        print(f"  DIFFERENT {file} {kind} {what} (+ only incremental, - only full)")
    tally.changes += 1
    tally.ran += ran
    tally.carried += kept
    tally.differences += len(real)
    tally.differing += bool(real)
    tally.unstable += len(found) - len(real)
    tally.seconds.append((seconds, full_seconds))
    lines = sum(len(one["executed_lines"]) for one in full.values())
    branches = sum(len(one["executed_branches"]) for one in full.values())
    print(
        f"  {ran} tests ran, {kept} carried, {lines} lines and {branches} branches compared, "
        f"{len(real)} differences, {len(found) - len(real)} that full runs do not repeat; "
        f"{seconds:.1f} s against {full_seconds:.1f} s"
    )
    return True


def apply(root: Path, edit: Edit) -> Mapping[str, str | None]:
    """Make the edit; return what takes it back."""
    before = {
        name: (root / name).read_text(encoding="utf-8") if (root / name).is_file() else None
        for name in edit.files
    }
    _write(root, edit.files)
    return before


def _write(root: Path, files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        if text is None:
            (root / name).unlink(missing_ok=True)
        else:
            (root / name).write_text(text, encoding="utf-8")


def run_edits(suite: Suite, count: int, seed: int, workers: list[str]) -> Tally:
    """Make `count` edits that the suite survives, one after another."""
    chance = random.Random(seed)
    tally, kinds, turn = Tally(), list(KINDS), 0
    while tally.changes < count:
        kind = kinds[turn % len(kinds)]
        turn += 1
        edit = choose(suite.root, kind, chance)
        if edit is None:
            continue
        print(f"{tally.changes + 1}. {edit.kind}: {edit.what}", flush=True)
        before = apply(suite.root, edit)
        if not compare(suite, workers, tally):
            _write(suite.root, before)
        sys.stdout.flush()
    return tally


def run_releases(suite: Suite, folders: list[Path], workers: list[str]) -> Tally:
    """Bring the suite's tree to the state of each folder, one after another."""
    tally = Tally()
    for folder in folders:
        print(f"{tally.changes + 1}. {folder.name}", flush=True)
        for path in suite.root.iterdir():
            if path.name.startswith((".paceline", ".coverage", ".testmondata")):
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(folder, suite.root, dirs_exist_ok=True)
        compare(suite, workers, tally)
    return tally


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("suite", help="jinja2, click, attrs or a project's path")
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/compare-coverage"))
    parser.add_argument("--workers", default="", help="xdist workers, such as 2")
    parser.add_argument("--releases", nargs="*", type=Path, default=[])
    options = parser.parse_args()
    folder = (options.folder / Path(options.suite).name).resolve()
    source = prepare(options.suite, folder)
    suite = source.copy(folder / "copy")
    workers = ["-n", options.workers] if options.workers else []
    print(f"{suite.name}: first run", flush=True)
    if not compare(suite, workers, Tally()):
        return 1
    if options.releases:
        tally = run_releases(suite, options.releases, workers)
    else:
        tally = run_edits(suite, options.changes, options.seed, workers)
    part = sum(one for one, _ in tally.seconds)
    full = sum(one for _, one in tally.seconds)
    print(
        f"{suite.name}: {tally.changes} changes, {tally.differences} differences in "
        f"{tally.differing} of them, {tally.unstable} that full runs do not repeat; "
        f"{tally.ran} tests ran and {tally.carried} were carried; {part:.0f} s against {full:.0f} s"
    )
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
