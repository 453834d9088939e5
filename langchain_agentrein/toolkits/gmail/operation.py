"""What the Gmail operations share."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from langchain_agentrein.action import Json, Reversal
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.gmail.hub import hub_of

MessageId = Annotated[
    str, Field(pattern=r"^[\w-]+$", description="The message's id, as a search returns it.")
]
ThreadId = Annotated[str, Field(pattern=r"^[\w-]+$", description="The thread's id.")]
DraftId = Annotated[str, Field(pattern=r"^[\w-]+$", description="The draft's id.")]
MODIFY: Final = ("gmail.modify",)
WHOLE: Final = ("https://mail.google.com/",)
BASIC: Final = ("gmail.settings.basic",)
SHARING: Final = ("gmail.settings.sharing",)


class GmailOperation(Operation):
    """Something done to one mailbox. Hooks are given a `Hub`, or the service that one is made of."""

    scopes: ClassVar[tuple[str, ...]] = MODIFY
    """What the credentials must be allowed, to do it and to undo it."""

    def account(self, api: Any) -> str:
        return hub_of(api).account()

    def result(self, receipt: Json) -> str:
        return json.dumps(receipt, ensure_ascii=False, separators=(",", ":"))


class Reading(GmailOperation):
    """Something read; it is neither journaled nor asked about."""

    read_only, reversal = True, Reversal.EXACT
    scopes = ("gmail.readonly",)


def link(identity: str) -> str:
    """Where a person opens a message or a thread."""
    return f"https://mail.google.com/mail/#all/{identity}"
