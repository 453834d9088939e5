"""Mails put into the mailbox without being sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import (
    HOST,
    Address,
    Addresses,
    Body,
    Subject,
    encoded,
    header,
    is_marked,
    mark,
    writable,
    written,
)
from langchain_agentrein.toolkits.gmail.operation import GmailOperation, link
from langchain_agentrein.toolkits.gmail.relabelling import labels_of, resolved


class _Putting(GmailOperation):
    """Puts a mail into the mailbox. The undo moves it to the trash."""

    risk, reversal = Risk.MEDIUM, Reversal.COMPENSATING
    repeatable = True

    sender: Address = Field(description="Whom it is from, as ana@example.com or Ana <ana@example.com>.")
    to: Addresses = Field(min_length=1, description="Whom it is to.")
    subject: Subject = Field(description="One line.")
    body: Body = Field(description="The text, plain.")
    labels: list[str] = Field(
        default_factory=lambda: ["INBOX", "UNREAD"], description="What it carries: labels by name or id."
    )

    def request(self, hub: Hub, body: dict[str, Json]) -> Any:
        """The one request that does it."""
        raise NotImplementedError

    def snapshot(self, api: Any) -> Json:
        """{"labels": [label id]}"""
        writable({"from": [self.sender], "to": self.to}, self.subject, self.body)
        return {"labels": resolved(hub_of(api), self.labels)}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        people = {"from": [self.sender], "to": self.to}
        mail = written(people, self.subject, self.body, marked=mark(action), at=action.started_at)
        body = {"raw": encoded(mail), "labelIds": action.before["labels"]}
        return self._told(hub.send(self.request(hub, body)))

    def _told(self, message: Any) -> Json:
        """receipt: {"id": str, "thread": str, "url": str}"""
        return {"id": message["id"], "thread": message["threadId"], "url": link(message["id"])}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool, "labels": [label id]}; in the trash, it is not there. Being read changes nothing."""
        identity = action.receipt["id"]
        labels = labels_of(hub_of(api), [identity])[identity]
        if labels is None or "TRASH" in labels:
            return self.as_before(action)
        return {"there": True, "labels": [one for one in labels if one != "UNREAD"]}

    def as_before(self, action: Action) -> Json:
        return {"there": False, "labels": []}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        for message in hub.since(action, search=f"rfc822msgid:{mark(action)}@{HOST}"):
            if is_marked(message, mark(action)):
                labels = [one for one in sorted(message.get("labelIds") or ()) if one != "UNREAD"]
                return Happened(self._told(message), after={"there": True, "labels": labels})
        return Unknown("it is not found any more: look for it") if hub.old(action) else NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        hub = hub_of(api)
        thread = hub.find(hub.users.threads().get(userId=ME, id=action.receipt["thread"], format="metadata"))
        return [
            f"{header(one, 'From')} has answered: {link(one['id'])}"
            for one in (thread or {}).get("messages") or ()
            if one["id"] != action.receipt["id"]
        ]

    def undo(self, api: Any, action: Action) -> str:
        hub = hub_of(api)
        hub.send(hub.users.messages().trash(userId=ME, id=action.receipt["id"]))
        return "it is in the trash, and may have been read"


class InsertMessage(_Putting):
    """Put a mail into the mailbox as it is, unscanned; nothing is sent. The undo moves it to the trash."""

    name = "gmail.messages.insert"

    def request(self, hub: Hub, body: dict[str, Json]) -> Any:
        return hub.users.messages().insert(userId=ME, internalDateSource="receivedTime", body=body)


class ImportMessage(_Putting):
    """Put a mail into the mailbox as if it had been received, scanned for spam; nothing is sent.

    The undo moves it to the trash.
    """

    name = "gmail.messages.import"

    def request(self, hub: Hub, body: dict[str, Json]) -> Any:
        return hub.users.messages().import_(userId=ME, internalDateSource="receivedTime", body=body)
