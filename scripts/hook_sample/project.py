"""The project's own files, and the eight tests that hold them together."""

from __future__ import annotations

PYPROJECT = """\
[project]
name = "shop"
version = "1.4.0"
requires-python = ">=3.10"
dependencies = []

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
addopts = ["--strict-markers"]
markers = ["slow: takes its time"]

[tool.mypy]
strict = true
"""
HEAD = """\
import ast
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


"""
#: Name to the test file's body.
TESTS = {
    "version": """\
def test_the_changelog_knows_the_version():
    version = re.search(r'^version = "(.+)"', text("pyproject.toml"), re.M)[1]
    assert f"## {version}" in text("CHANGELOG.md")
""",
    "licence": """\
def test_there_is_a_licence():
    assert text("LICENSE").startswith("MIT")
""",
    "docstrings": """\
def test_every_module_says_what_it_is():
    for path in (ROOT / "src").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path
""",
    "imports": """\
def test_the_package_imports_no_test():
    for path in (ROOT / "src").rglob("*.py"):
        assert "import tests" not in path.read_text(), path
""",
    "names": """\
def test_every_module_has_a_test():
    tested = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    for path in (ROOT / "src" / "shop").glob("*.py"):
        assert path.stem == "__init__" or f"test_{path.stem}" in tested, path
""",
    "hooks": """\
def test_hooks_have_ids_of_their_own():
    repos = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    ids = [hook["id"] for repo in repos for hook in repo["hooks"]]
    assert len(ids) == len(set(ids))
""",
    "ignores": """\
def test_caches_are_ignored():
    assert "__pycache__/" in text(".gitignore").splitlines()
""",
    "python": """\
def test_one_python_version_is_named():
    assert 'requires-python = ">=3.10"' in text("pyproject.toml")
    assert "Python 3.10" in text("README.md")
""",
}


def files() -> dict[str, str]:
    """Return the files of this part, path to text."""
    found = {
        "pyproject.toml": PYPROJECT,
        "LICENSE": "MIT License\n",
        ".gitignore": "__pycache__/\n.mypy_cache/\n.pytest_cache/\n.paceline/\n",
        "CHANGELOG.md": "# Changelog\n\n## 1.4.0\n\n- Prices carry a tax rate.\n",
    }
    found.update({f"tests/meta/test_{name}.py": HEAD + body for name, body in TESTS.items()})
    return found
