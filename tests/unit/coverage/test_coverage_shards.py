"""Combining shards' data: whole and exact, or refused with the shard named and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from coverage import Coverage, CoverageData

from paceline.coverage import evidence
from paceline.coverage.figures import total
from paceline.coverage.measure import Measured
from paceline.coverage.shards import combine_shards
from paceline.errors import IncompleteEvidence
from paceline.testing import Project

WORK = """\
def sign(n):
    if n > 0:
        return 1
    if n == 0:
        return 0
    return -1
"""
SETTINGS = "[tool.coverage.run]\nbranch = true\n"
#: Our own measurement must not follow into a process that is killed or has no disk.
PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with two shards' data, whose folder is the working folder."""
    project = Project(tmp_path / "project")
    project.write({"pyproject.toml": SETTINGS, "work.py": WORK})
    monkeypatch.chdir(project.root)
    for variable in ("COVERAGE_FILE", "COVERAGE_RCFILE", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(variable, raising=False)
    shard(project, 1, [(-1, 1), (1, 2), (2, 3), (3, -1)])
    shard(project, 2, [(-1, 1), (1, 2), (2, 4), (4, 5), (5, -1)])
    return project


def folder(project: Project, index: int) -> Path:
    return project.root / ".paceline" / "shards" / "unit" / f"{index}of2"


def shard(project: Project, index: int, arcs: list[tuple[int, int]], root: str = "") -> None:
    """Leave a shard's data as a run in `root` (the project's folder) would have."""
    place = folder(project, index)
    place.mkdir(parents=True, exist_ok=True)
    data = CoverageData(basename=str(place / evidence.DATA))
    data.erase()
    data.add_arcs({f"{root or project.root}{os.sep}work.py": arcs})
    data.close()
    evidence.write(place, project.root)
    if root:
        stored = json.loads((place / evidence.FILE).read_text())
        stored |= {"root": root, "files": {"work.py": evidence.file_digest(Path("work.py"))}}
        (place / evidence.FILE).write_text(json.dumps(stored))


def combine(project: Project) -> Measured:
    return combine_shards(
        project.root,
        [folder(project, 1), folder(project, 2)],
        project.root / "reports",
        Path(sys.executable),
        {},
    )


def arcs(file: Path) -> list[tuple[int, int]]:
    data = CoverageData(basename=str(file))
    data.read()
    try:
        [name] = data.measured_files()
        return sorted(data.arcs(name) or [])
    finally:
        data.close()


def test_the_figures_are_coverages_own(project: Project) -> None:
    """The sums over files are what coverage itself reports on the combined data."""
    measured = combine(project)
    found = total(measured.files.values())
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        own = Coverage(data_file=str(project.root / "reports" / ".coverage"))
        own.load()
        assert own.report(file=nowhere) == found.percent
        own.get_data().close()
    assert (found.lines, found.covered_lines, found.branches) == (6, 5, 4)
    assert found.covered_branches == 3
    assert sorted(path.name for path in (project.root / "reports").iterdir()) == [
        *(".coverage", ".lock", "coverage.json", "coverage.xml", "html"),
    ]


@pytest.mark.parametrize("elsewhere", ["/builds/7/project", "D:\\a\\project", "/builds/a b/prö"])
def test_checkouts_elsewhere_are_the_same_files(project: Project, elsewhere: str) -> None:
    """Data measured in another folder, even on Windows, combines to the same."""
    combine(project)
    here = arcs(project.root / "reports" / ".coverage")
    separator = "\\" if "\\" in elsewhere else "/"
    place = folder(project, 2) / evidence.DATA
    place.unlink()
    data = CoverageData(basename=str(place))
    data.add_arcs({f"{elsewhere}{separator}work.py": [(-1, 1), (1, 2), (2, 4), (4, 5), (5, -1)]})
    data.close()
    rewrite(folder(project, 2), root=elsewhere)
    combine(project)
    assert arcs(project.root / "reports" / ".coverage") == here


def rewrite(place: Path, **values: object) -> None:
    """Change the evidence in `place`, with the right digest of the data."""
    stored = json.loads((place / evidence.FILE).read_text())
    stored |= {"data": evidence._sha256(place / evidence.DATA), **values}
    (place / evidence.FILE).write_text(json.dumps(stored))


def truncated(project: Project) -> None:
    file = folder(project, 2) / evidence.DATA
    file.write_bytes(file.read_bytes()[:5000])


def truncated_with_matching_evidence(project: Project) -> None:
    truncated(project)
    rewrite(folder(project, 2))


def absent(project: Project) -> None:
    (folder(project, 2) / evidence.DATA).unlink()


def without_evidence(project: Project) -> None:
    (folder(project, 2) / evidence.FILE).unlink()


def damaged_evidence(project: Project) -> None:
    (folder(project, 2) / evidence.FILE).write_text('{"version": 1, "shard": 3')


def evidence_with_a_field_too_few(project: Project) -> None:
    (folder(project, 2) / evidence.FILE).write_text('{"version": 1, "shard": "unit/2of2"}')


def doubled(project: Project) -> None:
    shutil.copytree(folder(project, 1), folder(project, 2), dirs_exist_ok=True)


def doubled_data(project: Project) -> None:
    shutil.copy(folder(project, 1) / evidence.DATA, folder(project, 2) / evidence.DATA)


def other_commit(project: Project) -> None:
    rewrite(folder(project, 2), files={"work.py": "0" * 64})


def other_configuration(project: Project) -> None:
    stored = json.loads((folder(project, 2) / evidence.FILE).read_text())
    rewrite(folder(project, 2), settings={**stored["settings"], "run:omit": ["work.py"]})


def other_options(project: Project) -> None:
    stored = json.loads((folder(project, 2) / evidence.FILE).read_text())
    rewrite(folder(project, 2), settings={**stored["settings"], "pytest": ["--cov=other"]})


def only_lines(project: Project) -> None:
    file = folder(project, 2) / evidence.DATA
    file.unlink()
    data = CoverageData(basename=str(file))
    data.add_lines({str(project.root / "work.py"): [1, 2]})
    data.close()
    rewrite(folder(project, 2), branch=False)


def foreign(project: Project) -> None:
    file = folder(project, 2) / evidence.DATA
    file.unlink()
    data = CoverageData(basename=str(file))
    data.add_arcs({str(project.root / "nowhere.py"): [(-1, 1), (1, -1)]})
    data.close()
    rewrite(folder(project, 2), files={"nowhere.py": ""})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncated, "shard 2of2 of unit: its coverage data is damaged"),
        (truncated_with_matching_evidence, "shard unit/2of2"),
        (absent, "shard 2of2 of unit left no coverage data"),
        (without_evidence, "shard 2of2 of unit: no usable measured.json"),
        (damaged_evidence, "shard 2of2 of unit: no usable measured.json"),
        (evidence_with_a_field_too_few, "shard 2of2 of unit: measured.json is damaged"),
        (doubled, "shard 2of2 of unit: its coverage data is that of unit/1of2"),
        (doubled_data, "shard 2of2 of unit: its coverage data is damaged or another's"),
        (other_commit, "shard unit/2of2 measured other code than this checkout has: work.py"),
        (other_configuration, "run:omit is ['work.py'] there, [] here"),
        (other_options, "pytest is ['--cov=other'] there, [] here"),
        (only_lines, "branches were measured by shard unit/1of2, but only lines by unit/2of2"),
        (foreign, "nowhere.py was measured by shard unit/2of2, but is not in this checkout"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    project: Project, damage: Callable[[Project], None], said: str
) -> None:
    """Each fault is named with its shard; the shards' data and earlier results stay."""
    project.write({"reports/.coverage": "what was there before"})
    damage(project)
    kept = (folder(project, 1) / evidence.DATA).read_bytes()
    with pytest.raises(IncompleteEvidence) as caught:
        combine(project)
    assert said in str(caught.value)
    assert (project.root / "reports" / ".coverage").read_bytes() == b"what was there before"
    assert (folder(project, 1) / evidence.DATA).read_bytes() == kept


