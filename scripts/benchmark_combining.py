"""Time and memory of combining 64 shards' coverage, at three sizes of suite and code.

Makes a project and the data its shards would leave, then combines and reports them as
`nox -s coverage` does. Usage: `python scripts/benchmark_combining.py [SHARDS]`. The columns:
tests, files of code, data of all shards in MB; seconds of wall and of CPU to check the evidence
and combine; the same with all reports (JSON, XML, HTML: coverage parses the code for each); peak
memory in MB (this process and its largest child together).
"""

from __future__ import annotations

import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from coverage import Coverage, CoverageData

from paceline.coverage import evidence
from paceline.coverage.combine import Part, combine
from paceline.coverage.shards import combine_shards

#: Tests and files of code.
SIZES = ((1_000, 50), (3_000, 150), (10_000, 500))
FUNCTIONS = 10
#: Functions that one test runs.
PER_TEST = 100
FUNCTION = """\
def f{0}(n):
    if n > {0}:
        return 1
    for i in range(n):
        if i:
            n += 1
    return n
"""
LINES = FUNCTION.count("\n")
#: One way through the function.
ARCS = ((-1, 1), (1, 2), (2, 4), (4, 5), (5, 6), (6, 4), (4, 7), (7, -1))


def project(root: Path, files: int) -> list[str]:
    """Write the code and return its files."""
    text = "".join(FUNCTION.format(number) for number in range(FUNCTIONS))
    (root / "pyproject.toml").write_text("[tool.coverage.run]\nbranch = true\n", encoding="utf-8")
    (root / "pkg").mkdir()
    names = [str(root / "pkg" / f"m{number}.py") for number in range(files)]
    for name in names:
        Path(name).write_text(text, encoding="utf-8")
    return names


def shard(folder: Path, root: Path, names: list[str], tests: int, chance: random.Random) -> None:
    """Leave the data of a shard that ran `tests` tests."""
    folder.mkdir(parents=True)
    arcs: dict[str, set[tuple[int, int]]] = {}
    for _ in range(tests * PER_TEST):
        start = chance.randrange(FUNCTIONS) * LINES
        ran = arcs.setdefault(chance.choice(names), set())
        ran.update((_moved(a, start), _moved(b, start)) for a, b in ARCS)
    data = CoverageData(basename=str(folder / evidence.DATA))
    data.add_arcs(arcs)
    data.close()
    evidence.write(folder, root)


def _moved(line: int, start: int) -> int:
    return line + start if line > 0 else line - start


def peak_megabytes() -> float:
    """Return the peak of this process and of its largest child, added."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(each).ru_maxrss for each in who) / 1024


def score(tests: int, files: int, shards: int) -> str:
    """Return the table's row for one size."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        os.chdir(root)
        names, chance = project(root, files), random.Random(1)
        folders = [
            root / "shards" / "unit" / f"{index}of{shards}" for index in range(1, shards + 1)
        ]
        for folder in folders:
            shard(folder, root, names, tests // shards, chance)
        size = sum((folder / evidence.DATA).stat().st_size for folder in folders) / 1e6
        combined = timed(lambda: combine_only(root, folders))
        reports, python = root / "reports", Path(sys.executable)
        whole = timed(lambda: combine_shards(root, folders, reports, python, {}))
        os.chdir("/")
    columns = (*combined, *whole, peak_megabytes())
    row = f"{tests:>6}  {files:>5}  {size:>7.1f}"
    return "  ".join([row, *(f"{value:>8.2f}" for value in columns)])


def combine_only(root: Path, folders: list[Path]) -> None:
    """Check and combine, in this process, without a report."""
    found = evidence.check(folders, root)
    parts = [
        Part(each.shard, folder / evidence.DATA, each.root)
        for each, folder in zip(found, folders, strict=True)
    ]
    measured = Coverage(data_file=str(root / "combined"), data_suffix=False)
    combine(measured, parts, root)
    measured.get_data().close()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of wall and of CPU, children included, that `work` takes."""
    wall, cpu = time.monotonic(), sum(os.times()[:4])
    work()
    return time.monotonic() - wall, sum(os.times()[:4]) - cpu


def main() -> None:
    """Print a row for each size."""
    shards = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    print(f"{shards} shards")
    print(f"{' ' * 24}------ combined   -- with reports")
    print(" tests  files  data MB      wall       CPU      wall       CPU   peak MB")
    for tests, files in SIZES:
        print(score(tests, files, shards), flush=True)


if __name__ == "__main__":
    main()
