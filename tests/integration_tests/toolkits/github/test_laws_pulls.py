"""The laws, kept by what is done to pull requests: reviewers, reviews, merging."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import AgentRein, NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import reviewers
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws
from tests.integration_tests.toolkits.github.world import Shop


class TestRequestReviewers(GitHubLaws):
    """Only those whom it added are taken off."""

    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.also.add("reviewers")
        number = shop.pull("topic")
        shop.ana.send("POST", shop.at("pulls", number, "requested_reviewers"), {"reviewers": ["bot"]})
        return reviewers.RequestReviewers(repo=shop.repo, number=number, reviewers=["bot", "dan"])

    def test_whom_others_asked_meanwhile_stays_asked(
        self, rein: AgentRein, operation: Operation, api: Any
    ) -> None:
        session, _ = self._done(rein, operation, api)
        [number] = self.shop.state()["reviewers"]
        asked = self.shop.at("pulls", number, "requested_reviewers")
        self.shop.ana.send("POST", asked, {"reviewers": ["ana"]})
        self.shop.ana.send("DELETE", asked, {"reviewers": ["bot"]})
        self._undone(rein, session, operation)
        assert self.shop.state()["reviewers"] == {number: ["ana"]}


def test_whoever_is_asked_already_is_not_asked_again(shop: Shop) -> None:
    operation = reviewers.RequestReviewers(repo=shop.repo, number=shop.pull("topic"), reviewers=["DAN"])
    shop.ana.send("POST", shop.at("pulls", operation.number, "requested_reviewers"), {"reviewers": ["dan"]})
    with pytest.raises(NotDone, match="asked to review"):
        operation.snapshot(shop.hub)
