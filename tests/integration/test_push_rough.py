"""Pushes that are killed, interrupted or made twice at once, and import paths in worktrees."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from paceline import process
from paceline.testing import PushedProject

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="finds processes as Linux shows them"
)

#: Steps that tell where they are: each writes its process id, then waits to be let go.
SETTINGS = """\
[tool.paceline]
environment = "current"

[tool.paceline.groups.unit]
prepush = false

[tool.paceline.steps.deps]
prepush = false

[tool.paceline.steps.first]
run = [["{python}", "{wait}", "first"]]

[tool.paceline.steps.second]
run = [["{python}", "{wait}", "second"]]
needs = ["first"]

[tool.paceline.steps.words]
run = [["{python}", "check.py"]]
needs = ["second"]
"""
#: Waits while its folder has neither "go" nor "go-<name>"; a grandchild waits with it.
WAIT = """\
import subprocess, sys, time
from pathlib import Path

folder = Path(__file__).parent
loop = "import sys, time, os\\nwhile not any(map(os.path.exists, sys.argv)): time.sleep(0.02)"
signs = [str(folder / "go"), str(folder / f"go-{sys.argv[1]}")]
child = subprocess.Popen([sys.executable, "-c", loop, *signs])
note = folder / f"{sys.argv[1]}.pid"
new = folder / f"{child.pid}.new"  # two pushes may write the note at once
new.write_text(f"{__import__('os').getpid()} {child.pid}")
new.rename(note)
sys.exit(child.wait())
"""
CHECK = """\
from pathlib import Path

assert "bad" not in Path("code.txt").read_text(), "a bad word"
"""


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """Make the folder through which a test holds the steps and lets them go."""
    folder = tmp_path / "control"
    folder.mkdir()
    (folder / "wait.py").write_text(WAIT, encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path, control: Path) -> PushedProject:
    """Make a pushed project whose steps wait, with a bad commit to push."""
    made = PushedProject(tmp_path / "work")
    settings = SETTINGS.format(python=sys.executable, wait=control / "wait.py")
    made.write({"pyproject.toml": settings, "check.py": CHECK, "code.txt": "good\n"})
    made.publish()
    made.commit("bad", {"code.txt": "bad\n"})
    return made


def start(project: PushedProject, temporary: Path, *refs: str) -> subprocess.Popen[str]:
    """Start a push whose temporary files lie in `temporary`."""
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        ["git", "push", "origin", *(refs or ("main",))],
        cwd=project.root,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
        # A shell that started these tests with `&` ignores SIGINT for all of them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def wait_until(true: object, seconds: float = 60.0) -> None:
    """Wait until the function `true` says so; fail after `seconds`."""
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def step_processes(control: Path) -> list[int]:
    return [int(word) for file in control.glob("*.pid") for word in file.read_text().split()]


def state(number: int) -> list[str]:
    """Return what the system says of a process, from its state on; empty if it is gone."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def gone(number: int) -> bool:
    """Say whether a process has ended; a zombie that nobody waits for has."""
    return state(number)[:1] in ([], ["Z"])  # asked once: it may end between two looks


def hook_process(push: subprocess.Popen[str]) -> int | None:
    """Return the id of the hook's program, a child of git."""
    for folder in Path("/proc").glob("[0-9]*"):
        if state(int(folder.name))[1:2] == [str(push.pid)]:
            with contextlib.suppress(OSError):
                if b"paceline-prepush" in (folder / "cmdline").read_bytes():
                    return int(folder.name)
    return None


#: Where the push is killed: which step runs, or how many seconds after the hook began.
POINTS = ["0.0", "0.1", "0.2", "0.3", "0.4", "0.6", "worktree", "note", "first", "second"]


def reached(point: str, project: PushedProject, control: Path, temporary: Path) -> bool:
    if point == "worktree":
        return any(temporary.glob("paceline-push-*/*"))
    if point == "note":
        return any((project.root / ".git" / "paceline").glob("*.json"))
    return (control / f"{point}.pid").exists()


