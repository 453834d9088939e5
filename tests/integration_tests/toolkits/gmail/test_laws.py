"""Every Gmail operation keeps the laws, on a real server over HTTP."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from langchain_agentrein.operation import Operation
from langchain_agentrein.testing import OperationLaws, ReadingLaws
from langchain_agentrein.toolkits.gmail import (
    GmailToolkit,
    deletion,
    drafts,
    filters,
    forwarding,
    inserts,
    labelling,
    reads,
    send,
    send_as,
    settings,
    trash,
)
from langchain_agentrein.toolkits.gmail import labels as definitions
from tests.integration_tests.toolkits.gmail.world import Mailbox, raw


class GmailLaws(OperationLaws):
    """The world is one mailbox; its owner changes it past the agent."""

    mail: Mailbox

    @pytest.fixture(autouse=True)
    def _mail(self, mail: Mailbox) -> None:
        self.mail = mail

    def world(self, api: Any) -> Any:
        return self.mail.state()

    def foreign_edit(self, api: Any) -> bool:
        return False

    def foreign_addition(self, api: Any) -> bool:
        return False


class TestModifyMessage(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.label("Invoices")
        self.id = mail.received()["id"]
        return labelling.ModifyMessage(message_id=self.id, add=["invoices", "STARRED"], remove=["INBOX"])

    def foreign_edit(self, api: Any) -> bool:
        self.mail.ask("DELETE", f"messages/{self.id}")
        return True


class TestBatchModifyMessages(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        ids = [
            mail.received("One")["id"],
            mail.received("Two", labels=("UNREAD",))["id"],
            mail.received("Three", labels=("INBOX",))["id"],
        ]
        return labelling.BatchModifyMessages(message_ids=ids, remove=["INBOX", "UNREAD"], add=["IMPORTANT"])


class TestModifyThread(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        first = mail.received()
        mail.answered(first["threadId"])
        mail.relabel(first["id"], remove=("UNREAD",))
        return labelling.ModifyThread(thread_id=first["threadId"], remove=["UNREAD", "INBOX"])


class TestCreateLabel(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        return definitions.CreateLabel(label="Acme/New", background="#16a766", text="#ffffff")

    def _id(self) -> str:
        return next(
            one["id"] for one in self.mail.ask("GET", "labels")["labels"] if one["name"] == "Acme/New"
        )

    def foreign_edit(self, api: Any) -> bool:
        self.mail.ask("PATCH", f"labels/{self._id()}", {"labelListVisibility": "labelHide"})
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.mail.received(labels=(self._id(),))
        return True


class TestUpdateLabel(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        self.id = mail.label("Old")
        mail.received(labels=(self.id,))
        return definitions.UpdateLabel(label="Old", new_name="New", background="#16a766", text="#ffffff")

    def foreign_edit(self, api: Any) -> bool:
        self.mail.ask("PATCH", f"labels/{self.id}", {"name": "Theirs"})
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return "Theirs" in now["labels"]


class TestDeleteLabel(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        label = mail.label("Invoices")
        mail.received("One", labels=(label, "INBOX"))
        mail.received("Two", labels=(label, "TRASH"))
        return definitions.DeleteLabel(label="Invoices")


class TestTrashMessage(GmailLaws):
    """It comes back as it was: archived, and not into the inbox."""

    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        self.id = mail.received(labels=(mail.label("Kept"), "UNREAD", "STARRED"))["id"]
        return trash.TrashMessage(message_id=self.id)

    def foreign_edit(self, api: Any) -> bool:
        self.mail.ask("DELETE", f"messages/{self.id}")
        return True


class TestUntrashMessage(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        self.id = mail.received(labels=("TRASH", "UNREAD"))["id"]
        return trash.UntrashMessage(message_id=self.id)

    def foreign_edit(self, api: Any) -> bool:
        self.mail.ask("DELETE", f"messages/{self.id}")
        return True


class TestTrashThread(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        first = mail.received(labels=("UNREAD",))
        mail.answered(first["threadId"])
        mail.relabel(mail.answered(first["threadId"]), add=("TRASH",), remove=("INBOX",))
        return trash.TrashThread(thread_id=first["threadId"])


class TestUntrashThread(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        first = mail.received(labels=("TRASH",))
        mail.answered(first["threadId"])
        return trash.UntrashThread(thread_id=first["threadId"])


class PutMail(GmailLaws):
    """It is in the trash, with whatever others put on it."""

    def _mine(self) -> str:
        [found] = self.mail.state()["messages"]
        return str(found)

    def left(self, before: Any, after: Any) -> Any:
        [(identity, message)] = after["messages"].items()
        theirs = {"STARRED"} & set(self.mail.state()["messages"][identity]["labels"])
        labels = sorted({*message["labels"], "TRASH", *theirs} - {"INBOX"})
        return {**after, "messages": {identity: {**message, "labels": labels}}}

    def foreign_edit(self, api: Any) -> bool:
        self.mail.relabel(self._mine(), add=("STARRED",))
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now == theirs)

    def foreign_addition(self, api: Any) -> bool:
        message = self.mail.ask("GET", f"messages/{self._mine()}?format=minimal")
        self.mail.answered(message["threadId"])
        return True


class TestInsertMessage(PutMail):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        return inserts.InsertMessage(
            sender="Ana <ana@acme.com>", to=["bot@acme.com"], subject="Für dich", body="ä"
        )


class TestImportMessage(PutMail):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.label("Old mail")
        return inserts.ImportMessage(
            sender="ana@acme.com", to=["bot@acme.com"], subject="Old", body="old", labels=["Old mail"]
        )


class Deleted(GmailLaws):
    """It does not come back, and nobody says so."""

    def left(self, before: Any, after: Any) -> Any:
        return after


class TestDeleteMessage(Deleted):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.received("Another")
        return deletion.DeleteMessage(message_id=mail.received()["id"])


class TestBatchDeleteMessages(Deleted):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        ids = [mail.received("One")["id"], mail.received("Two")["id"]]
        return deletion.BatchDeleteMessages(message_ids=ids)


class TestDeleteThread(Deleted):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        first = mail.received()
        mail.answered(first["threadId"])
        return deletion.DeleteThread(thread_id=first["threadId"])


class TestCreateDraft(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        answers = mail.received("Question")
        return drafts.CreateDraft(
            to=["Ana Ä <ana@acme.com>"],
            cc=["dan@acme.com"],
            bcc=["eve@acme.com"],
            body="Grüße,\n\n  Bot\n",
            in_reply_to=answers["id"],
        )

    def foreign_edit(self, api: Any) -> bool:
        [draft] = self.mail.state()["drafts"]
        body = {"message": {"raw": raw("theirs", {"To": "ana@acme.com", "Subject": "theirs"})}}
        self.mail.ask("PUT", f"drafts/{draft}", body)
        return True


class TestUpdateDraft(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        self.draft = mail.draft(body="as it was\n")
        return drafts.UpdateDraft(draft_id=self.draft, to=["dan@acme.com"], subject="Néw", body="other")

    def foreign_edit(self, api: Any) -> bool:
        body = {"message": {"raw": raw("theirs", {"To": "ana@acme.com", "Subject": "theirs"})}}
        self.mail.ask("PUT", f"drafts/{self.draft}", body)
        return True


class TestDeleteDraft(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.draft()  # one just like it is no reason to think that it is back
        return drafts.DeleteDraft(draft_id=mail.draft())

    def left(self, before: Any, after: Any) -> Any:
        """Another id."""
        now = self.mail.state()["drafts"]
        assert sorted(map(str, now.values())) == sorted(map(str, before["drafts"].values()))
        assert set(after["drafts"]) < set(now)
        return {**before, "drafts": now}


class Sent(GmailLaws):
    """Everybody is told, alone; the thread is labelled."""

    people: tuple[str, ...] = ("ana@acme.com", "dan@acme.com", "eve@acme.com")

    def left(self, before: Any, after: Any) -> Any:
        now = self.mail.state()
        [mine] = set(after["messages"]) - set(before["messages"])
        new = [message for one, message in now["messages"].items() if one not in after["messages"]]
        assert sorted(one["to"] for one in new) == [[one] for one in self.people]
        assert {(*one["cc"], *one["bcc"]) for one in new} == {()}
        assert {one["thread"] for one in new} == {after["messages"][mine]["thread"]}
        assert not any("secret" in one["body"] for one in new)
        messages = copy.deepcopy(after["messages"])
        for identity, message in now["messages"].items():
            labels = set(message["labels"])
            if identity in messages and message["thread"] == messages[mine]["thread"]:
                assert "Sent by mistake" in labels
                messages[identity]["labels"] = message["labels"]
            elif identity not in messages:
                messages[identity] = message
        return {**after, "messages": messages, "labels": now["labels"]}

    def foreign_addition(self, api: Any) -> bool:
        [mine] = [one for one in self.mail.state()["messages"].values() if "SENT" in one["labels"]]
        self.mail.answered(mine["thread"])
        return True


class TestSendMessage(Sent):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.received("Another")
        return send.SendMessage(
            to=["Ana <ana@acme.com>"],
            cc=["dan@acme.com"],
            bcc=["eve@acme.com"],
            subject="Pläne",
            body="secret",
        )


class TestSendDraft(Sent):
    people = ("ana@acme.com",)

    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        return send.SendDraft(draft_id=mail.draft("Plans", "secret"))

    def left(self, before: Any, after: Any) -> Any:
        return super().left({**before, "messages": {}}, after)


class TestCreateFilter(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.filter("dan@acme.com", mail.label("Dan"))
        return filters.CreateFilter(sender="ana@acme.com", add=["Dan", "STARRED"], remove=["INBOX"])


class TestDeleteFilter(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        return filters.DeleteFilter(filter_id=mail.filter("dan@acme.com", mail.label("Dan")))


class TestUpdateVacation(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.front.settings.single["vacation"] = {
            "enableAutoReply": True,
            "responseSubject": "Away",
            "responseBodyPlainText": "I am away.",
            "responseBodyHtml": "<p>I am <b>away</b>.</p>",
            "restrictToContacts": True,
            "restrictToDomain": False,
            "startTime": "1700000000000",
        }
        return settings.UpdateVacation(
            enabled=False, body="Gone for good.", start=None, end=1_900_000_000_000
        )

    def foreign_edit(self, api: Any) -> bool:
        vacation = self.mail.front.settings.single["vacation"]
        self.mail.front.settings.single["vacation"] = {**vacation, "responseBodyPlainText": "theirs"}
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now["settings"][0]["vacation"]["responseBodyPlainText"] == "theirs")


class TestUpdateAutoForwarding(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        for one in ("ana@acme.com", "dan@acme.com"):
            mail.front.settings.forwarding[one] = {"forwardingEmail": one, "verificationStatus": "accepted"}
        mail.front.settings.single["autoForwarding"] = {
            "enabled": True,
            "emailAddress": "ana@acme.com",
            "disposition": "archive",
        }
        return settings.UpdateAutoForwarding(address="dan@acme.com")


class TestCreateSendAs(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        return send_as.CreateSendAs(address="sales@other.com", display_name="Sales", signature="<b>S</b>")

    def foreign_edit(self, api: Any) -> bool:
        self.mail.front.settings.send_as["sales@other.com"]["signature"] = "theirs"
        return True


class TestUpdateSendAs(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        own = mail.front.settings.send_as["bot@acme.com"]
        own |= {"signature": "as it was", "replyToAddress": ""}
        return send_as.UpdateSendAs(address="bot@acme.com", signature="new", display_name="New")

    def foreign_edit(self, api: Any) -> bool:
        self.mail.front.settings.send_as["bot@acme.com"]["signature"] = "theirs"
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now["settings"][2]["bot@acme.com"]["signature"] == "theirs")


class TestDeleteSendAs(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.front.settings.send_as["sales@acme.com"] = {
            "sendAsEmail": "sales@acme.com",
            "displayName": "Sales",
            "replyToAddress": "",
            "signature": "S",
            "treatAsAlias": True,
            "verificationStatus": "accepted",
        }
        return send_as.DeleteSendAs(address="sales@acme.com")


class TestCreateForwardingAddress(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        return forwarding.CreateForwardingAddress(address="ana@acme.com")

    def foreign_addition(self, api: Any) -> bool:
        self.mail.front.settings.single["autoForwarding"] = {
            "enabled": True,
            "emailAddress": "ana@acme.com",
        }
        return True


class TestDeleteForwardingAddress(GmailLaws):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        there = {"forwardingEmail": "ana@acme.com", "verificationStatus": "accepted"}
        mail.front.settings.forwarding["ana@acme.com"] = there
        return forwarding.DeleteForwardingAddress(address="ana@acme.com")


class GmailReads(ReadingLaws):
    mail: Mailbox

    @pytest.fixture(autouse=True)
    def _mail(self, mail: Mailbox) -> None:
        self.mail = mail

    @pytest.fixture
    def came(self, mail: Mailbox) -> dict[str, Any]:
        mail.filter("dan@acme.com", mail.label("Dan"))
        return mail.received()

    def world(self, api: Any) -> Any:
        return self.mail.state()


class TestGetProfile(GmailReads):
    @pytest.fixture
    def operation(self) -> Operation:
        return reads.GetProfile()


class TestSearchMessages(GmailReads):
    @pytest.fixture
    def operation(self, came: Any) -> Operation:
        return reads.SearchMessages(query="from:ana")


class TestGetMessage(GmailReads):
    @pytest.fixture
    def operation(self, came: Any) -> Operation:
        return reads.GetMessage(message_id=came["id"])


class TestListThreads(GmailReads):
    @pytest.fixture
    def operation(self, came: Any) -> Operation:
        return reads.ListThreads(query="from:ana")


class TestGetThread(GmailReads):
    @pytest.fixture
    def operation(self, came: Any) -> Operation:
        return reads.GetThread(thread_id=came["threadId"])


class TestListLabels(GmailReads):
    @pytest.fixture
    def operation(self, came: Any) -> Operation:
        return reads.ListLabels()


class TestListDrafts(GmailReads):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        mail.draft()
        return reads.ListDrafts()


class TestGetDraft(GmailReads):
    @pytest.fixture
    def operation(self, mail: Mailbox) -> Operation:
        return reads.GetDraft(draft_id=mail.draft())


class TestListFilters(GmailReads):
    @pytest.fixture
    def operation(self, came: Any) -> Operation:
        return reads.ListFilters()


class TestGetVacation(GmailReads):
    @pytest.fixture
    def operation(self) -> Operation:
        return reads.GetVacation()


class TestListSendAs(GmailReads):
    @pytest.fixture
    def operation(self) -> Operation:
        return reads.ListSendAs()


class TestGetForwarding(GmailReads):
    @pytest.fixture
    def operation(self) -> Operation:
        return reads.GetForwarding()


def test_no_operation_is_missing() -> None:
    """A class for each, named for it, is enough to find what nobody wrote laws for."""
    there = {op.__name__ for op in GmailToolkit.operations}
    tested = {name.removeprefix("Test") for name in globals() if name.startswith("Test")}
    assert not there - tested
