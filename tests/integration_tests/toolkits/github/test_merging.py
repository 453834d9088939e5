"""A merge and its revert: what people are told until the code is gone, and never a second proposal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, NotDone, Session, SessionFailed, Status, reversible
from langchain_agentrein.errors import Throttled
from langchain_agentrein.toolkits.github import GitHubToolkit, Hub, merging
from langchain_agentrein.toolkits.github.merging import MergePull
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.agents import calls, script
from tests.support.fault_proxy import Fault, Proxy


@pytest.fixture
def merge(shop: Shop) -> MergePull:
    """Of a pull request that adds topic.txt and is to close #1."""
    shop.issue("Broken")
    return MergePull(repo=shop.repo, **shop.headed("topic", "Fixes #1, and mentions #99"))


def reverts(shop: Shop) -> list[dict[str, Any]]:
    return [one for one in shop._all("pulls", state="all") if one["title"].startswith("Revert ")]


YES: Any = Command(resume={"decisions": [{"type": "approve"}]})
NO: Any = Command(resume={"decisions": [{"type": "reject"}]})


def asked(out: dict[str, Any]) -> tuple[str, str]:
    """What a person is asked: the name, and the description."""
    [question] = out["__interrupt__"]
    [request] = question.value["action_requests"]
    return request["name"], request["description"]


def closed(shop: Shop, number: int) -> None:
    """What GitHub does when a pull request that names an issue is merged, and the emulator does not."""
    shop.hub.send("PATCH", shop.at("issues", number), {"state": "closed", "state_reason": "completed"})


