"""The task `prepush`: the flow over the working tree, or over a commit as it is."""

from __future__ import annotations

import time
from pathlib import Path

from paceline import console, git, process
from paceline.errors import UsageError
from paceline.prepush import checkout, pushed, report
from paceline.prepush.check import Wish, check
from paceline.prepush.checkout import Checkout


def run_prepush(root: Path, *, full: bool, json: bool, commit: str, only: str) -> int:
    """Run the flow in `root` and return its exit code."""
    wish = Wish(full=full, only=only, started=time.monotonic())
    if not commit:
        change = git.Change(None, "--full") if full else git.change_since_upstream(root)
        return _say(checkout.working_tree(root), change, wish, json)
    found = git.commit(root, commit)
    if found is None:
        raise UsageError(f"--commit: {commit} is no commit", "for example --commit HEAD")
    change = git.Change(None, "--full") if full else pushed.change(root, found, [], "origin")
    with process.guarded(), checkout.of_commit(root, found) as files:
        return _say(files, change, wish, json)


def _say(files: Checkout, change: git.Change, wish: Wish, json: bool) -> int:
    console.err(report.opening("", files, change))
    found = check(files, change, wish)
    if json:
        console.out(report.as_json(found))
    else:
        report.closing(found)
    return found.exit_code
