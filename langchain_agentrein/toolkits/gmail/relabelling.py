"""What a message carries: labels, put on and taken off, message by message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Undone, Unknown
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.operation import GmailOperation
from langchain_agentrein.toolkits.gmail.replies import Gone

AT_ONCE = 1000
"""Messages that one `batchModify` takes."""
FIXED = frozenset({"SENT", "DRAFT", "CHAT"})
"""Labels that nobody can put on or take off.

Source: developers.google.com/workspace/gmail/api/guides/labels, "Can be manually applied".
"""


def labels_of(hub: Hub, ids: Iterable[str]) -> dict[str, list[str] | None]:
    """The labels of each message; `None` for one that is not there."""
    ids = list(ids)
    messages = hub.users.messages()
    found = hub.each((messages.get(userId=ME, id=one, format="minimal") for one in ids), missing=True)
    return {
        one: None if there is None else sorted(there.get("labelIds") or ())
        for one, there in zip(ids, found, strict=True)
    }


def labels_in(hub: Hub, thread: str) -> dict[str, list[str]]:
    """The labels of each message of a thread."""
    there = hub.get(hub.users.threads().get(userId=ME, id=thread, format="minimal"))
    return {one["id"]: sorted(one.get("labelIds") or ()) for one in there["messages"]}


def resolved(hub: Hub, names: Collection[str]) -> list[str]:
    """The ids of labels that are given by id or by name.

    Raises:
        NotDone: One of them is unknown, or is Gmail's own to give.
    """
    if not names:
        return []
    known = hub.get(hub.users.labels().list(userId=ME)).get("labels") or ()
    ids = {one["id"] for one in known}
    by_name = {one["name"].lower(): one["id"] for one in known}
    found: list[str] = []
    for name in names:
        identity = name if name in ids else by_name.get(name.lower())
        if identity is None:
            raise NotDone(f"there is no label {name!r}; gmail.labels.list tells which there are")
        if identity in FIXED:
            raise NotDone(f"{identity} is Gmail's own to give")
        found.append(identity)
    return sorted(set(found))


def names_of(hub: Hub, ids: Collection[str]) -> dict[str, str]:
    """The names of those labels that are the user's own: they may be deleted, and created again with another id."""
    if all(one.isupper() for one in ids):  # Gmail's own: INBOX, CATEGORY_SOCIAL
        return {}
    known = hub.get(hub.users.labels().list(userId=ME)).get("labels") or ()
    return {one["id"]: one["name"] for one in known if one["id"] in ids and one.get("type") == "user"}


def ids_now(hub: Hub, names: Mapping[str, str]) -> dict[str, str | None]:
    """The id that each label has now, by the one that it had: its own, that of its namesake, or `None`."""
    if not names:
        return {}
    known = hub.get(hub.users.labels().list(userId=ME)).get("labels") or ()
    ids, by_name = {one["id"] for one in known}, {one["name"]: one["id"] for one in known}
    return {one: one if one in ids else by_name.get(name) for one, name in names.items()}


def modify(hub: Hub, ids: Sequence[str], add: Iterable[str], remove: Iterable[str]) -> None:
    """Change the labels of messages, as few requests as it takes."""
    body: dict[str, Json] = {"addLabelIds": sorted(add), "removeLabelIds": sorted(remove)}
    messages = hub.users.messages()
    if len(ids) == 1:
        hub.send(messages.modify(userId=ME, id=ids[0], body=body))
        return
    for start in range(0, len(ids), AT_ONCE):
        some = list(ids[start : start + AT_ONCE])
        hub.send(messages.batchModify(userId=ME, body={"ids": some, **body}))