@pytest.mark.parametrize("point", POINTS)
def test_kill_9_leaves_nothing_that_counts(
    point: str, project: PushedProject, control: Path, tmp_path: Path
) -> None:
    """Killed anywhere, the push leaves no process, no receipt and nothing that stops the next."""
    project.write({"untracked.txt": "so that a worktree is made"})
    push = start(project, tmp_path / "temporary")
    wait_until(lambda: hook_process(push) or push.poll() is not None)
    hook = hook_process(push)
    assert hook is not None
    if point[0].isdigit():
        time.sleep(float(point))  # the point is a time
    elif point == "second":
        (control / "go-first").touch()
        wait_until(lambda: reached("second", project, control, tmp_path / "temporary"))
    else:
        wait_until(lambda: reached(point, project, control, tmp_path / "temporary"))
    os.kill(hook, signal.SIGKILL)
    output, _ = push.communicate(timeout=30)
    assert push.returncode != 0, output
    wait_until(lambda: all(map(gone, step_processes(control))), 10)
    assert not any((project.root / ".paceline" / "receipts").glob("*"))
    (control / "go").touch()
    done = project.push()
    assert "a bad word" in done.output, done.output
    assert "paceline-push-" not in project.git("worktree", "list")
    assert not any((tmp_path / "temporary").glob("paceline-push-*"))
    assert not any((project.root / ".git" / "paceline").glob("*"))
    project.commit("good", {"code.txt": "good again\n"})
    assert project.push().exit_code == 0


def test_a_lock_without_a_note_is_removed_once_it_is_free(
    project: PushedProject, control: Path
) -> None:
    """A push killed before its note was written leaves nothing; one that lives keeps its lock."""
    notes = project.root / ".git" / "paceline"
    notes.mkdir()
    (notes / "paceline-push-000000000001.lock").touch()
    (notes / ".paceline-push-000000000002.json.k3bx_9qw").write_text("{", encoding="utf-8")
    living = notes / "paceline-push-000000000003.lock"
    (control / "go").touch()
    with FileLock(living):
        assert "a bad word" in project.push().output
        assert list(notes.glob("*")) == [living]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everything_within_two_seconds(
    number: signal.Signals, project: PushedProject, control: Path, tmp_path: Path
) -> None:
    """Ctrl-C and SIGTERM end every child, remove the worktree, and nothing is pushed."""
    project.write({"untracked.txt": "so that a worktree is made"})
    push = start(project, tmp_path / "temporary")
    wait_until(lambda: reached("first", project, control, tmp_path / "temporary"))
    hook = hook_process(push)
    assert hook is not None
    begun = time.monotonic()
    os.kill(hook, number)
    wait_until(lambda: all(map(gone, step_processes(control))), 10)
    assert time.monotonic() - begun < 2
    output, _ = push.communicate(timeout=30)
    assert push.returncode != 0
    assert "interrupted" in output
    assert not any((tmp_path / "temporary").iterdir())
    assert "paceline-push-" not in project.git("worktree", "list")


def test_a_killed_git_takes_the_hook_with_it(
    project: PushedProject, control: Path, tmp_path: Path
) -> None:
    """When git itself is killed, the hook ends its steps and cleans up."""
    push = start(project, tmp_path / "temporary")
    wait_until(lambda: reached("first", project, control, tmp_path / "temporary"))
    push.kill()
    push.wait()
    wait_until(lambda: all(map(gone, step_processes(control))), 10)
    assert push.stdout is not None
    assert "interrupted" in push.stdout.read()
    push.stdout.close()


def test_two_pushes_at_once(project: PushedProject, control: Path, tmp_path: Path) -> None:
    """A bad and a good commit pushed at the same time each get their own verdict."""
    project.git("branch", "bad")
    project.commit("good", {"code.txt": "good again\n"})
    project.git("branch", "good")
    project.write({"untracked.txt": "so that both need a worktree"})
    pushes = {name: start(project, tmp_path / name, name) for name in ("bad", "good")}
    # One that ends before it has a worktree says why.
    wait_until(
        lambda: all(
            any((tmp_path / name).glob("paceline-push-*/*")) or push.poll() is not None
            for name, push in pushes.items()
        )
    )
    (control / "go").touch()
    outputs = {name: push.communicate(timeout=60)[0] for name, push in pushes.items()}
    assert "a bad word" in outputs["bad"]
    assert (pushes["bad"].returncode, pushes["good"].returncode) == (1, 0), outputs
    assert project.remote_ref("bad") == ""
    assert project.remote_ref("good")
    assert "paceline-push-" not in project.git("worktree", "list")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PushedProject:
    """Make a pushed project whose tests import it as an editable install does: by a path."""
    made = PushedProject(tmp_path / "work")
    made.write(
        {
            "pyproject.toml": '[tool.paceline]\nenvironment = "current"\n'
            "[tool.paceline.groups.unit]\nworkers = 0\n"
            "[tool.paceline.steps.deps]\nprepush = false\n",
            "src/app/__init__.py": "from app import parts\n\nTOTAL = parts.ONE\n",
            "src/app/parts.py": "ONE = 1\n",
            "tests/test_app.py": "import app\n\n\ndef test_total():\n    assert app.TOTAL == 1\n",
            ".gitignore": ".coverage*\n__pycache__/\n.pytest_cache/\n",
        }
    )
    made.publish()
    monkeypatch.setenv("PYTHONPATH", str(made.root / "src"))
    return made


