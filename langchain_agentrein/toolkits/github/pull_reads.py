"""What an agent reads of a pull request before it reviews or merges it."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from langchain_agentrein.action import Action, Json
from langchain_agentrein.toolkits.github.hub import hub_of, unmarked
from langchain_agentrein.toolkits.github.operation import Reading
from langchain_agentrein.toolkits.github.pulls import PullNumber
from langchain_agentrein.toolkits.github.reads import LONG, Limit, some
from langchain_agentrein.toolkits.github.reviews import told

PATCH = 4_000
"""Characters of a file's diff that a model is shown."""
Page = Annotated[int, Field(ge=1, description="Which page, of `limit` each.")]


class _OfPull(Reading):
    """About one pull request, page by page."""

    scopes = ("pull requests: read",)

    number: PullNumber
    limit: Limit = 30
    page: Page = 1

    def listed(self, api: Any, what: str, told: Any) -> Json:
        found = hub_of(api).pages(self.at("pulls", self.number, what))
        return some(map(told, islice(found, (self.page - 1) * self.limit, None)), self.limit)


class ListFiles(_OfPull):
    """List the files that a pull request changes, each with its diff. GitHub lists the first 3,000."""

    # Source: docs.github.com/en/rest/pulls/pulls, "List pull requests files".
    name = "github.pulls.files"

    def do(self, api: Any, action: Action) -> Json:
        return self.listed(
            api,
            "files",
            lambda one: {
                **{name: one[name] for name in ("filename", "status", "additions", "deletions")},
                "patch": (one.get("patch") or "")[:PATCH],
                "truncated": len(one.get("patch") or "") > PATCH,
            },
        )


class ListReviews(_OfPull):
    """List the reviews of a pull request, oldest first, each with its verdict."""

    name = "github.reviews.list"

    def do(self, api: Any, action: Action) -> Json:
        return self.listed(api, "reviews", lambda one: {**told(one), "body": told(one)["body"][:LONG]})


class ListReviewComments(_OfPull):
    """List the comments on lines of a pull request's change, oldest first."""

    name = "github.review_comments.list"

    def do(self, api: Any, action: Action) -> Json:
        return self.listed(
            api,
            "comments",
            lambda one: {
                "id": one["id"],
                "url": one["html_url"],
                "by": (one["user"] or {}).get("login"),
                "path": one["path"],
                "line": one.get("line"),
                "in_reply_to": one.get("in_reply_to_id"),
                "review": one.get("pull_request_review_id"),
                "body": unmarked(one["body"])[:LONG],
            },
        )
