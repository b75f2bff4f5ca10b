"""The Python environments that tests and tools run in, made by uv and reused while nothing changed.

One environment serves all test sessions of a Python version. A stamp inside it holds the
digest of everything it was made from; while the digest is the same, uv is not started.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from paceline import __version__, process, store
from paceline.config import document
from paceline.config.model import Config
from paceline.errors import CheckFailed, MissingTool

STAMP = "paceline-environment.json"
#: First in PYTHONPATH where the checked tree is not the one that the environment was made from.
REDIRECT = Path(__file__).with_name("prepush") / "redirect"
#: Changes when environments are made in another way, so that old ones are made anew.
RECIPE = 1


@dataclass(frozen=True)
class Environment:
    """An environment that is ready: its interpreter, and the variables its programs need."""

    python: Path
    variables: Mapping[str, str]
    #: Changes whenever what is installed may have changed.
    fingerprint: str


def tests(config: Config, version: str | None = None) -> Environment:
    """Return the environment for the test sessions of Python `version` (None: this one's).

    Raises MissingTool if that interpreter is not installed, CheckFailed if installing fails.
    """
    return _ready(config, "tests", version, _test_requirements(config))


def tools(config: Config) -> Environment:
    """Return the environment for lint, types and security; raises as `tests` does."""
    requirements = _test_requirements(config)
    for group in config.tool_groups:
        requirements += ["--group", group]
    for file in config.tool_requirements:
        requirements += ["--requirements", file]
    return _ready(config, "tools", None, [*requirements, *config.tools])


def _ready(config: Config, kind: str, version: str | None, requirements: list[str]) -> Environment:
    if config.environment == "current":
        _refuse_other_version(version)
        python = Path(sys.executable)
        variables = {**_variables(python.parent), **_redirection(config, config.keeper)}
        return Environment(python, variables, installed([Path(entry) for entry in sys.path]))
    wanted = version or f"{sys.version_info.major}.{sys.version_info.minor}"
    # In nox's folder, which linters and test collection leave out by themselves.
    folder = config.keeper / ".nox" / f"paceline-{kind}-{wanted}"
    digest = _digest(config, wanted, requirements)
    if config.home and _stamped(folder) != digest:
        # Another commit's requirements must not be installed under the user's feet.
        folder = folder.with_name(f"{folder.name}-{digest[:8]}")
    if _stamped(folder) != digest:
        # Imported here: a ready environment must not pay for it.
        from filelock import FileLock

        store.ignored_by_git(folder.parent)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if _stamped(folder) != digest:
                _build(config, folder, version or sys.executable, requirements)
                stamp = {"digest": digest, "root": str(config.root.resolve())}
                store.write_json(folder / STAMP, stamp)
    variables = {**_variables(_programs(folder)), "VIRTUAL_ENV": str(folder)}
    variables |= _redirection(config, _made_from(folder, config.keeper))
    packages = installed([*folder.glob("lib/python*/site-packages"), folder / "Lib/site-packages"])
    return Environment(_interpreter(folder), variables, f"{digest} {packages}")


def _made_from(folder: Path, otherwise: Path) -> Path:
    stamp = store.read_json(folder / STAMP, "environment stamp")
    return Path(stamp.get("root", otherwise)) if isinstance(stamp, dict) else otherwise


def _redirection(config: Config, made_from: Path) -> dict[str, str]:
    """Return the variables that make Python import `config.root` for what was installed editable.

    Tools' caches are named too: a worktree would start without any.
    """
    if config.home is None:
        return {}
    old = dict.fromkeys(str(path.resolve()) for path in (made_from, config.home))
    paths = [str(REDIRECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "PACELINE_TREE_FROM": os.pathsep.join(old),
        "PACELINE_TREE_TO": str(config.root.resolve()),
        "MYPY_CACHE_DIR": str(config.home / ".mypy_cache"),
        "RUFF_CACHE_DIR": str(config.home / ".ruff_cache"),
    }


def _refuse_other_version(version: str | None) -> None:
    current = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version is not None and version != current:
        raise MissingTool(
            f'environment = "current" is Python {current}, the session wants {version}',
            f'run nox with Python {version}, or set environment = "uv"',
        )


def installed(folders: Iterable[Path]) -> str:
    """Return a digest of the distributions installed in `folders`, and of this Python.

    The folder of a distribution's metadata has its name and version in its name; its time
    changes when the same version is installed again from another source. Reading the metadata
    would take a hundred times as long.
    """
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):
            found += [
                f"{entry.name} {entry.stat().st_mtime_ns}"
                for entry in os.scandir(folder)
                if entry.name.endswith((".dist-info", ".egg-info", ".egg-link", ".pth"))
            ]
    return hashlib.sha256("\0".join([sys.version, *sorted(found)]).encode()).hexdigest()


def _variables(programs: Path) -> dict[str, str]:
    return {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


def _programs(folder: Path) -> Path:
    return folder / ("Scripts" if os.name == "nt" else "bin")


def _interpreter(folder: Path) -> Path:
    return _programs(folder) / ("python.exe" if os.name == "nt" else "python")


def _stamped(folder: Path) -> str | None:
    stamp = store.read_json(folder / STAMP, "environment stamp")
    if not isinstance(stamp, dict) or not _interpreter(folder).exists():
        return None
    return str(stamp.get("digest"))


def _build(config: Config, folder: Path, python: str, requirements: list[str]) -> None:
    print(f"paceline: making the environment {folder.name} ...", file=sys.stderr)
    uv = _uv()
    env = {"UV_PYTHON_DOWNLOADS": os.environ.get("UV_PYTHON_DOWNLOADS", "never")}
    made = process.run(
        [uv, "venv", "--clear", "--quiet", "--python", python, folder], cwd=config.root, env=env
    )
    if made.exit_code:
        raise MissingTool(
            f"no environment for Python {python}: {made.output.strip()}",
            f"install Python {python} (uv python install {python}), "
            "or take it out of tool.paceline.python",
        )
    command: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        _interpreter(folder),
        *_locked(config, folder),
        *requirements,
    ]
    installed = process.run(command, cwd=config.root, env=env)
    if installed.exit_code:
        raise CheckFailed(
            f"installing into {folder.name} failed:\n{installed.output.strip()}",
            "mend the project's dependencies and run this again",
        )


def _locked(config: Config, folder: Path) -> list[str]:
    """Return the arguments that hold to the project's uv.lock, if it has one and no constraints."""
    if config.constraints or not (config.root / "uv.lock").is_file():
        return []
    file = folder / "locked.txt"
    command: list[str | Path] = [
        _uv(),
        "export",
        "--quiet",
        "--frozen",
        "--all-groups",
        "--all-extras",
    ]
    command += ["--no-hashes", "--no-header", "--no-annotate", "--no-emit-project"]
    done = process.run([*command, "--output-file", file], cwd=config.root)
    if done.exit_code:
        raise CheckFailed(f"uv.lock cannot be read:\n{done.output.strip()}", "run `uv lock`")
    return ["--constraints", str(file)]


def _uv() -> Path:
    # The uv that was installed with Paceline comes first, so that no set-up step is needed.
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    return beside if beside.exists() else process.find_tool("uv")


def _test_requirements(config: Config) -> list[str]:
    """Return the arguments of `uv pip install` for the project and what its tests need."""
    arguments: list[str] = []
    if config.constraints:
        arguments += ["--constraints", config.constraints]
    if _installable(config.root):
        extras = f"[{','.join(config.test_extras)}]" if config.test_extras else ""
        arguments += ["--editable", f".{extras}"]
    for group in config.test_groups:
        arguments += ["--group", group]
    for file in config.test_requirements:
        arguments += ["--requirements", file]
    return arguments + _own_requirement(config.root, config.keeper)


def _installable(root: Path) -> bool:
    if (root / "setup.py").exists():
        return True
    table = document.read(root)
    return "project" in table or "build-system" in table


def _own_requirement(*roots: Path) -> list[str]:
    """Return how to install this very Paceline: from where it came (PEP 610), else by version.

    `roots` are the checkouts that would be Paceline itself.
    """
    source = json.loads(_origin() or "{}")
    if not source.get("url", "").startswith("file:"):
        return [f"paceline=={__version__}"]
    path = Path(unquote(urlparse(source["url"]).path))
    if path in [root.resolve() for root in roots]:
        return []  # the project is Paceline itself and is installed already
    editable = source.get("dir_info", {}).get("editable", False)
    return [*(["--editable"] if editable else []), str(path)]


def _origin() -> str | None:
    """Return the text of this installation's direct_url.json; None where there is none.

    Found by its name: importlib.metadata takes longer to load than a push may take.
    """
    for entry in sys.path:
        for folder in Path(entry).glob("paceline-*.dist-info"):
            file = folder / "direct_url.json"
            return file.read_text(encoding="utf-8") if file.is_file() else None
    return None


def _digest(config: Config, version: str, requirements: list[str]) -> str:
    table = dict(document.read(config.root))
    tools = table.pop("tool", {})
    # Linter settings do not change an environment; build back ends and uv's settings may.
    backends = ("uv", "hatch", "setuptools", "poetry", "flit", "pdm", "maturin", "scikit-build")
    parts = [
        json.dumps([RECIPE, version, sys.executable, requirements], sort_keys=True),
        json.dumps(table, sort_keys=True, default=str),
        json.dumps({name: tools.get(name) for name in backends}, sort_keys=True, default=str),
    ]
    files = [*config.test_requirements, *config.tool_requirements, config.constraints]
    files += ["setup.py", "setup.cfg", "uv.lock"]
    for name in filter(None, files):
        path = config.root / name
        parts.append(path.read_text(encoding="utf-8") if path.is_file() else "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def consistency_command(config: Config) -> tuple[str, ...]:
    """Return the command that checks that the test environment's packages fit together."""
    return (str(_uv()), "pip", "check", "--python", str(tests(config).python))
