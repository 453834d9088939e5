"""Labels as the API has them, and as people see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.gmail.hub import ME, Hub


def fields(label: Mapping[str, Any]) -> dict[str, Json]:
    """A label as people see it."""
    color = label.get("color") or {}
    return {
        "name": label["name"],
        "background": color.get("backgroundColor"),
        "text": color.get("textColor"),
        "in_label_list": label.get("labelListVisibility", "labelShow"),
        "in_message_list": label.get("messageListVisibility", "show"),
    }


_API = {
    "name": "name",
    "in_label_list": "labelListVisibility",
    "in_message_list": "messageListVisibility",
}


def body(values: Mapping[str, Json]) -> dict[str, Json]:
    """Some of the same, as the API takes them."""
    told: dict[str, Json] = {api: values[name] for name, api in _API.items() if name in values}
    if values.get("background") and values.get("text"):
        told["color"] = {"backgroundColor": values["background"], "textColor": values["text"]}
    return told


def all_of(hub: Hub) -> list[dict[str, Any]]:
    """Every label of the mailbox."""
    return list(hub.get(hub.users.labels().list(userId=ME)).get("labels") or ())


def named(hub: Hub, which: str) -> dict[str, Any]:
    """A label of the user's own, by name or id.

    Raises:
        NotDone: There is none, or it is Gmail's.
    """
    labels = all_of(hub)
    found = [one for one in labels if one["id"] == which] or [
        one for one in labels if one["name"].lower() == which.lower()
    ]
    if not found:
        raise NotDone(f"there is no label {which!r}")
    if found[0].get("type") == "system":
        raise NotDone(f"{which} is Gmail's own")
    return found[0]


def carriers(hub: Hub, identity: str) -> list[str]:
    """The ids of the messages that carry a label."""
    listed = hub.pages(hub.users.messages().list, "messages", labelIds=[identity], includeSpamTrash=True)
    return [one["id"] for one in listed]
