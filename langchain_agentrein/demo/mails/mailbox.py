"""The mailbox of the story, on an emulator of Gmail: 200 leads, 12 of which wrote last week."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any, Final

from google.api_core.client_options import ClientOptions
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build

from langchain_agentrein.toolkits.gmail import Hub

OWNER: Final = "sales@harbor.example"
SEED: Final = "\n".join(
    [
        "tokens:",
        f"  sales-token: {{login: {OWNER}, scopes: [openid]}}",
        "google:",
        f"  users: [{{email: {OWNER}, name: Sales}}]",
    ]
)
LEADS, NEW = 200, 12
LABEL: Final = "leads"
_FIRST = ("Ada", "Bo", "Cleo", "Dan", "Edda", "Finn", "Gina", "Hal", "Ines", "Jon")
_LAST = ("Abel", "Berg", "Cole", "Diaz", "Ek", "Falk", "Gray", "Holm", "Iten", "Jung")

State = dict[str, tuple[str, ...]]
"""The names of the labels of every message, by its sender and subject."""


def last_week() -> str:
    """The day after which last week's leads wrote, as Gmail's search takes it."""
    return (datetime.now(UTC) - timedelta(days=8)).strftime("%Y/%m/%d")


@dataclass
class Mailbox:
    """The mailbox, as its owner sees it.

    Attributes:
        url: Of the API.
    """

    url: str

    def __post_init__(self) -> None:
        self.service = build(
            "gmail",
            "v1",
            credentials=Credentials(token="sales-token"),  # type: ignore[no-untyped-call]
            static_discovery=True,
            cache_discovery=False,
            client_options=ClientOptions(api_endpoint=self.url),
        )

    def hub(self) -> Hub:
        """The agent's; a loopback server has ended a request when it is cut."""
        return Hub(self.service, inside=["harbor.example"], settles=0.0)

    def build(self) -> None:
        """Fill it: one mail from each lead, the older ones from months ago."""
        users = self.service.users()
        for old in users.messages().list(userId="me", maxResults=500).execute().get("messages", ()):
            users.messages().delete(userId="me", id=old["id"]).execute()
        label = users.labels().create(userId="me", body={"name": LABEL}).execute()["id"]
        now = datetime.now(UTC)
        for number in range(LEADS):
            days = number % 6 + 1 if number < NEW else 40 + number
            mail = EmailMessage()
            mail["From"], mail["To"] = _person(number), OWNER
            mail["Subject"], mail["Date"] = "A question", format_datetime(now - timedelta(days=days))
            mail.set_content("What does Harbor cost for a team of ours?")
            raw = base64.urlsafe_b64encode(mail.as_bytes()).decode()
            body = {"raw": raw, "labelIds": ["INBOX", label]}
            users.messages().insert(userId="me", body=body, internalDateSource="dateHeader").execute()

    def state(self) -> State:
        """What is in it, and under which labels."""
        names = {one["id"]: one["name"] for one in self._labels()}
        return {
            f"{_header(one, 'From')}: {_header(one, 'Subject')}": tuple(
                sorted(names[label] for label in one["labelIds"])
            )
            for one in self._messages()
        } | {f"label {name}": () for name in names.values()}

    def sent(self) -> list[str]:
        """To whom mails have left."""
        return sorted(parseaddr(_header(one, "To"))[1] for one in self._messages("SENT"))

    def _labels(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.service.users().labels().list(userId="me").execute()["labels"]
        return found

    def _messages(self, label: str | None = None) -> list[dict[str, Any]]:
        messages = self.service.users().messages()
        given: dict[str, Any] = {"userId": "me", "maxResults": 500}
        listed = messages.list(**given, **({"labelIds": [label]} if label else {})).execute()
        return [
            messages.get(userId="me", id=one["id"], format="metadata").execute()
            for one in listed.get("messages", ())
        ]


def _person(number: int) -> str:
    first, last = _FIRST[number % 10], _LAST[number // 10 % 10]
    return f"{first} {last} <{first}.{last}{number // 100 or ''}@client{number}.example>".lower().title()


def _header(message: dict[str, Any], name: str) -> str:
    headers = message["payload"]["headers"]
    return next((one["value"] for one in headers if one["name"].lower() == name.lower()), "")
