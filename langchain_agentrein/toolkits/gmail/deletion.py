"""Mail that is deleted for good."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import header
from langchain_agentrein.toolkits.gmail.operation import WHOLE, GmailOperation, MessageId, ThreadId
from langchain_agentrein.toolkits.gmail.replies import Gone

MOST = 500
"""Messages of one call: each is written down before."""


class _Deletion(GmailOperation):
    """Deletes messages, for good.

    before: {"messages": {id: {"from": str, "subject": str}}}: for whoever reads the record
    receipt: {"deleted": int}
    """

    risk, reversal = Risk.CRITICAL, Reversal.NONE
    scopes = WHOLE

    def ids(self, hub: Hub) -> list[str]:
        """The messages that it deletes."""
        raise NotImplementedError

    def request(self, hub: Hub) -> Any:
        """The one request that does it."""
        raise NotImplementedError

    def snapshot(self, api: Any) -> Json:
        hub = hub_of(api)
        ids, messages = self.ids(hub), hub.users.messages()
        names = ["From", "Subject"]
        found = hub.each(
            (messages.get(userId=ME, id=one, format="metadata", metadataHeaders=names) for one in ids),
            missing=True,
        )
        there = {
            one: {"from": header(message, "From"), "subject": header(message, "Subject")}
            for one, message in zip(ids, found, strict=True)
            if message is not None
        }
        if not there:
            raise Gone("there is no such message")
        return {"messages": there}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        hub.send(self.request(hub))
        return self._told(action)

    def _told(self, action: Action) -> Json:
        return {"deleted": len(action.before["messages"])}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        messages, ids = hub.users.messages(), list(action.before["messages"])
        found = hub.each((messages.get(userId=ME, id=one, format="minimal") for one in ids), missing=True)
        left = sum(one is not None for one in found)
        if not left:
            return Happened(self._told(action))
        return (
            NotHappened() if left == len(ids) else Unknown(f"{left} of {len(ids)} messages are still there")
        )


class DeleteMessage(_Deletion):
    """Delete a message for good. Nothing undoes it; gmail.messages.trash can be undone."""

    name = "gmail.messages.delete"

    message_id: MessageId

    def ids(self, hub: Hub) -> list[str]:
        return [self.message_id]

    def request(self, hub: Hub) -> Any:
        return hub.users.messages().delete(userId=ME, id=self.message_id)


class BatchDeleteMessages(_Deletion):
    """Delete many messages for good, at once. Nothing undoes it; gmail.messages.trash can be undone."""

    name = "gmail.messages.batch_delete"

    message_ids: Annotated[
        list[MessageId],
        AfterValidator(lambda ids: list(dict.fromkeys(ids))),
        Field(min_length=1, max_length=MOST, description="The messages' ids."),
    ]

    def assess(self, api: Any) -> Assessment:
        return Assessment(self.risk, self.reversal, f"deletes {len(self.message_ids)} message(s) for good")

    def ids(self, hub: Hub) -> list[str]:
        return self.message_ids

    def request(self, hub: Hub) -> Any:
        return hub.users.messages().batchDelete(userId=ME, body={"ids": self.message_ids})


class DeleteThread(_Deletion):
    """Delete a thread with all its messages, for good. Nothing undoes it; gmail.threads.trash can be undone."""

    name = "gmail.threads.delete"

    thread_id: ThreadId

    def ids(self, hub: Hub) -> list[str]:
        thread = hub.get(hub.users.threads().get(userId=ME, id=self.thread_id, format="minimal"))
        return [one["id"] for one in thread["messages"]]

    def request(self, hub: Hub) -> Any:
        return hub.users.threads().delete(userId=ME, id=self.thread_id)
