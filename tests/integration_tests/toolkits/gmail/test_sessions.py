"""Several calls on one thing in one session: what came back with another id is still the thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.gmail import Hub, drafts, filters, labelling, labels, send
from tests.integration_tests.toolkits.gmail.doing import back, call
from tests.integration_tests.toolkits.gmail.world import Mailbox

Then = Callable[[Any], Operation]


def drafted() -> Operation:
    return drafts.CreateDraft(to=["ana@acme.com"], subject="Plans", body="later")


def undrafted(receipt: Any) -> Operation:
    return drafts.DeleteDraft(draft_id=receipt["id"])


def redrafted(receipt: Any) -> Operation:
    return drafts.UpdateDraft(draft_id=receipt["id"], body="other", subject="Other")


def labelled() -> Operation:
    return labels.CreateLabel(label="New")


def unlabelled(receipt: Any) -> Operation:
    return labels.DeleteLabel(label=receipt["id"])


def relabelled(receipt: Any) -> Operation:
    return labels.UpdateLabel(label=receipt["id"], new_name="Newer")


def filtered() -> Operation:
    return filters.CreateFilter(sender="ana@acme.com", remove=["INBOX"])


def unfiltered(receipt: Any) -> Operation:
    return filters.DeleteFilter(filter_id=receipt["id"])


@pytest.mark.parametrize(
    ("make", "then"),
    [
        (drafted, [undrafted]),
        (drafted, [redrafted, undrafted]),
        (labelled, [unlabelled]),
        (labelled, [relabelled, unlabelled]),
        (filtered, [unfiltered]),
    ],
)
def test_what_was_made_and_deleted_in_one_session_leaves_nothing(
    mail: Mailbox, through: Hub, rein: AgentRein, make: Callable[[], Operation], then: list[Then]
) -> None:
    """The undo of the deletion brings it back with another id; the undo of the creation must find it."""
    mail.label("Another")
    before = mail.state()
    session = call(rein, make(), through)
    receipt = session.actions()[0].receipt
    for one in then:
        call(rein, one(receipt), through, session)

    report = rein.rollback(session=session.id, by="ana")

    assert set(report.counts) <= {"restored", "compensated"}, report
    assert mail.state() == before


def test_a_draft_that_was_changed_and_deleted_is_as_it_was(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    draft = {"id": mail.draft()}
    before = list(mail.state()["drafts"].values())
    session = call(rein, redrafted(draft), through)
    call(rein, undrafted(draft), through, session)
    assert rein.rollback(session=session.id, by="ana").counts == {"compensated": 1, "restored": 1}
    assert list(mail.state()["drafts"].values()) == before


def test_a_draft_that_was_written_changed_and_sent_is_corrected_and_nothing_waits_for_it(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, drafted(), through)
    receipt = session.actions()[0].receipt
    call(rein, redrafted(receipt), through, session)
    call(rein, send.SendDraft(draft_id=receipt["id"]), through, session)

    plan = rein.plan(session=session.id)
    assert [line.verdict for line in plan] == ["ask", "already undone", "already undone"]
    assert rein.rollback(session=session.id, approve=plan, by="ana").counts == {
        "compensated": 1,
        "restored": 2,
    }
    assert [one["subject"] for one in mail.sent() if "disregard" in one["subject"]] == [
        "Please disregard: Other"
    ]


def test_a_changed_draft_that_somebody_deleted_is_a_conflict(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    draft = {"id": mail.draft()}
    session = call(rein, redrafted(draft), through)
    mail.ask("DELETE", f"drafts/{draft['id']}")
    assert back(rein, session).status is Status.CONFLICT


def test_labels_that_were_emptied_and_deleted_come_back_with_what_they_held(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    mail.label("New")
    old = mail.label("Old")
    ids = [mail.received(f"No. {n}", labels=(old, "INBOX"))["id"] for n in range(3)]
    before = mail.state()
    move = labelling.BatchModifyMessages(message_ids=ids, add=["New"], remove=["Old"])
    session = call(rein, move, through)
    call(rein, labels.DeleteLabel(label="Old"), through, session)
    assert rein.rollback(session=session.id, by="ana").counts == {"compensated": 1, "restored": 1}
    assert mail.state() == before


def test_a_filter_comes_back_with_the_label_that_came_back(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    made = mail.filter("ana@acme.com", mail.label("Ana"))
    session = call(rein, filters.DeleteFilter(filter_id=made), through)
    call(rein, labels.DeleteLabel(label="Ana"), through, session)
    assert rein.rollback(session=session.id, by="ana").counts == {"compensated": 2}
    [(criteria, does)] = mail.state()["filters"]
    [label] = [one for one in mail.ask("GET", "labels")["labels"] if one["name"] == "Ana"]
    assert (criteria, does) == ({"from": "ana@acme.com"}, {"addLabelIds": [label["id"]]})
