"""The recipe of the test image, its commands run on this machine in place of Docker."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import ci_project
import pytest

from paceline import process
from paceline.testing import Project

pytestmark = pytest.mark.online
PYPROJECT = """\
[project]
name = "x"
version = "1"
requires-python = ">=3.10"
dependencies = ["iniconfig"]

[dependency-groups]
test = ["pluggy"]
"""


def test_the_recipe_fills_the_cache(tmp_path: Path) -> None:
    """Each COPY and RUN works from the dependency files alone, and leaves wheels in the cache."""
    project = Project(tmp_path / "project")
    project.write({"pyproject.toml": PYPROJECT, "code.py": "x = 1\n"})
    done = project.invoke("ci.generate")
    assert done.exit_code == 0, done.output
    text = (project.root / "ci" / "Dockerfile.test").read_text(encoding="utf-8")
    image = tmp_path / "image"
    (work := image / "project").mkdir(parents=True)
    uv = Path(ci_project.find_program("uv"))
    variables = {"UV_CACHE_DIR": str(image / "cache"), "PATH": f"{uv.parent}:/usr/bin:/bin"}
    # The instructions, each on one line; the user and the folders are Docker's own work.
    for line in re.sub(r"\\\n", " ", text.replace("/paceline/", f"{image}/")).splitlines():
        if line.startswith("COPY --chown=tests "):
            *names, folder = json.loads(line.removeprefix("COPY --chown=tests "))
            (work / folder).mkdir(exist_ok=True)
            for name in names:
                shutil.copy(project.root / name, work / folder)
        elif line.startswith("RUN uv"):
            ran = process.run(["sh", "-c", line.removeprefix("RUN ")], cwd=work, env=variables)
            if "error sending request" in ran.output or "Failed to fetch" in ran.output:
                pytest.skip(f"no packages without a registry: {ran.output.strip()[-300:]}")
            assert ran.exit_code == 0, ran.output
    assert [path.name for path in work.iterdir()] == ["pyproject.toml"]
    kept = {path.name for path in (image / "cache").rglob("*") if path.is_dir()}
    assert {"iniconfig", "pluggy"} <= kept
