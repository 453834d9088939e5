"""What an agent reads before it acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from langchain_agentrein.action import Action, Json
from langchain_agentrein.toolkits.gmail import filters, forwarding, send_as
from langchain_agentrein.toolkits.gmail.definitions import all_of, fields
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import content as seen
from langchain_agentrein.toolkits.gmail.mime import decoded, files_of, given, header, text_of
from langchain_agentrein.toolkits.gmail.operation import (
    BASIC,
    DraftId,
    MessageId,
    Reading,
    ThreadId,
    link,
)
from langchain_agentrein.toolkits.gmail.settings import UpdateVacation

LONG = 20_000
"""Characters of a text that a model is shown."""
SHORT = 4_000
"""The same, of each message in a thread."""
LINES = 50
"""Messages of a thread that a model is shown, the newest ones."""
NAMES = ["From", "To", "Subject", "Date"]
Limit = Annotated[int, Field(ge=1, le=100, description="How many to return at most.")]
Page = Annotated[str | None, Field(description="The `next_page` of an earlier answer, to go on from there.")]
Query = Annotated[
    str,
    Field(
        description="As in Gmail's search box; for example: is:unread from:ana subject:invoice newer_than:7d"
    ),
]


def some(items: list[Json], answer: Mapping[str, Any]) -> Json:
    """{"items": [...], "next_page": str | None}"""
    return {"items": items, "next_page": answer.get("nextPageToken")}


def line(message: Mapping[str, Any]) -> dict[str, Json]:
    """A message in a list: {"id", "thread", "from", "to", "subject", "date", "snippet", "labels", "url"}"""
    return {
        "id": message["id"],
        "thread": message["threadId"],
        **{name.lower(): header(message, name) for name in NAMES},
        "snippet": message.get("snippet", ""),
        "labels": message.get("labelIds") or [],
        "url": link(message["threadId"]),
    }


def whole(message: Mapping[str, Any], longest: int) -> dict[str, Json]:
    """A message with its text, cut where it is too long."""
    text = text_of(message)
    told = {name: value for name, value in line(message).items() if name != "snippet"}
    return {
        **told,
        "cc": header(message, "Cc"),
        "body": text[:longest],
        "truncated": len(text) > longest,
        "attachments": files_of(message),
    }


def asked(query: str, limit: int, page: str | None) -> dict[str, Json]:
    """The parameters of a list."""
    given: dict[str, Json] = {"userId": ME, "maxResults": limit}
    if query:
        given["q"] = query
    if page:
        given["pageToken"] = page
    return given


class GetProfile(Reading):
    """Read whose mailbox it is, and how many messages and threads it has."""

    name = "gmail.profile.get"

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        told = hub.get(hub.users.getProfile(userId=ME))
        return {
            "email": told["emailAddress"],
            "messages": told.get("messagesTotal"),
            "threads": told.get("threadsTotal"),
        }


class SearchMessages(Reading):
    """Search the mailbox, newest first. What has just changed may be found a little later."""

    name = "gmail.messages.search"

    query: Query = ""
    limit: Limit = 20
    page: Page = None

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        messages = hub.users.messages()
        answer = hub.get(messages.list(**asked(self.query, self.limit, self.page)))
        requests = (
            messages.get(userId=ME, id=one["id"], format="metadata", metadataHeaders=NAMES)
            for one in answer.get("messages") or ()
        )
        return some([line(one) for one in hub.each(requests, missing=True) if one is not None], answer)


class GetMessage(Reading):
    """Read one message: who, when, its text, and the names of its attachments."""

    name = "gmail.messages.get"

    message_id: MessageId

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        return whole(hub.get(hub.users.messages().get(userId=ME, id=self.message_id, format="full")), LONG)


class ListThreads(Reading):
    """Search the mailbox thread by thread, newest first."""

    name = "gmail.threads.list"

    query: Query = ""
    limit: Limit = 20
    page: Page = None

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        threads = hub.users.threads()
        answer = hub.get(threads.list(**asked(self.query, self.limit, self.page)))
        items = [
            {"id": one["id"], "snippet": one.get("snippet", ""), "url": link(one["id"])}
            for one in answer.get("threads") or ()
        ]
        return some(items, answer)


class GetThread(Reading):
    """Read a thread: its messages, oldest first, each with its text; of a long one the newest."""

    name = "gmail.threads.get"

    thread_id: ThreadId

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        thread = hub.get(hub.users.threads().get(userId=ME, id=self.thread_id, format="full"))
        messages = thread["messages"]
        return {
            "id": thread["id"],
            "url": link(thread["id"]),
            "messages": [whole(one, SHORT) for one in messages[-LINES:]],
            "left_out": max(len(messages) - LINES, 0),
        }


class ListLabels(Reading):
    """List the labels: Gmail's own, and the user's."""

    name = "gmail.labels.list"
    scopes = ("gmail.labels",)

    def do(self, api: Any, action: Action) -> Json:
        return {
            "items": [
                {"id": one["id"], "type": one.get("type"), **fields(one)} for one in all_of(hub_of(api))
            ]
        }


class ListDrafts(Reading):
    """List the drafts, newest first."""

    name = "gmail.drafts.list"

    query: Query = ""
    limit: Limit = 20
    page: Page = None

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        drafts = hub.users.drafts()
        answer = hub.get(drafts.list(**asked(self.query, self.limit, self.page)))
        requests = (
            drafts.get(userId=ME, id=one["id"], format="metadata") for one in answer.get("drafts") or ()
        )
        found = [one for one in hub.each(requests, missing=True) if one is not None]
        return some([{**line(one["message"]), "id": one["id"]} for one in found], answer)


class GetDraft(Reading):
    """Read one draft with its text."""

    name = "gmail.drafts.get"

    draft_id: DraftId

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        draft = hub.get(hub.users.drafts().get(userId=ME, id=self.draft_id, format="raw"))
        message = draft["message"]
        told = seen(decoded(given(message)))
        body = told["body"]
        return {
            "id": draft["id"],
            **told,
            "body": body[:LONG],
            "truncated": len(body) > LONG,
            "thread": message.get("threadId"),
            "url": link(message["id"]),
        }


class ListFilters(Reading):
    """List the filters: what Gmail does by itself with mail that arrives."""

    name = "gmail.settings.filters.list"
    scopes = BASIC

    def do(self, api: Any, action: Action) -> Json:
        return {"items": [{"id": one["id"], **filters.bare(one)} for one in filters.all_of(hub_of(api))]}


class GetVacation(Reading):
    """Read the absence note with which Gmail answers whoever writes."""

    name = "gmail.settings.vacation.get"
    scopes = BASIC

    def do(self, api: Any, action: Action) -> Json:
        return _named(UpdateVacation(enabled=True).read(hub_of(api)))


def _named(told: Mapping[str, Json]) -> Json:
    """The fields as the arguments of `gmail.settings.vacation.update` are named."""
    return {name: told[api] for name, api in UpdateVacation.names.items()}


class ListSendAs(Reading):
    """List the addresses that the mailbox sends as."""

    name = "gmail.settings.send_as.list"
    scopes = BASIC

    def do(self, api: Any, action: Action) -> Json:
        return {
            "items": [
                {
                    "address": one["sendAsEmail"],
                    **{name: send_as.fields(one)[told] for name, told in send_as.FIELDS.items()},
                    "default": bool(one.get("isDefault")),
                    "status": one.get("verificationStatus"),
                }
                for one in send_as.all_of(hub_of(api))
            ]
        }


class GetForwarding(Reading):
    """Read whether all mail is forwarded, where to, and to which addresses it may be."""

    name = "gmail.settings.forwarding.get"
    scopes = BASIC

    def do(self, api: Any, action: Action) -> Json:
        hub: Hub = hub_of(api)
        auto = hub.get(hub.users.settings().getAutoForwarding(userId=ME))
        return {
            "enabled": bool(auto.get("enabled", False)),
            "address": auto.get("emailAddress"),
            "disposition": auto.get("disposition"),
            "addresses": [
                {"address": one["forwardingEmail"], "status": one.get("verificationStatus")}
                for one in forwarding.all_of(hub)
            ],
        }
