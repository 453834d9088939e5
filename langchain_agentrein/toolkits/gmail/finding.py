"""Drafts found again: by id, by what they bear, or as the mail that they became."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_agentrein.action import Action
from langchain_agentrein.toolkits.gmail.hub import ME, Hub
from langchain_agentrein.toolkits.gmail.mime import PEOPLE, bare, header


def raw_of(hub: Hub, draft: str) -> Mapping[str, Any] | None:
    """A draft's message with its bytes, or `None` where there is no such draft."""
    found = hub.find(hub.users.drafts().get(userId=ME, id=draft, format="raw"))
    return None if found is None else found["message"]


def like(hub: Hub, sought: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any] | None:
    """The first draft whose message is like this, without its text."""
    drafts = hub.users.drafts()
    listed = hub.pages(drafts.list, "drafts")
    requests = (drafts.get(userId=ME, id=one["id"], format="metadata") for one in listed)
    found = (one for one in hub.each(requests, missing=True) if one is not None)
    return next((dict(one) for one in found if sought(one["message"])), None)


def now(
    hub: Hub, draft: str, sought: Callable[[Mapping[str, Any]], bool]
) -> tuple[str, Mapping[str, Any]] | None:
    """A draft's id and its message with its bytes: by its id, or as it was written again after it was deleted."""
    there = raw_of(hub, draft)
    if there is None:
        again = like(hub, sought)
        draft, there = ("", None) if again is None else (again["id"], raw_of(hub, again["id"]))
    return None if there is None else (draft, there)


def people_of(seen: Mapping[str, Any]) -> list[str]:
    """Everybody to whom a mail goes."""
    return sorted({*seen["to"], *seen["cc"], *seen["bcc"]})


def sent_as(
    hub: Hub, action: Action, people: Sequence[str], subject: str, thread: str | None
) -> dict[str, Any] | None:
    """The mail that a draft has become since an action began, or `None`. It may have another Message-ID."""
    for message in hub.since(action, "SENT", search=f"to:{people[0]}" if people else ""):
        to = bare(header(message, role) for role in PEOPLE)
        same = header(message, "Subject") == subject and set(to) <= set(people)
        if same and message.get("threadId") == thread:
            return message
    return None
