"""A message comes while a run of its thread is under way: what the server's strategies do, and what we make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk.errors import ConflictError

from tests.integration_tests.server.conftest import Chat, Served, message, put

MOMENT = "after effect"
APPROVE, REJECT = {"type": "approve"}, {"type": "reject"}


@pytest.fixture
def busy(served: Served) -> Iterator[Chat]:
    """A chat whose first run is in the middle of `a`, and would do `b` after it."""
    chat = served.chat()
    served.world.set("wait", MOMENT)
    chat.client.runs.create(chat.id, "agent", input=message(put(chat.thing("a")), put(chat.thing("b"))))
    served.world.reached(MOMENT)
    yield chat
    served.world.set("wait", None)
    for run in chat.client.runs.list(chat.id):
        chat.client.runs.join(chat.id, run["run_id"])
    served.world.set("reached", None)


def then(chat: Chat, strategy: Any) -> Any:
    """Send a second message, let the first run's tool go on, and wait for what comes of it."""
    run = chat.client.runs.create(
        chat.id, "agent", input=message(put(chat.thing("c"))), multitask_strategy=strategy
    )
    chat.served.world.set("wait", None)
    return chat.client.runs.join(chat.id, run["run_id"])


def done(chat: Chat) -> list[tuple[str, str]]:
    return [(action.args["thing"].partition("-")[0], str(action.status)) for action in chat.actions]


def test_enqueue_waits_for_its_turn(busy: Chat) -> None:
    then(busy, "enqueue")

    assert done(busy) == [("a", "executed"), ("b", "executed"), ("c", "executed")]
    assert busy.runs == ["success", "success"]


def test_reject_refuses_the_second(busy: Chat) -> None:
    with pytest.raises(ConflictError):
        then(busy, "reject")


def test_interrupt_keeps_what_was_done_and_its_messages(busy: Chat) -> None:
    then(busy, "interrupt")

    # The receipt of what was under way came in, although nobody waited for it any more.
    assert done(busy) == [("a", "executed"), ("c", "executed")]
    assert busy.runs == ["success", "interrupted"]
    statuses = [session.status for session in busy.served.rein.sessions(thread=busy.id)]
    assert statuses == ["completed", "superseded"], "the interrupted turn can still be rolled back"


@pytest.mark.parametrize(
    ("decision", "left"), [(APPROVE, ("a", "restored")), (REJECT, ("a", "executed"))], ids=["undo", "keep"]
)
def test_rollback_deletes_the_messages_and_not_the_effects(busy: Chat, decision: Any, left: Any) -> None:
    then(busy, "rollback")

    # The server knows nothing of the first run any more. We do, and ask before anything runs beside its effect.
    assert len(busy.state["values"]["messages"]) == 1
    assert busy.asked["name"] == "agentrein_orphans"
    assert done(busy) == [("a", "executed")]

    busy.answer(decision)

    assert done(busy) == [left, ("c", "executed")]
    assert (busy.status, busy.runs) == ("idle", ["success", "success"])


def test_a_cancelled_run_can_be_rolled_back_by_us(busy: Chat) -> None:
    [run] = busy.client.runs.list(busy.id)

    busy.served.world.set("wait", None)
    busy.client.runs.cancel(busy.id, run["run_id"], wait=True, action="rollback")

    report = busy.served.rein.rollback(thread=busy.id, by="ops")
    assert report.complete
    assert {status for _, status in done(busy)} == {"restored"}
    busy.say(put(busy.thing("c")))
    assert done(busy)[-1] == ("c", "executed"), "there is no orphan any more"


def test_a_walk_that_was_cancelled_is_finished_before_the_next_message(served: Served) -> None:
    chat = served.chat()
    served.world.set("wait", "after undo")
    turns = [put(chat.thing("a")), put(chat.thing("b")), [["decline", {"why": "no money"}]]]
    chat.client.runs.create(chat.id, "agent", input=message(*turns))
    served.world.reached("after undo")

    then(chat, "interrupt")
    served.world.set("reached", None)

    assert [str(action.status) for action in chat.actions] == ["restored", "restored", "failed", "executed"]
    assert [served.world.count("undo", chat.thing(thing)) for thing in "abc"] == [1, 1, 0]
    statuses = [session.status for session in served.rein.sessions(thread=chat.id)]
    assert statuses == ["completed", "rolled_back"]
