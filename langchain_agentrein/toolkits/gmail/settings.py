"""Settings that are one record: the absence note, and where all mail is forwarded to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.gmail.hub import ME, Hub, hub_of
from langchain_agentrein.toolkits.gmail.mime import Address, Subject
from langchain_agentrein.toolkits.gmail.operation import BASIC, SHARING, GmailOperation
from langchain_agentrein.toolkits.gmail.replies import Gone


class Setting(GmailOperation):
    """Sets fields of a record that is always there. The undo sets those back that it set, and no others.

    before: {"was": {field: value}}; after: {field: value}, as the API names them
    """

    reversal = Reversal.COMPENSATING
    partial, repeatable = True, True

    names: ClassVar[Mapping[str, str]] = {}
    """The API's name of each argument."""
    clearable: ClassVar[frozenset[str]] = frozenset()
    """The arguments for which null means "none", not "as it is"."""

    def read(self, hub: Hub) -> dict[str, Json]:
        """Every field that can be set, as it is; what is not set is `None`."""
        raise NotImplementedError

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        """Set some of the fields."""
        raise NotImplementedError

    def stays(self) -> Sequence[str]:
        """The residue."""
        raise NotImplementedError

    def given(self) -> dict[str, Json]:
        """The fields that this call sets."""
        return {
            api: getattr(self, name)
            for name, api in self.names.items()
            if name in self.model_fields_set and (getattr(self, name) is not None or name in self.clearable)
        }

    def snapshot(self, api: Any) -> Json:
        if not self.given():
            raise NotDone(f"nothing to change was given; it can set {', '.join(self.names)}")
        present = self.read(hub_of(api))
        return {"was": {name: present[name] for name in self.given()}}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {field: value}, those that were set"""
        self.write(hub_of(api), self.given())
        return self.given()

    def observe(self, api: Any, action: Action) -> Json:
        try:
            present = self.read(hub_of(api))
        except Gone:  # an address to send as, which somebody removed
            return None
        return {name: present[name] for name in action.before["was"]}

    def as_before(self, action: Action) -> Json:
        return action.before["was"]

    def probe(self, api: Any, action: Action) -> Probed:
        hub_of(api).wait_for(action)
        now = self.observe(api, action)
        if now == self.given():
            return Happened(self.given(), after=now)
        return (
            NotHappened() if now == action.before["was"] else Unknown("it is neither as before nor as asked")
        )

    def back(self, action: Action) -> dict[str, Json]:
        """The fields that the undo sets, as they were."""
        return {
            name: value
            for name, value in action.before["was"].items()
            if action.undo_fields is None or name in action.undo_fields
        }

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        self.write(hub_of(api), self.back(action))
        return self.stays()


class UpdateVacation(Setting):
    """Set the absence note with which Gmail answers whoever writes: only what is given.

    The undo sets back what this set; whoever was answered meanwhile stays answered.
    """

    name, risk = "gmail.settings.vacation.update", Risk.HIGH
    scopes = BASIC
    names: ClassVar[Mapping[str, str]] = {
        "enabled": "enableAutoReply",
        "subject": "responseSubject",
        "body": "responseBodyPlainText",
        "only_contacts": "restrictToContacts",
        "only_domain": "restrictToDomain",
        "start": "startTime",
        "end": "endTime",
    }
    clearable = frozenset({"start", "end"})

    enabled: bool | None = Field(default=None, description="Whether Gmail answers.")
    subject: Subject | None = Field(default=None, description="What the answer's subject begins with.")
    body: str | None = Field(default=None, max_length=100_000, description="The answer's text, plain.")
    only_contacts: bool | None = Field(default=None, description="Answer nobody but contacts.")
    only_domain: bool | None = Field(default=None, description="Answer nobody outside the domain.")
    start: int | None = Field(
        default=None, ge=0, description="When it begins, in ms since 1970, UTC; null: now."
    )
    end: int | None = Field(
        default=None, ge=0, description="When it ends, in ms since 1970, UTC; null: never."
    )

    def undo_assessment(self) -> Assessment:
        """To set back a note that was switched off is to answer people again."""
        again = frozenset({UndoEffect.REACHES_PEOPLE} if self.given().get("enableAutoReply") is False else ())
        return Assessment(self.risk, self.reversal, "", self.undo_risk, again)

    def assess(self, api: Any) -> Assessment:
        return self.undo_assessment()

    def read(self, hub: Hub) -> dict[str, Json]:
        there = hub.get(hub.users.settings().getVacation(userId=ME))
        empty: dict[str, Json] = {
            "enableAutoReply": False,
            "responseSubject": "",
            "responseBodyPlainText": "",
            "restrictToContacts": False,
            "restrictToDomain": False,
            "startTime": None,
            "endTime": None,
        }
        told = {name: there.get(name, value) for name, value in empty.items()}
        return {
            name: int(value) if value is not None and name.endswith("Time") else value
            for name, value in told.items()
        }

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        """The API replaces the whole of it. An HTML text would go before a plain one that is set."""
        settings = hub.users.settings()
        whole = {**hub.get(settings.getVacation(userId=ME)), **values}
        if "responseBodyPlainText" in values and "responseBodyHtml" not in values:
            whole.pop("responseBodyHtml", None)
        body = {
            name: str(value) if name.endswith("Time") else value
            for name, value in whole.items()
            if value is not None
        }
        return hub.send(settings.updateVacation(userId=ME, body=body))

    def snapshot(self, api: Any) -> Json:
        """{"was": {field: value}, "html"?: the HTML text that a plain one replaces}"""
        hub, before = hub_of(api), super().snapshot(api)
        markup = hub.get(hub.users.settings().getVacation(userId=ME)).get("responseBodyHtml")
        return {**before, "html": markup} if markup and "responseBodyPlainText" in before["was"] else before

    def back(self, action: Action) -> dict[str, Json]:
        back = super().back(action)
        if "html" in action.before and "responseBodyPlainText" in back:
            back["responseBodyHtml"] = action.before["html"]
        return back

    def stays(self) -> Sequence[str]:
        return ("whoever wrote meanwhile was answered, or was not, as the note was then",)


class UpdateAutoForwarding(Setting):
    """Set whether all mail that arrives is forwarded, where to (a verified address), and what becomes of it here.

    The undo sets back what this set; what was forwarded meanwhile stays so.
    """

    name, risk = "gmail.settings.auto_forwarding.update", Risk.CRITICAL
    scopes = SHARING
    names: ClassVar[Mapping[str, str]] = {
        "enabled": "enabled",
        "address": "emailAddress",
        "disposition": "disposition",
    }

    enabled: bool | None = Field(default=None, description="Whether mail is forwarded.")
    address: Address | None = Field(default=None, description="Where to; one of the forwarding addresses.")
    disposition: Literal["leaveInInbox", "archive", "trash", "markRead"] | None = Field(
        default=None, description="What becomes of forwarded mail here."
    )

    def undo_assessment(self) -> Assessment:
        """To set back a forwarding that was switched off is to send mail to others again."""
        off = self.given().get("enabled") is False
        again = frozenset({UndoEffect.REACHES_PEOPLE} if off else ())
        return Assessment(self.risk, self.reversal, "", self.undo_risk, again)

    def assess(self, api: Any) -> Assessment:
        return self.undo_assessment()

    def read(self, hub: Hub) -> dict[str, Json]:
        there = hub.get(hub.users.settings().getAutoForwarding(userId=ME))
        return {
            "enabled": bool(there.get("enabled", False)),
            "emailAddress": there.get("emailAddress"),
            "disposition": there.get("disposition"),
        }

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        """The API replaces the whole of it."""
        settings = hub.users.settings()
        whole = {**hub.get(settings.getAutoForwarding(userId=ME)), **values}
        body = {name: value for name, value in whole.items() if value is not None}
        return hub.send(settings.updateAutoForwarding(userId=ME, body=body))

    def stays(self) -> Sequence[str]:
        return ("what was forwarded meanwhile stays forwarded",)
