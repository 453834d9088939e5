"""What the lab's agent can do to the world, over HTTP: sync, and the same again for an event loop."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx

from langchain_agentrein import Happened, NotHappened, Operation, Reversal, Risk
from langchain_agentrein.action import Action, Json, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Probed
from tests.lab.points import POINTS

TIMEOUT = 10.0


class Declined(Exception):
    """The world says no: certainly nothing happened."""


class Client:
    """Asks the world, in a case of its own."""

    def __init__(self, url: str, case: str) -> None:
        self._options: Any = {
            "base_url": f"{url}/{case}/",
            "timeout": TIMEOUT,
            "verify": False,  # there is no TLS, and reading the certificates takes longer than a request
            "trust_env": False,
        }
        self._http = httpx.Client(**self._options)

    def ask(self, method: str, what: str, name: str, action: Action | None = None, **said: Any) -> Any:
        POINTS.reach("request", f"{method} {what}", "before")
        answer = self._http.request(method, f"{what}/{name}", **_said(action, said))
        POINTS.reach("request", f"{method} {what}", "after")
        return _read(answer)

    async def aask(self, method: str, what: str, name: str, action: Action | None = None, **said: Any) -> Any:
        POINTS.reach("request", f"{method} {what}", "before")
        async with httpx.AsyncClient(**self._options) as client:
            answer = await client.request(method, f"{what}/{name}", **_said(action, said))
        POINTS.reach("request", f"{method} {what}", "after")
        return _read(answer)


def _said(action: Action | None, said: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if action is not None:
        kind = "undo" if action.status == "compensating" else "do"
        options["headers"] = {"Effect": action.id, "Kind": kind}
    return {**options, "json": said} if said else options


def _read(answer: httpx.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


class _Thing(Operation):
    reversal = Reversal.EXACT
    risk = Risk.LOW
    thing: str

    def expect(self, action: Action) -> Json:
        return {"value": action.id}


class Book(_Thing):
    """Book a thing: it gets the id of the action as its value."""

    name = "lab.book"

    def snapshot(self, api: Client) -> Json:
        return api.ask("GET", "things", self.thing)

    def do(self, api: Client, action: Action) -> Json:
        api.ask("PUT", "things", self.thing, action, value=action.id)
        return {"thing": self.thing}

    def observe(self, api: Client, action: Action) -> Json:
        return api.ask("GET", "things", self.thing)

    def probe(self, api: Client, action: Action) -> Probed:
        return _told(self.thing, api.ask("GET", "effects", action.id))

    def undo(self, api: Client, action: Action) -> None:
        if action.before["value"] is None:
            api.ask("DELETE", "things", self.thing, action)
        else:
            api.ask("PUT", "things", self.thing, action, value=action.before["value"])


class ABook(_Thing):
    """Book a thing: it gets the id of the action as its value."""

    name = "lab.abook"

    async def snapshot(self, api: Client) -> Json:
        return await api.aask("GET", "things", self.thing)

    async def do(self, api: Client, action: Action) -> Json:
        await api.aask("PUT", "things", self.thing, action, value=action.id)
        return {"thing": self.thing}

    async def observe(self, api: Client, action: Action) -> Json:
        return await api.aask("GET", "things", self.thing)

    async def probe(self, api: Client, action: Action) -> Probed:
        return _told(self.thing, await api.aask("GET", "effects", action.id))

    async def undo(self, api: Client, action: Action) -> None:
        if action.before["value"] is None:
            await api.aask("DELETE", "things", self.thing, action)
        else:
            await api.aask("PUT", "things", self.thing, action, value=action.before["value"])


def _told(thing: str, found: list[Any]) -> Probed:
    if any(event["kind"] == "do" for event in found):
        return Happened({"thing": thing})
    return NotHappened()


def _unsaid(found: list[Any]) -> bool:
    return any(event["kind"] == "undo" for event in found)


class Note(Operation):
    """Say something. Nobody can look whether it was said, and the undo is a correction."""

    name, reversal, risk = "lab.note", Reversal.COMPENSATING, Risk.LOW
    thing: str

    def do(self, api: Client, action: Action) -> Json:
        api.ask("POST", "notes", self.thing, action, text=action.id)
        return {"thing": self.thing}

    def undo(self, api: Client, action: Action) -> str:
        try:
            api.ask("POST", "notes", self.thing, action, text="never mind")
        except httpx.HTTPError:
            # To raise says that nothing was undone, and that it may be tried again.
            if not _unsaid(api.ask("GET", "effects", action.id)):
                raise
        return "it was read"


class ANote(Operation):
    """Say something. Nobody can look whether it was said, and the undo is a correction."""

    name, reversal, risk = "lab.anote", Reversal.COMPENSATING, Risk.LOW
    thing: str

    async def do(self, api: Client, action: Action) -> Json:
        await api.aask("POST", "notes", self.thing, action, text=action.id)
        return {"thing": self.thing}

    async def undo(self, api: Client, action: Action) -> str:
        try:
            await api.aask("POST", "notes", self.thing, action, text="never mind")
        except httpx.HTTPError:
            if not _unsaid(await api.aask("GET", "effects", action.id)):
                raise
        return "it was read"


class Mail(Note):
    """Write to somebody; the undo writes to them again."""

    name = "lab.mail"
    undo_effects: ClassVar[frozenset[UndoEffect]] = frozenset({UndoEffect.REACHES_PEOPLE})


class AMail(ANote):
    """Write to somebody; the undo writes to them again."""

    name = "lab.amail"
    undo_effects: ClassVar[frozenset[UndoEffect]] = frozenset({UndoEffect.REACHES_PEOPLE})


class Charge(Operation):
    """Charge a card, which is always declined."""

    name, reversal, risk = "lab.charge", Reversal.COMPENSATING, Risk.LOW
    thing: str

    def fate(self, error: BaseException) -> Any:
        return NotDone if isinstance(error, Declined) else None

    def do(self, api: Client, action: Action) -> Json:
        raise Declined("the card was declined")

    def undo(self, api: Client, action: Action) -> None:
        api.ask("POST", "notes", self.thing, action, text="refunded")


SYNC = {"book": Book, "edit": Book, "note": Note, "mail": Mail, "charge": Charge}
ASYNC = {"book": ABook, "edit": ABook, "note": ANote, "mail": AMail, "charge": Charge}
