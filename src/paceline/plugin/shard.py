"""Selects the tests of one shard, the same in every process and whatever the test order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from paceline.sharding import durations
from paceline.sharding.plan import Plan, make_plan, read_plans


class ShardSelection:
    """Keeps this shard's part of the group; `collected` and `selected` say what it did."""

    def __init__(self, config: pytest.Config) -> None:
        self._option = config.option
        self._root = Path(config.invocation_params.dir)
        index, total = (config.option.paceline_shard or "1/1").split("/")
        self.index, self.total = int(index), int(total)
        self.collected: tuple[str, ...] = ()
        self.selected: tuple[str, ...] = ()
        self.digest = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Split what the group collected, then narrow by the user's own -k and -m.

        It runs after addopts' -m and -k: tests that the project leaves out are no one's.
        """
        self.collected = tuple(sorted(item.nodeid for item in items))
        plan = self._plan()
        self.digest = plan.digest
        shard = plan.shards[self.index - 1]
        self.selected = tuple(sorted(shard.tests))
        mine = frozenset(self.selected)
        _keep(config, items, [item for item in items if item.nodeid in mine])
        self._narrow(config, items)

    def _plan(self) -> Plan:
        known = durations.read(Path(self._option.durations_path))
        frozen = read_plans(self._root / ".paceline" / "plan.json")
        plan = frozen.get(self._option.paceline_group)
        if plan is None or len(plan.shards) != self.total or self.total == 1:
            return make_plan(self._option.paceline_group, self.collected, known, self.total)
        self._refuse_other_tests(plan)
        return plan

    def _refuse_other_tests(self, plan: Plan) -> None:
        planned = {test for shard in plan.shards for test in shard.tests}
        unplanned = sorted(set(self.collected) - planned)
        if unplanned:
            raise pytest.UsageError(
                f"{len(unplanned)} collected tests are not in .paceline/plan.json: "
                f"{_some(unplanned)}; make the plan anew with `invoke plan`, or delete it"
            )

    def _narrow(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if not (self._option.paceline_narrow_keyword or self._option.paceline_narrow_marker):
            return
        # pytest's own mark plugin evaluates the expressions, so they mean what they always mean.
        before = self._option.keyword, self._option.markexpr
        self._option.keyword = self._option.paceline_narrow_keyword
        self._option.markexpr = self._option.paceline_narrow_marker
        try:
            mark = config.pluginmanager.get_plugin("mark")
            mark.pytest_collection_modifyitems(items=items, config=config)  # type: ignore[union-attr]
        finally:
            self._option.keyword, self._option.markexpr = before

    @property
    def narrowed(self) -> bool:
        """Whether the user asked for less than the shard."""
        option = self._option
        return bool(option.paceline_narrow_keyword or option.paceline_narrow_marker)


def _keep(config: pytest.Config, items: list[pytest.Item], kept: list[pytest.Item]) -> None:
    chosen = set(map(id, kept))
    dropped = [item for item in items if id(item) not in chosen]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = kept


def _some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (" ..." if len(names) > limit else "")
