"""Makes Python import the checked tree where it was told to import another checkout.

An editable install points at the checkout that it was made from. While a commit is checked in
a worktree, this folder stands first in PYTHONPATH, so that every Python process runs this file
once its site-packages are set up: each import path inside the old checkout becomes the same
path inside the worktree. A module that is only in the old checkout is then not found, as it
should be.

It runs in the project's environments: standard library only.
"""

import os
import sys


def _redirect(old: str, new: str) -> None:
    def moved(path: str) -> str:
        full = os.path.abspath(path)
        inside = full == old or full.startswith(old + os.sep)
        own = full.startswith((sys.prefix + os.sep, sys.base_prefix + os.sep))
        return new + full[len(old) :] if inside and not own else path

    # "" and other relative entries follow the working folder by themselves.
    sys.path[:] = [moved(path) if os.path.isabs(path) else path for path in sys.path]
    # An environment made from a worktree that is gone: Python left its path out.
    gone = [moved(line) for line in _paths_of_installs() if moved(line) != line]
    sys.path += [path for path in dict.fromkeys(gone) if path not in sys.path]
    for finder in sys.meta_path:
        # setuptools' finder of an editable install keeps its paths in its module.
        owner = getattr(finder, "__module__", "")
        for name in ("MAPPING", "NAMESPACES"):
            table = getattr(sys.modules.get(owner), name, None)
            if not isinstance(table, dict) or not owner.startswith("__editable__"):
                continue
            for key, value in table.items():
                if isinstance(value, str):
                    table[key] = moved(value)
                elif isinstance(value, list):
                    table[key] = [moved(path) for path in value]


def _paths_of_installs() -> list[str]:
    """Return the paths in the .pth files of the environment's own site-packages."""
    found: list[str] = []
    for folder in list(sys.path):
        if not folder.startswith(sys.prefix + os.sep) or not os.path.isdir(folder):
            continue
        for name in sorted(os.listdir(folder)):
            if name.endswith(".pth"):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    found += [line.strip() for line in file if os.path.isabs(line.strip())]
    return found


def _go_on() -> None:
    """Run the sitecustomize that this file stands before, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    own = sys.modules.pop(__name__)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        sys.modules[__name__] = own


if "PACELINE_TREE_TO" in os.environ:
    for _old in os.environ.get("PACELINE_TREE_FROM", "").split(os.pathsep):
        if _old:
            _redirect(_old, os.environ["PACELINE_TREE_TO"])
_go_on()
