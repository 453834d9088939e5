"""Drafts: written, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Undone, Unknown
from langchain_agentrein.toolkits.gmail.finding import like, now, people_of, raw_of, sent_as
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import (
    MARK,
    PEOPLE,
    Addresses,
    Body,
    Subject,
    bare,
    content,
    decoded,
    encoded,
    given,
    header,
    is_marked,
    mark,
    marked_anew,
    tidy,
    writable,
    writing_it,
    written,
)
from langchain_agentrein.toolkits.gmail.operation import DraftId, GmailOperation, MessageId, link

COMPOSE = ("gmail.compose",)


def told(draft: Mapping[str, Any]) -> Json:
    """receipt: {"id": str, "message": str, "url": str}"""
    message = draft["message"]["id"]
    return {"id": draft["id"], "message": message, "url": link(message)}


class CreateDraft(GmailOperation):
    """Write a draft of a mail, as plain text; a person, or gmail.drafts.send, sends it. The undo deletes it."""

    name, risk, reversal = "gmail.drafts.create", Risk.LOW, Reversal.EXACT
    repeatable = True
    scopes = COMPOSE

    to: Addresses = Field(
        default_factory=list, description="Addresses, as ana@example.com or Ana <ana@example.com>."
    )
    cc: Addresses = Field(default_factory=list, description="Addresses that get a copy.")
    bcc: Addresses = Field(
        default_factory=list, description="Addresses that get a copy, unseen by all others."
    )
    subject: Subject = Field(
        default="", description="One line; left out in an answer, it is that of the thread."
    )
    body: Body = Field(default="", description="The text, plain.")
    in_reply_to: MessageId | None = Field(default=None, description="The id of the message that it answers.")

    def snapshot(self, api: Any) -> Json:
        """{"subject": str, "thread": str | None, "headers": {name: value}}"""
        writable({"to": self.to, "cc": self.cc, "bcc": self.bcc}, self.subject, self.body)
        if self.in_reply_to is None:
            return {"subject": self.subject, "thread": None, "headers": {}}
        hub = hub_of(api)
        there = hub.get(hub.users.messages().get(userId=ME, id=self.in_reply_to, format="metadata"))
        former, identity = header(there, "Subject"), header(there, "Message-ID")
        subject = self.subject or (former if former.lower().startswith("re:") else f"Re: {former}")
        references = " ".join(filter(None, (header(there, "References"), identity)))
        headers = {"In-Reply-To": identity, "References": references} if identity else {}
        return {"subject": subject, "thread": there["threadId"], "headers": headers}

    def do(self, api: Any, action: Action) -> Json:
        hub, before = hub_of(api), action.before
        people = {role: getattr(self, role) for role in PEOPLE}
        marks = {"marked": mark(action), "at": action.started_at, "headers": before["headers"]}
        with writing_it():
            message: dict[str, Json] = {
                "raw": encoded(written(people, before["subject"], self.body, **marks))
            }
        if before["thread"]:
            message["threadId"] = before["thread"]
        return told(hub.send(hub.users.drafts().create(userId=ME, body={"message": message})))

    def observe(self, api: Any, action: Action) -> Json:
        """What people see of it, or `None` once it is gone"""
        there = self._now(hub_of(api), action)
        return None if there is None else content(decoded(given(there[1])))

    def _now(self, hub: Hub, action: Action) -> tuple[str, Mapping[str, Any]] | None:
        return now(hub, action.receipt["id"], lambda message: is_marked(message, mark(action)))

    def as_before(self, action: Action) -> Json:
        return None

    def expect(self, action: Action) -> Json:
        people = {role: bare(getattr(self, role)) for role in PEOPLE}
        return {**people, "subject": action.before["subject"], "body": tidy(self.body), "files": []}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        found = like(hub, lambda message: is_marked(message, mark(action)))
        return NotHappened() if found is None else Happened(told(found))

    def undo(self, api: Any, action: Action) -> None:
        hub = hub_of(api)
        if (there := self._now(hub, action)) is not None:
            hub.send(hub.users.drafts().delete(userId=ME, id=there[0]))


class UpdateDraft(GmailOperation):
    """Change a draft: only what is given. The undo puts the former draft back, attachments included."""

    name, risk, reversal = "gmail.drafts.update", Risk.LOW, Reversal.EXACT
    repeatable = True
    scopes = COMPOSE

    draft_id: DraftId
    to: Addresses | None = Field(default=None, description="Replaces the addresses.")
    cc: Addresses | None = Field(default=None, description="Replaces those that get a copy.")
    bcc: Addresses | None = Field(default=None, description="Replaces those that get a copy unseen.")
    subject: Subject | None = Field(default=None, description="Replaces the subject.")
    body: Body | None = Field(default=None, description="Replaces the text; plain.")

    def _given(self) -> dict[str, Any]:
        names = (*PEOPLE, "subject", "body")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def snapshot(self, api: Any) -> Json:
        """{"raw": bytes, "thread": str | None, "was": what people see of it, "wanted": what they would see}"""
        if not self._given():
            raise NotDone("nothing to change was given")
        there = raw_of(hub_of(api), self.draft_id)
        if there is None:
            raise NotDone(f"there is no draft {self.draft_id}")
        raw = given(there)
        if "body" in self._given() and decoded(raw).is_multipart():
            raise NotDone(
                "this draft has attachments or HTML, which a plain text would replace: write another one"
            )
        return {
            "raw": raw,
            "thread": there.get("threadId"),
            "was": content(decoded(raw)),
            "wanted": content(decoded(self._changed(raw))),
        }

    def _changed(self, raw: bytes) -> bytes:
        mail = decoded(raw)
        with writing_it():
            for name, value in self._given().items():
                if name == "body":
                    mail.set_content(value)
                    continue
                del mail[name]
                if text := value if name == "subject" else ", ".join(value):
                    mail[name.capitalize()] = text
            return mail.as_bytes()

    def _put(self, hub: Hub, action: Action, raw: bytes, draft: str) -> Any:
        message: dict[str, Json] = {"raw": encoded(raw)}
        if action.before["thread"]:
            message["threadId"] = action.before["thread"]
        body = {"message": message}
        return hub.send(hub.users.drafts().update(userId=ME, id=draft, body=body))

    def do(self, api: Any, action: Action) -> Json:
        return told(self._put(hub_of(api), action, self._changed(action.before["raw"]), self.draft_id))

    def observe(self, api: Any, action: Action) -> Json:
        hub, wanted = hub_of(api), action.before["wanted"]
        if (there := self._now(hub, action)) is not None:
            return content(decoded(given(there[1])))
        if sent_as(hub, action, people_of(wanted), wanted["subject"], action.before["thread"]) is None:
            return None
        return action.before["was"]  # it was sent, and is no draft any more: nothing is left to be put back

    def _now(self, hub: Hub, action: Action) -> tuple[str, Mapping[str, Any]] | None:
        identity = str(decoded(action.before["raw"])["Message-ID"] or "")
        return now(
            hub, self.draft_id, lambda message: bool(identity) and header(message, "Message-ID") == identity
        )

    def as_before(self, action: Action) -> Json:
        return action.before["was"]

    def expect(self, action: Action) -> Json:
        return action.before["wanted"]

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        now = self.observe(hub, action)
        if now == action.before["wanted"]:
            return Happened({"id": self.draft_id}, after=now)
        return (
            NotHappened() if now == action.before["was"] else Unknown("it is neither as before nor as asked")
        )

    def undo(self, api: Any, action: Action) -> None:
        hub = hub_of(api)
        there = self._now(hub, action)
        if there is None:
            raise Conflict("the draft is gone by now")
        self._put(hub, action, action.before["raw"], there[0])


class DeleteDraft(GmailOperation):
    """Delete a draft, for good: it does not go to the trash. The undo writes it again, with another id."""

    name, risk, reversal = "gmail.drafts.delete", Risk.MEDIUM, Reversal.COMPENSATING
    repeatable = True
    scopes = COMPOSE

    draft_id: DraftId

    def snapshot(self, api: Any) -> Json:
        """{"raw": bytes, "thread": str | None, "was": what people see of it}"""
        there = raw_of(hub_of(api), self.draft_id)
        if there is None:
            raise NotDone(f"there is no draft {self.draft_id}")
        was = content(decoded(given(there)))
        return {"raw": given(there), "thread": there.get("threadId"), "was": was}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"id": str, "subject": str}"""
        hub = hub_of(api)
        hub.send(hub.users.drafts().delete(userId=ME, id=self.draft_id))
        return self._told(action)

    def _told(self, action: Action) -> Json:
        return {"id": self.draft_id, "subject": action.before["was"]["subject"]}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool}: as it was, or written again"""
        hub = hub_of(api)
        return {"there": self._there(hub) or self._again(hub, action)}

    def _there(self, hub: Hub) -> bool:
        return hub.find(hub.users.drafts().get(userId=ME, id=self.draft_id, format="minimal")) is not None

    def _again(self, hub: Hub, action: Action) -> bool:
        """Whether this undo has written it: one like it may be somebody else's."""
        return like(hub, lambda message: header(message, MARK) == mark(action)) is not None

    def as_before(self, action: Action) -> Json:
        return {"there": True}

    def expect(self, action: Action) -> Json:
        return {"there": False}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        return NotHappened() if self._there(hub) else Happened(self._told(action))

    def undo(self, api: Any, action: Action) -> Undone:
        hub = hub_of(api)
        message: dict[str, Json] = {"raw": encoded(marked_anew(action.before["raw"], mark(action)))}
        if action.before["thread"]:
            message["threadId"] = action.before["thread"]
        again = hub.send(hub.users.drafts().create(userId=ME, body={"message": message}))
        return Undone([f"it has another id: {again['id']}"])
