"""The labels that a repository defines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.definitions import carriers
from langchain_agentrein.toolkits.github.hub import Gone, Hub, hub_of
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Patch

Color = Annotated[str, Field(pattern="^[0-9a-fA-F]{6}$", description="Six hexadecimal digits, without #.")]
LabelName = Annotated[str, Field(min_length=1, max_length=50, description="The label's name.")]


def fields(label: Mapping[str, Any]) -> dict[str, Json]:
    """A label as people see it."""
    return {
        "name": label["name"],
        "color": label["color"].lower(),
        "description": label["description"] or "",
    }


class _OnLabel(GitHubOperation):
    """About one label."""

    def named(self, name: str) -> str:
        """The path of a label."""
        return self.at("labels", quote(name, safe=""))

    def carriers(self, hub: Hub, name: str) -> list[int]:
        """The numbers of the issues and pull requests that carry a label."""
        return carriers(hub, self.repo, name)


class CreateLabel(_OnLabel):
    """Define a label. The undo deletes it, unless issues carry it by then."""

    name, risk, reversal = "github.labels.create", Risk.MEDIUM, Reversal.EXACT
    repeatable = True

    label: LabelName
    color: Color = "ededed"
    description: str = Field(default="", max_length=100, description="What it is for.")

    def snapshot(self, api: Any) -> Json:
        if hub_of(api).find(self.named(self.label)) is not None:
            raise NotDone(f"{self.repo} has the label {self.label!r} already")
        return None

    def _given(self) -> dict[str, Json]:
        return {"name": self.label, "color": self.color.lower(), "description": self.description}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"label": str}"""
        hub_of(api).send("POST", self.at("labels"), self._given())
        return {"label": self.label}

    def observe(self, api: Any, action: Action) -> Json:
        there = hub_of(api).find(self.named(self.label))
        return None if there is None else fields(there)

    def expect(self, action: Action) -> Json:
        return self._given()

    def probe(self, api: Any, action: Action) -> Probed:
        hub_of(api).wait_for(action)
        now = self.observe(api, action)
        if now is None:
            return NotHappened()
        if now == self._given():
            return Happened({"label": self.label}, after=now)
        return Unknown(f"there is a label {self.label!r}, and it is not as this call would have made it")

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        hub = hub_of(api)
        if hub.find(self.named(self.label)) is None:
            return ()
        return [f"#{number} carries it" for number in self.carriers(hub, self.label)]

    def undo(self, api: Any, action: Action) -> None:
        hub_of(api).send("DELETE", self.named(self.label))


class UpdateLabel(_OnLabel, Patch):
    """Rename a label, or change its color or description. The undo sets back what this set."""

    name, risk, reversal = "github.labels.update", Risk.MEDIUM, Reversal.EXACT
    settable = ("new_name", "color", "description")

    label: LabelName
    new_name: LabelName | None = Field(default=None, description="Its name from now on.")
    color: Color | None = Field(default=None, description="Six hexadecimal digits, without #.")
    description: str | None = Field(default=None, max_length=100, description="What it is for.")

    def given(self) -> dict[str, Json]:
        given = {name: value for name, value in super().given().items() if value is not None}
        if "color" in given:
            given["color"] = given["color"].lower()
        return given

    def read(self, hub: Hub) -> dict[str, Json]:
        return self._read(hub, self.label)

    def _read(self, hub: Hub, name: str) -> dict[str, Json]:
        label = hub.get(self.named(name))
        there = fields(label)
        return {**there, "new_name": there["name"], "id": label["id"]}

    def snapshot(self, api: Any) -> Json:
        """{"was": {field: value}, "id": int}; a label keeps its id under every name"""
        there = self._read(hub_of(api), self.label)
        return {**super().snapshot(api), "id": there["id"]}

    def _found(self, hub: Hub, identity: int) -> dict[str, Json]:
        for name in dict.fromkeys(filter(None, (self.new_name, self.label))):
            there = hub.find(self.named(name))
            if there is not None and there["id"] == identity:
                return self._read(hub, name)
        raise NotDone(f"the label {self.label!r} was deleted, or renamed again")

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        return {"label": hub.send("PATCH", self.named(self.label), values)["name"]}

    def told(self, there: Any) -> Json:
        """receipt: {"label": str}"""
        return {"label": there.get("label") or there["name"]}

    def observe(self, api: Any, action: Action) -> Json:
        there = self._found(hub_of(api), action.before["id"])
        return {name: there[name] for name in action.before["was"]}

    def expect(self, action: Action) -> Json:
        return self.given()

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        now = self.observe(hub, action)
        if now == self.given():
            return Happened({"label": self.new_name or self.label}, after=now)
        return (
            NotHappened() if now == action.before["was"] else Unknown("it is neither as before nor as asked")
        )

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, was = hub_of(api), action.before["was"]
        there = self._found(hub, action.before["id"])
        wanted = [name for name in was if action.undo_fields is None or name in action.undo_fields]
        hub.send("PATCH", self.named(there["name"]), {name: was[name] for name in wanted})
        return ()


class DeleteLabel(_OnLabel):
    """Delete a label, also from all issues. The undo defines it again, and puts it back on those that had it."""

    name, risk, reversal = "github.labels.delete", Risk.HIGH, Reversal.COMPENSATING
    repeatable = True

    label: LabelName

    def snapshot(self, api: Any) -> Json:
        """{"label": {"name", "color", "description"}, "carried": [issue number]}"""
        hub = hub_of(api)
        there = fields(hub.get(self.named(self.label)))
        return {"label": there, "carried": self.carriers(hub, self.label)}

    def do(self, api: Any, action: Action) -> Json:
        hub_of(api).send("DELETE", self.named(self.label))
        return self._told(action)

    def _told(self, action: Action) -> Json:
        """receipt: {"label": str, "carried": int}"""
        return {"label": action.before["label"]["name"], "carried": len(action.before["carried"])}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool, "#number": bool}: whether it is defined, and which issues carry it"""
        hub = hub_of(api)
        there = hub.find(self.named(self.label)) is not None
        carried = set(self.carriers(hub, self.label)) if there else set()
        return {"there": there, **{f"#{one}": one in carried for one in action.before["carried"]}}

    def as_before(self, action: Action) -> Json:
        return {"there": True, **{f"#{one}": True for one in action.before["carried"]}}

    def expect(self, action: Action) -> Json:
        return {"there": False, **{f"#{one}": False for one in action.before["carried"]}}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = hub.find(self.named(self.label))
        return Happened(self._told(action)) if there is None else NotHappened()

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, label = hub_of(api), action.before["label"]
        if hub.find(self.named(label["name"])) is None:
            hub.send("POST", self.at("labels"), label)
        carried, gone = set(self.carriers(hub, label["name"])), []
        for number in action.before["carried"]:
            if number in carried:
                continue
            try:
                hub.send("POST", self.at("issues", number, "labels"), {"labels": [label["name"]]})
            except Gone:
                gone.append(f"#{number} is gone by now")
        return ["it has another id, and the issues' histories show it twice", *gone]
