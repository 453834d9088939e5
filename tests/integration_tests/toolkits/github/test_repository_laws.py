"""The laws of what is done to repositories, to the people in them, and beside their issues."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from langchain_agentrein.operation import Operation
from tests.integration_tests.toolkits.github import repository_operations as made
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws
from tests.integration_tests.toolkits.github.world import Shop, hub


class Irreversible(GitHubLaws):
    """It stays as it is."""

    def left(self, before: Any, after: Any) -> Any:
        return after


class TestCreateRepo(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.founded(shop)

    def foreign_edit(self, api: Any) -> bool:
        """Whoever it is: somebody's work, though under the agent's own account."""
        body = {"message": "mine", "content": "bWluZQ=="}
        self.shop.owner.send("PUT", f"/repos/{self.shop.beside}/contents/mine.txt", body)
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.ana.send("POST", f"/repos/{self.shop.beside}/issues", {"title": "Hello?"})
        return True


class TestUpdateRepo(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.settled(shop)

    def foreign_edit(self, api: Any) -> bool:
        self.shop.owner.send("PATCH", self.shop.at(), {"description": "theirs"})
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now["settings"]["description"] == "theirs")


class TestDeleteRepo(Irreversible):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.razed(shop)


class TestAddCollaborator(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.invited(shop)

    def foreign_edit(self, api: Any) -> bool:
        self.shop.extra.accept(self.shop.repo, "dan")
        self.shop.extra.roles[self.shop.repo]["dan"] = "admin"
        return True


class TestRemoveCollaborator(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.expelled(shop)

    def left(self, before: Any, after: Any) -> Any:
        """Invited again; no access before that is accepted."""
        world = copy.deepcopy(after)
        world["extra"]["invited"] = {"ana": "write"}
        return world

    def foreign_edit(self, api: Any) -> bool:
        self.shop.extra.roles[self.shop.repo]["ana"] = "admin"
        return True


class TestCreateReaction(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.liked(shop)


class TestAddSubIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.nested(shop)

    def foreign_edit(self, api: Any) -> bool:
        ana, child = hub(self.shop.url, "ana"), self.shop.ana.get(self.shop.at("issues", 2))["id"]
        ana.send("DELETE", self.shop.at("issues", 1, "sub_issue"), {"sub_issue_id": child})
        other = self.shop.issue("Another whole")
        ana.send("POST", self.shop.at("issues", other, "sub_issues"), {"sub_issue_id": child})
        return True


class TestRemoveSubIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.unnested(shop)


class TestDispatchWorkflow(Irreversible):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.started(shop)


class TestDispatchRepository(Irreversible):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.signalled(shop)


class TestTransferIssue(Irreversible):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.transferred(shop)


class TestDeleteIssue(Irreversible):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return made.erased(shop)
