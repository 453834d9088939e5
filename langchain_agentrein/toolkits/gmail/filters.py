"""Filters: what Gmail does by itself with mail that arrives. They cannot be changed, only made and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Undone
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import Address
from langchain_agentrein.toolkits.gmail.operation import BASIC, SHARING, GmailOperation
from langchain_agentrein.toolkits.gmail.relabelling import ids_now, names_of, resolved

FilterId = Annotated[str, Field(pattern=r"^[\w-]+$", description="The filter's id.")]


def all_of(hub: Hub) -> list[dict[str, Any]]:
    """Every filter of the mailbox."""
    return list(hub.get(hub.users.settings().filters().list(userId=ME)).get("filter") or ())


def bare(one: Mapping[str, Any]) -> dict[str, Json]:
    """A filter without its id: {"criteria": {...}, "action": {...}}, as the API takes it"""
    action = {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in (one.get("action") or {}).items()
        if value
    }
    criteria = {name: value for name, value in (one.get("criteria") or {}).items() if value}
    return {"criteria": criteria, "action": action}


def _labels(one: Mapping[str, Any]) -> dict[str, list[str]]:
    action = one.get("action") or {}
    return {name: action[name] for name in ("addLabelIds", "removeLabelIds") if action.get(name)}


class _OnFilters(GmailOperation):
    """Makes a filter, or deletes one."""

    risk, reversal = Risk.HIGH, Reversal.COMPENSATING
    repeatable = True
    scopes: ClassVar[tuple[str, ...]] = (*BASIC, *SHARING)
    """The latter for a filter that forwards."""


class CreateFilter(_OnFilters):
    """Make a filter: what matches all that is given is labelled, archived or forwarded as it arrives.

    The undo deletes it; what it did to mail meanwhile stays.
    """

    name = "gmail.settings.filters.create"

    sender: str | None = Field(default=None, min_length=1, description="Part of whom it is from.")
    to: str | None = Field(default=None, min_length=1, description="Part of whom it is to.")
    subject: str | None = Field(default=None, min_length=1, description="A phrase in the subject.")
    query: str | None = Field(default=None, min_length=1, description="A search, as in Gmail's search box.")
    negated_query: str | None = Field(default=None, min_length=1, description="A search that must not match.")
    has_attachment: bool = Field(default=False, description="Only what has attachments.")
    add: list[str] = Field(default_factory=list, description="Labels to put on, by name or id.")
    remove: list[str] = Field(default_factory=list, description="Labels to take off; INBOX archives.")
    forward: Address | None = Field(default=None, description="Where to forward it to; a verified address.")

    def assess(self, api: Any) -> Assessment:
        if self.forward is None:
            return self.usual()
        return Assessment(Risk.CRITICAL, self.reversal, f"forwards mail to {self.forward}")

    def snapshot(self, api: Any) -> Json:
        """{"filter": {"criteria", "action"}, "ids": [those that there are]}"""
        names = {
            "sender": "from",
            "to": "to",
            "subject": "subject",
            "query": "query",
            "negated_query": "negatedQuery",
            "has_attachment": "hasAttachment",
        }
        criteria = {api: getattr(self, name) for name, api in names.items() if getattr(self, name)}
        if not criteria:
            raise NotDone("a filter needs something that mail must match")
        if not (self.add or self.remove or self.forward):
            raise NotDone(
                "a filter needs something to do: labels to add or remove, or an address to forward to"
            )
        hub = hub_of(api)
        action: dict[str, Json] = {
            "addLabelIds": resolved(hub, self.add),
            "removeLabelIds": resolved(hub, self.remove),
        }
        if self.forward:
            action["forward"] = self.forward
        made = bare({"criteria": criteria, "action": action})
        known = all_of(hub)
        if any(bare(one) == made for one in known):
            raise NotDone("there is such a filter already")
        return {"filter": made, "ids": [one["id"] for one in known]}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"id": str}"""
        hub = hub_of(api)
        made = hub.send(hub.users.settings().filters().create(userId=ME, body=action.before["filter"]))
        return {"id": made["id"]}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool}"""
        return {"there": self._now(hub_of(api), action) is not None}

    def _now(self, hub: Hub, action: Action) -> str | None:
        """Its id: the one that it was given, or, where it was deleted and made again, that of its like."""
        known = all_of(hub)
        made = [one["id"] for one in known if one["id"] == action.receipt["id"]]
        return next(iter(made or self._new(known, action)), None)

    def _new(self, known: list[dict[str, Any]], action: Action) -> list[str]:
        before = action.before
        return [
            one["id"] for one in known if one["id"] not in before["ids"] and bare(one) == before["filter"]
        ]

    def as_before(self, action: Action) -> Json:
        return {"there": False}

    def expect(self, action: Action) -> Json:
        return {"there": True}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        new = self._new(all_of(hub), action)
        return Happened({"id": new[0]}) if new else NotHappened()

    def undo(self, api: Any, action: Action) -> str:
        hub = hub_of(api)
        if (there := self._now(hub, action)) is not None:
            hub.send(hub.users.settings().filters().delete(userId=ME, id=there))
        return "what it did to mail that arrived meanwhile stays"


class DeleteFilter(_OnFilters):
    """Delete a filter. The undo makes it again, with another id; mail that arrived meanwhile was not filtered."""

    name = "gmail.settings.filters.delete"

    filter_id: FilterId

    def snapshot(self, api: Any) -> Json:
        """{"filter": {"criteria", "action"}, "names": {label id: name}}"""
        hub = hub_of(api)
        there = [one for one in all_of(hub) if one["id"] == self.filter_id]
        if not there:
            raise NotDone(f"there is no filter {self.filter_id}")
        labels = [one for ids in _labels(there[0]).values() for one in ids]
        return {"filter": bare(there[0]), "names": names_of(hub, labels)}

    def _as_it_was(self, hub: Hub, action: Action) -> dict[str, Json]:
        """The filter, by the ids that its labels have now.

        Raises:
            Conflict: One of them is gone.
        """
        was, ids = action.before["filter"], ids_now(hub, action.before["names"])
        if gone := [action.before["names"][one] for one, now in ids.items() if now is None]:
            raise Conflict(f"its label is gone by now: {', '.join(gone)}")
        again = {name: sorted(ids.get(one) or one for one in given) for name, given in _labels(was).items()}
        return {**was, "action": {**was["action"], **again}}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"id": str}"""
        hub = hub_of(api)
        hub.send(hub.users.settings().filters().delete(userId=ME, id=self.filter_id))
        return {"id": self.filter_id}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool}: this one, or one that does the same"""
        hub = hub_of(api)
        known = all_of(hub)
        if any(one["id"] == self.filter_id for one in known):
            return {"there": True}
        was = self._as_it_was(hub, action)
        return {"there": any(bare(one) == was for one in known)}

    def as_before(self, action: Action) -> Json:
        return {"there": True}

    def expect(self, action: Action) -> Json:
        return {"there": False}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = any(one["id"] == self.filter_id for one in all_of(hub))
        return NotHappened() if there else Happened({"id": self.filter_id})

    def undo(self, api: Any, action: Action) -> Undone:
        hub = hub_of(api)
        body = self._as_it_was(hub, action)
        again = hub.send(hub.users.settings().filters().create(userId=ME, body=body))
        return Undone([f"it has another id: {again['id']}", "mail that arrived meanwhile was not filtered"])
