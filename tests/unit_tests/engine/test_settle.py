"""A person's word on what an undo left."""

from __future__ import annotations

import pytest

from langchain_agentrein import AgentRein, Status, TransitionError
from langchain_agentrein.action import SessionStatus
from tests.support.driving import SESSION, do
from tests.support.world import Blind, Put, World


def test_what_was_undone_by_hand_is_settled_and_its_session_with_it(rein: AgentRein, world: World) -> None:
    action = do(rein, Blind(thing="a"), world)
    world.set("lose undo's reply", 9)
    rein.rollback(session=SESSION)
    assert rein.actions(session=SESSION)[0].status is Status.STUCK
    times = world.count("undo")

    settled = rein.settle(action.id, by="ana", note="I looked: it is undone")

    assert settled.status is Status.COMPENSATED
    assert settled.undo.residue == ("settled by hand by ana: I looked: it is undone",)
    assert rein.sessions()[0].status is SessionStatus.ROLLED_BACK
    rein.rollback(session=SESSION, approve=rein.plan(session=SESSION))
    assert world.count("undo") == times and rein.verify().ok
    assert "settled by hand by ana" in str(rein.timeline(session=SESSION))


def test_a_conflict_is_settled_and_the_rest_still_waits(rein: AgentRein, world: World) -> None:
    first, second = (do(rein, Put(thing=name, fields={"n": 1}), world) for name in "ab")
    for name in "ab":
        world.put(name, {"n": 2})
    rein.rollback(session=SESSION)

    assert rein.settle(second.id, by="ana").undo.residue == ("settled by hand by ana",)

    assert rein.sessions()[0].status is SessionStatus.STUCK
    assert world.get("b") == {"n": 2}
    rein.settle(first.id, by="ana")
    assert rein.sessions()[0].status is SessionStatus.ROLLED_BACK


def test_only_what_an_undo_left_is_settled(rein: AgentRein, world: World) -> None:
    action = do(rein, Blind(thing="a"), world)
    with pytest.raises(TransitionError, match="no undo has left it to a person"):
        rein.settle(action.id, by="ana")
