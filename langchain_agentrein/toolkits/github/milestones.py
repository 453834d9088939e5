"""Milestones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, marker, unmarked
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Patch

MilestoneNumber = Annotated[int, Field(ge=1, description="The milestone's number.")]
Due = Annotated[
    str | None, Field(pattern=r"^\d{4}-\d\d-\d\d$", description="The day it is due, as YYYY-MM-DD.")
]


def fields(milestone: Mapping[str, Any]) -> dict[str, Json]:
    """A milestone as people see and change it."""
    return {
        "title": milestone["title"],
        "state": milestone["state"],
        "description": unmarked(milestone["description"]),
        "due_on": (milestone["due_on"] or "")[:10] or None,
    }


def receipt(milestone: Mapping[str, Any]) -> dict[str, Json]:
    """{"number": int, "url": str}"""
    return {"number": milestone["number"], "url": milestone["html_url"]}


def sent(values: Mapping[str, Json]) -> dict[str, Json]:
    """Fields as GitHub wants them: a day is its noon, so that no time zone moves it."""
    due = values.get("due_on")
    return {**values, **({"due_on": f"{due}T12:00:00Z"} if due else {})}


class _OnMilestone(GitHubOperation):
    """About one milestone."""

    def carriers(self, hub: Hub, number: int) -> list[int]:
        """The numbers of the issues and pull requests in it."""
        return sorted(
            one["number"] for one in hub.pages(self.at("issues"), state="all", milestone=str(number))
        )


class CreateMilestone(_OnMilestone):
    """Create a milestone. The undo deletes it, unless issues are in it by then."""

    name, risk, reversal = "github.milestones.create", Risk.MEDIUM, Reversal.EXACT
    repeatable = True

    title: str = Field(min_length=1, description="Its name, unique in the repository.")
    description: str = Field(default="", description="What it is for.")
    due_on: Due = None

    def snapshot(self, api: Any) -> Json:
        hub_of(api).get(self.at())
        return None

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        given = {"title": self.title, "description": hub.marked(self.description, action)}
        if self.due_on:
            given["due_on"] = self.due_on
        return receipt(hub.send("POST", self.at("milestones"), sent(given)))

    def observe(self, api: Any, action: Action) -> Json:
        there = hub_of(api).find(self.at("milestones", action.receipt["number"]))
        return None if there is None else fields(there)

    def expect(self, action: Action) -> Json:
        return {
            "title": self.title,
            "state": "open",
            "description": self.description,
            "due_on": self.due_on,
        }

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        if not hub.markers:
            return Unknown("without markers a milestone of ours cannot be told from another")
        hub.wait_for(action)
        for one in hub.pages(self.at("milestones"), state="all"):
            if marker(action) in (one["description"] or ""):
                return Happened(receipt(one), after=fields(one))
        return NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        return [f"#{one} is in it" for one in self.carriers(hub_of(api), action.receipt["number"])]

    def undo(self, api: Any, action: Action) -> None:
        hub_of(api).send("DELETE", self.at("milestones", action.receipt["number"]))


class UpdateMilestone(Patch):
    """Change a milestone: only the fields that are given. The undo sets those back."""

    name, risk, reversal = "github.milestones.update", Risk.MEDIUM, Reversal.EXACT
    settable = ("title", "state", "description", "due_on")

    number: MilestoneNumber
    title: str | None = Field(default=None, min_length=1, description="Its new name.")
    state: Literal["open", "closed"] | None = Field(default=None, description="Closes or reopens it.")
    description: str | None = Field(default=None, description="What it is for.")
    due_on: Due = None

    def given(self) -> dict[str, Json]:
        """Only the day can be taken away."""
        given = super().given()
        return {name: value for name, value in given.items() if value is not None or name == "due_on"}

    def read(self, hub: Hub) -> dict[str, Json]:
        there = hub.get(self.at("milestones", self.number))
        return {**fields(there), **receipt(there)}

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        return receipt(hub.send("PATCH", self.at("milestones", self.number), sent(values)))

    def told(self, there: Any) -> Json:
        return {name: there[name] for name in ("number", "url")}

    def expect(self, action: Action) -> Json:
        return self.given()


class DeleteMilestone(_OnMilestone):
    """Delete a milestone; its issues stay. The undo creates it again, and puts its issues back into it."""

    name, risk, reversal = "github.milestones.delete", Risk.HIGH, Reversal.COMPENSATING
    repeatable = True

    number: MilestoneNumber

    def snapshot(self, api: Any) -> Json:
        """{"milestone": {field: value}, "carried": [issue number]}"""
        hub = hub_of(api)
        there = hub.get(self.at("milestones", self.number))
        return {"milestone": fields(there), "carried": self.carriers(hub, self.number)}

    def do(self, api: Any, action: Action) -> Json:
        hub_of(api).send("DELETE", self.at("milestones", self.number))
        return self._told(action)

    def _told(self, action: Action) -> Json:
        """receipt: {"number": int, "carried": int}"""
        return {"number": self.number, "carried": len(action.before["carried"])}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool, "#number": bool}: whether it is there, as it was or created again, and what is in it"""
        hub = hub_of(api)
        there = hub.find(self.at("milestones", self.number)) or self._again(hub, action)
        carried = set(self.carriers(hub, there["number"])) if there else set()
        return {"there": there is not None, **{f"#{one}": one in carried for one in action.before["carried"]}}

    def as_before(self, action: Action) -> Json:
        return {"there": True, **{f"#{one}": True for one in action.before["carried"]}}

    def expect(self, action: Action) -> Json:
        return {"there": False, **{f"#{one}": False for one in action.before["carried"]}}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = hub.find(self.at("milestones", self.number))
        return Happened(self._told(action)) if there is None else NotHappened()

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, milestone = hub_of(api), action.before["milestone"]
        given = {name: value for name, value in milestone.items() if value is not None}
        again = self._again(hub, action) or hub.send("POST", self.at("milestones"), sent(given))
        kept = []
        for number in action.before["carried"]:
            issue = hub.find(self.at("issues", number))
            if issue is None or issue.get("milestone") is not None:
                kept.append(f"#{number} is gone, or in another milestone by now")
                continue
            hub.send("PATCH", self.at("issues", number), {"milestone": again["number"]})
        return [f"it has another number, {again['number']}; the issues' histories show it", *kept]

    def _again(self, hub: Hub, action: Action) -> dict[str, Any] | None:
        """The one that an undo created: titles are unique in a repository."""
        title = action.before["milestone"]["title"]
        return next(
            (one for one in hub.pages(self.at("milestones"), state="all") if one["title"] == title), None
        )
