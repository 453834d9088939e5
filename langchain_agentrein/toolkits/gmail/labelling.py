"""Labels on messages and threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from langchain_agentrein.action import Action, Json, Risk
from langchain_agentrein.operation import Assessment
from langchain_agentrein.toolkits.gmail.hub import ME, Hub
from langchain_agentrein.toolkits.gmail.operation import MessageId, ThreadId, link
from langchain_agentrein.toolkits.gmail.relabelling import Relabelling, labels_in, labels_of, resolved

MOST = 500
"""Messages of one call: each is read before, after, and before the undo."""
SEVERAL = 50
"""Messages beyond which a call is of medium risk."""
Labels = Annotated[list[str], AfterValidator(lambda names: sorted(set(names))), Field(max_length=100)]


class _Modify(Relabelling):
    """Puts labels on, and takes labels off."""

    add: Labels = Field(
        default_factory=list,
        description="Labels to put on, by name or id; for example STARRED, UNREAD, INBOX.",
    )
    remove: Labels = Field(
        default_factory=list,
        description="Labels to take off, by name or id: INBOX archives, UNREAD marks as read.",
    )

    @model_validator(mode="after")
    def _something(self) -> _Modify:
        if not self.add and not self.remove:
            raise ValueError("give labels to add or to remove")
        if both := set(self.add) & set(self.remove):
            raise ValueError(f"{', '.join(sorted(both))}: to add and to remove the same label is nothing")
        return self

    def changes(self, hub: Hub) -> tuple[list[str], list[str]]:
        return resolved(hub, self.add), resolved(hub, self.remove)

    def watched(self, before: Mapping[str, Any], message: str) -> set[str]:
        """What goes to trash or spam also leaves the inbox."""
        labels = super().watched(before, message)
        return labels | {"INBOX"} if {"TRASH", "SPAM"} & set(before["add"]) else labels

    def body(self, before: Mapping[str, Any]) -> dict[str, Json]:
        """What each of the three requests says."""
        return {"addLabelIds": before["add"], "removeLabelIds": before["remove"]}


class ModifyMessage(_Modify):
    """Put labels on a message, or take labels off: archive it, mark it as read, star it, file it.

    The undo changes back only the labels that this changed.
    """

    name = "gmail.messages.modify"

    message_id: MessageId

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        return labels_of(hub, [self.message_id])

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        return hub.users.messages().modify(userId=ME, id=self.message_id, body=self.body(before))

    def told(self, action: Action) -> Json:
        """receipt: {"id": str, "url": str}"""
        return {"id": self.message_id, "url": link(self.message_id)}


class BatchModifyMessages(_Modify):
    """Put labels on many messages, or take labels off, at once.

    The undo changes back, message by message, only the labels that this changed.
    """

    name = "gmail.messages.batch_modify"

    message_ids: Annotated[
        list[MessageId],
        AfterValidator(lambda ids: list(dict.fromkeys(ids))),
        Field(min_length=1, max_length=MOST, description="The messages' ids."),
    ]

    def assess(self, api: Any) -> Assessment:
        many = len(self.message_ids) > SEVERAL
        risk = Risk.MEDIUM if many else self.risk
        return Assessment(risk, self.reversal, f"changes the labels of {len(self.message_ids)} messages")

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        return labels_of(hub, self.message_ids)

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        body = {"ids": list(before["was"]), **self.body(before)}
        return hub.users.messages().batchModify(userId=ME, body=body)

    def told(self, action: Action) -> Json:
        """receipt: {"messages": int}"""
        return {"messages": len(action.before["was"])}


class ModifyThread(_Modify):
    """Put labels on all messages of a thread, or take labels off: archive it, mark it as read, file it.

    The undo changes back, message by message, only the labels that this changed.
    """

    name = "gmail.threads.modify"

    thread_id: ThreadId

    def present(self, hub: Hub) -> Mapping[str, list[str] | None]:
        return labels_in(hub, self.thread_id)

    def request(self, hub: Hub, before: Mapping[str, Any]) -> Any:
        return hub.users.threads().modify(userId=ME, id=self.thread_id, body=self.body(before))

    def told(self, action: Action) -> Json:
        """receipt: {"id": str, "messages": int, "url": str}"""
        return {
            "id": self.thread_id,
            "messages": len(action.before["was"]),
            "url": link(self.thread_id),
        }
