"""Mails that are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, model_validator

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Undone, Unknown
from langchain_agentrein.toolkits.gmail.correcting import Correcting, automatic, words
from langchain_agentrein.toolkits.gmail.finding import people_of, sent_as
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import (
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
    writable,
    writing_it,
    written,
)
from langchain_agentrein.toolkits.gmail.operation import DraftId, GmailOperation, MessageId, link

COMPOSE = ("gmail.modify",)


def reach(hub: Hub, people: Sequence[str]) -> tuple[Risk, str]:
    """How far a mail to these people goes: the risk, and one sentence for whoever decides."""
    try:
        outside = hub.outside(people)
    except NotDone:  # nobody knows whose mailbox it is: then all are strangers
        outside = list(people)
    risk = Risk.CRITICAL if outside or len(people) > hub.many else Risk.HIGH
    shown = ", ".join(people[:5]) + (f" and {len(people) - 5} more" if len(people) > 5 else "")
    strangers = f", {len(outside)} of them outside" if outside else ""
    return risk, f"sends a mail to {len(people)} person(s){strangers}: {shown}"


def in_thread(hub: Hub, thread: str | None) -> list[dict[str, Any]]:
    """The messages of a thread; none where it is gone."""
    if not thread:
        return []
    found = hub.find(hub.users.threads().get(userId=ME, id=thread, format="metadata"))
    return list((found or {}).get("messages") or ())


class Sending(GmailOperation):
    """Sends a mail. Its undo tells everybody whom it reached that it was a mistake.

    before: {..., "words": see `correcting.words`, "thread": [the ids of the messages that were in its thread]}
    receipt: {"id": str, "thread": str, "url": str}

    It has no `observe`, and is not repeatable: a correction that may have been sent is not sent again before a person
    has looked.
    """

    risk, reversal = Risk.HIGH, Reversal.COMPENSATING
    undo_risk, undo_effects = Risk.HIGH, frozenset({UndoEffect.REACHES_PEOPLE})
    scopes = COMPOSE

    def touches(self) -> frozenset[str]:
        """What was sent depends on nothing in the mailbox, and nothing there on it."""
        return frozenset({"gmail:sent"})

    def sent(self, action: Action) -> dict[str, Json]:
        """Of what was sent: {"subject": str, "people": [address]}"""
        raise NotImplementedError

    def told(self, message: Any) -> Json:
        """The receipt."""
        thread = message.get("threadId")
        return {"id": message["id"], "thread": thread, "url": link(thread or message["id"])}

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        """What people have answered; machines do not count."""
        known = action.receipt or {}  # none, where a person said that it happened
        return [
            f"{header(message, 'From')} has answered: {link(message['id'])}"
            for message in in_thread(hub_of(api), known.get("thread"))
            if message["id"] not in (known.get("id"), *action.before["thread"])
            and "SENT" not in (message.get("labelIds") or ())
            and not automatic(message)
        ]

    def undo(self, api: Any, action: Action) -> Undone:
        hub = hub_of(api)
        there = None
        if action.receipt:
            messages = hub.users.messages()
            there = hub.find(messages.get(userId=ME, id=action.receipt["id"], format="metadata"))
        sent = {
            **self.sent(action),
            "thread": None if there is None else there["threadId"],
            "message_id": "" if there is None else header(there, "Message-ID"),
        }
        return Correcting(hub, action, sent, action.before["words"]).run()


class SendMessage(Sending):
    """Send a mail, as plain text. `in_reply_to` makes it an answer in the same thread.

    A mail cannot be called back: its undo sends a correction to each person it reached, alone, and labels the thread.
    Not once somebody has answered.
    """

    name = "gmail.messages.send"

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
    body: Body = Field(description="The text, plain.")
    in_reply_to: MessageId | None = Field(default=None, description="The id of the message that it answers.")

    @model_validator(mode="after")
    def _someone(self) -> SendMessage:
        if not (self.to or self.cc or self.bcc):
            raise ValueError("give somebody to send it to")
        if not self.subject and self.in_reply_to is None:
            raise ValueError("give a subject")
        return self

    def people(self) -> list[str]:
        """Everybody whom it reaches, by address."""
        return bare([*self.to, *self.cc, *self.bcc])

    def assess(self, api: Any) -> Assessment:
        risk, summary = reach(hub_of(api), self.people())
        return Assessment(risk, self.reversal, summary, self.undo_risk, self.undo_effects)

    def snapshot(self, api: Any) -> Json:
        """{"subject": str, "words", "thread", "answers": {"thread", "message_id", "references": str} | None}"""
        hub = hub_of(api)
        writable({"to": self.to, "cc": self.cc, "bcc": self.bcc}, self.subject, self.body)
        answers, subject, known = None, self.subject, list[str]()
        if self.in_reply_to is not None:
            names = ["Subject", "Message-ID", "References"]
            there = hub.get(
                hub.users.messages().get(
                    userId=ME, id=self.in_reply_to, format="metadata", metadataHeaders=names
                )
            )
            former = header(there, "Subject")
            subject = subject or (former if former.lower().startswith("re:") else f"Re: {former}")
            identity = header(there, "Message-ID")
            known = [one["id"] for one in in_thread(hub, there["threadId"])]
            answers = {
                "thread": there["threadId"],
                "message_id": identity,
                "references": " ".join(filter(None, (header(there, "References"), identity))),
            }
        return {"subject": subject, "words": words(hub), "thread": known, "answers": answers}

    def do(self, api: Any, action: Action) -> Json:
        hub, before = hub_of(api), action.before
        answers = before["answers"] or {}
        headers = {"In-Reply-To": answers.get("message_id"), "References": answers.get("references")}
        people = {"to": self.to, "cc": self.cc, "bcc": self.bcc}
        told = {name: value for name, value in headers.items() if value}
        with writing_it():
            mail = written(
                people, before["subject"], self.body, marked=mark(action), at=action.started_at, headers=told
            )
            message: dict[str, Json] = {"raw": encoded(mail)}
        if answers:
            message["threadId"] = answers["thread"]
        return self.told(hub.send(hub.users.messages().send(userId=ME, body=message)))

    def probe(self, api: Any, action: Action) -> Probed:
        """Found among what was sent, it happened. Not found, nobody knows: Gmail's list may lag behind."""
        hub = hub_of(api)
        hub.wait_for(action)
        for message in hub.since(action, "SENT", search=f"to:{self.people()[0]}"):
            if is_marked(message, mark(action)):
                return Happened(self.told(message))
        return Unknown(
            "it is not among the mails sent, a list that may lag behind: look there before sending it again"
        )

    def sent(self, action: Action) -> dict[str, Json]:
        return {"subject": action.before["subject"], "people": self.people()}


