"""A wrapped client asks before it does what a person must decide about, and does what is asked of it once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from github import Auth, Github
from github.IssueComment import IssueComment
from github.Repository import Repository

from langchain_agentrein import (
    Action,
    ActionDenied,
    AgentRein,
    ApprovalRule,
    ApprovalTimeout,
    CallConflict,
    Decision,
    InDoubt,
    NotCovered,
    Status,
    TransitionError,
)
from tests.integration_tests.toolkits.github.world import Shop, client, hub, wrapped
from tests.support.fault_proxy import Fault, Proxy, proxied


@pytest.fixture(scope="module")
def front(github: str) -> Iterator[Proxy]:
    with proxied(github) as proxy:
        yield proxy


@pytest.fixture
def proxy(front: Proxy) -> Proxy:
    """What stands between the wrapped client and the emulator."""
    front.offered.clear()
    front.writes.clear()
    front.fault = None
    return front


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


def deleting(rein: AgentRein, shop: Shop, **options: Any) -> Callable[[], Any]:
    """Deletes a comment, which is of high risk, and so is asked about."""
    number = shop.issue("Talk")
    theirs = shop.comment(number, "mine")
    repo = wrapped(rein, shop.url, **options).get_repo(shop.repo)
    comment: IssueComment = repo.get_issue(number).get_comment(theirs)
    return comment.delete


def _all(rein: AgentRein) -> list[Action]:
    return [action for session in rein.sessions() for action in rein.actions(session=session.id)]


def comments(shop: Shop) -> int:
    return len(shop.state()["issues"][1]["comments"])


# -- outside a graph -----------------------------------------------------------------------------


def test_a_callback_decides(rein: AgentRein, shop: Shop) -> None:
    seen: list[Action] = []

    def careful(action: Action) -> Decision | bool:
        seen.append(action)
        return [False, Decision("reject", by="ana", message="it is mine"), Decision("approve", by="ana")][
            len(seen) - 1
        ]

    delete = deleting(rein, shop, approver=careful)
    with pytest.raises(ActionDenied, match="was rejected"):
        delete()
    with pytest.raises(ActionDenied, match="it is mine"):
        delete()
    assert comments(shop) == 1
    assert delete() is None
    assert comments(shop) == 0
    assert {action.operation for action in seen} == {"github.comments.delete"}
    by = [action.approval.by for action in _all(rein) if action.approval]
    assert sorted(map(str, by)) == ["ana", "ana", "approver test_a_callback_decides.<locals>.careful"]


def test_what_a_person_edits_is_what_is_done_and_returned(rein: AgentRein, shop: Shop) -> None:
    other = Shop(shop.url, shop.behind, shop.extra)

    def elsewhere(action: Action) -> Decision:
        return Decision("edit", by="ana", args={**action.args, "repo": other.repo, "title": "Better"})

    with rein.session(rules=[ApprovalRule("github.issues.create", "ask")]):
        repo = wrapped(rein, shop.url, approver=elsewhere).get_repo(shop.repo)
        issue = repo.create_issue("Bad")
    assert (issue.title, issue.repository.full_name) == ("Better", other.repo)
    assert shop.state()["issues"] == {}


def test_a_callback_that_fails_lets_nothing_pass(rein: AgentRein, shop: Shop) -> None:
    def broken(action: Action) -> bool:
        raise RuntimeError("the chat is down")

    with rein.session() as session:
        with pytest.raises(RuntimeError, match="the chat is down"):
            deleting(rein, shop, approver=broken)()
        assert [action.status for action in session.actions()] == [Status.EXPIRED]
    assert comments(shop) == 1


def test_anything_but_true_is_no_approval(rein: AgentRein, shop: Shop) -> None:
    with pytest.raises(ActionDenied):
        deleting(rein, shop, approver=lambda action: "yes")()
    assert comments(shop) == 1


def test_nobody_answers_in_time(rein: AgentRein, shop: Shop) -> None:
    with rein.session() as session:
        with pytest.raises(ApprovalTimeout, match=r"within 0\.3 seconds") as late:
            deleting(rein, shop, wait=0.3)()
        [action] = session.actions()
        assert (action.id, action.status) == (late.value.action_id, Status.EXPIRED)
        with pytest.raises(TransitionError):
            rein.approve(action.id, by="ana")
    assert comments(shop) == 1


ANSWER = """
import sys, time
from langchain_agentrein import AgentRein, Status
journal, verb = sys.argv[1:]
with AgentRein(journal) as rein:
    while True:
        waiting = [
            action
            for session in rein.sessions()
            for action in rein.actions(session=session.id)
            if action.status is Status.PROPOSED
        ]
        if waiting:
            getattr(rein, verb)(waiting[0].id, by="ana")
            break
        time.sleep(0.05)
