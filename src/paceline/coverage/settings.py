"""What the project's own pytest and coverage settings say about measuring and about limits."""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paceline.config import document as toml
from paceline.errors import ConfigurationError, Problem

#: coverage's settings that decide what a run measures; all shards must agree on them.
MEASURING = (
    *("run:branch", "run:source", "run:source_pkgs", "run:source_dirs", "run:include"),
    *("run:omit", "run:plugins", "run:relative_files", "run:concurrency", "run:patch"),
)
#: pytest-cov's options that change what is measured, and whether a value follows.
_OPTIONS = {"--cov": True, "--cov-config": True, "--cov-branch": False, "--no-cov": False}


def addopts(root: Path) -> list[str]:
    """Return the options that pytest adds by itself in `root`: its ini file's, then PYTEST_ADDOPTS.

    Source of the order of files: pytest's documentation, "Configuration file formats".
    """
    return [*_ini_addopts(root), *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]


def measuring_options(arguments: Sequence[str]) -> list[str]:
    """Return those of pytest's `arguments` that change what is measured, each with its value."""
    found: list[str] = []
    for index, argument in enumerate(arguments):
        name, equals, _ = argument.partition("=")
        if name not in _OPTIONS:
            continue
        following = arguments[index + 1 : index + 2]
        # `--cov` alone is complete too: it then means the configured source.
        takes = _OPTIONS[name] and not equals and following and not following[0].startswith("-")
        found.append(f"{argument}={following[0]}" if takes else argument)
    return found


def config_file(root: Path, arguments: Sequence[str] = ()) -> str | bool:
    """Return coverage's configuration file that the tests use, for `coverage.Coverage`.

    True lets coverage look for it, as it does by itself.
    """
    chosen = _last_value("--cov-config", [*addopts(root), *arguments])
    # pytest-cov's default, which coverage takes for "look for it".
    return chosen if chosen and chosen != ".coveragerc" else True


def fail_under_of_pytest(root: Path) -> float | None:
    """Return the total that `--cov-fail-under` in addopts demands, in percent; None without.

    Shards ignore it, because a part says nothing about the total; the whole is held to it.
    Raises ConfigurationError if it is no number.
    """
    text = _last_value("--cov-fail-under", addopts(root))
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        problem = Problem("addopts", "--cov-fail-under", f'found "{text}", allowed: a number')
        raise ConfigurationError([problem]) from None


def fail_under(root: Path) -> float:
    """Return the total that coverage's own configuration demands, in percent; 0 without."""
    # Imported here: listing the sessions must not pay for coverage.
    from coverage import Coverage
    from coverage.exceptions import CoverageException

    try:
        settings = Coverage(config_file=config_file(root), data_file=None)
        return float(str(settings.get_option("report:fail_under") or 0))
    except CoverageException:
        return 0.0  # pytest-cov refuses it too, so no test runs


def measuring(root: Path, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Return the settings in force when the tests run in `root` (the working folder).

    `arguments` are further arguments of pytest. coverage reads its settings as it always does.
    """
    # Imported here: listing the sessions must not pay for coverage.
    from coverage import Coverage

    settings = Coverage(config_file=config_file(root, arguments), data_file=None)
    found: dict[str, Any] = {}
    for name in MEASURING:
        value = settings.get_option(name) if _knows(settings, name) else None
        found[name] = list(value) if isinstance(value, (list, tuple, set)) else value
    found["pytest"] = measuring_options([*addopts(root), *arguments])
    return found


def _knows(settings: Any, name: str) -> bool:
    """Whether this version of coverage has the option."""
    from coverage.exceptions import ConfigError

    try:
        settings.get_option(name)
    except ConfigError:
        return False
    return True


def _last_value(option: str, arguments: Sequence[str]) -> str | None:
    value = None
    for index, argument in enumerate(arguments):
        if argument.startswith(f"{option}="):
            value = argument.partition("=")[2]
        elif argument == option and index + 1 < len(arguments):
            value = arguments[index + 1]
    return value


def _ini_addopts(root: Path) -> list[str]:
    for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"):
        if (root / name).is_file():
            return _of(root / name, "pytest")
    tables = [toml.table(toml.read(root), "tool", "pytest")]
    tables.append(toml.table(tables[0], "ini_options"))
    for table in tables:
        if "addopts" in table:
            return _words(table["addopts"])
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        found = _of(root / name, section)
        if found:
            return found
    return []


def _of(file: Path, section: str) -> list[str]:
    try:
        if file.suffix == ".toml":
            return _words(toml.table(toml.read(file.parent, file.name), section).get("addopts", []))
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error, ConfigurationError):
        return []  # pytest itself refuses such a file, so no test has run
    return _words(parser.get(section, "addopts", fallback=""))


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else shlex.split(str(value))