DRIVER = """\
    import os, resource, signal, sys
    from pathlib import Path
    from paceline import store
    from paceline.coverage import shards
    root, fault = Path.cwd(), sys.argv[1]
    if fault.startswith("full"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(fault[4:]), resource.RLIM_INFINITY))
    real, places = store.adopt, []
    def adopt(new, place):
        if len(places) == int(fault[4:]):
            os.kill(os.getpid(), signal.SIGKILL)
        places.append(place)
        real(new, place)
    if fault.startswith("kill"):
        store.adopt = adopt
    folders = [root / ".paceline" / "shards" / "unit" / name for name in ("1of2", "2of2")]
    shards.combine_shards(root, folders, root / "reports", Path(sys.executable), {})
    """


def drive(project: Project, fault: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), fault]
    return subprocess.run(
        command, check=False, cwd=project.root, env=PLAIN, capture_output=True, text=True
    )


@pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")
@pytest.mark.parametrize("placed", [0, 1, 3])
def test_killed_while_combining(project: Project, placed: int) -> None:
    """kill -9 leaves the earlier data or the new, whole; the next run leaves nothing behind."""
    combine(project)
    before = arcs(project.root / "reports" / ".coverage")
    shard(project, 2, [(-1, 1), (1, 2), (2, 4), (4, 6), (6, -1)])
    done = drive(project, f"kill{placed}")
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (arcs(project.root / "reports" / ".coverage") == before) == (placed == 0)
    assert list((project.root / "reports").glob(".combining-*"))
    combine(project)
    assert list((project.root / "reports").glob(".combining-*")) == []
    assert (4, 6) in arcs(project.root / "reports" / ".coverage")


@pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")
@pytest.mark.parametrize("room", [100, 4000, 30_000, 50_000])
def test_disk_full(project: Project, room: int) -> None:
    """Where only `room` bytes can be written it is said, and the earlier results are whole."""
    combine(project)
    names = (".coverage", "coverage.json", "coverage.xml", "html/index.html")
    before = [(project.root / "reports" / name).read_bytes() for name in names]
    done = drive(project, f"full{room}")
    assert done.returncode == 1
    assert "IncompleteEvidence" in done.stderr
    assert [(project.root / "reports" / name).read_bytes() for name in names] == before
    assert (folder(project, 1) / evidence.DATA).is_file()


def test_a_child_that_dies_is_no_result(project: Project) -> None:
    """If the interpreter that runs coverage is killed or cannot start, nothing is reported."""
    for python in (shutil.which("false") or sys.executable, "not-there"):
        with pytest.raises(Exception, match=r"coverage could not be reported|cannot start"):
            combine_shards(project.root, [folder(project, 1)], project.root / "r", Path(python), {})
    assert not (project.root / "r" / ".coverage").exists()


def test_a_missing_plugin_is_said(project: Project) -> None:
    """A coverage plugin that is not installed is named, and nothing is reported."""
    project.write({"pyproject.toml": SETTINGS + 'plugins = ["no_such_plugin"]\n'})
    for index in (1, 2):
        evidence.write(folder(project, index), project.root)
    with pytest.raises(IncompleteEvidence, match="no_such_plugin"):
        combine(project)


PLUGIN = """\
    from coverage import CoveragePlugin

    class Excludes(CoveragePlugin):
        def configure(self, config):
            config.set_option("report:exclude_lines", ["return -1"])

    def coverage_init(registry, options):
        registry.add_configurer(Excludes())
    """


def test_the_projects_plugins_count(project: Project) -> None:
    """A coverage plugin, here one of the project's own, decides what is excluded."""
    project.write({"pyproject.toml": SETTINGS + 'plugins = ["excludes"]\n', "excludes.py": PLUGIN})
    for index in (1, 2):
        evidence.write(folder(project, index), project.root)
    found = combine(project).files["work.py"]
    assert (found.excluded, found.missing) == (frozenset({6}), frozenset())
