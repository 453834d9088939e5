"""Every GitHub operation keeps the laws, on a real server over HTTP."""

from __future__ import annotations

import copy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from langchain_agentrein.operation import Operation
from langchain_agentrein.testing import OperationLaws, ReadingLaws
from langchain_agentrein.toolkits.github import (
    GitHubToolkit,
    branches,
    comments,
    files,
    issue_labels,
    issues,
    milestones,
    pulls,
    reads,
)
from langchain_agentrein.toolkits.github import labels as definitions
from tests.integration_tests.toolkits.github.world import Shop

NOT_SERVED = {
    "github.issues.delete",
    "github.pulls.enable_automerge",
    "github.issues.transfer",
    "github.sub_issues.add",
    "github.sub_issues.remove",
    "github.reactions.create",
    "github.collaborators.add",
    "github.collaborators.remove",
    "github.workflows.dispatch",
    "github.repository_dispatch",
}
"""What the emulator does not serve, or not as GitHub does: `tests/support/github_extra.py` answers by the contract."""


class GitHubLaws(OperationLaws):
    """The world is one repository; a colleague changes it with credentials of her own."""

    shop: Shop

    @pytest.fixture(autouse=True)
    def _shop(self, shop: Shop) -> None:
        self.shop = shop

    def world(self, api: Any) -> Any:
        return self.shop.state()

    def foreign_edit(self, api: Any) -> bool:
        return False

    def foreign_addition(self, api: Any) -> bool:
        return False


def changed(world: Any, number: int, **fields: Any) -> Any:
    """The world, with an issue changed."""
    world = copy.deepcopy(world)
    world["issues"][number].update(fields)
    return world


class TestCreateIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.label("bug")
        return issues.CreateIssue(
            repo=shop.repo, title="Broken", body="It *is*.", labels=["bug", "new one"], assignees=["ana"]
        )

    def left(self, before: Any, after: Any) -> Any:
        """Closed, and why; the label that came along is gone. Nothing that others wrote is overwritten, ever."""
        [(number, now)] = self.shop.state()["issues"].items()
        [(identity, comment)] = now["comments"].items()
        assert "rolled back" in comment[1]
        after = changed(
            after,
            number,
            title=now["title"],
            state=("closed", "not_planned"),
            comments={identity: comment},
            labels=["bug"],
        )
        return {**after, "labels": before["labels"]}

    def foreign_edit(self, api: Any) -> bool:
        self.shop.edit(1, title="Theirs")
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.comment(1, "I have it too")
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now == theirs)


class TestUpdateIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.label("bug")
        first, second = shop.milestone("1.0"), shop.milestone("2.0")
        number = shop.issue("Old", body="as it was", labels=["bug"], assignees=["ana"], milestone=first)
        return issues.UpdateIssue(
            repo=shop.repo,
            number=number,
            title="New",
            body="",
            labels=["made now"],
            assignees=["dan"],
            milestone=second,
        )

    def foreign_edit(self, api: Any) -> bool:
        self.shop.edit(1, title="Theirs")
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now["issues"][1]["title"] == "Theirs")


MARKED = "as it was\n\n<!-- agentrein:0123456789abcdef01234567 -->"


class TestUpdateIssueOfOurs(GitHubLaws):
    """What marks it as ours comes back with its text."""

    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return issues.UpdateIssue(repo=shop.repo, number=shop.issue("Ours", body=MARKED), body="other")


