"""PyGithub as `wrap` sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from github import Github, GithubException
from github.GithubObject import GithubObject, NotSet
from github.PaginatedList import PaginatedListBase
from github.Requester import Requester

from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.sdk import Sdk, UnknownCall
from langchain_agentrein.toolkits.github.hub import READS as VERBS
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.sdk.guard import Guarded, asks, guarded, letting
from langchain_agentrein.toolkits.github.sdk.reads import READS
from langchain_agentrein.toolkits.github.sdk.rows import ROWS

ACTING = (GithubObject, Github, PaginatedListBase, PaginatedListBase._Slice, Requester)
SECRET = "unencrypted_value"
"""What `create_secret` calls it."""
_SUFFIX = re.compile(r"[?#].*\Z")


class UnknownMethod(UnknownCall):
    """A method of PyGithub that no operation covers. It is recorded, and nothing undoes it."""

    name = "github.unknown"

    def account(self, api: Any) -> str:
        return hub_of(api).account()


class GitHubSdk(Sdk):
    """PyGithub: a method is known by the class that defines it."""

    connector, rows, unknown = "github", ROWS, UnknownMethod
    near: ClassVar[Mapping[str, str]] = {
        "Issue.add_to_assignees": "github.issues.update",
        "Issue.remove_from_assignees": "github.issues.update",
        "PullRequest.add_to_assignees": "github.issues.update",
        "PullRequest.remove_from_assignees": "github.issues.update",
    }

    def twin(self, client: Any) -> Github:
        if not isinstance(client, Github):
            raise ConfigError(
                f"rein.wrap(...) wraps a Github client of PyGithub, not a {type(client).__name__}: for an app, wrap "
                "Github(auth=Auth.AppAuth(...).get_installation_auth(...)); give a Hub as api=..."
            )
        if (twin := guarded(client)) is client:
            raise ConfigError("this client is the one behind a wrapped client: wrap the SDK's own")
        return twin

    def api(self, client: Any) -> Hub:
        return hub_of(client)

    def covers(self, value: Any) -> bool:
        return isinstance(value, ACTING)

    def guarded(self, value: Any) -> Any:
        return guarded(value) if isinstance(value, Github) else value

    def method(self, owner: Any, name: str) -> str:
        """Our own requester stands for PyGithub's."""
        return super().method(owner, name).replace(f"{Guarded.__name__}.", f"{Requester.__name__}.")

    def absent(self, value: Any) -> bool:
        return value is NotSet

    def reads(self, owner: Any, method: str, arguments: Mapping[str, Any]) -> bool:
        if isinstance(owner, Requester) and "verb" in arguments:
            return arguments["verb"] in VERBS
        if isinstance(owner, Requester) and "query" in arguments:
            return asks({"query": arguments["query"]})
        return method in READS

    def letting(self) -> AbstractContextManager[None]:
        return letting()

    def recorded(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """As they are, but for the value of an Actions secret: under this name the journal knows it for one."""
        told = super().recorded(arguments)
        return {name: {"secret": value} if name == SECRET else value for name, value in told.items()}

    def target(self, owner: Any) -> str:
        """Its address, so far as it is known without asking."""
        address = getattr(getattr(owner, "_url", None), "value", None)
        return _SUFFIX.sub("", address) if isinstance(address, str) else ""

    def told(self, error: NotDone) -> Exception:
        cause = error.__cause__
        return cause if isinstance(cause, GithubException) else error


SDK = GitHubSdk()
