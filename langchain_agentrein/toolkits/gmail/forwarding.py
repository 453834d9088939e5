"""The addresses that mail may be forwarded to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import Address
from langchain_agentrein.toolkits.gmail.operation import SHARING, GmailOperation


def all_of(hub: Hub) -> list[dict[str, Any]]:
    """Every address that mail may be forwarded to."""
    answer = hub.get(hub.users.settings().forwardingAddresses().list(userId=ME))
    return list(answer.get("forwardingAddresses") or ())


class _OnAddress(GmailOperation):
    """About one forwarding address."""

    risk, reversal = Risk.CRITICAL, Reversal.COMPENSATING
    repeatable = True
    scopes = SHARING

    address: Address = Field(description="The address.")

    def found(self, hub: Hub) -> Mapping[str, Any] | None:
        """It, or `None`."""
        wanted = self.address.lower()
        return next((one for one in all_of(hub) if one["forwardingEmail"].lower() == wanted), None)

    def add(self, hub: Hub) -> Any:
        """Add it."""
        addresses = hub.users.settings().forwardingAddresses()
        return hub.send(addresses.create(userId=ME, body={"forwardingEmail": self.address}))

    def remove(self, hub: Hub) -> None:
        """Remove it."""
        addresses = hub.users.settings().forwardingAddresses()
        hub.send(addresses.delete(userId=ME, forwardingEmail=self.address))

    def used(self, hub: Hub) -> list[str]:
        """What forwards to it, one sentence each."""
        wanted, said = self.address.lower(), list[str]()
        auto = hub.get(hub.users.settings().getAutoForwarding(userId=ME))
        if auto.get("enabled") and str(auto.get("emailAddress")).lower() == wanted:
            said.append(f"all mail is forwarded to {self.address}")
        filters = hub.get(hub.users.settings().filters().list(userId=ME)).get("filter") or ()
        for one in filters:
            if str((one.get("action") or {}).get("forward")).lower() == wanted:
                said.append(f"the filter {one['id']} forwards to it")
        return said

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool}"""
        return {"there": self.found(hub_of(api)) is not None}


class CreateForwardingAddress(_OnAddress):
    """Add an address that mail may be forwarded to. Gmail asks its owner by mail; nothing is forwarded yet.

    The undo removes it, unless mail is forwarded to it by then; a mail that asked stays.
    """

    name = "gmail.settings.forwarding_addresses.create"

    def snapshot(self, api: Any) -> Json:
        if self.found(hub_of(api)) is not None:
            raise NotDone(f"{self.address} is a forwarding address already")
        return None

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"address": str, "status": str}"""
        return self._told(self.add(hub_of(api)))

    def _told(self, one: Mapping[str, Any]) -> Json:
        return {"address": one["forwardingEmail"], "status": one.get("verificationStatus")}

    def as_before(self, action: Action) -> Json:
        return {"there": False}

    def expect(self, action: Action) -> Json:
        return {"there": True}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = self.found(hub)
        return NotHappened() if there is None else Happened(self._told(there))

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        return self.used(hub_of(api))

    def undo(self, api: Any, action: Action) -> str:
        self.remove(hub_of(api))
        return f"{self.address} may have been asked by mail"


class DeleteForwardingAddress(_OnAddress):
    """Remove an address that mail may be forwarded to; nothing is forwarded to it any more.

    The undo adds it again, and Gmail asks its owner by mail again; until its owner has answered nothing is forwarded.
    """

    name = "gmail.settings.forwarding_addresses.delete"
    undo_effects = frozenset({UndoEffect.REACHES_PEOPLE})

    def snapshot(self, api: Any) -> Json:
        """{"status": str, "used": [what forwards to it]}"""
        hub = hub_of(api)
        there = self.found(hub)
        if there is None:
            raise NotDone(f"{self.address} is no forwarding address")
        return {"status": there.get("verificationStatus"), "used": self.used(hub)}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"address": str}"""
        self.remove(hub_of(api))
        return {"address": self.address}

    def as_before(self, action: Action) -> Json:
        return {"there": True}

    def expect(self, action: Action) -> Json:
        return {"there": False}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        return Happened({"address": self.address}) if self.found(hub) is None else NotHappened()

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        again = self.add(hub_of(api))
        status = again.get("verificationStatus") or "not verified"
        used = [f"look whether it still does: {one}" for one in action.before["used"]]
        return [f"{self.address} was added again, and is {status}", *used]
