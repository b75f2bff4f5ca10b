"""The present value of an input: a file's content, a folder's listing, a variable ...

Values are short strings that are equal exactly where the inputs are. They hold no content and
no secret.
"""

from __future__ import annotations

import configparser
import glob
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from paceline.impact.recorder import Need
from paceline.impact.scope import CACHES, CACHES_ANYWHERE, is_leftover

ABSENT: Final = "absent"

MODULE_SUFFIXES: Final = (".py", ".pyw", ".so", ".pyd")

#: Where pytest and coverage look for their configuration.
CONFIGURATION: Final = (
    "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini",
    "setup.cfg", ".coveragerc", ".coveragerc.toml",
)  # fmt: skip

#: One of these stands where a project begins.
_BEGINNINGS: Final = frozenset(
    (*CONFIGURATION, ".git", ".hg", "setup.py", "conftest.py", ".paceline", ".pytest_cache")
)

#: Variables that the tools themselves set, and the seed of chance.
_TOOLS: Final = frozenset(
    (
        "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER",
        "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_AUTO_NUM_WORKERS",
        "COVERAGE_CORE", "COVERAGE_FILE", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG",
        "COVERAGE_RCFILE", "COVERAGE_RUN", "PYTHONHASHSEED",
    )
)  # fmt: skip
_TOOLS_PREFIXES: Final = ("PACELINE_", "TESTMON_", "COV_CORE_")

#: Variables that differ between two equal runs, for code that only goes through all.
_VOLATILE: Final = frozenset(
    (
        "_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "NOX_CURRENT_SESSION", "TERM",
        "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "COLORTERM", "WINDOWID",
        "WINDOWPATH", "DISPLAY", "WAYLAND_DISPLAY", "LS_COLORS", "SSH_AGENT_PID", "SSH_AUTH_SOCK",
        "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "XDG_RUNTIME_DIR", "XDG_SEAT",
        "XDG_SESSION_CLASS", "XDG_SESSION_ID", "XDG_SESSION_TYPE", "XDG_VTNR",
        "DBUS_SESSION_BUS_ADDRESS", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX",
        "GIT_EXEC_PATH", "GIT_EDITOR", "GIT_REFLOG_ACTION", "GIT_QUARANTINE_PATH",
        "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_ASKPASS",
        "GIT_AUTHOR_DATE", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_NAME", "GIT_COMMITTER_DATE",
        "GIT_INTERNAL_GETTEXT_SH_SCHEME", "GIT_PUSH_OPTION_COUNT",
    )
)  # fmt: skip
_VOLATILE_PREFIXES: Final = (*_TOOLS_PREFIXES, "PYTEST_", "COVERAGE_", "VSCODE_")

#: Variables that the interpreter or pytest reads at its start, the system's library at any time.
SETTINGS: Final = (
    "TZ", "LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_MONETARY",
    "LC_NUMERIC", "LC_TIME", "PYTHONDEVMODE", "PYTHONIOENCODING", "PYTHONOPTIMIZE",
    "PYTHONINTMAXSTRDIGITS", "PYTHONSAFEPATH", "PYTHONUTF8", "PYTHONWARNINGS",
    "PYTHONBREAKPOINT", "PYTHONNODEBUGRANGES", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD",
)  # fmt: skip

#: Where Python looks for modules first.
SEARCH_PATH: Final = "PYTHONPATH"
_PACKAGE: Final = str(Path(__file__).parents[1]) + os.sep

#: Standing for the whole environment, where code goes through all variables.
ALL_VARIABLES: Final = "*"


def is_set_by_tools(name: str) -> bool:
    """Return whether the variable `name` says nothing of the project to code that reads it."""
    return name in _TOOLS or name.startswith(_TOOLS_PREFIXES)


def is_volatile(name: str) -> bool:
    """Return whether the variable `name` says nothing to code that goes through all variables."""
    return name in _VOLATILE or name in _TOOLS or name.startswith(_VOLATILE_PREFIXES)


def digest(data: bytes) -> str:
    """Return a short digest of `data`."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def value(need: Need, name: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the present value of what `name` is needed for.

    `name` is an absolute path, or for Need.VARIABLE a variable of `environ`.
    """
    if need is Need.VARIABLE:
        return variable(name, os.environ if environ is None else environ)
    try:
        return _READERS[need](name)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError as error:
        return f"unreadable: {error.errno}"


