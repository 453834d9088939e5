"""What an agent reads before it acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import Field

from langchain_agentrein.action import Action, Json
from langchain_agentrein.toolkits.github.hub import hub_of, unmarked
from langchain_agentrein.toolkits.github.issues import Number, fields, receipt
from langchain_agentrein.toolkits.github.labels import fields as label_fields
from langchain_agentrein.toolkits.github.milestones import fields as milestone_fields
from langchain_agentrein.toolkits.github.operation import Reading

LONG = 20_000
"""Characters of a body that a model is shown."""
State = Annotated[Literal["open", "closed", "all"], Field(description="Which of them.")]
Limit = Annotated[int, Field(ge=1, le=100, description="How many to return at most.")]


def some(items: Iterable[Json], limit: int) -> Json:
    """{"items": [...], "truncated": bool}"""
    found = list(islice(items, limit + 1))
    return {"items": found[:limit], "truncated": len(found) > limit}


def line(issue: Mapping[str, Any]) -> Json:
    """An issue in a list: {"number", "url", "title", "state", "labels", "assignees", "comments", "pull"}"""
    told = fields(issue)
    return {
        "number": issue["number"],
        "url": issue["html_url"],
        **{name: told[name] for name in ("title", "state", "labels", "assignees")},
        "comments": issue["comments"],
        "pull": "pull_request" in issue,
    }


class GetRepo(Reading):
    """Read a repository: description, default branch, whether it is private or archived, open issues."""

    name = "github.repos.get"
    scopes = ("metadata: read",)

    def do(self, api: Any, action: Action) -> Json:
        repo = hub_of(api).get(self.at())
        names = ("full_name", "description", "private", "archived", "default_branch", "open_issues_count")
        return {**{name: repo.get(name) for name in names}, "url": repo["html_url"]}


class GetIssue(Reading):
    """Read one issue with its text, labels, assignees and milestone."""

    name = "github.issues.get"

    number: Number

    def do(self, api: Any, action: Action) -> Json:
        issue = hub_of(api).get(self.at("issues", self.number))
        told = fields(issue)
        return {
            **receipt(issue),
            **told,
            "body": told["body"][:LONG],
            "by": issue["user"]["login"],
            "created_at": issue["created_at"],
            "locked": issue["locked"],
            "comments": issue["comments"],
        }


class ListIssues(Reading):
    """List issues and pull requests, newest first."""

    name = "github.issues.list"

    state: State = "open"
    labels: list[str] | None = Field(default=None, description="Only those that carry all of these.")
    assignee: str | None = Field(default=None, description="A login; `none` or `*` for nobody or anybody.")
    limit: Limit = 30

    def do(self, api: Any, action: Action) -> Json:
        narrowed: dict[str, Any] = {"state": self.state}
        if self.labels:
            narrowed["labels"] = ",".join(self.labels)
        if self.assignee:
            narrowed["assignee"] = self.assignee
        return some(map(line, hub_of(api).pages(self.at("issues"), **narrowed)), self.limit)


class SearchIssues(Reading):
    """Search a repository's issues and pull requests with GitHub's query language. It may lag by a minute."""

    name = "github.issues.search"

    query: str = Field(min_length=1, description="For example: is:open label:bug login fails")
    limit: Limit = 30

    def do(self, api: Any, action: Action) -> Json:
        found = hub_of(api).pages("/search/issues", q=f"{self.query} repo:{self.repo}")
        return some(map(line, found), self.limit)


class ListComments(Reading):
    """List an issue's comments, oldest first."""

    name = "github.comments.list"

    number: Number
    limit: Limit = 30

    def do(self, api: Any, action: Action) -> Json:
        comments = hub_of(api).pages(self.at("issues", self.number, "comments"))
        told = (
            {
                "id": one["id"],
                "url": one["html_url"],
                "by": one["user"]["login"],
                "at": one["created_at"],
                "body": unmarked(one["body"])[:LONG],
            }
            for one in comments
        )
        return some(told, self.limit)


class ListLabels(Reading):
    """List the labels that a repository defines."""

    name = "github.labels.list"

    limit: Limit = 100

    def do(self, api: Any, action: Action) -> Json:
        return some(map(label_fields, hub_of(api).pages(self.at("labels"))), self.limit)


class ListMilestones(Reading):
    """List a repository's milestones."""

    name = "github.milestones.list"

    state: State = "open"
    limit: Limit = 30

    def do(self, api: Any, action: Action) -> Json:
        found = hub_of(api).pages(self.at("milestones"), state=self.state)
        return some(({"number": one["number"], **milestone_fields(one)} for one in found), self.limit)
