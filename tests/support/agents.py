"""A small world for agents to act on, and the messages with which a model acts on it."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from langchain_core.messages import AIMessage

from langchain_agentrein import ReversibleTool, Risk, reversible
from tests.support.models import ScriptedModel, Turn


def script(*turns: Turn) -> ScriptedModel:
    """A model with this script."""
    return ScriptedModel(turns=list(turns))


def calls(*wanted: tuple[str, dict[str, Any]], text: str = "") -> AIMessage:
    """An AI message that calls tools: `calls(("book", {"room": "a"}))`."""
    return AIMessage(
        text,
        tool_calls=[
            {"name": name, "args": args, "id": f"call_{uuid.uuid4().hex[:12]}", "type": "tool_call"}
            for name, args in wanted
        ],
    )


class Declined(Exception):
    """The card was declined: certainly nothing was charged."""


class Hotel:
    """Rooms that can be booked and cancelled, and everything that ever happened to them."""

    def __init__(self) -> None:
        self.rooms: list[str] = []
        self.log: list[str] = []
        self._counter = itertools.count(1)

    @property
    def book(self) -> ReversibleTool:
        """A tool that books, and can be undone."""

        @reversible
        def book(room: str) -> dict[str, Any]:
            """Book a room."""
            self.rooms.append(room)
            self.log.append(f"book {room}")
            return {"room": room, "number": next(self._counter)}

        @book.undo
        def cancel(action: Any) -> None:
            self.rooms.remove(action.receipt["room"])
            self.log.append(f"cancel {action.receipt['room']}")

        @book.observe
        def look(action: Any) -> dict[str, Any]:
            return {"booked": self.rooms.count(action.args["room"])}

        @book.snapshot
        def before(room: str) -> dict[str, Any]:
            return {"booked": self.rooms.count(room)}

        return book  # type: ignore[no-any-return]

    @property
    def charge(self) -> ReversibleTool:
        """A tool that always fails, and says that it did nothing."""

        @reversible(undo=lambda action: None, not_done=(Declined,), risk=Risk.MEDIUM)
        def charge(amount: int) -> str:
            """Charge the card."""
            self.log.append(f"charge {amount}")
            raise Declined("card declined")

        return charge  # type: ignore[no-any-return]
