"""Mails as bytes: written, and read."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from langchain_agentrein.action import Action, Json
from langchain_agentrein.errors import NotDone

MARK = "X-Agentrein"
"""The header that marks a mail as ours. Those who get it see it if they look for it."""
HOST = "agentrein.invalid"
PEOPLE = ("to", "cc", "bcc")


def _address(one: str) -> str:
    """Raises ValueError for what is no single address."""
    found = getaddresses([one])
    local, at, domain = found[0][1].rpartition("@") if len(found) == 1 else ("", "", "")
    odd = re.search(r"[\x00-\x1f]", one) or re.search(r"[\s<>,;]|[^\x00-\x7f]", local + domain)
    if not (local and at and domain) or odd:
        raise ValueError(f"{one!r} is no mail address: give ana@example.com, or Ana <ana@example.com>")
    return one.strip()


def _line(text: str) -> str:
    if re.search(r"[\r\n\x00]", text):
        raise ValueError("a subject is one line")
    return text.strip()


Address = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[list[Address], Field(max_length=500)]
Subject = Annotated[str, AfterValidator(_line), Field(max_length=500)]
Body = Annotated[str, Field(max_length=1_000_000)]


def bare(addresses: Iterable[str]) -> list[str]:
    """Addresses without names, each once, sorted."""
    return sorted({address.lower() for _, address in getaddresses(list(addresses)) if "@" in address})


def mark(action: Action) -> str:
    """What only this try of this call writes."""
    return sha256(action.key.encode()).hexdigest()[:24]


def written(
    people: Mapping[str, Sequence[str]],
    subject: str,
    body: str,
    *,
    marked: str | None = None,
    at: datetime | None = None,
    headers: Mapping[str, str] | None = None,
) -> EmailMessage:
    """A mail of plain text.

    Args:
        people: Addresses, by `to`, `cc`, `bcc` and `from`.
        marked: Goes into its Message-ID, and into a header of ours.
        at: Its date.
    """
    mail = EmailMessage(policy.SMTP)
    for role in ("from", *PEOPLE):
        if given := people.get(role):
            mail[role.capitalize()] = ", ".join(given)
    mail["Subject"] = subject
    if at is not None:
        mail["Date"] = format_datetime(at)
    if marked is not None:
        mail["Message-ID"], mail[MARK] = f"<{marked}@{HOST}>", marked
    for name, value in (headers or {}).items():
        mail[name] = value
    mail.set_content(body)
    return mail


@contextmanager
def writing_it() -> Iterator[None]:
    """What cannot be written as a mail was not sent."""
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        raise NotDone(f"this cannot be written as a mail: {error}") from error


def writable(people: Mapping[str, Sequence[str]], subject: str, body: str) -> None:
    """Look whether it can be written, before it is recorded.

    Raises:
        NotDone: It cannot.
    """
    with writing_it():
        written(people, subject, body).as_bytes()


def encoded(mail: EmailMessage | bytes) -> str:
    """A mail as the API takes it."""
    return base64.urlsafe_b64encode(mail if isinstance(mail, bytes) else mail.as_bytes()).decode()


def given(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message that the API gave as `raw`."""
    return _bytes(str(message.get("raw") or ""))


def decoded(raw: bytes) -> EmailMessage:
    """A mail from its bytes."""
    mail = message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(mail, EmailMessage)
    return mail


def marked_anew(raw: bytes, marked: str) -> bytes:
    """A mail as it was, with a mark of ours on top."""
    return f"{MARK}: {marked}\r\n".encode() + raw


def content(mail: EmailMessage) -> dict[str, Json]:
    """What people see of a mail: {"to", "cc", "bcc": [address], "subject": str, "body": str, "files": [name]}"""
    part = mail.get_body(("plain", "html"))
    text = ""
    if isinstance(part, EmailMessage):
        text = _read(part)
        text = plain(text) if part.get_content_subtype() == "html" else text
    return {
        **{role: bare(map(str, mail.get_all(role, ()))) for role in PEOPLE},
        "subject": one_line(str(mail["Subject"] or "")),
        "body": tidy(text),
        "files": sorted(str(one.get_filename()) for one in mail.iter_attachments() if one.get_filename()),
    }


def _read(part: EmailMessage) -> str:
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # a charset that nobody knows
        data = part.get_payload(decode=True)
        return data.decode("utf-8", "replace") if isinstance(data, bytes) else ""


def one_line(text: str) -> str:
    """A header as people read it: in words, and folded or not, in one line."""
    try:
        text = str(make_header(decode_header(text)))
    except (LookupError, ValueError, HeaderParseError):
        pass
    return re.sub(r"[\x00-\x1f]+", " ", text).strip()


def tidy(text: str) -> str:
    """A text, whatever its line ends."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def header(message: Mapping[str, Any], name: str) -> str:
    """A header of a message as the API gives it; empty where there is none."""
    headers = (message.get("payload") or {}).get("headers") or ()
    return next((one_line(str(one["value"])) for one in headers if one["name"].lower() == name.lower()), "")


def is_marked(message: Mapping[str, Any], marked: str) -> bool:
    """Whether a message bears the mark: in our header, or in the Message-ID that it was given.

    Gmail may give another Message-ID, and its documentation does not say when: see
    github.com/gauteh/lieer/issues/198. So neither is enough.
    """
    headers = (message.get("payload") or {}).get("headers") or ()
    return header(message, "Message-ID") == f"<{marked}@{HOST}>" or any(
        one["name"].lower() == MARK.lower() and one["value"] == marked for one in headers
    )


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message as the API gives it in full: the plain one, or else what its HTML says."""
    found: dict[str, str] = {}
    parts = [message.get("payload") or {}]
    while parts:
        part = parts.pop(0)
        kind, data = str(part.get("mimeType", "")), (part.get("body") or {}).get("data")
        if data and not part.get("filename") and kind in ("text/plain", "text/html", ""):
            found.setdefault(kind or "text/plain", _text(part, data))
        parts.extend(part.get("parts") or ())
    return tidy(found["text/plain"] if "text/plain" in found else plain(found.get("text/html", "")))


def files_of(message: Mapping[str, Any]) -> list[Json]:
    """The attachments of a message: [{"name": str, "bytes": int}]"""
    files: list[Json] = []
    parts = [message.get("payload") or {}]
    while parts:
        part = parts.pop(0)
        if part.get("filename"):
            files.append({"name": part["filename"], "bytes": (part.get("body") or {}).get("size", 0)})
        parts.extend(part.get("parts") or ())
    return files


def plain(markup: str) -> str:
    """What a page of HTML says, roughly."""
    text = re.sub(r"(?is)<(script|style|head)\b.*?</\1\s*>", "", markup)
    text = re.sub(r"(?i)<br\s*/?>|</(p|div|tr|li|h[1-6])\s*>", "\n", text)
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def _text(part: Mapping[str, Any], data: str) -> str:
    told = re.search(r"charset=\"?([\w-]+)", header({"payload": part}, "Content-Type"), re.IGNORECASE)
    try:
        return _bytes(data).decode(told[1] if told else "utf-8")
    except (LookupError, UnicodeDecodeError):
        return _bytes(data).decode("utf-8", "replace")


def _bytes(data: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return b""
