"""The scripted model: told to write to last week's leads, it forgets the week."""

from __future__ import annotations

import json
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any, Final

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from langchain_agentrein.demo.mails.mailbox import LABEL, NEW, last_week
from langchain_agentrein.demo.scripted import Turn

GOAL: Final = f"Please follow up last week's {NEW} leads: they asked for the price. It is 9 EUR a month."
AGAIN: Final = f"Only those who wrote after {last_week()}, please."
THREAD: Final = "follow-up"
DONE: Final = "followed up"
_SEARCH: Final = "gmail_messages_search"
_PAGE, _BATCH = 100, 50


def follow_up(messages: Sequence[BaseMessage]) -> tuple[Turn, ...]:
    """The turns of the whole conversation: what it found decides what it writes."""
    starts = [place for place, one in enumerate(messages) if isinstance(one, HumanMessage)]
    first = _turns(messages[: starts[1] if len(starts) > 1 else None], f"label:{LABEL}")
    if len(starts) < 2:
        return first
    # The first turn failed before its last line, and ended with a word of what was undone.
    ended: Turn = ("", "", ())
    return (*first[:-1], ended, *_turns(messages[starts[1] :], f"label:{LABEL} after:{last_week()}"))


def _turns(messages: Sequence[BaseMessage], query: str) -> tuple[Turn, ...]:
    search = {"query": query, "limit": _PAGE}
    pages = [
        json.loads(str(one.content))
        for one in messages
        if isinstance(one, ToolMessage) and one.name == _SEARCH
    ]
    found = [item for page in pages for item in page["items"]]
    batches = [found[start : start + _BATCH] for start in range(0, len(found), _BATCH)]
    return (
        ("The leads carry the label 'leads'.", "I look for the leads.", ((_SEARCH, search),)),
        *(
            ("", "There are more.", ((_SEARCH, {**search, "page": page["next_page"]}),))
            for page in pages
            if page["next_page"]
        ),
        *(
            (
                f"{len(found)} people asked. Each gets a mail of their own.",
                f"I write to {len(batch)} of them.",
                tuple(("gmail_messages_send", _mail(item["from"])) for item in batch),
            )
            for batch in batches
        ),
        (
            "Colleagues should see who was answered.",
            "I make a label for it.",
            (("gmail_labels_create", {"label": DONE}),),
        ),
        (
            "",
            "And put it on what they wrote.",
            (
                (
                    "gmail_messages_batch_modify",
                    {"message_ids": [item["id"] for item in found], "add": [DONE]},
                ),
            ),
        ),
        ("The CRM counts follow-ups.", "The CRM should know, too.", (("crm_log", {"leads": len(found)}),)),
        ("", f"{len(found)} leads are followed up.", ()),
    )


def _mail(sender: str) -> dict[str, Any]:
    name, address = parseaddr(sender)
    body = f"Dear {name.partition(' ')[0]},\n\nHarbor is 9 EUR a month for each of you.\n\nYours, the Harbor team"
    return {"to": [address], "subject": "Re: A question", "body": body}
