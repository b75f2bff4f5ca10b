"""The only place that calls git. Every function works, or says it cannot, without a repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Exported by git to its hooks; they would point git, ours and a test's, at another tree.
SCRUBBED = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
)


#: The mode of a submodule in a tree.
GITLINK = "160000"


@dataclass(frozen=True)
class Change:
    """What differs from `base`: project-relative paths, or None where it cannot be told.

    A submodule ends with "/": what changed inside it is unknown.

    `reason` says in plain words what was compared, or why nothing could be.
    """

    files: frozenset[str] | None
    reason: str


def git(root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str | None:
    """Return git's output in `root`, or None if git is missing or the command fails.

    `env` is laid over this process's environment.
    """
    variables = {key: value for key, value in os.environ.items() if key not in SCRUBBED}
    try:
        done = subprocess.run(
            # the file system monitor is a cache of what changed: here evidence is wanted
            ["git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", *arguments],
            check=False,
            cwd=root,
            env={**variables, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except OSError:
        return None
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None


def head(root: Path) -> str | None:
    """Return the commit that is checked out, or None (no git, no repository, no commits)."""
    text = git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return text.strip() if text else None


def dirty(root: Path) -> bool:
    """Return whether tracked files differ from HEAD; True when that cannot be told."""
    text = git(root, "status", "--porcelain", "--untracked-files=no")
    return text is None or bool(text.strip())


def files(root: Path) -> list[str] | None:
    """Return tracked and untracked, not ignored files under `root`, sorted; None without git."""
    text = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return None if text is None else sorted({name for name in text.split("\0") if name})


def project_files(root: Path) -> list[str]:
    """Return the project's files, sorted: git's view, else everything but caches.

    Without git, folders that start with a dot and build leftovers do not count.
    """
    known = files(root)
    if known is not None:
        return known
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _is_cache(name)]
        place = Path(folder).relative_to(root)
        found += [(place / name).as_posix() for name in names if not name.endswith(".pyc")]
    return sorted(name for name in found if not name.startswith("."))


def _is_cache(folder: str) -> bool:
    return folder.startswith(".") or folder in ("__pycache__", "node_modules", "build", "dist")


def change_since_upstream(root: Path) -> Change:
    """Return what the working tree, untracked files too, changes against what is upstream.

    The base is the upstream branch, else the remote's default branch. Without git, without
    commits, without either base, or where a shallow clone hides the merge base, the change
    is unknown and everything must run.
    """
    if git(root, "rev-parse", "--git-dir") is None:
        return Change(None, "no git repository")
    if head(root) is None:
        return Change(None, "the repository has no commits")
    for base in ("@{upstream}", "origin/HEAD", "origin/main", "origin/master"):
        name = git(root, "rev-parse", "--abbrev-ref", "--verify", "--quiet", base)
        if name is not None:
            return _change_against(root, base, name.strip() or base)
    return Change(None, "no upstream branch")


def _change_against(root: Path, base: str, name: str) -> Change:
    merge_base = git(root, "merge-base", base, "HEAD")
    if merge_base is None:
        return Change(None, f"no common commit with {name} (a shallow clone?)")
    listed = [
        git(root, "diff", "--raw", *_COMPARED, merge_base.strip()),
        git(root, "ls-files", "-z", "--others", "--exclude-standard"),
    ]
    if listed[0] is None or listed[1] is None:
        return Change(None, f"cannot compare with {name}")
    untracked = filter(None, listed[1].split("\0"))
    return Change(_changed(listed[0]).union(untracked), f"against {name}")


_COMPARED = ("-z", "--no-renames", "--relative", "--ignore-submodules=none")


def _changed(raw: str) -> frozenset[str]:
    """Return the paths in git's raw format: `:<mode> <mode> <id> <id> <kind>`, then the path."""
    words = raw.split("\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    return frozenset(f"{path}/" if GITLINK in state else path for state, path in pairs)


@dataclass(frozen=True)
class Place:
    """Where a folder lies: its checkout's top, the repository, its path below the top."""

    top: Path
    #: The repository that all linked worktrees share.
    common: Path
    #: Ends with "/", or is empty at the top.
    prefix: str


def place(root: Path) -> Place | None:
    """Return where `root` lies; None outside a checkout."""
    text = git(
        root,
        *("rev-parse", "--path-format=absolute"),
        *("--show-toplevel", "--git-common-dir", "--show-prefix"),
    )
    if text is None:
        return None
    top, common, prefix = text.split("\n")[:3]
    return Place(Path(top), Path(common), prefix)


def commit(root: Path, name: str) -> str | None:
    """Return the commit that `name` stands for; None if it is none, or is not here."""
    text = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return text.strip() if text else None


def listing(root: Path, name: str) -> dict[str, str] | None:
    """Return each path of commit `name` below `root` with its mode and content id.

    A submodule's path ends with "/".
    """
    return _entries(git(root, "ls-tree", "-r", "-z", name), oid_column=2)


def _entries(text: str | None, oid_column: int) -> dict[str, str] | None:
    if text is None:
        return None
    found = {}
    for line in filter(None, text.split("\0")):
        fields, _, path = line.partition("\t")
        columns = fields.split(" ")
        path += "/" if columns[0] == GITLINK else ""
        if not _is_bytecode(path):
            found[path] = f"{columns[0]} {columns[oid_column]}"
    return found


def differences(root: Path) -> list[str] | None:
    """Return the paths, from the top, that differ from HEAD, untracked files too; None: unknown.

    Python's bytecode does not count. Files that git was told to take for unchanged differ as
    well: nobody knows.
    """
    status = git(
        root,
        *("--no-optional-locks", "status", "--porcelain", "-z", "--no-renames"),
        *("--untracked-files=all", "--ignore-submodules=none"),
    )
    flagged = _flagged(root)
    if status is None or flagged is None:
        return None
    entries = filter(None, status.split("\0"))
    names = {e[3:] for e in entries if not (e.startswith("?? ") and _is_bytecode(e[3:]))}
    return sorted(names | set(flagged))


def _is_bytecode(path: str) -> bool:
    # Python's cache is no content, and not every project tells git to ignore it
    return "/__pycache__/" in f"/{path}"


def _flagged(root: Path) -> list[str] | None:
    """Return the files marked assume-unchanged (a lower case tag) or skip-worktree (S)."""
    listed = git(root, "ls-files", "-v", "-z", "--cached", "--full-name")
    if listed is None:
        return None
    entries = (entry for entry in listed.split("\0") if entry)
    return [entry[2:] for entry in entries if entry[0] == "S" or entry[0].islower()]


def content(root: Path) -> dict[str, str] | None:
    """Return what `listing` would, were everything below `root` committed as it is now.

    None where that cannot be told: no repository, no commit, changes inside a submodule,
    files that git was told not to look at.
    """
    differing = differences(root)
    if differing is None or (differing and _flagged(root)):
        return None
    if not differing:
        return listing(root, "HEAD")
    with tempfile.TemporaryDirectory(prefix="paceline-index-") as folder:
        return _content(root, Path(folder))


def _content(root: Path, folder: Path) -> dict[str, str] | None:
    """Add everything to a copy of the index, the objects to `folder`: the repository stays."""
    paths = git(
        root, "rev-parse", "--path-format=absolute", "--git-path", "index", "--git-path", "objects"
    )
    if paths is None:
        return None
    index, objects = paths.splitlines()
    if Path(index).is_file():
        # With its time: by that git knows which files may have changed within the same second.
        shutil.copy2(index, folder / "index")
    (folder / "objects").mkdir()
    env = {
        "GIT_INDEX_FILE": str(folder / "index"),
        "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
    }
    if git(root, "add", "--all", ":/", env=env) is None:
        return None
    # a submodule's own uncommitted changes are in no index
    if (dirty_inside := git(root, "diff-files", "--name-only", env=env)) is None or dirty_inside:
        return None
    return _entries(git(root, "ls-files", "--stage", "-z", env=env), oid_column=1)


def changed_between(root: Path, base: str, name: str) -> frozenset[str] | None:
    """Return the paths below `root` in which the commits `base` and `name` differ."""
    text = git(root, "diff-tree", "-r", "--raw", *_COMPARED, base, name)
    return None if text is None else _changed(text)


def known_to_remote(root: Path, name: str, remote: str) -> str | None:
    """Return the newest commit that `remote` is known to have and `name` contains; None if none.

    "Known" is what the remote-tracking branches say.
    """
    text = git(root, "rev-list", "--boundary", name, "--not", f"--remotes={remote}")
    if text is None:
        return None
    if not text:
        return name
    bases = [line[1:] for line in text.splitlines() if line.startswith("-")]
    newest = git(root, "rev-list", "--no-walk", "--max-count=1", *bases) if bases else None
    return newest.strip() if newest else None


def add_worktree(root: Path, folder: Path, name: str) -> bool:
    """Check out commit `name` in `folder`, detached; return whether that worked."""
    quiet = ("-c", f"core.hooksPath={os.devnull}", "-c", "submodule.recurse=false")
    made = git(root, *quiet, "worktree", "add", "--quiet", "--detach", str(folder), name)
    return made is not None


def remove_worktree(root: Path, folder: Path) -> bool:
    """Remove the worktree in `folder`, locked and changed or not; return whether that worked."""
    return git(root, "worktree", "remove", "--force", "--force", str(folder)) is not None


def export(root: Path, name: str, folder: Path) -> bool:
    """Write the files of commit `name` of the repository at `root` into `folder`."""
    with tempfile.TemporaryDirectory(prefix="paceline-index-") as temporary:
        env = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        if git(root, "read-tree", name, env=env) is None:
            return False
        done = git(root, "checkout-index", "--all", "--force", f"--prefix={folder}/", env=env)
        return done is not None
