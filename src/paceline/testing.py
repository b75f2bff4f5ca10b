"""A temporary project to try a set-up in: files in, a command run, the outcome asserted.

def test_two_shards(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write({"tests/test_a.py": "def test_a(): pass"})
    assert project.nox("-s", "tests-unit", "--", "--shard", "1/2").exit_code == 0
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paceline import process

NOXFILE = "from paceline.sessions import register\n\nregister()\n"
TASKS = "from paceline import tasks\n\nns = tasks.ns\n"
#: Tests run in the interpreter that tries them: nothing is installed.
PYPROJECT = '[tool.paceline]\nenvironment = "current"\n'


@dataclass(frozen=True)
class Project:
    """A project in the folder `root`, made with the files any user of Paceline writes."""

    root: Path

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.write({"noxfile.py": NOXFILE, "tasks.py": TASKS, "pyproject.toml": PYPROJECT})

    def write(self, files: Mapping[str, str]) -> None:
        """Write `files`, path to text; the text is dedented."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.stat().st_mtime if path.exists() else 0.0
            path.write_text(textwrap.dedent(text), encoding="utf-8")
            # Bytecode of a text of the same size and second is taken for that of this one.
            if path.stat().st_mtime < before + 2:
                os.utime(path, (before + 2, before + 2))

    def nox(self, *arguments: str, env: Mapping[str, str] | None = None) -> process.Result:
        """Run nox in the project."""
        return self.python("-m", "nox", *arguments, env=env)

    def invoke(self, *arguments: str, env: Mapping[str, str] | None = None) -> process.Result:
        """Run invoke in the project."""
        return self.python("-m", "invoke", *arguments, env=env)

    def python(self, *arguments: str, env: Mapping[str, str] | None = None) -> process.Result:
        """Run this interpreter in the project."""
        return process.run([sys.executable, *arguments], cwd=self.root, env=env)

    def git(self, *arguments: str) -> str:
        """Run git in the project, as a person with a name; return what it printed.

        Raises RuntimeError, with git's output, if it fails.
        """
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
        done = process.run(["git", *who, *arguments], cwd=self.root)
        if done.exit_code:
            raise RuntimeError(f"git {' '.join(arguments)}: {done.output}")
        return done.output


@dataclass(frozen=True)
class PushedProject(Project):
    """A project in a repository with a bare remote beside it and the pre-push hook installed."""

    @property
    def remote(self) -> Path:
        """The bare repository that `origin` is."""
        return self.root.with_name(f"{self.root.name}.git")

    def publish(self) -> None:
        """Commit what there is, push it to a new remote, and install the hook."""
        self.git("init", "-q", "-b", "main")
        self.commit("first")
        self.git("init", "-q", "--bare", "-b", "main", str(self.remote))
        self.git("remote", "add", "origin", str(self.remote))
        self.git("push", "-q", "-u", "origin", "main")
        done = self.invoke("hooks.install")
        if done.exit_code:
            raise RuntimeError(done.output)

    def commit(self, message: str, files: Mapping[str, str] | None = None) -> str:
        """Write `files`, commit everything, and return the commit's id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, *arguments: str) -> process.Result:
        """Push `main`, or what `arguments` say, and return what git and the hook printed."""
        return process.run(["git", "push", *(arguments or ("origin", "main"))], cwd=self.root)

    def remote_ref(self, name: str) -> str:
        """Return the id that the remote has under `name`; empty if it has none."""
        command = ["git", "rev-parse", "--verify", "--quiet", name]
        return process.run(command, cwd=self.remote).output.strip()
