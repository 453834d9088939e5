"""The addresses that the mailbox sends as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Undone, Unknown
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import Address, Subject
from langchain_agentrein.toolkits.gmail.operation import BASIC, SHARING, GmailOperation
from langchain_agentrein.toolkits.gmail.settings import Setting

FIELDS = {
    "display_name": "displayName",
    "reply_to": "replyToAddress",
    "signature": "signature",
    "treat_as_alias": "treatAsAlias",
}
EMPTY: Mapping[str, Json] = {"displayName": "", "replyToAddress": "", "signature": "", "treatAsAlias": False}


def all_of(hub: Hub) -> list[dict[str, Any]]:
    """Every address that the mailbox sends as."""
    return list(hub.get(hub.users.settings().sendAs().list(userId=ME)).get("sendAs") or ())


def found(hub: Hub, address: str) -> dict[str, Any] | None:
    """One of them."""
    return next((one for one in all_of(hub) if one["sendAsEmail"].lower() == address.lower()), None)


def fields(one: Mapping[str, Any]) -> dict[str, Json]:
    """What can be set of it."""
    return {name: one.get(name, empty) for name, empty in EMPTY.items()}


class CreateSendAs(GmailOperation):
    """Add an address to send as. Gmail asks its owner by mail, unless it is of the account's own domain.

    The undo removes it; a mail that asked stays.
    """

    name, risk, reversal = "gmail.settings.send_as.create", Risk.HIGH, Reversal.COMPENSATING
    repeatable = True
    scopes = SHARING

    address: Address = Field(description="The address.")
    display_name: Subject = Field(default="", description="The name beside it.")
    reply_to: str = Field(default="", description="Where answers go; empty: to the address.")
    signature: str = Field(default="", description="A signature, as HTML.")
    treat_as_alias: bool = Field(default=True, description="Whether it counts as the user's own.")

    def _given(self) -> dict[str, Json]:
        return {api: getattr(self, name) for name, api in FIELDS.items()}

    def snapshot(self, api: Any) -> Json:
        if found(hub_of(api), self.address) is not None:
            raise NotDone(f"the mailbox sends as {self.address} already")
        return None

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"address": str, "status": str}"""
        hub = hub_of(api)
        body = {"sendAsEmail": self.address, **self._given()}
        return self._told(hub.send(hub.users.settings().sendAs().create(userId=ME, body=body)))

    def _told(self, one: Mapping[str, Any]) -> Json:
        return {"address": one["sendAsEmail"], "status": one.get("verificationStatus")}

    def observe(self, api: Any, action: Action) -> Json:
        there = found(hub_of(api), self.address)
        return None if there is None else fields(there)

    def expect(self, action: Action) -> Json:
        return self._given()

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = found(hub, self.address)
        if there is None:
            return NotHappened()
        if fields(there) == self._given():
            return Happened(self._told(there), after=fields(there))
        return Unknown(f"the mailbox sends as {self.address}, and not as this call would have it")

    def undo(self, api: Any, action: Action) -> str:
        hub = hub_of(api)
        hub.send(hub.users.settings().sendAs().delete(userId=ME, sendAsEmail=self.address))
        return f"{self.address} may have been asked by mail, and mail may have been sent as it"


class UpdateSendAs(Setting):
    """Change an address that the mailbox sends as: its name, its signature, where answers go.

    The undo sets back what this set.
    """

    name, risk = "gmail.settings.send_as.update", Risk.HIGH
    scopes = (*BASIC, *SHARING)
    names = FIELDS

    address: Address = Field(description="The address.")
    display_name: Subject | None = Field(default=None, description="The name beside it.")
    reply_to: str | None = Field(default=None, description="Where answers go; empty: to the address.")
    signature: str | None = Field(default=None, description="A signature, as HTML.")
    treat_as_alias: bool | None = Field(default=None, description="Whether it counts as the user's own.")

    def read(self, hub: Hub) -> dict[str, Json]:
        return fields(hub.get(hub.users.settings().sendAs().get(userId=ME, sendAsEmail=self.address)))

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        send_as = hub.users.settings().sendAs()
        return hub.send(send_as.patch(userId=ME, sendAsEmail=self.address, body=dict(values)))

    def stays(self) -> Sequence[str]:
        return ("mail that was sent meanwhile shows what was set",)


class DeleteSendAs(GmailOperation):
    """Remove an address to send as.

    The undo adds it again, and Gmail may ask its owner by mail again; where it sent through a server of its own, that
    server's password is lost.
    """

    name, risk, reversal = "gmail.settings.send_as.delete", Risk.HIGH, Reversal.COMPENSATING
    undo_effects = frozenset({UndoEffect.REACHES_PEOPLE})
    repeatable = True
    scopes = SHARING

    address: Address = Field(description="The address.")

    def snapshot(self, api: Any) -> Json:
        """{"fields": {field: value}, "default": bool, "smtp": bool}"""
        there = found(hub_of(api), self.address)
        if there is None:
            raise NotDone(f"the mailbox does not send as {self.address}")
        if there.get("isPrimary"):
            raise NotDone(f"{self.address} is the mailbox's own")
        return {
            "fields": fields(there),
            "default": bool(there.get("isDefault")),
            "smtp": bool(there.get("smtpMsa")),
        }

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"address": str}"""
        hub = hub_of(api)
        hub.send(hub.users.settings().sendAs().delete(userId=ME, sendAsEmail=self.address))
        return {"address": self.address}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool}"""
        return {"there": found(hub_of(api), self.address) is not None}

    def as_before(self, action: Action) -> Json:
        return {"there": True}

    def expect(self, action: Action) -> Json:
        return {"there": False}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        return Happened({"address": self.address}) if found(hub, self.address) is None else NotHappened()

    def undo(self, api: Any, action: Action) -> Undone:
        hub, before = hub_of(api), action.before
        body = {"sendAsEmail": self.address, **before["fields"]}
        if before["default"]:
            body["isDefault"] = True
        again = hub.send(hub.users.settings().sendAs().create(userId=ME, body=body))
        residue = [
            f"{self.address} was added again, and is {again.get('verificationStatus') or 'not verified'}"
        ]
        if before["smtp"]:
            residue.append("it sent through a server of its own: its name and password must be given again")
        return Undone(residue)
