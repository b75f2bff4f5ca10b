"""The environment that records belong to: Python, platform, installed packages, options.

Records of one environment say nothing about another, so each has its own.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from paceline.impact.inputs import digest


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The digest that names an environment, and a line for people."""

    digest: str
    detail: str


def surroundings(options: Mapping[str, str]) -> Surroundings:
    """Describe this process's environment; `options` are pytest options that change outcomes."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{sys.platform} {platform.machine()}"
    packages = installed(sys.path)
    chosen = sorted(f"{name}={value}" for name, value in options.items())
    parts = [python, machine, *packages, *chosen]
    return Surroundings(
        digest("\0".join(parts).encode("utf-8", "surrogateescape")),
        f"{python} on {machine}, {len(packages)} packages",
    )


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
            return digest((place / "RECORD").read_bytes())
    except OSError:
        return " (unreadable)"
    return ""
