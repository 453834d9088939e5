"""Merging keeps the laws: its undo proposes a revert, and is complete once somebody has merged that."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import AgentRein, Session
from langchain_agentrein.operation import Operation
from langchain_agentrein.report import RollbackReport
from langchain_agentrein.toolkits.github import merging
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws
from tests.integration_tests.toolkits.github.world import Shop


class TestMergePull(GitHubLaws):
    """What is merged stays in the history; a merged revert takes the files back."""

    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.file("topic.txt", "as it was")
        return merging.MergePull(repo=shop.repo, **shop.headed("topic"))

    def _rollback(
        self, rein: AgentRein, session: Session, operation: Operation, **options: Any
    ) -> RollbackReport:
        """A colleague merges what was proposed, and the rollback is made again."""
        report = super()._rollback(rein, session, operation, **options)
        if not self.shop.merge_reverts():
            return report
        return super()._rollback(rein, session, operation, **options)

    def left(self, before: Any, after: Any) -> Any:
        now = self.shop.state()
        assert len(now["pulls"]) == len(after["pulls"]) + 1, "one revert"
        return {**now, "files": before["files"]}

    def foreign_edit(self, api: Any) -> bool:
        self.shop.file("topic.txt", "theirs")
        return True
