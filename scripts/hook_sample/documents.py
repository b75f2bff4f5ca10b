"""The Markdown documents, and the five tests on them."""

from __future__ import annotations

README = """\
# Shop

A small shop. It needs Python 3.10 or newer. See the [guide](docs/guide.md), the
[deployment](docs/deployment.md) and the [changelog](CHANGELOG.md).

## Use

```python
from shop.prices import gross

gross(10.0, 0.2)
```
"""
GUIDE = """\
# Guide

## Prices

A price is net until `gross` adds the tax.

```python
from shop.cart import total

total([(2, 3.5), (1, 4.0)])
```

## Stock

See [deployment](deployment.md) for where the stock is kept.
"""
DEPLOYMENT = """\
# Deployment

## Compose

`deploy/compose.yaml` starts the shop and its database.

## Cluster

The manifests are in `deploy/cluster/`. Back to the [guide](guide.md).
"""
HEAD = """\
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
each = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


"""
#: Name to the test file's body.
TESTS = {
    "links": """\
@each
def test_links_lead_somewhere(path):
    for target in re.findall(r"\\]\\(([^)#:]+)\\)", path.read_text()):
        assert (path.parent / target).exists(), target
""",
    "headings": """\
@each
def test_one_title_and_no_level_left_out(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.M)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
""",
    "examples": """\
@each
def test_examples_are_python(path):
    for block in re.findall(r"```python\\n(.*?)```", path.read_text(), re.S):
        compile(block, path.name, "exec")
""",
    "spaces": """\
@each
def test_no_line_ends_in_a_space(path):
    assert not [line for line in path.read_text().splitlines() if line != line.rstrip()]
""",
    "paths": """\
@each
def test_named_paths_exist(path):
    for name in re.findall(r"`(deploy/[^`]+)`", path.read_text()):
        assert (ROOT / name).exists(), name
""",
}


def files() -> dict[str, str]:
    """Return the files of this part, path to text."""
    found = {"README.md": README, "docs/guide.md": GUIDE, "docs/deployment.md": DEPLOYMENT}
    found.update({f"tests/docs/test_{name}.py": HEAD + body for name, body in TESTS.items()})
    return found
