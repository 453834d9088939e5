"""The labels that a mailbox has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Undone, Unknown
from langchain_agentrein.toolkits.gmail.definitions import all_of, body, carriers, fields, named
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.operation import GmailOperation
from langchain_agentrein.toolkits.gmail.relabelling import modify

MOST = 20_000
"""Messages that a deleted label is put back on; one that more carry is not deleted."""
Name = Annotated[str, Field(min_length=1, max_length=225, description="Its name; a slash makes it nested.")]
Which = Annotated[str, Field(min_length=1, description="The label, by name or id.")]
Color = Annotated[
    str | None, Field(pattern="^#[0-9a-f]{6}$", description="One of Gmail's label colors, as #16a766.")
]
InLabels = Literal["labelShow", "labelShowIfUnread", "labelHide"]
InMessages = Literal["show", "hide"]
IN_LABELS = "Whether the list of labels shows it."
IN_MESSAGES = "Whether the list of messages shows it."


class CreateLabel(GmailOperation):
    """Create a label. The undo deletes it, unless messages carry it by then."""

    name, risk, reversal = "gmail.labels.create", Risk.MEDIUM, Reversal.EXACT
    repeatable = True
    scopes = ("gmail.labels",)

    label: Name
    background: Color = None
    text: Color = None
    in_label_list: InLabels = Field(default="labelShow", description=IN_LABELS)
    in_message_list: InMessages = Field(default="show", description=IN_MESSAGES)

    def _given(self) -> dict[str, Json]:
        color = bool(self.background and self.text)
        return {
            "name": self.label,
            "background": self.background if color else None,
            "text": self.text if color else None,
            "in_label_list": self.in_label_list,
            "in_message_list": self.in_message_list,
        }

    def _found(self, hub: Hub) -> dict[str, Any] | None:
        return next((one for one in all_of(hub) if one["name"].lower() == self.label.lower()), None)

    def snapshot(self, api: Any) -> Json:
        if bool(self.background) != bool(self.text):
            raise NotDone("a label's color is two: background and text")
        if self._found(hub_of(api)) is not None:
            raise NotDone(f"there is a label {self.label!r} already")
        return None

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"id": str, "label": str}"""
        hub = hub_of(api)
        return self._told(hub.send(hub.users.labels().create(userId=ME, body=body(self._given()))))

    def _told(self, label: Mapping[str, Any]) -> Json:
        return {"id": label["id"], "label": label["name"]}

    def observe(self, api: Any, action: Action) -> Json:
        there = self._now(hub_of(api), action)
        return None if there is None else fields(there)

    def _now(self, hub: Hub, action: Action) -> dict[str, Any] | None:
        """By its id, or, where it was deleted and created again, by its name."""
        there: dict[str, Any] | None = hub.find(hub.users.labels().get(userId=ME, id=action.receipt["id"]))
        again = self._found(hub) if there is None else None
        return hub.find(hub.users.labels().get(userId=ME, id=again["id"])) if again is not None else there

    def expect(self, action: Action) -> Json:
        return self._given()

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = self._found(hub)
        if there is None:
            return NotHappened()
        if fields(there) == self._given():
            return Happened(self._told(there), after=fields(there))
        return Unknown(f"there is a label {self.label!r}, and it is not as this call would have made it")

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        count = (self._now(hub_of(api), action) or {}).get("messagesTotal")
        return [f"{count} message(s) carry it"] if count else ()

    def undo(self, api: Any, action: Action) -> None:
        hub = hub_of(api)
        if (there := self._now(hub, action)) is not None:
            hub.send(hub.users.labels().delete(userId=ME, id=there["id"]))


