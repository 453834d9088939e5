"""The table: which operation a method of PyGithub becomes, one row each.

A row's first function reads the call's arguments, its second returns what PyGithub would have. To cover another method,
add its row here; the walk over the SDK (`test_sdk_walk.py`) then wants it out of the list of what is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from github.Issue import Issue
from github.IssueComment import IssueComment
from github.Label import Label
from github.Milestone import Milestone
from github.PullRequest import PullRequest

from langchain_agentrein.action import Json
from langchain_agentrein.sdk import Given, Row
from langchain_agentrein.toolkits.github import (
    branches,
    comments,
    files,
    issue_labels,
    issues,
    labels,
    milestones,
    pulls,
)
from langchain_agentrein.toolkits.github.sdk.places import (
    branch_of,
    committed,
    day,
    last,
    made,
    name_of,
    names,
    number,
    people,
    ref_made,
    renewed,
    repo_of,
    text,
)


def _in_repo(owner: Any, given: Given) -> dict[str, Any]:
    """The repository that an object is in, or is."""
    return {"repo": repo_of(owner, given)}


def _of_number(owner: Any, given: Given) -> dict[str, Any]:
    """An issue, a pull request or a milestone."""
    return {**_in_repo(owner, given), "number": int(last(owner))}


def _of_comment(owner: Any, given: Given) -> dict[str, Any]:
    """A comment."""
    return {**_in_repo(owner, given), "comment_id": int(last(owner))}


def _of_label(owner: Any, given: Given) -> dict[str, Any]:
    """A label, by the name under which it was fetched."""
    return {**_in_repo(owner, given), "label": last(owner)}


def _issue(given: Given) -> dict[str, Any]:
    """What an issue is given when it is opened or changed."""
    return {
        **given.named("title", "body"),
        **given.read("labels", names),
        **given.read("milestone", number),
        **given.read("assignee", people, "assignees"),
        **given.read("assignees", people),
    }


def _create_issue(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_in_repo(owner, given), **_issue(given)}


def _edit_issue(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_of_number(owner, given), **_issue(given), **given.named("state", "state_reason")}


def _lock_issue(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_of_number(owner, given), **given.named(reason="lock_reason")}


def _comment(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_of_number(owner, given), **given.named("body")}


def _edit_comment(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_of_comment(owner, given), **given.named("body")}


def _some_labels(owner: Any, given: Given) -> Mapping[str, Any]:
    found = names(given.take("labels", ()))
    if not found:
        given.refuse("labels", "it wants one at least; use delete_labels() to take off all")
    return {**_of_number(owner, given), "labels": found}


def _one_label(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_of_number(owner, given), "labels": names([given.take("label")])}


def _no_labels(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_of_number(owner, given), "labels": []}


def _create_label(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_in_repo(owner, given), **given.named("color", "description", label="name")}


def _edit_label(owner: Any, given: Given) -> Mapping[str, Any]:
    there = _of_label(owner, given)
    name = given.take("name")
    renamed = {} if name == there["label"] else {"new_name": name}
    return {**there, **renamed, **given.named("color", "description")}


def _create_milestone(owner: Any, given: Given) -> Mapping[str, Any]:
    if given.take("state", "open") != "open":
        given.refuse("state", "it opens it; close it afterwards with edit(...)")
    return {**_in_repo(owner, given), **given.named("title", "description"), **given.read("due_on", day)}


def _edit_milestone(owner: Any, given: Given) -> Mapping[str, Any]:
    return {
        **_of_number(owner, given),
        **given.named("title", "state", "description"),
        **given.read("due_on", day),
    }


def _write_file(owner: Any, given: Given) -> Mapping[str, Any]:
    content = text(given.take("content"), given)
    return {**_in_repo(owner, given), **given.named("path", "message", "branch", "sha"), "content": content}


def _delete_file(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_in_repo(owner, given), **given.named("path", "message", "branch", "sha")}


def _create_ref(owner: Any, given: Given) -> Mapping[str, Any]:
    branch = branch_of(given.take("ref"))
    if branch is None:
        given.refuse("ref", "it makes branches alone; give refs/heads/...")
    return {**_in_repo(owner, given), "branch": branch, **given.named(start="sha")}


def _delete_ref(owner: Any, given: Given) -> Mapping[str, Any]:
    branch = branch_of(name_of(owner))
    if branch is None:
        given.refuse(None, "it deletes branches alone, and this is another ref")
    return {**_in_repo(owner, given), "branch": branch}


def _delete_head(owner: Any, given: Given) -> Mapping[str, Any]:
    head = owner.head
    if not given.take("force", False) and head.repo.get_pulls(head=head.ref).totalCount > 0:
        raise RuntimeError(
            "This branch is referenced by open pull requests, set force=True to delete this branch."
        )
    return {"repo": head.repo.full_name, "branch": head.ref}


def _create_pull(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_in_repo(owner, given), **given.named("title", "head", "base", "body", "draft")}


def _edit_pull(owner: Any, given: Given) -> Mapping[str, Any]:
    return {**_of_number(owner, given), **given.named("title", "body", "state", "base")}


def _new_label(owner: Any, args: Mapping[str, Any], receipt: Json) -> Label:
    return made(owner, Label, args, "labels", quote(receipt["label"], safe=""))


def _relabelled(owner: Any, args: Mapping[str, Any], receipt: Json) -> None:
    renewed(owner, args, "labels", quote(receipt["label"], safe=""))


def _new_comment(owner: Any, args: Mapping[str, Any], receipt: Json) -> IssueComment:
    return made(owner, IssueComment, args, "issues", "comments", receipt["id"])


def _changed(owner: Any, args: Mapping[str, Any], receipt: Json) -> None:
    renewed(owner, args)


ROWS = {
    "Repository.create_issue": Row(
        issues.CreateIssue,
        _create_issue,
        lambda owner, args, receipt: made(owner, Issue, args, "issues", receipt["number"]),
    ),
    "Issue.edit": Row(issues.UpdateIssue, _edit_issue, _changed),
    "Issue.lock": Row(issues.LockIssue, _lock_issue),
    "Issue.unlock": Row(issues.UnlockIssue, _of_number),
    "Issue.create_comment": Row(comments.CreateComment, _comment, _new_comment),
    "PullRequest.create_issue_comment": Row(comments.CreateComment, _comment, _new_comment),
    "IssueComment.edit": Row(comments.UpdateComment, _edit_comment, _changed),
    "IssueComment.delete": Row(comments.DeleteComment, _of_comment),
    **{
        f"{owner}.{method}": row
        for owner in ("Issue", "PullRequest")
        for method, row in (
            ("add_to_labels", Row(issue_labels.AddLabels, _some_labels)),
            ("remove_from_labels", Row(issue_labels.RemoveLabels, _one_label)),
            ("set_labels", Row(issue_labels.SetLabels, _some_labels)),
            ("delete_labels", Row(issues.UpdateIssue, _no_labels)),
        )
    },
    "Repository.create_label": Row(labels.CreateLabel, _create_label, _new_label),
    "Label.edit": Row(labels.UpdateLabel, _edit_label, _relabelled),
    "Label.delete": Row(labels.DeleteLabel, _of_label),
    "Repository.create_milestone": Row(
        milestones.CreateMilestone,
        _create_milestone,
        lambda owner, args, receipt: made(owner, Milestone, args, "milestones", receipt["number"]),
    ),
    "Milestone.edit": Row(milestones.UpdateMilestone, _edit_milestone, _changed),
    "Milestone.delete": Row(milestones.DeleteMilestone, _of_number),
    "Repository.create_file": Row(files.CreateFile, _write_file, committed),
    "Repository.update_file": Row(files.UpdateFile, _write_file, committed),
    "Repository.delete_file": Row(files.DeleteFile, _delete_file, committed),
    "Repository.create_git_ref": Row(branches.CreateBranch, _create_ref, ref_made),
    "GitRef.delete": Row(branches.DeleteBranch, _delete_ref),
    "Repository.create_pull": Row(
        pulls.CreatePull,
        _create_pull,
        lambda owner, args, receipt: made(owner, PullRequest, args, "pulls", receipt["number"]),
    ),
    "PullRequest.edit": Row(pulls.UpdatePull, _edit_pull, _changed),
    "PullRequest.delete_branch": Row(branches.DeleteBranch, _delete_head),
}
"""By the class that defines the method, and its name."""
