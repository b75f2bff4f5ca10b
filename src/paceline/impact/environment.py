"""The environment that records belong to: Python, platform, installed packages, options.

Records of one environment say nothing about another, so each has its own.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from paceline.impact.inputs import SETTINGS, digest

#: Files of a package in which the path stands that it was installed at: scripts, path files.
_OF_ITS_PLACE = re.compile(rb"\.\.|[^,]*(\.pth|direct_url\.json|uv_cache\.json|__editable__[^,]*),")

#: Of Python's own options those that change what code does.
_FLAGS = (
    *("optimize", "dev_mode", "utf8_mode", "bytes_warning", "ignore_environment", "isolated"),
    *("safe_path", "warn_default_encoding", "int_max_str_digits", "no_user_site"),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What makes up an environment.

    `prefix` is where Python is installed, `python` its implementation and version, `folders`
    where packages are installed, `options` pytest options that change how a test ends, with how
    Python itself was started, `profile` the test group (or "" for a plain pytest).
    """

    prefix: str
    python: str
    machine: str
    folders: tuple[str, ...]
    options: tuple[str, ...]
    profile: str

    def digest(self, environ: Mapping[str, str]) -> str:
        """Return the environment's name, from the packages and the settings that there are now."""
        settings = [f"{name}={environ[name]}" for name in SETTINGS if name in environ]
        run = [self.profile, self.python, self.machine, *self.options]
        parts = [*run, *settings, *installed(self.folders)]
        return digest("\0".join(parts).encode("utf-8", "surrogateescape"))

    def as_text(self) -> str:
        """Return what `from_text` reads."""
        return json.dumps(asdict(self), sort_keys=True)


def surroundings(options: Mapping[str, str], profile: str) -> Surroundings:
    """Describe this process's environment; `options` are those of pytest that matter."""
    started = {
        "python flags": repr([getattr(sys.flags, name, None) for name in _FLAGS]),
        "python -W": repr(sys.warnoptions),
        "python -X": repr(sorted(sys._xoptions.items())),
    }
    return Surroundings(
        os.path.abspath(sys.prefix),
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{sys.platform} {platform.machine()}",
        tuple(path for path in dict.fromkeys(sys.path) if _has_packages(path)),
        tuple(sorted(f"{name}={value}" for name, value in {**started, **options}.items())),
        profile,
    )


def from_text(text: str) -> Surroundings:
    """Return what `as_text` wrote; raise ValueError, KeyError or TypeError if it is damaged."""
    data = json.loads(text)
    for key in ("folders", "options"):
        data[key] = tuple(data[key])
    return Surroundings(**data)


def _has_packages(folder: str) -> bool:
    try:
        return any(name.endswith((".dist-info", ".egg-info")) for name in os.listdir(folder or "."))
    except OSError:
        return False


def installed(folders: Iterable[str]) -> list[str]:
    """Return name and exact version of every installed package, from the folders' listings.

    Reading the metadata itself takes seconds where there are many. A package that was installed
    from a folder or a repository may change without a new version, so its file list counts too.
    """
    found: set[str] = set()
    for folder in folders:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")) and not name.startswith("~"):
                found.add(name + _local_build(Path(folder) / name))
    return sorted(found)


def _local_build(place: Path) -> str:
    try:
        if (place / "direct_url.json").is_file():
            lines = (place / "RECORD").read_bytes().splitlines()
            return digest(b"\n".join(line for line in lines if not _OF_ITS_PLACE.match(line)))
    except OSError:
        return " (unreadable)"
    return ""