class TestUpdatePullOfOurs(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.pull("topic")
        shop.ana.send("PATCH", shop.at("pulls", number), {"body": MARKED})
        return pulls.UpdatePull(repo=shop.repo, number=number, body="other")


class TestCloseIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.issue("Open", body="text")
        return issues.UpdateIssue(repo=shop.repo, number=number, state="closed", state_reason="not_planned")

    def left(self, before: Any, after: Any) -> Any:
        """What says that it was opened again is all that differs."""
        now = self.shop.state()["issues"][1]["state"]
        assert now[0] == "open"
        return changed(before, 1, state=now)


class TestReopenAndClearIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.issue("Done", milestone=shop.milestone("1.0"))
        shop.edit(number, state="closed", state_reason="completed")
        return issues.UpdateIssue(repo=shop.repo, number=number, state="open", milestone=None)


class TestLockIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return issues.LockIssue(repo=shop.repo, number=shop.issue("Heated"), reason="too heated")


class TestUnlockIssue(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.issue("Cold")
        shop.hub.send("PUT", shop.at("issues", number, "lock"), {"lock_reason": "resolved"})
        return issues.UnlockIssue(repo=shop.repo, number=number)


class TestCreateComment(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.issue("Talk")
        shop.comment(number, "first")
        return comments.CreateComment(repo=shop.repo, number=number, body="second")

    def foreign_edit(self, api: Any) -> bool:
        [mine] = [one for one in self.shop._all("issues", 1, "comments") if one["user"]["login"] == "bot"]
        self.shop.hub.send("PATCH", self.shop.at("issues", "comments", mine["id"]), {"body": "theirs"})
        return True


class TestUpdateComment(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        self.comment = shop.comment(shop.issue("Talk"), "first")
        return comments.UpdateComment(repo=shop.repo, comment_id=self.comment, body="other")

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", self.shop.at("issues", "comments", self.comment), {"body": "theirs"})
        return True


class TestDeleteComment(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.issue("Talk")
        self.comment = shop.comment(number, "worth *keeping*")
        return comments.DeleteComment(repo=shop.repo, comment_id=self.comment)

    def left(self, before: Any, after: Any) -> Any:
        """Its text, by another author."""
        now = self.shop.state()["issues"][1]["comments"]
        [(_, (who, text))] = now.items()
        assert who == "bot"
        assert text.startswith("worth *keeping*\n\n*Written by `ana`")
        return changed(before, 1, comments=now)


class LabelsOfAnIssue(GitHubLaws):
    @pytest.fixture
    def number(self, shop: Shop) -> int:
        for name in ("bug", "a/b", "late"):
            shop.label(name)
        return shop.issue("Labelled", labels=["bug", "a/b"])


class TestAddLabels(LabelsOfAnIssue):
    @pytest.fixture
    def operation(self, shop: Shop, number: int) -> Operation:
        return issue_labels.AddLabels(repo=shop.repo, number=number, labels=["bug", "late", "made now"])


class TestRemoveLabels(LabelsOfAnIssue):
    @pytest.fixture
    def operation(self, shop: Shop, number: int) -> Operation:
        return issue_labels.RemoveLabels(repo=shop.repo, number=number, labels=["a/b", "late"])


class TestSetLabels(LabelsOfAnIssue):
    @pytest.fixture
    def operation(self, shop: Shop, number: int) -> Operation:
        return issue_labels.SetLabels(repo=shop.repo, number=number, labels=["bug", "late"])

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("POST", self.shop.at("issues", 1, "labels"), {"labels": ["a/b"]})
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return "a/b" in now["issues"][1]["labels"]


class TestCreateLabel(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return definitions.CreateLabel(repo=shop.repo, label="very new", color="00FF00", description="d")

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", self.shop.at("labels", "very%20new"), {"color": "123456"})
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.issue("Carries it", labels=["very new"])
        return True


class TestUpdateLabel(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.label("bug")
        shop.issue("Has it", labels=["bug"])
        return definitions.UpdateLabel(repo=shop.repo, label="bug", new_name="defect", color="00FF00")

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", self.shop.at("labels", "defect"), {"color": "123456"})
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now["labels"].get("bug", now["labels"].get("defect"))[0] == "123456")


class TestDeleteLabel(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.label("bug", "ABCDEF")
        shop.issue("Has it", labels=["bug"])
        shop.issue("Has it, too", labels=["bug"])
        return definitions.DeleteLabel(repo=shop.repo, label="bug")


class TestCreateMilestone(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return milestones.CreateMilestone(repo=shop.repo, title="3.0", description="d", due_on="2030-01-31")

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", self.shop.at("milestones", 1), {"title": "theirs"})
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.issue("In it", milestone=1)
        return True


class TestUpdateMilestone(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.milestone("1.0")
        return milestones.UpdateMilestone(repo=shop.repo, number=number, title="1.1", due_on="2030-01-31")

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", self.shop.at("milestones", 1), {"title": "theirs"})
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return "theirs" in now["milestones"]


class TestDeleteMilestone(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        number = shop.milestone("1.0")
        shop.issue("In it", milestone=number)
        return milestones.DeleteMilestone(repo=shop.repo, number=number)


class CommittedFile(GitHubLaws):
    """The file is as it was; the branch has two commits more."""

    @pytest.fixture
    def path(self, shop: Shop) -> str:
        shop.file("notes.md", "as it was\n")
        return "notes.md"

    def left(self, before: Any, after: Any) -> Any:
        now = self.shop.state()["branches"]
        assert now["main"] not in (before["branches"]["main"], after["branches"]["main"])
        return {**before, "branches": now}

    def foreign_edit(self, api: Any) -> bool:
        self.shop.file("notes.md", "theirs\n")
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now["files"]["notes.md"] == theirs["files"]["notes.md"])


class TestCreateFile(CommittedFile):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return files.CreateFile(repo=shop.repo, path="notes.md", content="ä new\n", message="Add notes")


class TestUpdateFile(CommittedFile):
    @pytest.fixture
    def operation(self, shop: Shop, path: str) -> Operation:
        return files.UpdateFile(
            repo=shop.repo, path=path, branch="main", content="other\n", message="Change notes"
        )


class TestDeleteFile(CommittedFile):
    @pytest.fixture
    def operation(self, shop: Shop, path: str) -> Operation:
        return files.DeleteFile(repo=shop.repo, path=path, message="Drop notes")


class TestCreateBranch(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return branches.CreateBranch(repo=shop.repo, branch="fix/login", start="main")

    def foreign_edit(self, api: Any) -> bool:
        body = {"message": "theirs", "branch": "fix/login", "content": "dGhlaXJz"}
        self.shop.ana.send("PUT", self.shop.at("contents", "theirs.txt"), body)
        return True


class TestDeleteBranch(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.pull("topic")
        return branches.DeleteBranch(repo=shop.repo, branch="topic")


class TestCreatePull(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.pull("other")
        body = {"message": "m", "branch": "topic", "content": "dG9waWM="}
        shop.branch("topic")
        shop.ana.send("PUT", shop.at("contents", "topic.txt"), body)
        return pulls.CreatePull(repo=shop.repo, title="Topic", head="topic", base="main", body="why")

    @property
    def mine(self) -> int:
        return max(self.shop.state()["pulls"])

    def left(self, before: Any, after: Any) -> Any:
        """It stays, closed. Nothing that others wrote is overwritten, ever."""
        now = self.shop.state()
        number = max(now["pulls"])
        title, body, _, base = now["pulls"][number]
        return {
            **after,
            "pulls": {**after["pulls"], number: (title, body, "closed", base)},
            "issues": now["issues"],
        }

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", self.shop.at("pulls", self.mine), {"title": "theirs"})
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.comment(self.mine, "please explain")
        return True


class TestUpdatePull(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return pulls.UpdatePull(
            repo=shop.repo, number=shop.pull("topic"), title="New", body="b", state="closed"
        )

    def foreign_edit(self, api: Any) -> bool:
        [number] = self.shop.state()["pulls"]
        self.shop.ana.send("PATCH", self.shop.at("pulls", number), {"title": "theirs"})
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return "theirs" in {title for title, *_ in now["pulls"].values()}


class GitHubReads(ReadingLaws):
    shop: Shop

    @pytest.fixture(autouse=True)
    def _shop(self, shop: Shop) -> None:
        self.shop = shop
        shop.label("bug")
        shop.comment(shop.issue("One", labels=["bug"], milestone=shop.milestone("1.0")), "hello")

    def world(self, api: Any) -> Any:
        return self.shop.state()


class TestGetRepo(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return reads.GetRepo(repo=shop.repo)


class TestGetIssue(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return reads.GetIssue(repo=shop.repo, number=1)


class TestListIssues(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return reads.ListIssues(repo=shop.repo, labels=["bug"])


class TestSearchIssues(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return reads.SearchIssues(repo=shop.repo, query="One")


class TestListComments(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return reads.ListComments(repo=shop.repo, number=1)


class TestListLabels(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return reads.ListLabels(repo=shop.repo)


class TestListMilestones(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return reads.ListMilestones(repo=shop.repo)


class TestGetFile(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return files.GetFile(repo=shop.repo, path="README.md")


class TestListBranches(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return branches.ListBranches(repo=shop.repo)


class TestGetPull(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return pulls.GetPull(repo=shop.repo, number=shop.pull("topic"))


class TestListPulls(GitHubReads):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.pull("topic")
        return pulls.ListPulls(repo=shop.repo)


def test_no_operation_is_missing() -> None:
    """A class for each, named for it, is enough to find what nobody wrote laws for."""
    known = {op.__name__ for op in GitHubToolkit.operations}
    here = Path(__file__).parent.glob("test_*.py")
    modules = [import_module(f"{__package__}.{path.stem}") for path in here]
    tested = {name.removeprefix("Test") for one in modules for name in vars(one) if name.startswith("Test")}
    assert not known - tested