"""


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_another_process_answers(rein: AgentRein, journal: str, shop: Shop, verb: str) -> None:
    delete = deleting(rein, shop, wait=60)
    with subprocess.Popen([sys.executable, "-c", ANSWER, journal, verb]) as other, rein.session() as session:
        try:
            if verb == "approve":
                assert delete() is None
            else:
                with pytest.raises(ActionDenied, match="was rejected"):
                    delete()
            assert other.wait(timeout=60) == 0
        finally:
            other.kill()
    [action] = session.actions()
    assert action.approval is not None and action.approval.by == "ana"
    assert action.status is (Status.EXECUTED if verb == "approve" else Status.REJECTED)
    assert comments(shop) == (0 if verb == "approve" else 1)


def test_another_thread_answers_with_the_command(rein: AgentRein, journal: str, shop: Shop) -> None:
    asked = threading.Event()

    def watch() -> None:
        while not (waiting := rein.journal.actions([session.id], statuses=[Status.PROPOSED])):
            asked.wait(0.05)
        rein.approve(waiting[0].id, by="dan")

    with rein.session() as session:
        helper = threading.Thread(target=watch)
        helper.start()
        deleting(rein, shop, wait=60)()
        helper.join()
    assert comments(shop) == 0


def test_a_question_ends_with_its_session(rein: AgentRein, shop: Shop) -> None:
    def roll_back() -> None:
        while not rein.journal.actions([session.id], statuses=[Status.PROPOSED]):
            threading.Event().wait(0.05)
        rein.rollback(session=session.id, by="dan")

    with rein.session() as session:
        helper = threading.Thread(target=roll_back)
        helper.start()
        with pytest.raises(ApprovalTimeout, match="the question lapsed"):
            deleting(rein, shop, session=session, wait=60)()
        helper.join()
    assert comments(shop) == 1


# -- what no operation covers --------------------------------------------------------------------


def describe(repo: Repository) -> None:
    repo.edit(description="Changed by hand")


def test_what_is_unknown_is_asked_about_and_then_recorded(rein: AgentRein, shop: Shop) -> None:
    asked: list[Action] = []
    repo = wrapped(rein, shop.url, approver=lambda action: asked.append(action) or True).get_repo(shop.repo)
    with rein.session() as session:
        describe(repo)
    assert repo.description == "Changed by hand"
    [action] = session.actions()
    assert (action.operation, action.status, action.reversal) == ("github.unknown", Status.EXECUTED, "none")
    assert action.args == {
        "method": "Repository.edit",
        "target": f"{shop.url}/repos/{shop.repo}",
        "arguments": {"description": "Changed by hand"},
    }
    assert [one.id for one in asked] == [action.id]
    [line] = rein.plan(session=session.id).lines
    assert line.action.id == action.id
    assert "Repository.edit" in str(rein.timeline(session=session.id).to_dict())
    report = session.rollback()
    assert "irreversible" in str(report)
    assert shop.ana.get(shop.at())["description"] == "Changed by hand"


@pytest.mark.parametrize("how", ["wrap", "AgentRein", "rule"])
def test_what_is_unknown_may_be_denied(journal: str, shop: Shop, how: str) -> None:
    options: dict[str, Any] = {
        "AgentRein": {"unknown": "deny"},
        "rule": {"rules": [ApprovalRule("github.unknown", "deny")]},
    }.get(how, {})
    with AgentRein(journal, **options) as rein:
        given = {"wrap": "deny", "rule": "allow"}.get(how)
        repo = wrapped(rein, shop.url, unknown=given).get_repo(shop.repo)
        with (
            rein.session() as session,
            pytest.raises(NotCovered, match=r"Repository\.edit changes something"),
        ):
            describe(repo)
        [action] = session.actions()
        assert action.status is Status.DENIED
    assert not shop.ana.get(shop.at())["description"]


def test_what_is_unknown_may_be_allowed_and_is_recorded(rein: AgentRein, shop: Shop) -> None:
    with rein.session() as session:
        describe(wrapped(rein, shop.url, unknown="allow").get_repo(shop.repo))
    assert [(action.operation, action.status) for action in session.actions()] == [
        ("github.unknown", Status.EXECUTED)
    ]
    assert shop.ana.get(shop.at())["description"] == "Changed by hand"


def test_the_value_of_a_secret_is_not_in_the_record(rein: AgentRein, tmp_path: Path, shop: Shop) -> None:
    repo = wrapped(rein, shop.url, unknown="deny").get_repo(shop.repo)
    with rein.session() as session, pytest.raises(NotCovered):
        repo.create_secret("DEPLOY", "correct horse battery")
    assert session.actions()[0].args["arguments"]["secret_name"] == "DEPLOY"
    assert not any(b"correct horse" in file.read_bytes() for file in tmp_path.glob("journal.db*"))


def test_unanswered_it_names_the_nearest(rein: AgentRein, shop: Shop) -> None:
    repo = wrapped(rein, shop.url, wait=0).get_repo(shop.repo)
    number = shop.issue("One")
    with pytest.raises(ApprovalTimeout, match=r"no operation covers; the nearest is github\.issues\.update"):
        repo.get_issue(number).add_to_assignees("ana")


def test_a_failing_unknown_call_is_told_apart(rein: AgentRein, proxy: Proxy, shop: Shop) -> None:
    """Refused is not done; a reply that is lost is in doubt, and not the vendor's error, which one may retry."""
    repo = wrapped(rein, proxy.url, unknown="allow").get_repo(shop.repo)
    with rein.session() as session:
        proxy.fault = Fault("answer", status=422)
        with pytest.raises(Exception, match="422"):
            describe(repo)
        proxy.fault = Fault("swallow")
        with pytest.raises(InDoubt) as doubt:
            describe(repo)
    assert [action.status for action in session.actions()] == [Status.FAILED, Status.IN_DOUBT]
    assert doubt.value.action_id == session.actions()[1].id
    assert len(proxy.writes) == 1


