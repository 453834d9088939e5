"""A pull request that is to merge by itself: against a server of ours that answers GraphQL as GitHub documents it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from langchain_agentrein import AgentRein, NotDone, Status
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import Hub
from langchain_agentrein.toolkits.github.automerge import DISABLE, ENABLE, EnableAutomerge
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Fault, Proxy


@dataclass
class GraphQL:
    """Keeps what the emulator does not: who lets which pull request merge by itself."""

    shop: Shop
    number: int
    auto: dict[str, Any] | None = None

    def __call__(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        given, pull = variables["input"], self.pull()
        assert given.pop("pullRequestId") == pull["node_id"]
        if query == DISABLE:
            assert given == {}
            self.auto = None
        else:
            assert query == ENABLE
            if given["expectedHeadOid"] != pull["head"]["sha"]:
                return {"errors": [{"type": "UNPROCESSABLE", "message": "Head sha didn't match"}]}
            self.set("bot", given["mergeMethod"].lower())
        return {"data": {"anything": {"clientMutationId": None}}}

    def set(self, who: str, method: str) -> None:
        self.auto = {"merge_method": method, "enabled_by": {"login": who}}

    def pull(self, **_: Any) -> dict[str, Any]:
        pull = self.shop.ana.get(self.shop.at("pulls", self.number))
        return {**pull, "auto_merge": self.auto}


@pytest.fixture
def enable(shop: Shop) -> EnableAutomerge:
    return EnableAutomerge(repo=shop.repo, merge_method="squash", **shop.headed("topic"))


@pytest.fixture
def graphql(shop: Shop, proxy: Proxy, enable: EnableAutomerge) -> GraphQL:
    graphql = GraphQL(shop, enable.number)
    proxy.answers |= {"/graphql": graphql, shop.at("pulls", enable.number): graphql.pull}
    return graphql


class TestEnableAutomerge(GitHubLaws):
    graphql: GraphQL

    @pytest.fixture(autouse=True)
    def _graphql(self, graphql: GraphQL) -> None:
        self.graphql = graphql

    @pytest.fixture
    def api(self, through: Hub) -> Hub:
        return through

    @pytest.fixture
    def operation(self, enable: EnableAutomerge) -> Operation:
        return enable

    def world(self, api: Any) -> Any:
        return {**self.shop.state(), "auto": self.graphql.auto}

    def foreign_edit(self, api: Any) -> bool:
        self.graphql.set("ana", "squash")
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.ana.send("PUT", self.shop.at("pulls", self.graphql.number, "merge"), {})
        return True


def test_a_lost_reply_is_settled_and_the_undo_is_done_once(
    proxy: Proxy, through: Hub, rein: AgentRein, graphql: GraphQL, enable: EnableAutomerge
) -> None:
    proxy.fault = Fault("swallow")
    session = call(rein, enable, through)
    [action] = session.actions()
    assert action.status is Status.EXECUTED
    proxy.fault = Fault("swallow")
    assert back(rein, session).status is Status.COMPENSATED
    assert (graphql.auto, len(proxy.writes)) == (None, 2)


def test_what_never_arrived_did_not_happen(
    proxy: Proxy, through: Hub, rein: AgentRein, graphql: GraphQL, enable: EnableAutomerge
) -> None:
    proxy.fault = Fault("cut")
    with pytest.raises(Exception, match="Connection"):
        call(rein, enable, through)
    [action] = rein.actions(session=rein.sessions()[0].id)
    assert (action.status, graphql.auto) == (Status.FAILED, None)


def test_what_merged_by_itself_is_not_called_undone(
    shop: Shop, through: Hub, rein: AgentRein, graphql: GraphQL, enable: EnableAutomerge
) -> None:
    session = call(rein, enable, through)
    shop.ana.send("PUT", shop.at("pulls", enable.number, "merge"), {})
    graphql.auto = None
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert "revert that by hand" in action.undo.error


def test_a_head_that_moved_is_refused(through: Hub, graphql: GraphQL, rein: AgentRein, enable: Any) -> None:
    with pytest.raises(NotDone, match="Head sha didn't match"):
        call(rein, enable.model_copy(update={"sha": "0" * 40}), through)
    assert graphql.auto is None
