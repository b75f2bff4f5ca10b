"""What git's pre-push hook runs: checks each commit that is pushed, as it is.

git starts it with the remote's name and address as arguments and the refs on standard input.
It imports little: a push that receipts prove already must cost next to nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from paceline import console, git, process
from paceline.errors import IncompleteEvidence, PacelineError
from paceline.prepush import checkout, pushed, report
from paceline.prepush.check import Wish, check


def main() -> int:
    """Run the hook as a program: arguments, standard input and variables as git gives them."""
    # git's own output may be read by a program (push --porcelain)
    sys.stdout = sys.stderr
    try:
        return run(Path.cwd(), sys.argv[1:])
    except PacelineError as error:
        console.err(str(error))
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        console.err("interrupted: nothing was pushed")
        return getattr(interrupt, "exit_code", 130)


def run(root: Path, arguments: Sequence[str]) -> int:
    """Check what is pushed from `root`; return the exit code, 0 if the push may go on.

    Raises IncompleteEvidence if it cannot be told what is pushed.
    """
    started = time.monotonic()
    lines = "" if sys.stdin.isatty() else sys.stdin.read()
    refs = pushed.parse(lines) or pushed.from_variables(os.environ)
    remote = arguments[0] if arguments else os.environ.get("PRE_COMMIT_REMOTE_NAME", "origin")
    project = _project(root)
    for name in git.SCRUBBED:  # a test that starts git means its own repository
        os.environ.pop(name, None)
    commits = pushed.commits(project, refs, remote)
    if not commits:
        console.err("paceline: no commit is pushed, so there is nothing to check")
    wish = Wish(started=started, check_alive=_parent_check())
    return worst([_check(project, commit, wish) for commit in commits])


def _project(root: Path) -> Path:
    """Return the project's folder, which `invoke hooks.install` noted in git's configuration."""
    below = git.git(root, "config", "--get", "paceline.project")
    project = root / below.strip() if below else root
    if not project.is_dir() or git.place(project) is None:
        raise IncompleteEvidence(
            [f"{project}: no checkout of the project"], "push from a checkout of it"
        )
    return project.resolve()


def _check(project: Path, commit: pushed.PushedCommit, wish: Wish) -> int:
    names = ", ".join(map(str, commit.refs))
    try:
        with process.guarded(), checkout.of_commit(project, commit.commit) as files:
            console.err(f"paceline: {report.opening(names, files, commit.change)}")
            found = check(files, commit.change, wish)
            report.closing(found)
            return found.exit_code
    except PacelineError as error:
        console.err(str(error))
        return error.exit_code


def worst(codes: Sequence[int]) -> int:
    """Return the exit code that says most: a failed check before anything left unknown."""
    return 1 if 1 in codes else max(codes, default=0)


def _parent_check() -> Callable[[], None]:
    parent = os.getppid()

    def check_alive() -> None:
        if os.getppid() != parent:
            raise process.Ended(1)  # as if the terminal had hung up

    return check_alive