def test_a_worktree_imports_its_own_code(installed: PushedProject) -> None:
    """The pushed code is tested, not the mended one that the import path points at."""
    installed.commit("bad", {"src/app/parts.py": "ONE = 2\n"})
    installed.write({"src/app/parts.py": "ONE = 1\n"})
    done = installed.push()
    assert done.exit_code == 1, done.output
    assert "assert 2 == 1" in done.output


def test_a_package_that_was_not_committed(installed: PushedProject) -> None:
    """A package that only the working tree has cannot be imported by the pushed commit."""
    text = "import helper\n\nTOTAL = helper.ONE\n"
    installed.write({"src/helper/__init__.py": "ONE = 1\n", "src/app/__init__.py": text})
    installed.git("commit", "-q", "-am", "forgot the helper")
    done = installed.push()
    assert done.exit_code == 1, done.output
    assert "No module named 'helper'" in done.output
    installed.commit("with the helper")
    assert installed.push().exit_code == 0


def test_two_pushes_of_one_checkout_at_once(installed: PushedProject, tmp_path: Path) -> None:
    """Two pushes that run the same tests in place do not spoil each other's records."""
    installed.commit("good", {"src/app/more.py": "TWO = 2\n"})
    pushes = [start(installed, tmp_path / "temporary", ref) for ref in ("main", "main:copy")]
    outputs = [push.communicate(timeout=120)[0] for push in pushes]
    assert [push.returncode for push in pushes] == [0, 0], outputs
    installed.commit("bad", {"src/app/parts.py": "ONE = 3\n"})
    pushes = [start(installed, tmp_path / "temporary", ref) for ref in ("main", "main:copy")]
    outputs = [push.communicate(timeout=120)[0] for push in pushes]
    assert [push.returncode for push in pushes] == [1, 1], outputs
    assert all("assert 3 == 1" in output for output in outputs)


@pytest.mark.parametrize("manager", ["pre-commit", "prek"])
def test_an_entry_for_a_hook_manager(
    manager: str, project: PushedProject, control: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run by pre-commit or prek, the commit that is pushed is checked, not the working tree."""
    program = Path(sys.executable).with_name(manager)
    if not program.exists():
        pytest.skip(f"{manager} is not installed")
    (control / "go").touch()
    (project.root / ".git" / "hooks" / "pre-push").unlink()
    text = "# kept\nrepos:\n  # first\n  - repo: meta\n    hooks:\n      - id: identity\n"
    project.write({".pre-commit-config.yaml": text})
    done = project.invoke("hooks.install", "--manager", manager)
    assert f"now run: {manager} install --hook-type pre-push" in done.output
    again = project.invoke("hooks.install", "--manager", manager).output
    assert "has the entry already" in again
    project.commit("configured")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(control / "home"))
    run = process.run([program, "install", "--hook-type", "pre-push"], cwd=project.root)
    assert run.exit_code == 0, run.output
    project.write({"code.txt": "good\n"})
    project.git("add", "-A")  # the fix is staged only
    by_hand = [str(program), "run", "--hook-stage", "pre-push", "--all-files"]
    assert "a bad word" in process.run(by_hand, cwd=project.root).output
    done = project.push()
    assert done.exit_code != 0
    assert "a bad word" in done.output
    project.commit("mended")
    done = project.push()
    assert done.exit_code == 0, done.output
    assert "3 passed" in done.output
