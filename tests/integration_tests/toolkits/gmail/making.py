"""One call of each Gmail operation that changes something, and what it needs to be there."""

from __future__ import annotations

from collections.abc import Callable

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.gmail import (
    deletion,
    drafts,
    filters,
    forwarding,
    inserts,
    labelling,
    labels,
    send,
    send_as,
    settings,
    trash,
)
from tests.integration_tests.toolkits.gmail.world import Mailbox

ANA = "ana@acme.com"


def sent(mail: Mailbox) -> Operation:
    return send.SendMessage(to=[ANA], subject="Plans", body="secret")


def drafted(mail: Mailbox) -> Operation:
    return drafts.CreateDraft(to=[ANA], subject="Plans", body="later")


def redrafted(mail: Mailbox) -> Operation:
    return drafts.UpdateDraft(draft_id=mail.draft(), body="other")


def undrafted(mail: Mailbox) -> Operation:
    return drafts.DeleteDraft(draft_id=mail.draft())


def draft_sent(mail: Mailbox) -> Operation:
    return send.SendDraft(draft_id=mail.draft("Pläne für Mai"))


def archived(mail: Mailbox) -> Operation:
    return labelling.ModifyMessage(message_id=mail.received()["id"], remove=["INBOX"])


def all_archived(mail: Mailbox) -> Operation:
    ids = [mail.received()["id"], mail.received(labels=("INBOX", "STARRED"))["id"]]
    return labelling.BatchModifyMessages(message_ids=ids, remove=["INBOX"])


def thread_archived(mail: Mailbox) -> Operation:
    first = mail.received()
    mail.answered(first["threadId"])
    return labelling.ModifyThread(thread_id=first["threadId"], remove=["INBOX"])


def trashed(mail: Mailbox) -> Operation:
    return trash.TrashMessage(message_id=mail.received()["id"])


def untrashed(mail: Mailbox) -> Operation:
    return trash.UntrashMessage(message_id=mail.received(labels=("TRASH",))["id"])


def thread_trashed(mail: Mailbox) -> Operation:
    return trash.TrashThread(thread_id=mail.received()["threadId"])


def thread_untrashed(mail: Mailbox) -> Operation:
    return trash.UntrashThread(thread_id=mail.received(labels=("TRASH",))["threadId"])


def inserted(mail: Mailbox) -> Operation:
    return inserts.InsertMessage(sender=ANA, to=["bot@acme.com"], subject="Old", body="old")


def imported(mail: Mailbox) -> Operation:
    return inserts.ImportMessage(sender=ANA, to=["bot@acme.com"], subject="Old", body="old")


def deleted(mail: Mailbox) -> Operation:
    return deletion.DeleteMessage(message_id=mail.received()["id"])


def all_deleted(mail: Mailbox) -> Operation:
    return deletion.BatchDeleteMessages(message_ids=[mail.received()["id"], mail.received()["id"]])


def thread_deleted(mail: Mailbox) -> Operation:
    return deletion.DeleteThread(thread_id=mail.received()["threadId"])


def label(mail: Mailbox) -> Operation:
    return labels.CreateLabel(label="New")


def renamed(mail: Mailbox) -> Operation:
    mail.label("Old")
    return labels.UpdateLabel(label="Old", new_name="New")


def dropped(mail: Mailbox) -> Operation:
    mail.received(labels=(mail.label("Gone"), "INBOX"))
    return labels.DeleteLabel(label="Gone")


def filtered(mail: Mailbox) -> Operation:
    return filters.CreateFilter(sender=ANA, remove=["INBOX"])


def unfiltered(mail: Mailbox) -> Operation:
    return filters.DeleteFilter(filter_id=mail.filter(ANA, "STARRED"))


def away(mail: Mailbox) -> Operation:
    return settings.UpdateVacation(enabled=True, subject="Away", body="I am away.")


def forwarded(mail: Mailbox) -> Operation:
    mail.front.settings.forwarding[ANA] = {"forwardingEmail": ANA, "verificationStatus": "accepted"}
    return settings.UpdateAutoForwarding(enabled=True, address=ANA, disposition="archive")


def alias(mail: Mailbox) -> Operation:
    return send_as.CreateSendAs(address="sales@acme.com", display_name="Sales")


def resigned(mail: Mailbox) -> Operation:
    return send_as.UpdateSendAs(address="bot@acme.com", signature="new")


def no_alias(mail: Mailbox) -> Operation:
    there = {"sendAsEmail": "sales@acme.com", "displayName": "Sales", "verificationStatus": "accepted"}
    mail.front.settings.send_as["sales@acme.com"] = there
    return send_as.DeleteSendAs(address="sales@acme.com")


def target(mail: Mailbox) -> Operation:
    return forwarding.CreateForwardingAddress(address=ANA)


def no_target(mail: Mailbox) -> Operation:
    mail.front.settings.forwarding[ANA] = {"forwardingEmail": ANA, "verificationStatus": "accepted"}
    return forwarding.DeleteForwardingAddress(address=ANA)


OPERATIONS: list[Callable[[Mailbox], Operation]] = [
    sent,
    drafted,
    redrafted,
    undrafted,
    draft_sent,
    archived,
    all_archived,
    thread_archived,
    trashed,
    untrashed,
    thread_trashed,
    thread_untrashed,
    inserted,
    imported,
    deleted,
    all_deleted,
    thread_deleted,
    label,
    renamed,
    dropped,
    filtered,
    unfiltered,
    away,
    forwarded,
    alias,
    resigned,
    no_alias,
    target,
    no_target,
]
"""All of them: `test_faults.py` counts."""
FOR_GOOD = {deleted, all_deleted, thread_deleted}
"""Those that nothing undoes."""
