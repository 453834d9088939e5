"""What goes wrong between us and GitHub: each with a clear outcome, and never done twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from github import Auth, Github

from langchain_agentrein import AgentRein, NotDone, Status
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import (
    Hub,
    branches,
    comments,
    files,
    issue_labels,
    issues,
    labels,
    milestones,
    pulls,
)
from tests.integration_tests.toolkits.github import makers, repository_operations
from tests.integration_tests.toolkits.github.conftest import TOKEN
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Fault, Proxy


def title(shop: Shop) -> Operation:
    return issues.UpdateIssue(repo=shop.repo, number=shop.issue("Old"), title="New")


def lock(shop: Shop) -> Operation:
    return issues.LockIssue(repo=shop.repo, number=shop.issue("Heated"))


def unlock(shop: Shop) -> Operation:
    number = shop.issue("Cold")
    shop.hub.send("PUT", shop.at("issues", number, "lock"), {})
    return issues.UnlockIssue(repo=shop.repo, number=number)


def comment(shop: Shop) -> Operation:
    return comments.CreateComment(repo=shop.repo, number=shop.issue("Talk"), body="hello")


def edited(shop: Shop) -> Operation:
    return comments.UpdateComment(repo=shop.repo, comment_id=shop.comment(shop.issue("Talk"), "a"), body="b")


def deleted(shop: Shop) -> Operation:
    return comments.DeleteComment(repo=shop.repo, comment_id=shop.comment(shop.issue("Talk"), "a"))


def labelled(shop: Shop) -> Operation:
    return issue_labels.AddLabels(repo=shop.repo, number=shop.issue("One"), labels=["made now"])


def unlabelled(shop: Shop) -> Operation:
    shop.label("bug")
    number = shop.issue("One", labels=["bug"])
    return issue_labels.RemoveLabels(repo=shop.repo, number=number, labels=["bug"])


def relabelled(shop: Shop) -> Operation:
    return issue_labels.SetLabels(repo=shop.repo, number=shop.issue("One"), labels=["made now"])


def label(shop: Shop) -> Operation:
    return labels.CreateLabel(repo=shop.repo, label="new")


def renamed(shop: Shop) -> Operation:
    shop.label("bug")
    return labels.UpdateLabel(repo=shop.repo, label="bug", new_name="defect")


def dropped(shop: Shop) -> Operation:
    shop.label("bug")
    return labels.DeleteLabel(repo=shop.repo, label="bug")


def milestone(shop: Shop) -> Operation:
    return milestones.CreateMilestone(repo=shop.repo, title="3.0")


def moved(shop: Shop) -> Operation:
    number = shop.milestone("1.0")
    return milestones.UpdateMilestone(repo=shop.repo, number=number, state="closed")


def abandoned(shop: Shop) -> Operation:
    return milestones.DeleteMilestone(repo=shop.repo, number=shop.milestone("1.0"))


def created(shop: Shop) -> Operation:
    return issues.CreateIssue(repo=shop.repo, title="Broken", labels=["made now"])


def committed(shop: Shop) -> Operation:
    return files.CreateFile(repo=shop.repo, path="new.txt", content="new", message="Add it")


def overwritten(shop: Shop) -> Operation:
    shop.file("notes.md", "old")
    return files.UpdateFile(repo=shop.repo, path="notes.md", content="new", message="Change it")


def removed(shop: Shop) -> Operation:
    shop.file("notes.md", "old")
    return files.DeleteFile(repo=shop.repo, path="notes.md", message="Drop it")


def branched(shop: Shop) -> Operation:
    return branches.CreateBranch(repo=shop.repo, branch="topic", start="main")


def pruned(shop: Shop) -> Operation:
    shop.branch("topic")
    return branches.DeleteBranch(repo=shop.repo, branch="topic")


def proposed(shop: Shop) -> Operation:
    shop.branch("topic")
    body = {"message": "m", "branch": "topic", "content": "dG9waWM="}
    shop.ana.send("PUT", shop.at("contents", "topic.txt"), body)
    return pulls.CreatePull(repo=shop.repo, title="Topic", head="topic", base="main")


def withdrawn(shop: Shop) -> Operation:
    return pulls.UpdatePull(repo=shop.repo, number=shop.pull("topic"), state="closed")


OPERATIONS: list[Callable[[Shop], Operation]] = [
    created,
    title,
    lock,
    unlock,
    comment,
    edited,
    deleted,
    labelled,
    unlabelled,
    relabelled,
    label,
    renamed,
    dropped,
    milestone,
    moved,
    abandoned,
    committed,
    overwritten,
    removed,
    branched,
    pruned,
    proposed,
    withdrawn,
    *makers.OPERATIONS,
    *repository_operations.UNDONE,
]


@pytest.mark.parametrize("make", OPERATIONS)
def test_a_lost_reply_is_settled_and_nothing_is_done_twice(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    before = shop.state()
    proxy.fault = Fault("swallow")

    session = call(rein, operation, through)

    [action] = session.actions()
    assert action.status is Status.EXECUTED
    assert len(proxy.writes) == len(proxy.offered) == 1, "by itself, PyGithub repeats a POST"
    assert shop.state() != before
    action = back(rein, session)
    assert action.status in (Status.RESTORED, Status.COMPENSATED), action.undo.error


@pytest.mark.parametrize("make", OPERATIONS)
def test_what_never_arrived_did_not_happen(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    before = shop.state()
    proxy.fault = Fault("cut")

    session = rein.session(intent="faults")
    with pytest.raises(requests.ConnectionError):
        run(rein.perform(operation, through, Call(session=session.record)))

    [action] = session.actions()
    assert action.status is Status.FAILED
    assert (shop.state(), proxy.writes) == (before, [])


@pytest.mark.parametrize("make", OPERATIONS)
def test_an_undo_whose_reply_is_lost_is_done_once(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    session = call(rein, operation, through)
    proxy.writes.clear()
    proxy.fault = Fault("swallow")

    action = back(rein, session)

    assert action.status in (Status.RESTORED, Status.COMPENSATED), action.undo.error
    assert len(proxy.writes) == len(set(proxy.writes)), "each request once"


@pytest.mark.parametrize("make", repository_operations.NEVER)
def test_what_nothing_undoes_happens_once_and_is_never_called_failed(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    before = shop.state()
    proxy.fault = Fault("swallow")
    session = rein.session(intent="faults")
    try:
        run(rein.perform(operation, through, Call(session=session.record)))
    except requests.ConnectionError:
        [action] = session.actions()
        assert action.status is Status.IN_DOUBT
        assert action.error["unsettled"]
    [action] = session.actions()
    assert action.status in (Status.EXECUTED, Status.IN_DOUBT)
    assert len(proxy.writes) == len(proxy.offered) == 1
    after = shop.state()
    assert after != before
    if action.status is Status.EXECUTED:
        assert back(rein, session).status is Status.IRREVERSIBLE
        assert shop.state() == after


@pytest.mark.parametrize("make", repository_operations.NEVER)
def test_what_nothing_undoes_and_never_arrived_leaves_no_trace(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    before = shop.state()
    proxy.fault = Fault("cut")
    session = rein.session(intent="faults")
    with pytest.raises(requests.ConnectionError):
        run(rein.perform(operation, through, Call(session=session.record)))
    [action] = session.actions()
    assert action.status in (Status.FAILED, Status.IN_DOUBT)
    assert (shop.state(), proxy.writes) == (before, [])


def test_without_markers_a_lost_create_goes_to_a_person(shop: Shop, proxy: Proxy, rein: AgentRein) -> None:
    client = Github(base_url=proxy.url, auth=Auth.Token(TOKEN), seconds_between_writes=0)
    plain = Hub(client, markers=False, settles=0.0)
    proxy.fault = Fault("swallow")
    session = rein.session(intent="faults")

    with pytest.raises(requests.ConnectionError):
        run(rein.perform(created(shop), plain, Call(session=session.record)))

    [action] = session.actions()
    assert action.status is Status.IN_DOUBT
    assert "without markers" in action.error["unsettled"]
    [issue] = shop.state()["issues"].values()
    assert issue["body"] == ""


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"Retry-After": "0"}), (403, {"Retry-After": "0"}), (403, {"X-RateLimit-Remaining": "0"})],
)
def test_when_asked_to_wait_it_waits_and_goes_on(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, status: int, headers: dict[str, str]
) -> None:
    limits = {"X-RateLimit-Reset": "1"} if "X-RateLimit-Remaining" in headers else {}
    proxy.fault = Fault("answer", status, {**headers, **limits}, "secondary rate limit", times=2)

    session = call(rein, title(shop), through)

    [action] = session.actions()
    assert action.status is Status.EXECUTED
    assert (len(proxy.offered), len(proxy.writes)) == (3, 1)


def test_a_server_error_after_the_effect_is_no_failure(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    proxy.fault = Fault("answer after", 502)
    [action] = call(rein, comment(shop), through).actions()
    assert action.status is Status.EXECUTED
    assert len(proxy.writes) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 409, 410, 422])
def test_what_github_refuses_was_not_done(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, token: str, status: int
) -> None:
    proxy.fault = Fault("answer", status, message="no")
    session = rein.session(intent="faults")
    with pytest.raises(NotDone, match="no"):
        run(rein.perform(title(shop), through, Call(session=session.record)))
    [action] = session.actions()
    assert action.status is Status.FAILED
    assert token not in str(action)


def test_a_permission_that_is_revoked_in_the_middle_of_a_rollback(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, title(shop), through)
    proxy.fault = Fault("answer", 403, message="Resource not accessible", times=100)

    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "Resource not accessible" in (action.undo.error or "")

    proxy.fault = None
    assert back(rein, session).status is Status.COMPENSATED


@pytest.mark.parametrize("make", [comment, label, milestone, created])
def test_what_may_not_be_seen_any_more_does_not_count_as_undone(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    session = call(rein, make(shop), through)
    proxy.fault = Fault("answer", 404, message="Not Found", times=1000, reads=True)

    action = back(rein, session)

    assert action.status is Status.STUCK
    assert "do not see it" in (action.undo.error or "")


@pytest.mark.parametrize("make", OPERATIONS)
def test_a_read_that_fails_after_the_effect_does_not_undo_the_record(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    before = shop.state()
    proxy.fault = Fault("answer", 503, reads=True, times=1000, after=1)
    [action] = call(rein, operation, through).actions()
    assert action.status is Status.EXECUTED
    assert shop.state() != before


def test_a_label_that_came_along_stays_where_others_use_it_by_now(
    shop: Shop, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, created(shop), through)
    shop.issue("Theirs", labels=["made now"])

    action = back(rein, session)

    assert "the label 'made now' stays as long as #2 has it" in action.undo.residue
    assert shop.state()["issues"][2]["labels"] == ["made now"]


def test_an_undo_that_breaks_off_half_way_is_finished_by_the_next_try(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    """The issue is closed by then, and the label that came along is not deleted."""
    session = call(rein, created(shop), through)
    proxy.fault = Fault("answer", 503, skip=2)
    action = back(rein, session)
    assert action.status is Status.COMPENSATED
    assert "made now" not in shop.state()["labels"]


def test_a_refusal_half_way_does_not_mean_that_nothing_was_done(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    for name in ("a", "b"):
        shop.label(name)
    number = shop.issue("Two", labels=["a", "b"])
    operation = issue_labels.RemoveLabels(repo=shop.repo, number=number, labels=["a", "b"])
    proxy.fault = Fault("answer", 422, message="no", skip=1)
    session = rein.session(intent="faults")
    with pytest.raises(RuntimeError, match="took off a, and not b"):
        run(rein.perform(operation, through, Call(session=session.record)))
    [action] = session.actions()
    assert action.status is Status.IN_DOUBT
    assert "some of the labels changed" in action.error["unsettled"]
    assert shop.state()["issues"][number]["labels"] == ["b"]


def test_an_undo_that_is_asked_to_wait_leaves_nothing_out(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    shop.label("bug, urgent")
    for title in ("One", "Two"):
        shop.issue(title, labels=["bug, urgent"])
    before = shop.state()
    session = call(rein, labels.DeleteLabel(repo=shop.repo, label="bug, urgent"), through)
    proxy.fault = Fault("answer", 429, {"Retry-After": "0"}, skip=2)

    action = back(rein, session)

    assert action.status is Status.COMPENSATED
    assert action.undo.residue == ("it has another id, and the issues' histories show it twice",)
    assert shop.state() == before


def test_what_is_out_of_reach_was_not_done(shop: Shop, rein: AgentRein) -> None:
    hub = Hub(Github(base_url="http://localhost:9", auth=Auth.Token(TOKEN), retry=None))
    session = rein.session(intent="faults")
    with pytest.raises(NotDone, match="nothing was done"):
        run(rein.perform(title(shop), hub, Call(session=session.record)))
    assert session.actions() == []


def test_an_issue_that_somebody_deleted_is_told(shop: Shop, through: Hub, rein: AgentRein) -> None:
    session = call(rein, comment(shop), through)
    [action] = session.actions()
    shop.ana.send("DELETE", shop.at("issues", "comments", action.receipt["id"]))
    assert back(rein, session).status is Status.COMPENSATED


def test_every_page_is_read(shop: Shop, through: Hub, rein: AgentRein) -> None:
    number = shop.issue("Long")
    for n in range(230):
        shop.comment(number, f"comment {n}")
    found = list(through.pages(shop.at("issues", number, "comments")))
    assert [one["body"] for one in found] == [f"comment {n}" for n in range(230)]
