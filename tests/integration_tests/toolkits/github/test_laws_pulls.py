"""The laws, kept by what is done to pull requests: reviewers, reviews, merging."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import AgentRein, NotDone, Status
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import Hub, reviewers
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Proxy


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


def test_teams_are_asked_by_their_slugs(shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein) -> None:
    """The emulator has teams in organizations alone: a stand-in answers as GitHub documents it."""
    number, teams = shop.pull("topic"), {"core"}
    pull = shop.ana.get(shop.at("pulls", number))
    asked = shop.at("pulls", number, "requested_reviewers")

    def answer(change: Any) -> Any:
        def changed(reviewers: list[str], team_reviewers: list[str]) -> dict[str, Any]:
            assert reviewers == []
            change(team_reviewers)
            return pull

        return changed

    proxy.answers |= {
        "GET " + shop.at("pulls", number): lambda: {
            **pull,
            "requested_teams": [{"slug": slug} for slug in teams],
        },
        f"POST {asked}": answer(teams.update),
        f"DELETE {asked}": answer(teams.difference_update),
    }
    operation = reviewers.RequestReviewers(repo=shop.repo, number=number, teams=["core", "docs"])
    session = call(rein, operation, through)
    assert teams == {"core", "docs"}
    assert session.actions()[0].receipt == {"number": number, "asked": ["team docs"]}
    assert back(rein, session).status is Status.COMPENSATED
    assert teams == {"core"}