def test_an_unknown_call_of_which_a_part_was_done_is_in_doubt(
    rein: AgentRein, proxy: Proxy, shop: Shop
) -> None:
    """It makes a tag, and then a release, which GitHub refuses: that nothing was done would be a lie."""
    repo = wrapped(rein, proxy.url, unknown="allow").get_repo(shop.repo)
    sha = repo.get_branch("main").commit.sha
    proxy.fault = Fault("answer", status=422, skip=1)
    with rein.session() as session, pytest.raises(InDoubt):
        repo.create_git_tag_and_release("v1", "the first", "One", "It is out.", sha, "commit")
    assert len(proxy.offered) == 2 and len(proxy.writes) == 1
    assert [action.status for action in session.actions()] == [Status.IN_DOUBT]


def test_what_is_unknown_is_not_repeated_by_the_sdk(rein: AgentRein, proxy: Proxy, shop: Shop) -> None:
    """PyGithub repeats what failed, unless told otherwise: an effect whose reply was lost, too."""
    usual = Github(base_url=proxy.url, auth=Auth.Token("bot-2"), seconds_between_writes=0)
    issue = (
        rein.wrap(usual, api=hub(proxy.url), unknown="allow").get_repo(shop.repo).get_issue(shop.issue("One"))
    )
    proxy.fault = Fault("answer after", status=502, times=3)
    with pytest.raises(InDoubt):
        issue.add_to_assignees("ana")
    assert len(proxy.offered) == 1


