"""A connector of the story's own: it announces a release, if its issues are closed."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Toolkit
from langchain_agentrein.toolkits.github import Hub


class NotReady(Exception):
    """Issues of the release are still open. Nothing was announced."""


class Announce(Operation):
    """Announce a release to everybody. It is refused while issues of its milestone are open."""

    name, risk, reversal = "release.announce", Risk.MEDIUM, Reversal.NONE

    repo: str = Field(description="owner/name")
    tag: str = Field(description="For example 2.4.")

    def fate(self, error: BaseException) -> type[NotDone] | None:
        return NotDone if isinstance(error, NotReady) else super().fate(error)

    def do(self, api: Hub, action: Action) -> Json:
        """receipt: {"announced": version}

        Raises:
            NotReady: Its milestone has open issues.
        """
        left = [
            f"#{one['number']}"
            for one in api.pages(f"/repos/{self.repo}/issues", state="open")
            if (one["milestone"] or {}).get("title") == self.tag
        ]
        if left:
            raise NotReady(f"{', '.join(sorted(left))} are in milestone {self.tag} and still open")
        api.send("POST", f"/repos/{self.repo}/releases", {"tag_name": self.tag})
        return {"announced": self.tag}


class ReleaseToolkit(Toolkit):
    """The story's release tool; its client is a hub."""

    connector: ClassVar[str] = "release"
    operations: ClassVar[tuple[type[Operation], ...]] = (Announce,)

    def __init__(self, hub: Hub, **options: Any) -> None:
        super().__init__(client=hub, **options)
