"""Text that somebody else may choose reaches no shell and no YAML parser as anything but text."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.ci.files import generated
from paceline.ci.text import quote, shell_word
from paceline.config.model import Ci, Config, Group

yaml = pytest.importorskip("yaml")
#: All that GitHub's expressions in a workflow may name: nothing that a contributor can choose.
TRUSTED = re.compile(
    r"(matrix\.(shard|python)|secrets\.\w+|toJSON\(needs\)|github\.(workflow|run_id|run_attempt)"
    r"|github\.event_name == 'pull_request'( && '--impact' \|\| '--impact-noselect')?"
    r"|github\.event\.pull_request\.number \|\| github\.run_id)"
)
#: A variable in a script that is not inside double quotes, an assignment's right side aside.
UNQUOTED = re.compile(r"(?<![\\\w])\$\{?[A-Za-z_]")


def scripts(node: Any) -> Iterator[str]:
    """Yield every piece of shell in a parsed pipeline file."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("run", "script", "commands") and isinstance(value, str | list):
                yield from [value] if isinstance(value, str) else value
            else:
                yield from scripts(value)
    elif isinstance(node, list):
        for value in node:
            yield from scripts(value)


def parsed(config: Config) -> dict[str, Any]:
    return {
        path.name: yaml.safe_load(text)
        for path, text in generated(config).items()
        if path.suffix == ".yml"
    }


def outside_quotes(line: str) -> str:
    """Return `line` without what stands in quotes, escaped characters too."""
    return re.sub(r"""\\.|"(?:\\.|[^"\\])*"|'[^']*'""", "", line)


def test_scripts_hold_no_expression(any_config: Config) -> None:
    """No script of any provider holds `${{ }}`, and every variable in one is quoted."""
    for name, content in parsed(any_config).items():
        found = [line for script in scripts(content) for line in script.splitlines()]
        assert found
        assert not [line for line in found if "${{" in line], name
        lines = [line.replace("$${", "${") for line in found if "json" not in line]
        assert not [line for line in lines if UNQUOTED.search(outside_quotes(line))], name


def test_expressions_name_nothing_a_contributor_chooses(any_config: Config) -> None:
    """Branch names, titles and messages are in no expression of the workflow."""
    text = generated(any_config)[Path("ci/github.yml")]
    expressions = re.findall(r"\$\{\{ (.*?) \}\}", text)
    assert expressions
    assert [found for found in expressions if not TRUSTED.fullmatch(found)] == []


def test_artifact_names_are_legal_and_unique(any_config: Config) -> None:
    """GitHub's rules for names hold for every group, shard and version, and no two are equal."""
    jobs = parsed(any_config)["github.yml"]["jobs"]
    names: list[str] = []
    for job in jobs.values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for step in job["steps"]:
            if "upload-artifact" in step.get("uses", ""):
                for shard in matrix.get("shard", [""]):
                    for python in matrix.get("python", [""]):
                        name = step["with"]["name"].replace("${{ matrix.shard }}", str(shard))
                        names.append(name.replace("${{ matrix.python }}", python))
    assert len(names) == len(set(names)) > 3
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)


def test_groups_whose_names_run_together(tmp_path: Path) -> None:
    """Groups like `a` and `a-1of2` still have artifacts, folders and jobs of their own."""
    groups = (Group("a", shards=2), Group("a-1of2"), Group("coverage"), Group("plan"))
    jobs = parsed(Config(tmp_path, groups=groups, ci=Ci(nightly="", weekly="")))["github.yml"]
    assert len(jobs["jobs"]) == len(groups) + 3
    test_artifact_names_are_legal_and_unique(Config(tmp_path, groups=groups))


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_word_survives_shell_and_yaml(word: str) -> None:
    """A word of a configured command arrives in a program as it was written."""
    line = yaml.safe_load(quote(f"printf %s {shell_word(word)}"))
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert done.stdout.decode() == word
