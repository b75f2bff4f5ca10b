"""Puts the .pth file for recording child processes beside the installed package."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ChildrenHook(BuildHookInterface):  # type: ignore[type-arg]
    """Python reads .pth files from site-packages only, so an editable install needs it too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to the wheel that is built, `version` "standard" or "editable"."""
        key = "force_include_editable" if version == "editable" else "force_include"
        build_data[key]["src/paceline-children.pth"] = "paceline-children.pth"
