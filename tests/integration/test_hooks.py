"""The hook tools on real projects with real pytest, pre-commit and prek."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from paceline import process
from paceline.testing import Project

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
#: The hooks start `python`, which must be the one with pytest; no plugin is needed, and
#: each would be imported at each of a hundred starts.
ENV = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
FILE = ".pre-commit-config.yaml"


def hooks_file(*hooks: str) -> str:
    lines = "".join(
        f"  - {{language: system, pass_filenames: false, stages: [pre-push], {hook}}}\n"
        for hook in hooks
    )
    return f"repos:\n- repo: local\n  hooks:\n{lines}"


def hook(name: str, entry: str, more: str = "always_run: true") -> str:
    return f'id: {name}, name: {name}, entry: "{entry}", {more}'


def committed(project: Project, files: Mapping[str, str]) -> Project:
    project.write(files)
    project.git("init", "-q")
    project.git("add", ".")
    project.git("commit", "-qm", "start")
    return project


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with 43 hooks as its script makes it, and the files of a user of Paceline."""
    folder = tmp_path_factory.mktemp("sample") / "shop"
    made = process.run([sys.executable, SCRIPTS / "make_hook_sample.py", folder], cwd=folder.parent)
    assert made.exit_code == 0, made.output
    (folder / "tasks.py").write_text("from paceline import tasks\n\nns = tasks.ns\n")
    return _Kept(folder)


class _Kept(Project):
    """A project whose files are there already."""

    def __post_init__(self) -> None:
        """Write nothing."""


@pytest.mark.long
def test_the_43_hooks_of_the_sample_are_found_and_become_fewer_than_15(sample: Project) -> None:
    """The audit finds all 43 hooks; consolidation keeps their tests and leaves fewer than 15."""
    found = json.loads(sample.invoke("hooks.audit", "--json", env=ENV).output)
    assert (found["stages"], found["pytest_starts"]) == ({"pre-push": 43}, 42)
    kinds = [hook["id"].split("-")[0] for hook in found["hooks"]]
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    assert counts == {"deploy": 15, "meta": 8, "docs": 5, "check": 1, "unit": 10, "flow": 4}
    before = yaml.safe_load((sample.root / FILE).read_text())["repos"][0]["hooks"]

    done = sample.invoke("hooks.consolidate", "--write", env=ENV)
    assert done.exit_code == 0, done.output
    assert "43 hooks become 7; collected before and after: the same" in done.output
    text = (sample.root / FILE).read_text()
    after = yaml.safe_load(text)["repos"][0]["hooks"]
    assert len(after) == 7
    # Found without Paceline: all tests but the one that a marker leaves out of its hook.
    assert collected_by(sample, after) == set(names_in(sample, "pytest --collect-only -q")) - {
        "tests/unit/test_reports.py::test_many"
    }
    kept = {hook["id"]: hook for hook in after if not hook["id"].startswith("tests-")}
    assert kept == {hook["id"]: hook for hook in before if hook["id"] in kept}
    for comment in ("deployment files.", "project itself.", "documents.", "The package."):
        assert comment in text


def collected_by(project: Project, hooks: list[dict[str, str]]) -> set[str]:
    entries = [one["entry"] for one in hooks if "pytest" in one["entry"]]
    return {
        name
        for entry in entries
        for name in names_in(project, f"{entry} --collect-only --verbosity=-1")
    }


def names_in(project: Project, line: str) -> list[str]:
    done = process.run(["bash", "-c", line], cwd=project.root, env=ENV)
    assert done.exit_code == 0, done.output
    return [name for name in done.output.splitlines() if "::" in name]


def test_clashes_nested_configuration_and_broken_hooks_are_told(tmp_path: Path) -> None:
    """Real pytest decides: what has another configuration stays apart, what is broken is named."""
    names = ["a/test_1.py", "a/test_2.py", "b/c/test_3.py", "b/c/test_4.py"]
    project = committed(
        Project(tmp_path / "project"),
        {
            "pytest.ini": "[pytest]\naddopts = --strict-markers\nmarkers =\n    own: known here\n",
            "b/c/pytest.ini": "[pytest]\naddopts = --strict-markers\n",
            **dict.fromkeys(names, "def test_x(): pass\n"),
            "a/test_own.py": "import pytest\n\n@pytest.mark.own\ndef test_own(): pass\n",
            "b/c/test_own.py": "import pytest\n\n@pytest.mark.own\ndef test_own(): pass\n",
            "a/test_empty.py": "",
            FILE: hooks_file(
                hook("a1", "python -m pytest a/test_1.py"),
                hook("a2", "python -m pytest a/test_2.py"),
                hook("a-own", "python -m pytest a/test_own.py"),
                hook("a-env", "env A=1 python -m pytest a/test_2.py"),
                hook("c3", "python -m pytest b/c/test_3.py"),
                hook("c4", "python -m pytest b/c/test_4.py"),
                hook("c-own", "python -m pytest b/c/test_own.py"),
                hook("empty", "python -m pytest a/test_empty.py"),
                hook("gone", "python -m pytest a/test_gone.py"),
                hook("wrong", "python -m pytest --no-such-option a"),
                hook("isolated", "python -I -m pytest a/test_1.py"),
            ),
        },
    )
    done = project.invoke("hooks.consolidate", "--json", env=ENV)
    assert done.exit_code == 1, done.output
    found = json.loads(done.output[done.output.index("{") : done.output.rindex("}") + 1])
    merged = {one["id"]: [m["id"] for m in one["members"]] for one in found["merged"]}
    assert merged == {"tests-a": ["a1", "a2", "a-own"], "tests-b-c": ["c3", "c4"]}
    broken = {note["id"]: note["text"] for note in found["broken"]}
    assert broken.keys() == {"c-own", "empty", "gone", "wrong"}
    assert broken["c-own"].startswith("1 error while collecting: ")
    assert broken["empty"] == "collects no test"
    assert broken["gone"] == "names a file that is gone: a/test_gone.py"
    assert broken["wrong"].startswith("ends at start-up with exit code 4: ")
    assert {note["id"] for note in found["apart"]} == {"a-env", "isolated"}
    assert (project.root / FILE).read_text().count("id:") == 11  # nothing was written


