"""What a project without `[tool.paceline]` gets, seen through `load`."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.config.discovery import packages
from paceline.config.loading import load


def project(root: Path, pyproject: str = "", *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    if pyproject:
        (root / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    return root


def test_empty_folder_has_one_group_and_nothing_set_up(tmp_path: Path) -> None:
    """Without any file there is one group, and each step says why it has no command."""
    config = load(tmp_path)
    assert [(group.name, group.paths) for group in config.groups] == [("unit", ())]
    assert {step.name: (step.run, step.missing) for step in config.steps} == {
        "lint": ((), "no [tool.ruff] in pyproject.toml"),
        "types": ((), "no [tool.mypy] in pyproject.toml"),
        "security": ((), "no [tool.bandit] in pyproject.toml"),
        "deps": ((), ""),
        "hooks": ((), "no .pre-commit-config.yaml"),
    }
    assert config.tools == ()


def test_project_like_click(tmp_path: Path) -> None:
    """Dependency groups `tests` and `typing`, ruff without format, mypy with files."""
    text = """
[dependency-groups]
dev = ["ruff", "tox"]
tests = ["pytest"]
tests-random = ["pytest", "pytest-randomly"]
typing = ["mypy", "pyright", "pytest"]
[tool.mypy]
files = ["src", "tests/typing"]
[tool.pyright]
[tool.ruff.lint]
"""
    config = load(project(tmp_path, text, "src/click/__init__.py", "tests/test_a.py"))
    assert config.test_groups == ("tests",)
    assert config.tool_groups == ("typing",)
    assert config.step("lint").run == (("ruff", "check", "--no-fix", "."),)
    assert config.step("types").run == (("mypy",),)
    assert config.tools == ("ruff", "mypy")
    assert dict(config.origins)["test_groups"] == "discovered"


def test_project_like_jinja2(tmp_path: Path) -> None:
    """Neither groups nor a tests extra: the requirements file is used."""
    text = '[project]\nname = "jinja2"\noptional-dependencies = {i18n = ["Babel"]}\n'
    files = ("requirements/tests.txt", "requirements/dev.txt", "src/jinja2/__init__.py")
    config = load(project(tmp_path, text, *files))
    assert config.test_requirements == ("requirements/tests.txt",)
    assert (config.test_groups, config.test_extras) == ((), ())


def test_project_like_attrs(tmp_path: Path) -> None:
    """Two packages in src, mypy without files, and pre-commit outside pre-push."""
    text = """
[dependency-groups]
mypy = [{ include-group = "tests" }]
tests = ["pytest"]
dev = [{ include-group = "tests" }, "ruff"]
[tool.ruff.format]
[tool.mypy]
strict = true
[tool.bandit]
"""
    files = ("src/attr/__init__.py", "src/attrs/__init__.py", ".pre-commit-config.yaml")
    config = load(project(tmp_path, text, *files))
    assert config.tool_groups == ("mypy",)
    assert config.step("lint").run[1] == ("ruff", "format", "--check", ".")
    assert config.step("types").run == ()
    assert config.step("types").missing == "mypy's configuration names no files"
    assert config.step("security").run == (
        ("bandit", "-q", "-r", "src/attr", "src/attrs", "-c", "pyproject.toml"),
    )
    assert config.step("hooks").run == (("pre-commit", "run", "--all-files"),)
    assert config.step("hooks").prepush is False
    assert config.tools == ("ruff", "bandit[toml]", "pre-commit")


def test_groups_follow_the_test_folders(tmp_path: Path) -> None:
    """Each well-known folder is a group; a file of that name is not."""
    files = ("tests/api/test_a.py", "tests/unit/test_b.py", "tests/integration")
    config = load(project(tmp_path, "", *files))
    assert [(group.name, group.paths) for group in config.groups] == [
        ("unit", ("tests/unit",)),
        ("api", ("tests/api",)),
    ]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ('dev = ["Pytest>=8"]', ("dev",)),
        ('dev = [{include-group = "Q_A"}]\nq-a = ["pytest-cov"]', ("dev",)),
        ('dev = ["pytestify", {include-group = "dev"}]', ()),
        ('Testing = ["x"]\ndev = ["pytest"]', ("Testing",)),
        ("dev = 3", ()),
    ],
)
def test_dependency_group_for_the_tests(
    tmp_path: Path, groups: str, expected: tuple[str, ...]
) -> None:
    """A group named for tests wins; `dev` counts when pytest is in it, included or not."""
    assert load(project(tmp_path, f"[dependency-groups]\n{groups}\n")).test_groups == expected


def test_extra_for_the_tests(tmp_path: Path) -> None:
    """Without a dependency group the tests extra is used, before requirements files."""
    text = "[project.optional-dependencies]\ntest = []\n"
    config = load(project(tmp_path, text, "requirements-dev.txt"))
    assert (config.test_extras, config.test_requirements) == (("test",), ())


@pytest.mark.parametrize(
    ("file", "content", "step", "run"),
    [
        ("ruff.toml", "[format]\n", "lint", ("ruff", "format", "--check", ".")),
        (".ruff.toml", "", "lint", ("ruff", "check", "--no-fix", ".")),
        (".flake8", "", "lint", ("flake8", "--extend-exclude=.nox,.paceline,.venv")),
        ("setup.cfg", "[flake8]\n", "lint", ("flake8", "--extend-exclude=.nox,.paceline,.venv")),
        ("mypy.ini", "[mypy]\nfiles = a\n", "types", ("mypy",)),
        (".mypy.ini", "[mypy]\nfiles = a\n", "types", ("mypy",)),
        ("pyrightconfig.json", "{}", "types", ("pyright",)),
    ],
)
def test_tools_configured_in_their_own_files(
    tmp_path: Path, file: str, content: str, step: str, run: tuple[str, ...]
) -> None:
    """A tool's own configuration file sets the step up as well."""
    (tmp_path / "src").mkdir()
    (tmp_path / file).write_text(content, encoding="utf-8")
    assert load(tmp_path).step(step).run[-1] == run


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("src/b/__init__.py", "src/a/__init__.py", "c/__init__.py"), ["src/a", "src/b"]),
        (("tool/__init__.py", "tests/__init__.py", "docs/__init__.py"), ["tool"]),
        (("six.py", "setup.py", "noxfile.py", "test_six.py"), ["six.py"]),
        (("src/one.py",), ["src/one.py"]),
        (("readme.md",), []),
    ],
)
def test_packages(tmp_path: Path, files: tuple[str, ...], expected: list[str]) -> None:
    """Packages in src come before those beside pyproject.toml, then single modules."""
    assert packages(project(tmp_path, "", *files)) == expected