class UpdateLabel(GmailOperation):
    """Rename a label, or change its color or where it is shown. The undo sets back what this set."""

    name, risk, reversal = "gmail.labels.update", Risk.MEDIUM, Reversal.EXACT
    partial, repeatable = True, True
    scopes = ("gmail.labels",)

    label: Which
    new_name: Name | None = Field(default=None, description="Its name from now on.")
    background: Color = None
    text: Color = None
    in_label_list: InLabels | None = Field(default=None, description=IN_LABELS)
    in_message_list: InMessages | None = Field(default=None, description=IN_MESSAGES)

    def _given(self) -> dict[str, Json]:
        given = {
            "name": self.new_name,
            "background": self.background,
            "text": self.text,
            "in_label_list": self.in_label_list,
            "in_message_list": self.in_message_list,
        }
        return {name: value for name, value in given.items() if value is not None}

    def snapshot(self, api: Any) -> Json:
        """{"id": str, "name": str, "was": {field: value}}; a label keeps its id under every name"""
        if not self._given():
            raise NotDone("nothing to change was given")
        if bool(self.background) != bool(self.text):
            raise NotDone("a label's color is two: background and text")
        label = named(hub_of(api), self.label)
        there = fields(label)
        was = {name: there[name] for name in self._given()}
        return {"id": label["id"], "name": there["name"], "was": was}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"id": str, "label": str}"""
        hub = hub_of(api)
        hub.send(hub.users.labels().patch(userId=ME, id=action.before["id"], body=body(self._given())))
        return self._told(action)

    def _told(self, action: Action) -> Json:
        return {"id": action.before["id"], "label": self.new_name or action.before["name"]}

    def observe(self, api: Any, action: Action) -> Json:
        """{field: value}, or `None` once it is gone"""
        there = self._now(hub_of(api), action)
        return None if there is None else {name: fields(there)[name] for name in action.before["was"]}

    def _now(self, hub: Hub, action: Action) -> dict[str, Any] | None:
        """By its id, or, where it was deleted and created again, by the name that this gave it, or its former."""
        known, names = all_of(hub), (self.new_name, action.before["name"])
        same = [one for one in known if one["id"] == action.before["id"]]
        return next(iter(same or [one for name in names for one in known if one["name"] == name]), None)

    def as_before(self, action: Action) -> Json:
        return action.before["was"]

    def expect(self, action: Action) -> Json:
        return self._given()

    def probe(self, api: Any, action: Action) -> Probed:
        hub_of(api).wait_for(action)
        now = self.observe(api, action)
        if now == self._given():
            return Happened(self._told(action), after=now)
        return (
            NotHappened() if now == action.before["was"] else Unknown("it is neither as before nor as asked")
        )

    def undo(self, api: Any, action: Action) -> None:
        hub = hub_of(api)
        there = self._now(hub, action)
        if there is None:
            raise Conflict("the label is gone by now")
        back = {
            name: value
            for name, value in action.before["was"].items()
            if action.undo_fields is None or name in action.undo_fields
        }
        labels = hub.users.labels()
        if None not in back.values():
            hub.send(labels.patch(userId=ME, id=there["id"], body=body(back)))
            return
        # It had no color: what is left out is taken away by `update`, and by no `patch`.
        whole = {"id": there["id"], **body({**fields(there), **back})}
        hub.send(labels.update(userId=ME, id=there["id"], body=whole))


class DeleteLabel(GmailOperation):
    """Delete a label, also from all messages. The undo creates it again, and puts it back on those that had it."""

    name, risk, reversal = "gmail.labels.delete", Risk.MEDIUM, Reversal.COMPENSATING
    repeatable = True

    label: Which

    def snapshot(self, api: Any) -> Json:
        """{"id": str, "label": {field: value}, "carried": [message id]}"""
        hub = hub_of(api)
        label = named(hub, self.label)
        carried = carriers(hub, label["id"])
        if len(carried) > MOST:
            raise NotDone(f"{len(carried):,} messages carry it; at most {MOST:,} can be given it back")
        return {"id": label["id"], "label": fields(label), "carried": carried}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        hub.send(hub.users.labels().delete(userId=ME, id=action.before["id"]))
        return self._told(action)

    def _told(self, action: Action) -> Json:
        """receipt: {"label": str, "carried": int}"""
        return {"label": action.before["label"]["name"], "carried": len(action.before["carried"])}

    def _there(self, hub: Hub, action: Action) -> dict[str, Any] | None:
        """The label as it was, or as it was created again: by its name."""
        name = action.before["label"]["name"]
        return next((one for one in all_of(hub) if one["name"] == name), None)

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool, "carried": int}: whether it is there, and how many of those that carried it do"""
        hub = hub_of(api)
        there = self._there(hub, action)
        now = set(carriers(hub, there["id"])) if there else set()
        return {"there": there is not None, "carried": len(now & set(action.before["carried"]))}

    def as_before(self, action: Action) -> Json:
        return {"there": True, "carried": len(action.before["carried"])}

    def expect(self, action: Action) -> Json:
        return {"there": False, "carried": 0}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = hub.find(hub.users.labels().get(userId=ME, id=action.before["id"]))
        return Happened(self._told(action)) if there is None else NotHappened()

    def undo(self, api: Any, action: Action) -> Undone:
        hub, before = hub_of(api), action.before
        there = self._there(hub, action)
        if there is None:
            there = hub.send(hub.users.labels().create(userId=ME, body=body(before["label"])))
        has = set(carriers(hub, there["id"]))
        if missing := [one for one in before["carried"] if one not in has]:
            modify(hub, missing, [there["id"]], [])
        return Undone(["it has another id: filters that used it do not know it any more"])
