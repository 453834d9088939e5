"""The undo of a mail that was sent: a correction, to each person alone, once in a session."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final

from langchain_agentrein.action import Action, Json
from langchain_agentrein.errors import NotDone, Throttled
from langchain_agentrein.operation import Undone
from langchain_agentrein.toolkits.gmail.definitions import all_of
from langchain_agentrein.toolkits.gmail.hub import ME, RECENT, SKEW, Hub
from langchain_agentrein.toolkits.gmail.mime import encoded, header, one_line, text_of, writing_it, written

NOBODY: Final = re.compile(
    r"^(no-?reply|do-?not-?reply|mailer-daemon|postmaster|bounces?|notifications?)([+.\-_].*)?@",
    re.IGNORECASE,
)
"""Addresses that nobody reads; what is sent there may be answered by a machine."""
CHUNK: Final = 25
REFERENCE: Final = re.compile(r"\[([0-9a-f]{12})\]")
TRIES: Final = 5
DELIVERED: Final = "the mail was delivered, and may have been read"


def automatic(message: Mapping[str, Any]) -> bool:
    """Whether a machine wrote a message: a bounce, an absence note, a list."""
    said = header(message, "Auto-Submitted").lower()
    bulk = header(message, "Precedence").lower() in ("bulk", "junk", "list", "auto_reply")
    sender = re.sub(r".*<|>.*", "", header(message, "From")).strip()
    return (said not in ("", "no")) or bulk or bool(NOBODY.match(sender))


def reference(action: Action, address: str) -> str:
    """What stands beneath the correction for one person in one session, and nowhere else."""
    return sha256(f"{action.session_id} {address}".encode()).hexdigest()[:12]


def words(hub: Hub) -> dict[str, Json]:
    """The developer's words, as the record keeps them: {"subject": str, "body": str, "label": str | None}"""
    told = hub.correction
    return {"subject": told.subject, "body": told.body, "label": told.label}


def _topic(subject: str) -> str:
    return re.sub(r"^(re:\s*)+", "", subject.strip(), flags=re.IGNORECASE)


@dataclass(slots=True)
class Correcting:
    """One undo.

    Attributes:
        sent: What was sent: {"thread": str | None, "message_id", "subject": str, "people": [address]}.
        words: See `words`.
        told: Whom this undo has told by now.
    """

    hub: Hub
    action: Action
    sent: Mapping[str, Any]
    words: Mapping[str, Any]
    told: list[str] = field(default_factory=list)

    def run(self) -> Undone:
        """Tell everybody who was not told yet.

        Raises:
            Exception: One correction may have been sent and may have not: nobody tries that again unasked.
        """
        residue = [DELIVERED]
        people = [one for one in self.sent["people"] if one != self.hub.account()]
        machines = [one for one in people if NOBODY.match(one)]
        already = self._already(people)
        failed: list[str] = []
        for address in people:
            if address in machines or address in already:
                continue
            try:
                self._tell(address)
            except NotDone as error:
                failed.append(f"{address} was not told: {error}")
                continue
            self.told.append(address)
        if self.told:
            residue.append(f"a correction was sent to {', '.join(self.told)}")
        if already:
            residue.append(f"told before, in the same session: {', '.join(sorted(already))}")
        residue += [f"nobody reads {one}: no correction was sent there" for one in machines]
        residue += self._label()
        return Undone(residue, unfinished="; ".join(failed) or None)

    def _already(self, people: Iterable[str]) -> set[str]:
        """Who was told in this session, by whomever."""
        wanted = {reference(self.action, one): one for one in people}
        told = {one for mark, one in wanted.items() if mark in self.hub.told}
        if len(told) < len(wanted):
            for references in self._sent(wanted.values()):
                told |= {wanted[one] for one in references if one in wanted}
        return told

    def _sent(self, people: Iterable[str]) -> Iterator[list[str]]:
        """The references in what was sent since the action began: all that is recent, and the rest by a search."""
        begun = self.action.started_at or datetime.min.replace(tzinfo=UTC)
        recent = max(begun, datetime.now(UTC) - RECENT)
        yield from self._since(recent)
        if recent > begun:
            for one in people:
                yield from self._since(begun, q=f"to:{one}")

    def _since(self, begun: datetime, **narrowed: str) -> Iterator[list[str]]:
        """The same, newest first. A mail does not change: each is read once, however many are corrected."""
        hub, messages = self.hub, self.hub.users.messages()
        listed = hub.pages(messages.list, "messages", labelIds=["SENT"], includeSpamTrash=True, **narrowed)
        while ids := [one["id"] for one in islice(listed, CHUNK)]:
            new = [one for one in ids if one not in hub.references]
            for message in hub.each(
                (messages.get(userId=ME, id=one, format="full") for one in new), missing=True
            ):
                if message is not None:
                    sent = datetime.fromtimestamp(int(message["internalDate"]) / 1000, UTC)
                    hub.references[message["id"]] = (sent, REFERENCE.findall(text_of(message)))
            for sent, references in (hub.references[one] for one in ids if one in hub.references):
                if begun - sent > SKEW:
                    return
                yield references

    def _tell(self, address: str) -> None:
        request = self._request(address)
        for attempt in range(TRIES):
            try:
                self.hub.send(request)
                break
            except Throttled as wait:
                if attempt == TRIES - 1:
                    raise
                time.sleep(wait.retry_after)
            except NotDone:
                raise
            except Exception:
                if not self._arrived(address):
                    raise
                break
        self.hub.told.add(reference(self.action, address))

    def _arrived(self, address: str) -> bool:
        """Whether a correction whose reply was lost is there. If not, nobody knows."""
        self.hub.wait_for(self.action.with_(started_at=datetime.now(UTC)))
        try:
            return address in self._already([address])
        except NotDone:
            return False

    def _request(self, address: str) -> Any:
        at = self.action.finished_at or self.action.started_at or datetime.now(UTC)
        filled = {"subject": self.sent["subject"], "date": f"{at:%d %B %Y, %H:%M} UTC"}
        body = f"{self.words['body'].format(**filled).rstrip()}\n\n[{reference(self.action, address)}]\n"
        headers = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
        if answered := self.sent["message_id"]:
            headers |= {"In-Reply-To": answered, "References": answered}
        with writing_it():
            subject = one_line(self.words["subject"].format(**filled))
            mail = written({"to": [address]}, subject, body, at=datetime.now(UTC), headers=headers)
            message: dict[str, Json] = {"raw": encoded(mail)}
        if self.sent["thread"] and _topic(subject) == _topic(self.sent["subject"]):
            message["threadId"] = self.sent["thread"]  # Gmail puts nothing else into a thread
        return self.hub.users.messages().send(userId=ME, body=message)

    def _label(self) -> list[str]:
        """Label the thread. The correction counts without it."""
        name, thread = self.words["label"], self.sent["thread"]
        if not name or not thread:
            return []
        hub = self.hub
        try:
            label = next((one for one in all_of(hub) if one["name"].lower() == name.lower()), None)
            if label is None:
                label = hub.send(hub.users.labels().create(userId=ME, body={"name": name}))
            hub.send(hub.users.threads().modify(userId=ME, id=thread, body={"addLabelIds": [label["id"]]}))
        except Exception as error:  # noqa: BLE001 - everybody is told, and must not be told again because of a label
            return [f"its thread could not be labelled: {error}"]
        return [f"its thread is labelled {name!r}"]
