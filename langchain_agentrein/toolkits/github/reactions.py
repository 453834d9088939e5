"""Reactions to issues, pull requests and comments."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.operation import GitHubOperation


class CreateReaction(GitHubOperation):
    """React to an issue, a pull request, or one of their comments. The undo takes the reaction back."""

    name, risk, reversal = "github.reactions.create", Risk.LOW, Reversal.EXACT
    repeatable = True

    number: int | None = Field(default=None, ge=1, description="The issue's number; or give comment_id.")
    comment_id: int | None = Field(default=None, ge=1, description="The comment's id; or give number.")
    content: Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"] = Field(
        description="The reaction."
    )

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.number is None) == (self.comment_id is None):
            raise ValueError("give either number or comment_id")
        return self

    def _path(self, *parts: str | int) -> str:
        subject = [self.number] if self.number is not None else ["comments", self.comment_id]
        return self.at("issues", *map(str, subject), "reactions", *parts)

    def _mine(self, hub: Hub) -> dict[str, Any] | None:
        """A person gives each reaction once."""
        for one in hub.pages(self._path(), content=self.content):
            if one["user"] is not None and one["user"]["login"].casefold() == hub.login.casefold():
                return one
        return None

    def snapshot(self, api: Any) -> Json:
        hub = hub_of(api)
        if self._mine(hub) is not None:
            raise NotDone(f"{hub.login} has reacted with {self.content} already")
        return None

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"id": int, "content": str}"""
        made = hub_of(api).send("POST", self._path(), {"content": self.content})
        return {"id": made["id"], "content": self.content}

    def observe(self, api: Any, action: Action) -> Json:
        """{"content": str}, or `None` once it is gone"""
        there = self._mine(hub_of(api))
        return None if there is None or there["id"] != action.receipt["id"] else {"content": self.content}

    def as_before(self, action: Action) -> Json:
        return None

    def expect(self, action: Action) -> Json:
        return {"content": self.content}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = self._mine(hub)
        if there is None:
            return NotHappened()
        return Happened({"id": there["id"], "content": self.content}, after={"content": self.content})

    def undo(self, api: Any, action: Action) -> None:
        hub_of(api).send("DELETE", self._path(action.receipt["id"]))