class Relabelling(GmailOperation):
    """Changes what messages carry. The undo changes back, message by message, only the labels that this changed.

    before: {"was": {message id: [label id]}, "add": [label id], "remove": [label id], "names": {label id: name}}
    after: {"<message id> <label id>": bool}, `None` for a message that is gone
    """

    risk, reversal = Risk.LOW, Reversal.EXACT
    partial, repeatable = True, True

    def changes(self, hub: Hub) -> tuple[list[str], list[str]]:
        """The ids of the labels that it puts on, and of those that it takes off."""
        raise NotImplementedError

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        """The labels of the messages that it is about."""
        raise NotImplementedError

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        """The one request that does it."""
        raise NotImplementedError

    def told(self, action: Action) -> Json:
        """The receipt."""
        raise NotImplementedError

    def watched(self, before: Mapping[str, Any], message: str) -> set[str]:
        """The labels of a message that are compared: those that it puts on or takes off."""
        return {*before["add"], *before["remove"]}

    def snapshot(self, api: Any) -> Json:
        hub = hub_of(api)
        add, remove = self.changes(hub)
        was = self.present(hub)
        if missing := [one for one, labels in was.items() if labels is None]:
            raise Gone(f"there is no message {', '.join(missing)}")
        before = {"was": dict(was), "add": add, "remove": remove}
        watched = set[str]().union(*(self.watched(before, one) for one in was))
        return {**before, "names": names_of(hub, watched)}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        hub.send(self.request(hub, action.before))
        return self.told(action)

    def observe(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        labels = labels_of(hub, action.before["was"])
        former = {now: one for one, now in ids_now(hub, action.before["names"]).items() if now is not None}
        return self._fields(
            action,
            {
                message: None if there is None else [former.get(one, one) for one in there]
                for message, there in labels.items()
            },
        )

    def _fields(self, action: Action, labels: Mapping[str, Collection[str] | None]) -> dict[str, Json]:
        fields: dict[str, Json] = {}
        for message in action.before["was"]:
            there = labels[message]
            for label in sorted(self.watched(action.before, message)):
                fields[f"{message} {label}"] = None if there is None else label in there
        return fields

    def as_before(self, action: Action) -> Json:
        return self._fields(action, action.before["was"])

    def wanted(self, action: Action) -> dict[str, Json]:
        """What `observe` would return, had nothing but the labels changed that it puts on or takes off."""
        add, remove = set(action.before["add"]), set(action.before["remove"])
        was = action.before["was"]
        return self._fields(action, {one: (set(labels) | add) - remove for one, labels in was.items()})

    def expect(self, action: Action) -> Json:
        return self.wanted(action)

    def probe(self, api: Any, action: Action) -> Probed:
        hub_of(api).wait_for(action)
        now = self.observe(api, action)
        before, expected = action.before, self.wanted(action)
        asked = [f"{one} {label}" for one in before["was"] for label in (*before["add"], *before["remove"])]
        if all(now[field] == expected[field] for field in asked):
            return Happened(self.told(action), after=now)
        if now == self.as_before(action):
            return NotHappened()
        return Unknown("some of the labels changed, and not all: somebody changed them, too")

    def undo(self, api: Any, action: Action) -> Undone:
        hub, before, after = hub_of(api), self.as_before(action), action.after or {}
        now, ids = self.observe(hub, action), ids_now(hub, action.before["names"])
        groups: dict[tuple[frozenset[str], frozenset[str]], list[str]] = defaultdict(list)
        left: dict[str, str] = {}
        for message in action.before["was"]:
            back: dict[bool, set[str]] = {True: set(), False: set()}
            for label in self.watched(action.before, message):
                field = f"{message} {label}"
                ours = action.undo_forced or after.get(field) != before[field]
                if not ours or (action.undo_fields is not None and field not in action.undo_fields):
                    continue
                identity = ids.get(label, label)
                if now[field] is None:
                    left[field] = f"the message {message} is gone by now"
                elif identity is None:
                    left[field] = f"the label {action.before['names'][label]!r} is gone by now"
                elif now[field] != before[field] and label not in FIXED:
                    back[before[field]].add(identity)
            if back[True] or back[False]:
                groups[frozenset(back[True]), frozenset(back[False])].append(message)
        for (add, remove), messages in groups.items():
            modify(hub, messages, add, remove)
        if left and all(there is None for there in now.values()):
            raise Conflict("deleted by now", sorted(set(left.values())))
        return Undone(sorted(set(left.values())), left=list(left))