def test_equal_file_names_in_two_folders_are_not_merged_blindly(tmp_path: Path) -> None:
    """Files of one name that pytest cannot import together stay apart, though each works."""
    project = committed(
        Project(tmp_path / "project"),
        {
            "t/a/test_same.py": "def test_a(): pass\n",
            "t/b/test_same.py": "def test_b(): pass\n",
            "t/a/test_other.py": "def test_other(): pass\n",
            FILE: hooks_file(
                hook("test-all-one", "python -m pytest -q t/a/test_same.py t/a/test_other.py"),
                hook("test-all-two", "python -m pytest -q t/b/test_same.py t/a/test_other.py"),
            ),
        },
    )
    done = project.invoke("hooks.consolidate", env=ENV)
    assert "none can be merged" in done.output


@pytest.mark.parametrize("manager", ["pre-commit", "prek"])
def test_only_hooks_that_really_ran_are_timed(manager: str, tmp_path: Path) -> None:
    """With each manager, failed starts, skips and other stages have no time; the rest have one."""
    project = committed(
        Project(tmp_path / "project"),
        {
            "test_a.py": "def test_a(): pass\n",
            FILE: hooks_file(
                hook("good", "python -m pytest test_a.py"),
                hook("fails", "python -c 'raise SystemExit(1)'"),
                hook("usage", "python -m pytest --no-such-option"),
                hook("absent", "no-such-program"),
                hook("filtered", "true", "files: ^nowhere/"),
                hook("early", "true").replace("id:", "stages: [pre-commit], id:"),
            ).replace("stages: [pre-push], stages", "stages"),
        },
    )
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / manager).symlink_to(Path(sys.executable).with_name(manager))
    script = f"import sys; sys.executable = {str(bin_folder / 'python')!r}; sys.argv[1:] = "
    script += "['--stage', 'pre-push', '--rounds', '1', '--json']; import runpy; "
    script += (
        f"runpy.run_path({str(SCRIPTS / 'measure_hook_performance.py')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        cwd=project.root,
        env={**os.environ, **ENV},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 12, done.stderr
    found = {one["id"]: one for one in json.loads(done.stdout)["hooks"]}
    states = {name: one["state"] for name, one in found.items()}
    assert states == {
        "good": "passed",
        "fails": "failed",
        "usage": "did not run",
        "absent": "did not run",
        "filtered": "did not run",
    }
    assert [name for name, one in found.items() if one["seconds"] is None] == [
        "usage",
        "absent",
        "filtered",
    ]
    assert found["good"]["start_share"] > 0.3
    assert (project.root / ".paceline" / "reports" / "hooks-pre-push.md").is_file()


def test_hooks_moved_into_steps_are_run_by_the_pre_push_flow(tmp_path: Path) -> None:
    """Consolidated hooks become steps that invoke prepush runs, and a failing one fails it."""
    project = committed(
        Project(tmp_path / "project"),
        {
            "tests/test_a.py": "def test_a(): pass\n",
            "tests/test_b.py": "def test_b(): pass\n",
            FILE: hooks_file(
                hook("one", "python -m pytest tests/test_a.py", "files: ^tests/"),
                hook("two", "python -m pytest tests/test_b.py", "files: ^tests/"),
            ),
        },
    )
    done = project.invoke("hooks.consolidate", "--to-steps", "--write", env=ENV)
    assert done.exit_code == 0, done.output
    hooks = yaml.safe_load((project.root / FILE).read_text())["repos"][0]["hooks"]
    assert [one["entry"] for one in hooks] == ["paceline-prepush"]
    project.write({"tests/test_b.py": "def test_b(): assert False, 'seen'\n"})
    checked = project.invoke("prepush", "--only", "tests", env=ENV)
    assert checked.exit_code == 1, checked.output
    assert "1 failed, 1 passed" in checked.output
    assert "seen" in checked.output


def test_pushes_are_timed_before_and_after_consolidation(tmp_path: Path) -> None:
    """The session bench times real pushes with both sets of hooks and leaves the project's own."""
    hooks = hooks_file(
        hook("one", "python -m pytest tests/test_a.py", "files: ^tests/"),
        hook("two", "python -m pytest tests/test_b.py", "files: ^tests/"),
    )
    files = {f"tests/test_{name}.py": "def test_x(): pass\n" for name in "ab"}
    project = committed(Project(tmp_path / "project"), {**files, FILE: hooks})
    done = project.nox("-s", "bench", "--", "--hooks", ".", "--rounds", "1", env=ENV)
    assert done.exit_code == 0, done.output
    assert "2 hooks become 1\n" in done.output
    assert re.search(r"^all files: [\d.]+ s before, [\d.]+ s after", done.output, re.M)
    assert re.search(r"^only tests/test_a.py: .* than all files before\)$", done.output, re.M)
    assert (project.root / FILE).read_text() == hooks
    wrong = project.nox("-s", "bench", "--", "--hooks", env=ENV)
    assert wrong.exit_code == 10
    assert "allowed: --rounds N, --hooks FOLDER" in wrong.output
