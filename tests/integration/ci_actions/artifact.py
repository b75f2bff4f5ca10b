"""GitHub's artifact actions for tests on one machine, with the rules that workflows trip over.

Names are unique and have no slash, hidden files are left out unless asked for, nothing found
can be an error, a missing name is one. Artifacts are folders in $ARTIFACTS.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path


def upload(name: str, paths: list[str], hidden: bool, missing: str, overwrite: bool) -> None:
    """Store the files below `paths` under their paths below the paths' common folder."""
    if not name or re.search(r'[":<>|*?\r\n\\/]', name):
        sys.exit(f"artifact name {name!r} is not legal")
    target = Path(os.environ["ARTIFACTS"]) / name
    roots = [Path(path).absolute() for path in paths]
    base = Path(os.path.commonpath(roots))
    found = [file for root in roots for file in files(root, hidden)]
    if not found:
        print(f"{missing}: no files found in {', '.join(paths)}")
        sys.exit(missing == "error")
    if target.exists():
        if not overwrite:
            sys.exit(f"an artifact named {name!r} exists already")
        shutil.rmtree(target)
    for file in found:
        place = target / (file.relative_to(base) if file != base else file.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def files(root: Path, hidden: bool) -> Iterator[Path]:
    """Yield the files at and below `root`."""
    if not root.exists() or (not hidden and root.name.startswith(".")):
        return
    if root.is_file():
        yield root
        return
    for entry in sorted(root.iterdir()):
        yield from files(entry, hidden)


def download(name: str, pattern: str, path: str) -> None:
    """Copy one artifact, or all that match the pattern into one folder, to `path`."""
    store = Path(os.environ["ARTIFACTS"])
    names = sorted(entry.name for entry in store.iterdir()) if store.is_dir() else []
    wanted = [found for found in names if found == name or (pattern and fnmatch(found, pattern))]
    if name and not wanted:
        sys.exit(f"artifact not found: {name}")
    for found in wanted:
        shutil.copytree(store / found, path, dirs_exist_ok=True)


if __name__ == "__main__":
    values = os.environ
    if sys.argv[1] == "upload":
        upload(
            values["NAME"],
            values["FILES"].split("\n")[:-1] or [values["FILES"]],
            values["HIDDEN"] == "true",
            values["MISSING"],
            values["OVERWRITE"] == "true",
        )
    else:
        download(values["NAME"], values["PATTERN"], values["FOLDER"])
