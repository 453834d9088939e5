"""Each row of the proxy's table: PyGithub's method performs its operation, returns what PyGithub does, and is undone."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from github.Commit import Commit
from github.ContentFile import ContentFile
from github.GithubObject import NotSet
from github.GitRef import GitRef
from github.Issue import Issue
from github.IssueComment import IssueComment
from github.Label import Label
from github.Milestone import Milestone
from github.PullRequest import PullRequest
from github.Repository import Repository
from github.Requester import Requester

from langchain_agentrein import AgentRein, ApprovalRule, NotCovered, NotDone, Status
from langchain_agentrein.toolkits.github.hub import unmarked
from langchain_agentrein.toolkits.github.sdk import SDK
from langchain_agentrein.toolkits.github.sdk.rows import ROWS
from tests.integration_tests.toolkits.github.world import Shop, wrapped

DUE = datetime.date(2031, 4, 1)


@dataclass
class Case:
    """What is done through one method.

    Attributes:
        act: `act(repo, shop)` -> whether what it returned, and what it changed in place, is right.
        stays: Which parts of the world the undo leaves changed, as the report says.
    """

    act: Callable[[Repository, Shop], bool]
    stays: tuple[str, ...] = ()


def create_issue(repo: Repository, shop: Shop) -> bool:
    milestone = repo.get_milestone(shop.milestone("1.0"))
    made = repo.create_issue(
        "Broken",
        body="It is.",
        milestone=milestone,
        labels=[made_label(repo, shop), "other"],
        assignees=["ana"],
    )
    assert isinstance(made, Issue) and made.milestone == milestone
    return (made.title, unmarked(made.body), [one.login for one in made.assignees], len(made.labels)) == (
        "Broken",
        "It is.",
        ["ana"],
        2,
    )


def made_label(repo: Repository, shop: Shop) -> Label:
    shop.label("bug")
    return repo.get_label("bug")


def issue(repo: Repository, shop: Shop, **given: Any) -> Issue:
    return repo.get_issue(shop.issue("Old", **given))


def edit_issue(repo: Repository, shop: Shop) -> bool:
    there = issue(repo, shop, body="as it was", assignees=["ana"])
    assert there.edit(title="New", state="closed", state_reason="not_planned", assignees=[]) is None
    return (there.title, there.body, there.state, there.assignees) == ("New", "as it was", "closed", [])


def lock(repo: Repository, shop: Shop) -> bool:
    there = issue(repo, shop)
    there.lock("resolved")
    return bool(repo.get_issue(there.number).active_lock_reason == "resolved")


def unlock(repo: Repository, shop: Shop) -> bool:
    there = issue(repo, shop)
    shop.ana.send("PUT", shop.at("issues", there.number, "lock"), {"lock_reason": "spam"})
    there.unlock()
    return repo.get_issue(there.number).locked is False


def create_comment(repo: Repository, shop: Shop) -> bool:
    made = issue(repo, shop).create_comment("hello")
    return isinstance(made, IssueComment) and unmarked(made.body) == "hello" and made.user.login == "bot"


def comment(repo: Repository, shop: Shop) -> IssueComment:
    number = shop.issue("Talk")
    return repo.get_issue(number).get_comment(shop.comment(number, "first"))


def edit_comment(repo: Repository, shop: Shop) -> bool:
    there = comment(repo, shop)
    there.edit("second")
    return there.body == "second"


def delete_comment(repo: Repository, shop: Shop) -> bool:
    there = comment(repo, shop)
    return there.delete() is None and repo.get_issue(1).get_comments().totalCount == 0


def labels_of(there: Issue) -> list[str]:
    return sorted(label.name for label in there.get_labels())


def add_labels(repo: Repository, shop: Shop) -> bool:
    there = issue(repo, shop)
    there.add_to_labels(made_label(repo, shop), "made now")
    return labels_of(there) == ["bug", "made now"]


def remove_label(repo: Repository, shop: Shop) -> bool:
    label = made_label(repo, shop)
    there = issue(repo, shop, labels=["bug"])
    there.remove_from_labels(label)
    return labels_of(there) == []


def set_labels(repo: Repository, shop: Shop) -> bool:
    there = issue(repo, shop, labels=[made_label(repo, shop).name])
    there.set_labels("made now")
    return labels_of(there) == ["made now"]


def delete_labels(repo: Repository, shop: Shop) -> bool:
    there = issue(repo, shop, labels=[made_label(repo, shop).name])
    there.delete_labels()
    return labels_of(there) == []


def create_label(repo: Repository, shop: Shop) -> bool:
    made = repo.create_label("two words", "00FF00", "green")
    return isinstance(made, Label) and (made.name, made.color, made.description) == (
        "two words",
        "00ff00",
        "green",
    )


def edit_label(repo: Repository, shop: Shop) -> bool:
    there = made_label(repo, shop)
    there.edit("a defect", "0000ff")
    return (there.name, there.color, repo.get_label("a defect")) == ("a defect", "0000ff", there)


def delete_label(repo: Repository, shop: Shop) -> bool:
    made_label(repo, shop).delete()
    return repo.get_labels().totalCount == 0


def create_milestone(repo: Repository, shop: Shop) -> bool:
    made = repo.create_milestone("2.0", state="open", description="next", due_on=DUE)
    return isinstance(made, Milestone) and made.title == "2.0" and made.due_on.date() == DUE


def edit_milestone(repo: Repository, shop: Shop) -> bool:
    there = repo.get_milestone(shop.milestone("1.0"))
    there.edit("1.1", state="closed", due_on=DUE)
    return (there.title, there.state) == ("1.1", "closed")


def delete_milestone(repo: Repository, shop: Shop) -> bool:
    repo.get_milestone(shop.milestone("1.0")).delete()
    return repo.get_milestones().totalCount == 0


def create_file(repo: Repository, shop: Shop) -> bool:
    made = repo.create_file("new file.txt", "Add it", "new")
    content, commit = made["content"], made["commit"]
    assert isinstance(content, ContentFile) and isinstance(commit, Commit)
    return content.decoded_content == b"new" and commit.sha == repo.get_branch("main").commit.sha


def update_file(repo: Repository, shop: Shop) -> bool:
    shop.file("notes.md", "old")
    old = repo.get_contents("notes.md")
    assert isinstance(old, ContentFile)
    made = repo.update_file(old.path, "Change it", b"new", old.sha, branch="main")
    return made["content"].decoded_content == b"new" and made["commit"].commit.message == "Change it"


def delete_file(repo: Repository, shop: Shop) -> bool:
    shop.file("notes.md", "old")
    old = repo.get_contents("notes.md")
    assert isinstance(old, ContentFile)
    made = repo.delete_file(old.path, "Drop it", old.sha)
    return made["content"] is NotSet and isinstance(made["commit"], Commit)


def create_ref(repo: Repository, shop: Shop) -> bool:
    sha = repo.get_branch("main").commit.sha
    made = repo.create_git_ref("refs/heads/topic/one", sha)
    return isinstance(made, GitRef) and (made.ref, made.object.sha) == ("refs/heads/topic/one", sha)


def delete_ref(repo: Repository, shop: Shop) -> bool:
    shop.branch("topic/one")
    repo.get_git_ref("heads/topic/one").delete()
    return [one.name for one in repo.get_branches()] == ["main"]


def create_pull(repo: Repository, shop: Shop) -> bool:
    shop.branch("topic")
    body = {"message": "m", "branch": "topic", "content": "dG9waWM="}
    shop.ana.send("PUT", shop.at("contents", "topic.txt"), body)
    made = repo.create_pull("main", "topic", title="Topic", body="why")
    return isinstance(made, PullRequest) and (made.title, made.head.ref, made.merged) == (
        "Topic",
        "topic",
        False,
    )


def edit_pull(repo: Repository, shop: Shop) -> bool:
    there = repo.get_pull(shop.pull("topic"))
    there.edit(title="New", state="closed")
    return (there.title, there.state) == ("New", "closed")


def delete_head(repo: Repository, shop: Shop) -> bool:
    there = repo.get_pull(shop.pull("topic"))
    with pytest.raises(RuntimeError, match="set force=True"):
        there.delete_branch()
    there.delete_branch(force=True)
    return [one.name for one in repo.get_branches()] == ["main"]


CASES = {
    "Repository.create_issue": Case(create_issue, ("issues", "labels", "milestones")),
    "Issue.edit": Case(edit_issue),
    "Issue.lock": Case(lock),
    "Issue.unlock": Case(unlock),
    "Issue.create_comment": Case(create_comment),
    "IssueComment.edit": Case(edit_comment),
    "IssueComment.delete": Case(delete_comment, ("issues",)),
    "Issue.add_to_labels": Case(add_labels),
    "Issue.remove_from_labels": Case(remove_label),
    "Issue.set_labels": Case(set_labels),
    "Issue.delete_labels": Case(delete_labels),
    "Repository.create_label": Case(create_label),
    "Label.edit": Case(edit_label),
    "Label.delete": Case(delete_label),
    "Repository.create_milestone": Case(create_milestone),
    "Milestone.edit": Case(edit_milestone),
    "Milestone.delete": Case(delete_milestone),
    "Repository.create_file": Case(create_file, ("branches",)),
    "Repository.update_file": Case(update_file, ("branches",)),
    "Repository.delete_file": Case(delete_file, ("branches",)),
    "Repository.create_git_ref": Case(create_ref),
    "GitRef.delete": Case(delete_ref),
    "Repository.create_pull": Case(create_pull, ("pulls",)),
    "PullRequest.edit": Case(edit_pull),
    "PullRequest.delete_branch": Case(delete_head),
}
ON_PULLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "PullRequest.create_issue_comment": (("hello",), {"body": "hello"}),
    "PullRequest.add_to_labels": (("a", "b"), {"labels": ["a", "b"]}),
    "PullRequest.remove_from_labels": (("a",), {"labels": ["a"]}),
    "PullRequest.set_labels": (("a",), {"labels": ["a"]}),
    "PullRequest.delete_labels": ((), {"labels": []}),
}
"""The emulator does not know pull requests as issues, which GitHub does: of these only what they become is looked at."""


def test_every_row_is_tried() -> None:
    assert set(ROWS) == set(CASES) | set(ON_PULLS)


@pytest.mark.parametrize("method", CASES)
def test_a_method_performs_its_operation_and_is_undone(rein: AgentRein, shop: Shop, method: str) -> None:
    before: list[Any] = []

    def seen(action: Any) -> bool:
        before.append(shop.state())
        return False

    gentle = [
        ApprovalRule("github.*", "ask", when=seen),
        *(ApprovalRule(row.operation.name, "allow") for row in ROWS.values()),
    ]
    with rein.session("tidy up", rules=gentle) as session:
        repo = wrapped(rein, shop.url, session).get_repo(shop.repo)
        assert CASES[method].act(repo, shop)
    [action] = session.actions()
    assert (action.operation, action.status) == (ROWS[method].operation.name, Status.EXECUTED)
    assert action.metadata == {"sdk": method}
    assert action.account is not None and action.account.endswith("/bot")

    [was] = before
    assert shop.state() != was
    report = session.rollback(approve=[action.id], by="ana")
    assert report.complete, str(report)
    now = shop.state()
    for part in CASES[method].stays:
        del was[part], now[part]
    assert now == was


@pytest.mark.parametrize("method", ON_PULLS)
def test_a_method_of_pull_requests_becomes_its_operation(method: str) -> None:
    args, expected = ON_PULLS[method]
    requester: Requester = SDK.twin(client_of_nobody()).requester.withLazy(True)
    pull = PullRequest(requester, url="/repos/bot/shop/pulls/7")
    call = getattr(pull, method.partition(".")[2])
    op = ROWS[method].made(method, pull, SDK.arguments(call, args, {}))
    assert op.name == ROWS[method].operation.name
    assert op.args == {"repo": "bot/shop", "number": 7, **expected}


def client_of_nobody() -> Any:
    from github import Github

    return Github(base_url="http://localhost:9")


def test_a_lazy_client_is_given_what_was_made_as_it_was_made(rein: AgentRein, shop: Shop) -> None:
    with rein.session(rules=[ApprovalRule("github.branches.delete", "allow")]) as session:
        repo = wrapped(rein, shop.url).withLazy(True).get_repo(shop.repo)
        issue = repo.create_issue("One")
        repo.get_issue(issue.number).edit(title="Two")
        comment = repo.get_issue(issue.number).create_comment("hello")
        ref = repo.create_git_ref("refs/heads/topic", repo.get_branch("main").commit.sha)
        repo.get_git_ref("heads/topic").delete()
        assert (issue.title, unmarked(comment.body), ref.ref) == ("One", "hello", "refs/heads/topic")
        assert repo.get_issue(issue.number).title == "Two"
    assert len(session.actions()) == 5


REFUSED_ARGUMENTS: dict[str, Callable[[Repository], Any]] = {
    "author": lambda repo: repo.create_file("a.txt", "m", "a", author=_author()),
    "content": lambda repo: repo.create_file("a.bin", "m", b"\xff\xfe"),
    "issue": lambda repo: repo.create_pull("main", "topic", issue=repo.get_issue(1)),
    "state": lambda repo: repo.create_milestone("3.0", state="closed"),
    "ref": lambda repo: repo.create_git_ref("refs/tags/v1", "0" * 40),
    "color": lambda repo: repo.create_label("bug", "red"),
    "body": lambda repo: repo.get_issue(1).edit(title="New", body=None),  # type: ignore[arg-type]
    "labels": lambda repo: repo.get_issue(1).set_labels(),
    "state_reason": lambda repo: repo.get_issue(1).edit(state="closed", state_reason="bored"),
}


def _author() -> Any:
    from github import InputGitAuthor

    return InputGitAuthor("Ana", "ana@example.com")


@pytest.mark.parametrize("argument", REFUSED_ARGUMENTS)
def test_what_an_operation_cannot_say_is_refused_by_name(rein: AgentRein, shop: Shop, argument: str) -> None:
    shop.issue("There")
    before = shop.state()
    with rein.session() as session:
        repo = wrapped(rein, shop.url).get_repo(shop.repo)
        with pytest.raises(NotCovered, match=f"{argument}=") as refused:
            REFUSED_ARGUMENTS[argument](repo)
    assert refused.value.argument == argument
    assert refused.value.nearest in {row.operation.name for row in ROWS.values()}
    assert session.actions() == []
    assert shop.state() == before


def test_what_was_read_before_is_not_written_over(rein: AgentRein, shop: Shop) -> None:
    shop.file("notes.md", "old")
    repo = wrapped(rein, shop.url).get_repo(shop.repo)
    old = repo.get_contents("notes.md")
    assert isinstance(old, ContentFile)
    shop.file("notes.md", "theirs")
    for act in (
        lambda: repo.update_file("notes.md", "m", "mine", old.sha),
        lambda: repo.delete_file("notes.md", "m", old.sha),
    ):
        with pytest.raises(NotDone, match="changed since it was read"):
            act()
    again = repo.get_contents("notes.md")
    assert isinstance(again, ContentFile) and again.decoded_content == b"theirs"