def content(path: str) -> str:
    """Return the digest of a file's content; a folder or a device has none of its own."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return "folder"
    # A pipe or /dev/zero would be read for ever.
    return digest(Path(path).read_bytes()) if stat.S_ISREG(mode) else "no regular file"


def _listing(path: str) -> str:
    with os.scandir(path) as scanned:
        entries = list(scanned)
    # Tools keep caches where a project begins; elsewhere such names are data.
    is_root = not _BEGINNINGS.isdisjoint(entry.name for entry in entries)
    caches = CACHES if is_root else CACHES_ANYWHERE
    names = sorted(
        f"{entry.name}{'@' * entry.is_symlink()}{'/' * entry.is_dir()}{'.' * entry.is_file()}"
        for entry in entries
        if entry.name not in caches and not is_leftover(entry.name)
    )
    return digest("\0".join(names).encode("utf-8", "surrogateescape"))


def _matching(pattern: str) -> str:
    """Return the digest of all files that the absolute glob `pattern` matches."""
    # Named from the last folder without a wildcard, so that the value holds in any checkout.
    start = os.path.dirname(re.split(r"[*?\[]", pattern, maxsplit=1)[0])
    names = sorted(_globbed(pattern, start))
    parts = [
        f"{os.path.relpath(name, start)}\0{content(name)}"
        for name in names
        if not CACHES.intersection(Path(name).parts)
    ]
    return digest("\0".join(parts).encode("utf-8", "surrogateescape"))


def _globbed(pattern: str, start: str) -> set[str]:
    """Return what the absolute `pattern` matches below the folder `start`, hidden files too."""
    if sys.version_info >= (3, 11):
        return set(glob.glob(pattern, recursive=True, include_hidden=True))
    rest = os.path.relpath(pattern, start)
    # In pathlib a last ** means folders alone.
    patterns = [rest, os.path.join(rest, "*")] if rest.endswith("**") else [rest]
    hidden = {str(path) for one in patterns for path in Path(start).glob(one)}
    return {*glob.glob(pattern, recursive=True), *hidden}


def _existence(path: str) -> str:
    # What a link says and what it leads to are both asked about.
    target = os.readlink(path) if os.path.islink(path) else ""
    kind = "folder" if os.path.isdir(path) else "file" if os.path.exists(path) else "nothing"
    if not target and kind == "nothing":
        return ABSENT
    return f"{kind} {target}".strip()


def _status(path: str) -> str:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return f"{_existence(path)} {stat.S_IMODE(status.st_mode):o}"
    return f"{_existence(path)} {status.st_size} {stat.S_IMODE(status.st_mode):o}"


def variable(name: str, environ: Mapping[str, str]) -> str:
    """Return the digest of a variable's value, of all that matter for "*"."""
    if name == ALL_VARIABLES:
        known = sorted(f"{key}={environ[key]}" for key in environ if not is_volatile(key))
        return digest("\0".join(known).encode("utf-8", "surrogateescape"))
    text = environ.get(name)
    if name == SEARCH_PATH and text is not None:
        # Paceline's own entry leads imports into a worktree, where they find the same files.
        entries = [entry for entry in text.split(os.pathsep) if not entry.startswith(_PACKAGE)]
        text = os.pathsep.join(entries) or None
    return ABSENT if text is None else digest(text.encode("utf-8", "surrogateescape"))


def project_files(root: Path) -> Iterator[str]:
    """Yield the files below `root`, relative to it, without caches and environments."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in CACHES and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )
        place = os.path.relpath(folder, root)
        for name in sorted(names):
            yield name if place == "." else f"{place}/{name}".replace(os.sep, "/")


def files(root: Path) -> list[str]:
    """Return the files below `root`, without what test runs themselves leave behind."""
    return [
        name
        for name in project_files(root)
        if not is_leftover(name.rpartition("/")[2]) and not name.endswith((".pyc", ".log"))
    ]


def _data(path: str) -> str:
    """Return the digest of all files below `path` but for Python's."""
    root = Path(path)
    parts = [
        f"{name}\0{content(str(root / name))}"
        for name in files(root)
        if not name.endswith(MODULE_SUFFIXES)
    ]
    return digest("\0".join(parts).encode("utf-8", "surrogateescape"))


def configuration(root: Path) -> str:
    """Return the digest of what configures pytest and coverage in `root`.

    Of files that hold other things too, only the sections for these tools count.
    """
    parts = [f"{name}\0{_sections(root / name)}" for name in CONFIGURATION]
    return digest("\0".join(parts).encode("utf-8", "surrogateescape"))


def _sections(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ABSENT
    except (OSError, ValueError) as error:
        return f"unreadable: {error}"
    try:
        if path.suffix == ".toml" and path.name == "pyproject.toml":
            tools = tomllib.loads(text).get("tool", {})
            paceline = tools.get("paceline")
            groups = paceline.get("groups") if isinstance(paceline, dict) else None
            return repr([groups, *(tools.get(key) for key in ("pytest", "coverage"))])
        if path.name in ("setup.cfg", "tox.ini"):
            parser = configparser.RawConfigParser()
            parser.read_string(text)
            names = [name for name in parser.sections() if "pytest" in name or "coverage" in name]
            return repr([(name, parser.items(name)) for name in names])
    except (tomllib.TOMLDecodeError, configparser.Error):
        pass  # not to be taken apart: all of it counts
    return text


_READERS: Final[Mapping[Need, Callable[[str], str]]] = {
    Need.CONTENT: content,
    Need.NAMED: content,
    Need.TEXT: content,
    Need.POSITIONS: content,
    Need.LISTING: _listing,
    Need.EXISTS: _existence,
    Need.STAT: _status,
    Need.DECLARED: _matching,
    Need.DATA: _data,
    Need.FILES: lambda name: "\n".join(files(Path(name))),
    Need.SHARED: lambda _: "",
    Need.RANDOM: lambda _: "",
    Need.FOLDER: lambda name: os.path.relpath(os.getcwd(), name),
    Need.CONFIGURATION: lambda name: configuration(Path(name)),
}
