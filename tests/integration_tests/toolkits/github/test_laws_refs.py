"""Moving a branch or a tag keeps the laws, and moves nothing that somebody else has moved meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import AgentRein, NotDone, Risk, Status
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import Hub
from langchain_agentrein.toolkits.github.refs import MOVE, UpdateRef
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Fault, Proxy


def tip(shop: Shop, branch: str) -> str:
    return str(shop.state()["branches"][branch])


def forward(shop: Shop) -> UpdateRef:
    """The branch topic, to where main has got."""
    shop.branch("topic")
    shop.file("new.txt", "on main")
    return UpdateRef(repo=shop.repo, ref="heads/topic", sha=tip(shop, "main"))


def backward(shop: Shop) -> UpdateRef:
    """The branch of a pull request, away from its commit."""
    shop.pull("topic")
    return UpdateRef(repo=shop.repo, ref="heads/topic", sha=tip(shop, "main"), force=True)


def push(shop: Shop, branch: str) -> str:
    """Somebody's commit."""
    body = {"message": "theirs", "branch": branch, "content": "dGhlaXJz"}
    shop.ana.send("PUT", shop.at("contents", "theirs.txt"), body)
    return tip(shop, branch)


class TestUpdateRef(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return forward(shop)

    def foreign_edit(self, api: Any) -> bool:
        push(self.shop, "topic")
        return True


@pytest.mark.parametrize("make", [forward, backward])
def test_it_goes_there_and_back(shop: Shop, through: Hub, rein: AgentRein, make: Any) -> None:
    operation = make(shop)
    before = shop.state()
    session = call(rein, operation, through)
    assert tip(shop, "topic") == operation.sha
    assert back(rein, session).status is Status.COMPENSATED
    assert shop.state() == before


@pytest.fixture
def closing(shop: Shop, proxy: Proxy) -> UpdateRef:
    """A branch with two pull requests, of which GitHub closes the first when no commit is left, and ana the second.

    The emulator does neither close it, nor say by whom a pull request was closed.
    """
    operation = backward(shop)
    shop.ana.send("POST", shop.at("pulls"), {"title": "two", "head": "topic", "base": "main"})
    for number, who in ((1, "bot"), (2, "ana")):
        by = {"closed_by": {"login": who}}
        proxy.answers["GET " + shop.at("issues", number)] = lambda by=by: by
    return operation


@pytest.mark.parametrize("nth", [None, 1, 2])
def test_pull_requests_that_github_closed_for_it_are_opened_again(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, closing: UpdateRef, nth: int | None
) -> None:
    """Whichever reply is lost: that of the move, or that of the opening."""
    session = call(rein, closing, through)
    for number in (1, 2):
        shop.hub.send("PATCH", shop.at("pulls", number), {"state": "closed"})
    proxy.fault = None if nth is None else Fault("swallow", skip=nth)
    assert back(rein, session).status is Status.COMPENSATED
    assert proxy.fault is None
    assert {number: state for number, (_, _, state, _) in shop.state()["pulls"].items()} == {
        1: "open",
        2: "closed",
    }


def test_an_undo_that_broke_off_opens_them_later(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, closing: UpdateRef
) -> None:
    session = call(rein, closing, through)
    shop.hub.send("PATCH", shop.at("pulls", 1), {"state": "closed"})
    proxy.fault = Fault("answer", 503, skip=2, times=100)
    assert back(rein, session).status is Status.STUCK
    proxy.fault = None
    assert back(rein, session).status is Status.COMPENSATED
    assert shop.state()["pulls"][1][2] == "open"


def test_a_tag(shop: Shop, through: Hub, rein: AgentRein) -> None:
    shop.also.add("tags")
    shop.tag("v1")
    shop.file("new.txt", "on main")
    before = shop.state()
    operation = UpdateRef(repo=shop.repo, ref="tags/v1", sha=tip(shop, "main"), force=True)
    session = call(rein, operation, through)
    assert shop.state() != before
    assert back(rein, session).status is Status.COMPENSATED
    assert shop.state() == before


def test_how_much_harm_it_can_do(shop: Shop) -> None:
    def risk(ref: str, force: bool = False) -> Risk:
        return UpdateRef(repo=shop.repo, ref=ref, sha="0" * 40, force=force).assess(shop.hub).risk

    assert [risk("heads/main"), risk("heads/topic", True), risk("tags/v1", True)] == [Risk.CRITICAL] * 3
    assert [risk("heads/topic"), risk("tags/main")] == [Risk.HIGH] * 2


@pytest.mark.parametrize(("ref", "why"), [("heads/none", "has no heads/none"), ("heads/main", "already")])
def test_what_changes_nothing_is_refused(shop: Shop, ref: str, why: str) -> None:
    with pytest.raises(NotDone, match=why):
        UpdateRef(repo=shop.repo, ref=ref, sha=tip(shop, "main")).snapshot(shop.hub)


def test_what_is_no_fast_forward_needs_force(shop: Shop, through: Hub, rein: AgentRein) -> None:
    operation = backward(shop).model_copy(update={"force": False})
    with pytest.raises(NotDone, match="not a fast-forward"):
        call(rein, operation, through)


def test_what_moved_since_it_was_looked_at_is_not_moved(
    shop: Shop, through: Hub, rein: AgentRein, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = UpdateRef.snapshot

    def slow(self: UpdateRef, api: Any) -> Any:
        before = real(self, api)
        push(shop, "topic")
        return before

    monkeypatch.setattr(UpdateRef, "snapshot", slow)
    operation = backward(shop)
    with pytest.raises(NotDone, match="by now, not to"):
        call(rein, operation, through)
    assert tip(shop, "topic") != operation.sha


def test_pull_requests_that_count_as_merged_are_named(shop: Shop, through: Hub, rein: AgentRein) -> None:
    """GitHub takes one for merged whose commits are on its base; the emulator has to be told."""
    number = shop.pull("topic")
    operation = UpdateRef(repo=shop.repo, ref="heads/main", sha=tip(shop, "topic"))
    session = call(rein, operation, through)
    shop.ana.send("PUT", shop.at("pulls", number, "merge"), {})
    shop.ana.send("PATCH", shop.at("git", "refs", "heads/main"), {"sha": operation.sha, "force": True})
    assert f"pull request #{number} counts as merged" in back(rein, session).undo.residue


def test_what_others_pushed_is_named_where_a_person_forces_the_undo(
    shop: Shop, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, forward(shop), through)
    theirs = push(shop, "topic")
    assert back(rein, session).status is Status.CONFLICT
    [action] = session.actions()
    rein.rollback(session=session.id, approve=[action.id], by="ana", on_conflict="force")
    [action] = session.actions()
    assert f"heads/topic had been moved to {theirs}, and that is off it" in action.undo.residue


# -- faults, without GraphQL and with it -----------------------------------------------------------


class GraphQL:
    """Moves a reference from where it is said to be."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def __call__(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        assert query == MOVE
        given, shop = variables["input"], self.shop
        assert given["repositoryId"] == shop.ana.get(shop.at())["node_id"]
        [move] = given["refUpdates"]
        ref = move["name"].removeprefix("refs/")
        if shop.ana.get(shop.at("git", "ref", ref))["object"]["sha"] != move["beforeOid"]:
            return {"errors": [{"type": "UNPROCESSABLE", "message": "beforeOid does not match"}]}
        body = {"sha": move["afterOid"], "force": move["force"]}
        shop.hub.send("PATCH", shop.at("git", "refs", ref), body)
        return {"data": {"updateRefs": {"clientMutationId": None}}}


@pytest.fixture(params=[0, 1], ids=["graphql", "rest"])
def skip(request: pytest.FixtureRequest, shop: Shop, proxy: Proxy) -> int:
    """The requests that write before the one that moves."""
    if not request.param:
        proxy.answers["/graphql"] = GraphQL(shop)
    return int(request.param)


def test_lost_replies(shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, skip: int) -> None:
    operation = backward(shop)
    before = shop.state()
    proxy.fault = Fault("swallow", skip=skip)
    session = call(rein, operation, through)
    [action] = session.actions()
    assert (action.status, len(proxy.writes)) == (Status.EXECUTED, skip + 1)
    proxy.writes.clear()
    proxy.fault = Fault("swallow", skip=skip)
    assert back(rein, session).status is Status.COMPENSATED
    assert (shop.state(), len(proxy.writes)) == (before, skip + 1)


def test_what_never_arrived_did_not_happen(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, skip: int
) -> None:
    operation = backward(shop)
    before = shop.state()
    proxy.fault = Fault("cut", skip=skip)
    with pytest.raises(Exception, match="Connection"):
        call(rein, operation, through)
    [action] = rein.actions(session=rein.sessions()[0].id)
    assert (action.status, shop.state()) == (Status.FAILED, before)
