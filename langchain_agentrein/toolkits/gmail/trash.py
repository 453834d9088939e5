"""The trash: messages and threads put into it, and taken out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from langchain_agentrein.action import Action, Json, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.gmail.hub import ME, Hub
from langchain_agentrein.toolkits.gmail.operation import MessageId, ThreadId, link
from langchain_agentrein.toolkits.gmail.relabelling import Relabelling, labels_in, labels_of

KEPT: Final = timedelta(days=30)
"""How long Gmail keeps what is in the trash.

Source: support.google.com/mail/answer/7401, "Delete or recover deleted Gmail messages".
"""


class _Trash(Relabelling):
    """Puts messages into the trash, or takes them out.

    The undo sets the very labels that each message had: Gmail's own untrash does not put an archived message back where
    it was.
    """

    risk = Risk.MEDIUM

    def changes(self, hub: Hub) -> tuple[list[str], list[str]]:
        return ["TRASH"], []

    def watched(self, before: Mapping[str, Any], message: str) -> set[str]:
        """Whatever it carried: nobody says which labels Gmail takes off."""
        return {"TRASH", "INBOX", *before["was"][message]}

    def snapshot(self, api: Any) -> Json:
        before: dict[str, Any] = super().snapshot(api)
        there = [one for one, labels in before["was"].items() if "TRASH" in labels]
        if before["add"] and len(there) == len(before["was"]):
            raise NotDone("it is in the trash already")
        if before["remove"] and not there:
            raise NotDone("it is not in the trash")
        return before

    def expect(self, action: Action) -> Json:
        """What is in the trash is in no inbox."""
        return {**self.wanted(action), **{f"{one} INBOX": False for one in action.before["was"]}}

    def told(self, action: Action) -> Json:
        """receipt: {"messages": [id], "url": str}"""
        ids = list(action.before["was"])
        return {"messages": ids, "url": link(ids[0])}


class _Untrash(_Trash):
    """Takes messages out of the trash."""

    def changes(self, hub: Hub) -> tuple[list[str], list[str]]:
        return [], ["TRASH"]

    def expect(self, action: Action) -> Json:
        """Whether it comes into the inbox is Gmail's to decide."""
        return None


class TrashMessage(_Trash):
    """Move a message to the trash, where Gmail keeps it for 30 days.

    The undo takes it out again, with the very labels that it had.
    """

    name = "gmail.messages.trash"

    message_id: MessageId

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        return labels_of(hub, [self.message_id])

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        return hub.users.messages().trash(userId=ME, id=self.message_id)

    def undo_until(self, action: Action) -> datetime | None:
        return (action.started_at or datetime.now(UTC)) + KEPT


class UntrashMessage(_Untrash):
    """Take a message out of the trash. The undo puts it back, with the very labels that it had."""

    name = "gmail.messages.untrash"

    message_id: MessageId

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        return labels_of(hub, [self.message_id])

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        return hub.users.messages().untrash(userId=ME, id=self.message_id)


class TrashThread(_Trash):
    """Move all messages of a thread to the trash, where Gmail keeps them for 30 days.

    The undo takes them out again, each with the very labels that it had.
    """

    name = "gmail.threads.trash"

    thread_id: ThreadId

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        return labels_in(hub, self.thread_id)

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        return hub.users.threads().trash(userId=ME, id=self.thread_id)

    def undo_until(self, action: Action) -> datetime | None:
        return (action.started_at or datetime.now(UTC)) + KEPT


class UntrashThread(_Untrash):
    """Take all messages of a thread out of the trash. The undo puts back those that were in it."""

    name = "gmail.threads.untrash"

    thread_id: ThreadId

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        return labels_in(hub, self.thread_id)

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        return hub.users.threads().untrash(userId=ME, id=self.thread_id)