# -- once ----------------------------------------------------------------------------------------


def test_a_lost_reply_is_found_and_the_object_returned(rein: AgentRein, proxy: Proxy, shop: Shop) -> None:
    repo = wrapped(rein, proxy.url).get_repo(shop.repo)
    with rein.session() as session:
        proxy.fault = Fault("swallow")
        issue = repo.create_issue("Once")
        proxy.fault = Fault("swallow")
        made = repo.create_file("a.txt", "Add it", "a")
    assert (issue.number, issue.title, made["content"].decoded_content) == (1, "Once", b"a")
    assert made["commit"].commit.message == "Add it"
    assert len(proxy.writes) == 2
    assert [action.status for action in session.actions()] == [Status.EXECUTED] * 2


def test_a_lost_reply_that_nobody_finds_is_in_doubt(rein: AgentRein, proxy: Proxy, shop: Shop) -> None:
    repo = rein.wrap(client(proxy.url), api=hub(proxy.url, markers=False)).get_repo(shop.repo)
    proxy.fault = Fault("swallow")
    with pytest.raises(InDoubt, match="agentrein approve") as doubt:
        repo.create_issue("Twice?")
    assert doubt.value.__cause__ is not None
    [action] = _all(rein)
    assert (action.id, action.status) == (doubt.value.action_id, Status.IN_DOUBT)


def test_an_effect_that_cannot_be_read_back_is_no_failure(rein: AgentRein, proxy: Proxy, shop: Shop) -> None:
    repo = rein.wrap(client(proxy.url), api=hub(shop.url)).get_repo(shop.repo)
    issue = repo.create_issue("One")
    proxy.fault = Fault("cut", reads=True, times=100)
    made = repo.create_issue("Two")
    with pytest.warns(RuntimeWarning, match="was changed, and could not be read again"):
        issue.edit(title="Eins")
    proxy.fault = None
    assert (made.number, made.title) == (2, "Two")
    assert issue.title == "One" and issue.update() and issue.title == "Eins"


def test_each_call_is_a_new_one_unless_it_has_a_key(rein: AgentRein, shop: Shop) -> None:
    repo = wrapped(rein, shop.url).get_repo(shop.repo)
    assert [repo.create_issue("Same").number for _ in range(2)] == [1, 2]

    def opened() -> list[int]:
        with rein.keyed("import-7"):
            return [repo.create_issue("First").number, repo.create_issue("Second").number]

    assert opened() == opened() == [3, 4]
    with rein.keyed("import-8"):
        assert repo.create_issue("First").number == 5
    for other in (lambda: repo.create_issue("Other"), lambda: repo.create_label("bug", "ff0000")):
        with rein.keyed("import-7"), pytest.raises(CallConflict, match="this call was recorded as"):
            other()
    assert len(shop.state()["issues"]) == 5


DYING = """
import os, signal, sys
from github import Auth, Github
from langchain_agentrein import AgentRein
from langchain_agentrein.toolkits.github import Hub

class Deadly(Hub):
    def send(self, *args):
        super().send(*args)
        os.kill(os.getpid(), signal.SIGKILL)

journal, url, repo = sys.argv[1:]
client = Github(base_url=url, auth=Auth.Token("bot-1"), retry=None)
with AgentRein(journal) as rein, rein.keyed("nightly"):
    rein.wrap(client, api=Deadly(client)).get_repo(repo).create_issue("Nightly")
"""


