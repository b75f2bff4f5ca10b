"""Reading pyproject.toml and its standard tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paceline.errors import ConfigurationError, Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "pyproject.toml"


def read(root: Path, name: str = FILE) -> dict[str, Any]:
    """Return the parsed pyproject.toml (or `name`) of `root`, empty when there is none.

    Raises ConfigurationError when the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads((root / name).read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        text = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        text = f"line {line}: not UTF-8 text"
    except RecursionError:
        text = "not valid TOML: nested too deeply"
    except ValueError as error:
        # TOMLDecodeError, or a plain ValueError for a number of thousands of digits.
        text = _with_line_first(str(error))
    raise ConfigurationError([Problem(name, "(file)", text)])


def _with_line_first(message: str) -> str:
    match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if not match:
        return f"not valid TOML: {message}"
    return f"line {match[2]}, column {match[3]}: not valid TOML: {match[1]}"


def table(document: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the table at `keys`, empty when it is absent or not a table.

    For tables that belong to other tools: their mistakes are theirs to report.
    """
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def has(document: Mapping[str, Any], *keys: str) -> bool:
    """Whether there is a table at `keys`, even an empty one."""
    return isinstance(table(document, *keys[:-1]).get(keys[-1]), Mapping)


def normalized(name: str) -> str:
    """Return `name` as packaging tools compare names of groups and extras."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(groups: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the requirement strings of dependency group `name`, included groups too."""
    known = {normalized(key): value for key, value in groups.items()}
    seen: set[str] = set()
    waiting = [normalized(name)]
    while waiting:
        current = waiting.pop()
        # Groups that include each other are an error elsewhere; here they must only end.
        if current in seen or not isinstance(known.get(current), list):
            continue
        seen.add(current)
        for item in known[current]:
            if isinstance(item, str):
                yield item
            elif isinstance(item, Mapping) and isinstance(item.get("include-group"), str):
                waiting.append(normalized(item["include-group"]))
