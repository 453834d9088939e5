"""Issues that a merge closes, and that its undo reopens.

GitHub closes them when the pull request is merged into the default branch. Source: docs.github.com/en/issues/
tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from langchain_agentrein.errors import NotDone, Throttled
from langchain_agentrein.toolkits.github.hub import Hub, reading

LINKED: Final = (
    "query($id: ID!) { node(id: $id) { ... on PullRequest { closingIssuesReferences(first: 50) "
    "{ nodes { number repository { nameWithOwner } } } } } }"
)
"""Source: docs.github.com/en/graphql/reference/objects, `PullRequest`."""
COMMITS: Final = 250
"""Commits of a pull request that GitHub lists. Source: docs.github.com/en/rest/pulls/pulls, "List commits"."""
MOST: Final = 50
SOON: Final = timedelta(seconds=60)
"""GitHub closes them soon after the merge, not along with it. How soon, it does not say: assumed."""
AT_ONCE: Final = timedelta(seconds=10)
_KEYWORD = r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+"


def closes(hub: Hub, at: str, pull: Mapping[str, Any]) -> list[int]:
    """The open issues of the repository that merging a pull request closes."""
    if pull["base"]["ref"] != pull["base"]["repo"]["default_branch"]:
        return []
    commits = islice(hub.pages(f"{at}/pulls/{pull['number']}/commits"), COMMITS)
    texts = [pull["body"] or "", *(one["commit"]["message"] for one in commits)]
    numbers = sorted({*_by_keyword(texts, pull["base"]["repo"]["full_name"]), *_linked(hub, pull)})
    there = [hub.find(f"{at}/issues/{number}") for number in numbers[:MOST]]
    return [
        one["number"]
        for one in there
        if one is not None and one["state"] == "open" and "pull_request" not in one
    ]


def _by_keyword(texts: Iterable[str], repo: str) -> set[int]:
    issue = rf"(?:(?:{re.escape(repo)})?#|https?://\S+?/{re.escape(repo)}/issues/)(\d+)\b"
    found = re.compile(_KEYWORD + issue, re.IGNORECASE)
    return {int(number) for text in texts for number in found.findall(text)}


def _linked(hub: Hub, pull: Mapping[str, Any]) -> set[int]:
    """Those that GitHub says; none where it has no GraphQL."""
    try:
        with reading():
            node = hub.query(LINKED, {"id": pull["node_id"]})["node"]
    except Throttled:
        raise
    except NotDone:
        return set()
    repo = pull["base"]["repo"]["full_name"].casefold()
    nodes = node["closingIssuesReferences"]["nodes"]
    return {one["number"] for one in nodes if one["repository"]["nameWithOwner"].casefold() == repo}


def reopened(hub: Hub, at: str, numbers: Iterable[int], pull: Mapping[str, Any]) -> Sequence[str]:
    """Reopen those that the merge closed and nobody touched since; what there is to say of them."""
    said = []
    for number in numbers:
        issue = hub.find(f"{at}/issues/{number}")
        if issue is None or (issue["state"] == "closed" and not _closed_by(issue, pull)):
            continue
        if issue["state"] == "closed":
            if _time(issue["updated_at"]) - _time(issue["closed_at"]) > AT_ONCE:
                said.append(f"issue #{number} stays closed by the merge: somebody touched it since")
                continue
            hub.send("PATCH", f"{at}/issues/{number}", {"state": "open"})
        said.append(f"issue #{number}, which the merge was to close, is open")
    return said


def _closed_by(issue: Mapping[str, Any], pull: Mapping[str, Any]) -> bool:
    """Whether the merge closed an issue: right after it, in the name of whoever merged."""
    after = _time(issue["closed_at"]) - _time(pull["merged_at"])
    who, by = (one or {} for one in (issue.get("closed_by"), pull["merged_by"]))
    return -AT_ONCE <= after <= SOON and who.get("login", by.get("login")) == by.get("login")


def _time(said: str) -> datetime:
    return datetime.fromisoformat(said)
