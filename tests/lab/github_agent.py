"""The agent that works on GitHub: what it calls, with which tools."""

from __future__ import annotations

from typing import Any

from github import Auth, Github
from langchain_core.tools import BaseTool

from langchain_agentrein import ReversibleTool
from langchain_agentrein.toolkits import GitHubToolkit
from langchain_agentrein.toolkits.github import Hub
from tests.lab.operations import Charge

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "open": ("github_issues_create", {"title": "Found", "body": "It.", "labels": ["made now"]}),
    "open too": ("github_issues_create", {"title": "Found, too"}),
    "rename": ("github_issues_update", {"number": 1, "title": "Renamed"}),
    "say": ("github_comments_create", {"number": 1, "body": "Said."}),
    "tag": ("github_issues_add_labels", {"number": 1, "labels": ["bug", "late"]}),
    "charge": ("lab_charge", {"thing": "d"}),
}
SCENARIOS: dict[str, tuple[tuple[str, ...], ...]] = {
    "github forward": (("open",), ("rename",), ("say",), ("tag",)),
    "github back": (("open",), ("rename",), ("say",), ("tag",), ("charge",)),
    "github together": (("open", "open too", "say"), ("charge",)),
}
"""What the model calls, turn by turn."""


def hub(url: str, repo: str) -> Hub:
    """The agent's hub: a token's share of the emulator's 5,000 requests an hour is each case's own."""
    token = Auth.Token(f"bot-{sum(repo.encode()) % 40}")
    client = Github(
        base_url=url, auth=token, retry=None, seconds_between_writes=0, seconds_between_requests=0
    )
    return Hub(client, settles=0.0)


def called(name: str, repo: str) -> tuple[str, dict[str, Any]]:
    """A tool's name, and its arguments."""
    tool, args = CALLS[name]
    return tool, (args if name == "charge" else {"repo": repo, **args})


def tools(url: str, repo: str) -> list[BaseTool]:
    """GitHub's, and one that always fails."""
    return [*GitHubToolkit(hub(url, repo)).get_tools(), ReversibleTool.of_operation(Charge, None)]