class SendDraft(Sending):
    """Send a draft as it is. Its undo sends a correction to each person it reached, alone, and labels the thread.

    Not once somebody has answered. The draft does not come back.
    """

    name = "gmail.drafts.send"

    draft_id: DraftId

    def _read(self, hub: Hub) -> dict[str, Any]:
        """{"people": [address], "subject": str, "goes_to": the thread's id}"""
        draft = hub.get(hub.users.drafts().get(userId=ME, id=self.draft_id, format="raw"))
        message = draft["message"]
        seen = content(decoded(given(message)))
        return {
            "people": people_of(seen),
            "subject": seen["subject"],
            "goes_to": message.get("threadId"),
        }

    def assess(self, api: Any) -> Assessment:
        hub = hub_of(api)
        risk, summary = Risk.CRITICAL, "sends a draft that could not be read"
        try:
            draft = self._read(hub)
        except NotDone:
            pass
        else:
            risk, summary = reach(hub, draft["people"])
        return Assessment(risk, self.reversal, summary, self.undo_risk, self.undo_effects)

    def snapshot(self, api: Any) -> Json:
        """{"people": [address], "subject": str, "goes_to": the thread's id, "words", "thread"}"""
        hub = hub_of(api)
        draft = self._read(hub)
        if not draft["people"]:
            raise NotDone("the draft has no recipients")
        known = [one["id"] for one in in_thread(hub, draft["goes_to"])]
        return {**draft, "words": words(hub), "thread": known}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        return self.told(hub.send(hub.users.drafts().send(userId=ME, body={"id": self.draft_id})))

    def probe(self, api: Any, action: Action) -> Probed:
        """A draft that is still there was not sent: Gmail deletes it when it sends it."""
        hub, before = hub_of(api), action.before
        hub.wait_for(action)
        if hub.find(hub.users.drafts().get(userId=ME, id=self.draft_id, format="minimal")) is not None:
            return NotHappened()
        sent = sent_as(hub, action, before["people"], before["subject"], before["goes_to"])
        if sent is not None:
            return Happened(self.told(sent))
        return Unknown(
            "the draft is gone, and no mail like it is among those sent: somebody may have deleted it"
        )

    def sent(self, action: Action) -> dict[str, Json]:
        return {"subject": action.before["subject"], "people": action.before["people"]}
