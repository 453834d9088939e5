"""A mailbox on the emulator, as the laws compare it, and what its owner and others do to it."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from google.api_core.client_options import ClientOptions
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import Resource, build

from langchain_agentrein.toolkits.gmail import Hub
from langchain_agentrein.toolkits.gmail.mime import content, decoded, given
from tests.support.gmail_front import TOKENS, Front

EMAIL = "bot@acme.com"
SEED = "\n".join(
    [
        "tokens:",
        *(f"  bot-{n}: {{login: {EMAIL}, scopes: [openid]}}" for n in range(TOKENS)),
        "google:",
        f"  users: [{{email: {EMAIL}, name: Bot}}]",
    ]
)
_TURN = itertools.count()


def service(url: str, token: str = "bot-0") -> Resource:
    """A service as developers build it."""
    return build(
        "gmail",
        "v1",
        credentials=Credentials(token=token),
        static_discovery=True,
        cache_discovery=False,
        client_options=ClientOptions(api_endpoint=url),
    )


def hub(url: str, **options: Any) -> Hub:
    """A hub on the API at `url`."""
    return Hub(service(url), **{"settles": 0.0, "retries": 0, **options})


@dataclass
class Mailbox:
    """One test's mailbox, empty at first.

    Attributes:
        hub: The agent's.
    """

    front: Front
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.hub = hub(self.front.url)
        self.front.reset()
        if ids := [one["id"] for one in self._messages()]:
            self.ask("POST", "messages/batchDelete", {"ids": ids})
        for label in self.ask("GET", "labels")["labels"]:
            if label["type"] == "user":
                self.ask("DELETE", f"labels/{label['id']}")
        for one in self.ask("GET", "settings/filters")["filter"]:
            self.ask("DELETE", f"settings/filters/{one['id']}")

    def ask(self, verb: str, path: str, body: Any = None) -> Any:
        """Ask the emulator, past the agent's SDK and whatever breaks it."""
        sent = b"" if body is None else json.dumps(body).encode()
        status, answer = self.front.ask(verb, f"/gmail/v1/users/me/{path}", sent)
        assert status < 300, answer
        return json.loads(answer) if answer else None

    def received(
        self,
        subject: str = "Hello",
        body: str = "As ever.",
        sender: str = "ana@acme.com",
        labels: tuple[str, ...] = ("INBOX", "UNREAD"),
        **more: Any,
    ) -> dict[str, Any]:
        """A mail that came in; {"id", "threadId"}."""
        headers = {"From": sender, "To": EMAIL, "Subject": subject, **more.pop("headers", {})}
        return self.ask("POST", "messages", {"raw": raw(body, headers), "labelIds": list(labels), **more})

    def answered(self, thread: str, sender: str = "ana@acme.com", **headers: str) -> str:
        """An answer that came in; its id."""
        return str(self.received("Re: Hello", "Yes.", sender, threadId=thread, headers=headers)["id"])

    def draft(self, subject: str = "Draft", body: str = "To be.", to: str = "ana@acme.com") -> str:
        """One that the owner wrote; its id."""
        written = raw(body, {"From": EMAIL, "To": to, "Subject": subject})
        return str(self.ask("POST", "drafts", {"message": {"raw": written}})["id"])

    def label(self, name: str) -> str:
        """One that the owner made; its id."""
        return str(self.ask("POST", "labels", {"name": name})["id"])

    def relabel(self, message: str, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
        self.ask(
            "POST", f"messages/{message}/modify", {"addLabelIds": list(add), "removeLabelIds": list(remove)}
        )

    def filter(self, sender: str, label: str) -> str:
        """One that the owner made; its id."""
        made = {"criteria": {"from": sender}, "action": {"addLabelIds": [label]}}
        return str(self.ask("POST", "settings/filters", made)["id"])

    def sent(self) -> list[dict[str, Any]]:
        """What was sent, the oldest first: as people see it."""
        found = [self.ask("GET", f"messages/{one['id']}?format=raw") for one in self._messages("SENT")]
        return [content(decoded(given(one))) for one in found[::-1]]

    def state(self) -> dict[str, Any]:
        """Everything that people see in it: messages and drafts by id, labels by name."""
        labels = {one["id"]: one for one in self.ask("GET", "labels")["labels"]}
        names = {identity: one["name"] for identity, one in labels.items()}
        drafts = {one["message"]["id"]: one["id"] for one in self.ask("GET", "drafts")["drafts"]}
        messages, written = {}, {}
        for one in self._messages():
            message = self.ask("GET", f"messages/{one['id']}?format=raw")
            seen = content(decoded(given(message)))
            if one["id"] in drafts:
                written[drafts[one["id"]]] = seen
                continue
            carried = sorted(names[label] for label in message["labelIds"])
            messages[one["id"]] = {**seen, "labels": carried, "thread": message["threadId"]}
        return {
            "messages": messages,
            "drafts": written,
            "labels": {
                one["name"]: (one.get("color"), one["labelListVisibility"], one["messageListVisibility"])
                for one in labels.values()
                if one["type"] == "user"
            },
            "filters": [
                (one["criteria"], one["action"]) for one in self.ask("GET", "settings/filters")["filter"]
            ],
            "settings": self.front.settings.state(),
        }

    def _messages(self, label: str = "") -> list[dict[str, Any]]:
        wanted = f"&labelIds={label}" if label else ""
        found = self.ask("GET", f"messages?includeSpamTrash=true&maxResults=500{wanted}")
        return list(found["messages"])


def raw(body: str, headers: dict[str, str]) -> str:
    """A mail as the API takes it."""
    mail = EmailMessage()
    for name, value in headers.items():
        mail[name] = value
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{next(_TURN)}@mail.acme.com>"
    mail.set_content(body)
    return base64.urlsafe_b64encode(mail.as_bytes()).decode()