def test_it_is_stuck_until_the_revert_is_merged(
    shop: Shop, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    session = call(rein, merge, through)
    shop.file("other.txt", "a colleague's, meanwhile")
    assert session.actions()[0].before["closes"] == [1]

    action = back(rein, session)
    [revert] = reverts(shop)
    assert action.status is Status.STUCK
    assert f"revert proposed as #{revert['number']}, the code is still live: merge it" in action.undo.error
    assert "topic.txt" in shop.state()["files"]

    again = back(rein, session)
    assert (again.status, again.undo.error) == (Status.STUCK, action.undo.error)
    assert len(reverts(shop)) == 1

    shop.merge_reverts()
    action = back(rein, session)
    assert action.status is Status.COMPENSATED
    assert f"its revert #{revert['number']} is merged" in action.undo.residue[0]
    files = shop.state()["files"]
    assert "topic.txt" not in files
    assert "other.txt" in files


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_however_it_was_merged(shop: Shop, through: Hub, rein: AgentRein, method: Any) -> None:
    before = shop.state()["files"]
    session = call(
        rein,
        MergePull(repo=shop.repo, merge_method=method, commit_title="T", **shop.headed("topic")),
        through,
    )
    assert back(rein, session).status is Status.STUCK
    shop.merge_reverts()
    assert back(rein, session).status is Status.COMPENSATED
    assert shop.state()["files"] == before


def test_a_revert_that_people_turned_down_is_not_proposed_again(
    shop: Shop, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    session = call(rein, merge, through)
    back(rein, session)
    [revert] = reverts(shop)
    shop.ana.send("PATCH", shop.at("pulls", revert["number"]), {"state": "closed"})
    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "it was closed; reopen and merge it, or revert by hand" in action.undo.error
    assert len(reverts(shop)) == 1

    known = shop.ana.get(shop.at("contents", "topic.txt"))
    shop.ana.send("DELETE", shop.at("contents", "topic.txt"), {"message": "by hand", "sha": known["sha"]})
    action = back(rein, session)
    assert action.status is Status.COMPENSATED
    assert "gone from main already" in action.undo.residue[0]


def test_a_revert_that_was_merged_elsewhere_leaves_the_code_live(
    shop: Shop, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    session = call(rein, merge, through)
    back(rein, session)
    [revert] = reverts(shop)
    shop.branch("dev")
    shop.ana.send("PATCH", shop.at("pulls", revert["number"]), {"base": "dev"})
    shop.merge_reverts()
    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "the code is still live" in action.undo.error
    assert len(reverts(shop)) == 1


def test_an_agent_that_fails_asks_until_the_revert_is_merged(
    shop: Shop, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    def broken() -> str:
        """Tell the team."""
        raise RuntimeError("no such channel")

    model = script(calls(("github_pulls_merge", merge.args)), calls(("broken", {})))
    tools = [*GitHubToolkit(through).get_tools(), reversible(broken, undo=lambda action: None)]
    agent = create_agent(model, tools, middleware=[rein.middleware()], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "release"}}

    _, plan = asked(agent.invoke({"messages": [("user", "Merge it and tell the team")]}, config))
    assert "publishes" in plan, "its undo reaches far"
    _, doubt = asked(agent.invoke(YES, config))
    assert "broken may have happened" in doubt
    name, question = asked(agent.invoke(NO, config))
    assert "the code is still live: merge it" in question
    shop.merge_reverts()
    with pytest.raises(SessionFailed):
        agent.invoke(YES, config)
    [action] = [one for one in rein.actions(thread="release") if one.operation == merge.name]
    assert (name, action.status) == ("agentrein_undo", Status.COMPENSATED)


def test_what_others_changed_since_is_a_conflict_and_nothing_is_proposed(
    shop: Shop, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    session = call(rein, merge, through)
    shop.file("topic.txt", "theirs")
    before = shop.state()
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert "main has changed the same files since" in action.undo.error
    assert "topic.txt" in action.undo.error
    assert shop.state() == before


def test_issues_are_reopened_if_the_merge_closed_them_and_nobody_touched_them(
    shop: Shop, through: Hub, rein: AgentRein, monkeypatch: pytest.MonkeyPatch
) -> None:
    for title in ("Broken", "Also", "Talked about", "Closed by ana", "Never named"):
        shop.issue(title)
    session = call(
        rein,
        MergePull(
            repo=shop.repo, **shop.headed("topic", f"Fixes #1, closes: {shop.repo}#2, fixed #3, resolve #4")
        ),
        through,
    )
    [action] = session.actions()
    assert action.before["closes"] == [1, 2, 3, 4]
    for number in (1, 2, 3, 5):
        closed(shop, number)
    shop.edit(4, state="closed")
    monkeypatch.setattr("langchain_agentrein.toolkits.github.closing.AT_ONCE", timedelta(0))
    shop.edit(3, title="Talked about, still")

    action = back(rein, session)

    states = {number: issue["state"][0] for number, issue in shop.state()["issues"].items() if number < 6}
    assert states == {1: "open", 2: "open", 3: "closed", 4: "closed", 5: "closed"}
    assert "issue #1, which the merge was to close, is open" in action.undo.residue
    assert "issue #3 stays closed by the merge: somebody touched it since" in action.undo.residue


def test_an_issue_that_was_closed_later_was_not_closed_by_the_merge(
    shop: Shop, through: Hub, rein: AgentRein, merge: MergePull, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = call(rein, merge, through)
    closed(shop, 1)
    monkeypatch.setattr("langchain_agentrein.toolkits.github.closing.SOON", timedelta(seconds=-5))
    action = back(rein, session)
    assert "revert proposed" in action.undo.error
    assert shop.state()["issues"][1]["state"][0] == "closed"


@pytest.mark.parametrize("nth", range(4))
def test_a_proposal_whose_reply_is_lost_is_made_once(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull, nth: int
) -> None:
    """The tree, the commit, the branch, the pull request; before them GraphQL refuses."""
    session = call(rein, merge, through)
    proxy.fault = Fault("swallow", skip=1 + nth)
    action = back(rein, session)
    assert proxy.fault is None
    assert "revert proposed" in action.undo.error
    assert len(reverts(shop)) == 1
    assert len(shop.state()["branches"]) == 3


def test_a_merge_whose_reply_is_lost_is_settled(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    proxy.fault = Fault("swallow")
    session = call(rein, merge, through)
    [action] = session.actions()
    assert action.status is Status.EXECUTED
    assert len(proxy.writes) == 1
    assert back(rein, session).status is Status.STUCK


def test_what_never_arrived_is_not_merged(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    before = shop.state()
    proxy.fault = Fault("cut")
    with pytest.raises(Exception, match="Connection"):
        call(rein, merge, through)
    [action] = rein.actions(session=rein.sessions()[0].id)
    assert action.status is Status.FAILED
    assert (shop.state(), proxy.writes) == (before, [])


def test_what_somebody_else_merged_meanwhile_is_not_ours(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    real = MergePull.snapshot
    session: Session | None = None

    def faster(self: MergePull, api: Any) -> Any:
        before = real(self, api)
        shop.ana.send("PUT", shop.at("pulls", self.number, "merge"), {})
        return before

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MergePull, "snapshot", faster)
        proxy.fault = Fault("cut")
        with pytest.raises(Exception, match="Connection"):
            session = call(rein, merge, through)
    [action] = rein.actions(session=rein.sessions()[0].id)
    assert session is None
    assert action.status is Status.IN_DOUBT
    assert action.error["unsettled"] == "it is merged, by ana"


def test_a_head_that_moved_is_not_merged(shop: Shop, proxy: Proxy, merge: MergePull) -> None:
    old = merge.model_copy(update={"sha": "0" * 40})
    with pytest.raises(NotDone, match="look at it again"):
        old.snapshot(shop.hub)
    with pytest.raises(NotDone, match="out of date"):
        old.do(shop.hub, None)  # type: ignore[arg-type]
    assert shop.ana.get(shop.at("pulls", merge.number))["merged"] is False


class GraphQL:
    """Reverts as GitHub does, by the REST API of the emulator."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.asked = shop, list[dict[str, Any]]()

    def __call__(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "closingIssuesReferences" in query:
            near, far = {"nameWithOwner": self.shop.repo}, {"nameWithOwner": "else/where"}
            nodes = [{"number": 2, "repository": near}, {"number": 3, "repository": far}]
            return {"data": {"node": {"closingIssuesReferences": {"nodes": nodes}}}}
        assert query == merging.REVERT
        self.asked.append(variables["input"])
        shop, given = self.shop, {name: variables["input"][name] for name in ("title", "body")}
        shop.branch("revert-1-topic")
        known = shop.hub.get(shop.at("contents", "topic.txt"))
        body = {"message": "Revert", "sha": known["sha"], "branch": "revert-1-topic"}
        shop.hub.send("DELETE", shop.at("contents", "topic.txt"), body)
        made = shop.hub.send("POST", shop.at("pulls"), {**given, "head": "revert-1-topic", "base": "main"})
        return {"data": {"revertPullRequest": {"revertPullRequest": {"number": made["number"]}}}}


@pytest.mark.parametrize("fault", [None, Fault("swallow")])
def test_where_there_is_graphql_github_makes_the_revert(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull, fault: Fault | None
) -> None:
    shop.issue("Linked by hand")
    graphql = proxy.answers["/graphql"] = GraphQL(shop)
    proxy.answers[shop.at("deployments")] = lambda: [{"id": 7, "environment": "production"}]
    session = call(rein, merge, through)
    assert session.actions()[0].before["closes"] == [1]
    proxy.fault = fault

    action = back(rein, session)

    [asked] = graphql.asked
    assert asked["pullRequestId"] == action.before["id"]
    [revert] = reverts(shop)
    assert f"revert proposed as #{revert['number']}" in action.undo.error
    assert f"deployment 7 of {action.receipt['sha'][:7]} to production stays" in action.undo.residue
    shop.merge_reverts()
    assert back(rein, session).status is Status.COMPENSATED


def refusal(**error: Any) -> Any:
    return lambda query, variables: {"data": None, "errors": [{"message": "no", **error}]}


def test_what_graphql_refuses_is_reverted_by_its_files(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    session = call(rein, merge, through)
    proxy.answers["/graphql"] = refusal(type="UNPROCESSABLE")
    assert "revert proposed" in back(rein, session).undo.error
    assert len(reverts(shop)) == 1


def test_what_graphql_does_not_explain_may_have_been_done(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    """It answers 200 to that, too; nothing else is proposed then."""
    session = call(rein, merge, through)
    proxy.answers["/graphql"] = refusal()
    action = back(rein, session)
    assert action.status is Status.STUCK
    assert reverts(shop) == []
    proxy.answers["/graphql"] = refusal(type="RATE_LIMITED")
    with pytest.raises(Throttled, match="asks to wait"):
        through.query(merging.REVERT, {})