def test_a_key_holds_over_a_killed_process(rein: AgentRein, journal: str, shop: Shop) -> None:
    """Killed after the effect and before its record: the same key finds the issue, and makes no second one."""
    command = [sys.executable, "-c", DYING, journal, shop.url, shop.repo]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert len(shop.state()["issues"]) == 1
    repo = wrapped(rein, shop.url).get_repo(shop.repo)
    with rein.keyed("nightly"):
        issue = repo.create_issue("Nightly")
    assert (issue.number, issue.title) == (1, "Nightly")
    assert len(shop.state()["issues"]) == 1
    [action] = _all(rein)
    assert (action.status, action.generation) == (Status.EXECUTED, 1)


WAITING = """
import sys
from github import Auth, Github
from langchain_agentrein import AgentRein, ApprovalRule
journal, url, repo = sys.argv[1:]
rules = [ApprovalRule("github.issues.create", "ask")]
with AgentRein(journal, rules=rules) as rein, rein.keyed("nightly"):
    gh = rein.wrap(Github(base_url=url, auth=Auth.Token("bot-1"), retry=None))
    gh.get_repo(repo).create_issue("Nightly")
"""


def test_a_question_outlives_the_process_that_waits(rein: AgentRein, journal: str, shop: Shop) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING, journal, shop.url, shop.repo]) as other:
        try:
            while not (asked := _all(rein)):
                assert other.poll() is None
                threading.Event().wait(0.05)
        finally:
            other.kill()
    rein.approve(asked[0].id, by="ana")
    assert shop.state()["issues"] == {}
    with rein.keyed("nightly"):
        assert wrapped(rein, shop.url).get_repo(shop.repo).create_issue("Nightly").number == 1
    [action] = _all(rein)
    assert (action.id, action.status) == (asked[0].id, Status.EXECUTED)
    assert action.approval is not None and action.approval.by == "ana"


# -- sessions ------------------------------------------------------------------------------------


class Broken(Exception):
    """What goes wrong in the developer's code."""


def test_a_session_that_fails_takes_its_calls_back(rein: AgentRein, shop: Shop) -> None:
    shop.label("bug")
    shop.issue("One", body="as it was", labels=["bug"])
    before = shop.state()
    gh = wrapped(rein, shop.url)
    with pytest.raises(Broken), rein.session("tidy up"):
        repo = gh.get_repo(shop.repo)
        repo.get_issue(1).edit(title="Two", labels=[])
        repo.get_label("bug").edit("defect", "000000")
        repo.create_milestone("1.0")
        raise Broken
    assert shop.state() == before


def test_a_session_that_is_given_holds_in_other_threads(rein: AgentRein, shop: Shop) -> None:
    session = rein.session("from elsewhere")
    repo = wrapped(rein, shop.url, session).get_repo(shop.repo)
    helper = threading.Thread(target=lambda: repo.create_label("bug", "ff0000"))
    helper.start()
    helper.join()
    wrapped(rein, shop.url).get_repo(shop.repo).create_label("other", "ff0000")
    assert [action.args["label"] for action in session.actions()] == ["bug"]
    assert len(rein.sessions()) == 2


def test_each_account_undoes_its_own(rein: AgentRein, shop: Shop) -> None:
    before = shop.state()
    bot, ana = wrapped(rein, shop.url), rein.wrap(client(shop.url, "ana"), api=hub(shop.url, "ana"))
    with rein.session() as session:
        for name, gh in (("one", bot), ("two", ana), ("three", bot)):
            gh.get_repo(shop.repo).create_label(name, "ff0000")
    accounts = [str(action.account).rpartition("/")[2] for action in session.actions()]
    assert accounts == ["bot", "ana", "bot"]
    assert session.rollback().complete
    assert shop.state() == before


async def test_async_callers_send_it_to_a_thread(rein: AgentRein, shop: Shop) -> None:
    gh: Github = wrapped(rein, shop.url)

    def work() -> int:
        return gh.get_repo(shop.repo).create_issue("From a loop").number

    async with rein.session("async") as session:
        assert await asyncio.to_thread(work) == 1
        assert work() == 2  # it blocks the loop, as PyGithub does
    assert len(session.actions()) == 2
