"""Approval is enforced where the effect happens; and an undo that reaches further is an action too."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import PrivateAttr

from langchain_agentrein import (
    Action,
    ActionDenied,
    AgentRein,
    ApprovalRequired,
    ApprovalRule,
    CallConflict,
    ConfigError,
    NotDone,
    Reversal,
    Risk,
    Status,
    TransitionError,
)
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.engine import Call, Decision, approve_undo, consider, decide
from langchain_agentrein.errors import LostRace
from langchain_agentrein.flow import run
from langchain_agentrein.operation import Assessment
from tests.support.driving import SESSION, call, do, opened, performed
from tests.support.world import Blind, Charge, Create, Keep, Mail, Put, Whole, World, WorldOperation

KEY = "x3a0Vwz6Y0ZSc1Hq7pPNgnhZ1xLMqVNlBTtDhBhDgJo="
ASK = [ApprovalRule("world.*", "ask")]


def answer(kind: Any, **facts: Any) -> Callable[[Action, Assessment], Decision]:
    return lambda action, assessment: Decision(kind, by="ana", **facts)


def proposed(rein: AgentRein, op: WorldOperation, world: World, key: str = "k") -> Action:
    with pytest.raises(ApprovalRequired):
        do(rein, op, world, key=key)
    action = rein.journal.calls(key)[-1]
    assert action.status is Status.PROPOSED
    return action


# -- forward -------------------------------------------------------------------------------------


def test_a_gated_call_without_approval_does_not_run(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        action = proposed(rein, Blind(thing="a"), world)
        with pytest.raises(ApprovalRequired, match=f"agentrein approve {action.id}"):
            do(rein, Blind(thing="a"), world, key="k")
        assert world.events() == []
        rein.approve(action.id, by="ana")
        done = do(rein, Blind(thing="a"), world, key="k")
        assert done.id == action.id
        assert done.approval is not None
        assert (done.approval.decision, done.approval.by) == ("approve", "ana")
        assert world.count("do") == 1


def test_an_approval_is_used_once(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        rein.approve(proposed(rein, Blind(thing="a"), world).id, by="ana")
        world.set("refuse", 1)
        with pytest.raises(Exception, match="refused"):
            do(rein, Blind(thing="a"), world, key="k")
        again = proposed(rein, Blind(thing="a"), world)
        assert again.generation == 2
        assert world.count("do") == 0


@pytest.mark.parametrize("op", [Blind(thing="b"), Create(thing="a")])
def test_an_approval_is_bound_to_its_operation_and_arguments(
    sqlite_url: str, world: World, op: WorldOperation
) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        rein.approve(proposed(rein, Blind(thing="a"), world).id, by="ana")
        with pytest.raises(CallConflict):
            do(rein, op, world, key="k")
        assert world.events() == []


def test_an_approval_for_another_call_does_not_count(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        rein.approve(proposed(rein, Blind(thing="a"), world, "k1").id, by="ana")
        proposed(rein, Blind(thing="a"), world, "k2")
        assert world.events() == []


def test_a_forged_digest_does_not_pass(sqlite_url: str, world: World) -> None:
    from sqlalchemy import text

    with opened(sqlite_url, world, rules=ASK) as rein:
        action = proposed(rein, Blind(thing="a"), world)
        rein.approve(action.id, by="ana")
        forged = rein.journal.digest(action.salt, "world.blind", {"thing": "everything"})
        with rein.journal.store.write() as connection:
            connection.execute(text("UPDATE agentrein_actions SET digest = :d"), {"d": forged})
        with pytest.raises(ApprovalRequired, match="other arguments"):
            do(rein, Blind(thing="everything"), world, key="k")
        assert world.events() == []
        assert not rein.verify()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_approval_expires(sqlite_url: str, world: World, when: str) -> None:
    with opened(sqlite_url, world, rules=ASK, approval_ttl=0.2) as rein:
        action = proposed(rein, Blind(thing="a"), world)
        if when == "after":
            rein.approve(action.id, by="ana")
        time.sleep(0.25)
        if when == "before":
            with pytest.raises(TransitionError, match="the time to answer was over"):
                rein.approve(action.id, by="ana")
        again = proposed(rein, Blind(thing="a"), world)
        assert again.generation == 2
        assert rein.journal.get(action.id).status is Status.EXPIRED
        assert world.events() == []


def test_a_rejected_call_does_not_run_even_if_the_policy_changes_its_mind(
    sqlite_url: str, world: World
) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        rein.reject(proposed(rein, Blind(thing="a"), world).id, by="ana", reason="wrong list")
    with opened(sqlite_url, world) as rein:
        with pytest.raises(ActionDenied, match="wrong list"):
            do(rein, Blind(thing="a"), world, key="k")
        assert world.events() == []


def test_a_question_that_was_asked_is_not_answered_by_a_policy_that_flips(
    sqlite_url: str, world: World
) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        proposed(rein, Blind(thing="a"), world)
    with opened(sqlite_url, world) as rein:
        proposed(rein, Blind(thing="a"), world)
        assert world.events() == []


def test_a_person_edits_the_arguments(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        ask = answer("edit", args={"thing": "b", "fields": {"x": 2}})
        op = Put(thing="a", fields={"x": 1})
        done = performed(rein, op, world, key="k", ask=ask).action
        assert world.events("do") == [("do", "b")]
        action = rein.journal.get(done.id)
        assert action.proposed_args == {"thing": "a", "fields": {"x": 1}}
        assert action.approved_args == action.args == {"thing": "b", "fields": {"x": 2}}
        assert performed(rein, op, world, key="k").replayed, "the call is the same, as the model made it"
        rein.rollback(session=SESSION)
        assert world.get("b") is None


def test_a_rerun_of_an_edited_call_is_asked_about_as_the_model_makes_it(
    sqlite_url: str, world: World
) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        edit = answer("edit", args={"thing": "b"})
        world.set("refuse", 1)
        with pytest.raises(Exception, match="refused"):
            do(rein, Blind(thing="a"), world, key="k", ask=edit)
        do(rein, Blind(thing="a"), world, key="k", ask=edit)
        assert performed(rein, Blind(thing="a"), world, key="k").replayed
        assert world.events("do") == [("do", "b")]


@pytest.mark.parametrize("args", [{"nothing": 1}, {}, None, {"thing": {"no": "text"}}, "text"])
def test_an_edit_that_does_not_fit_is_refused_before_it_is_recorded(
    sqlite_url: str, world: World, args: Any
) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        action = proposed(rein, Blind(thing="a"), world)
        with pytest.raises(ConfigError, match="do not fit"):
            run(decide(rein.core, action, Decision("edit", by="ana", args=args)))
        assert rein.journal.get(action.id).status is Status.PROPOSED


@pytest.mark.parametrize(("kind", "response"), [("reject", None), ("respond", "done by hand")])
def test_a_person_says_no(sqlite_url: str, world: World, kind: Any, response: str | None) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        ask = answer(kind, message="done by hand")
        for _ in range(2):
            with pytest.raises(ActionDenied, match="done by hand") as denied:
                do(rein, Blind(thing="a"), world, key="k", ask=ask)
            assert denied.value.response == response
        assert world.events() == []


def test_two_people_decide_once(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        action = proposed(rein, Blind(thing="a"), world)
        run(decide(rein.core, action, Decision("reject", by="ana")))
        with pytest.raises(LostRace):
            run(decide(rein.core, action, Decision("approve", by="bo")))
        with pytest.raises(TransitionError, match="waits for nobody"):
            rein.approve(action.id, by="bo")


def test_a_rule_denies_and_the_refusal_is_recorded(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.blind", "deny")]) as rein:
        with pytest.raises(ActionDenied):
            do(rein, Blind(thing="a"), world, key="k")
        [action] = rein.journal.calls("k")
        assert action.status is Status.DENIED
        assert world.events() == []


def test_what_nothing_undoes_is_asked_about(rein: AgentRein, world: World) -> None:
    proposed(rein, Mail(thing="a"), world)


class Secretive(WorldOperation):
    """Its snapshot holds a secret."""

    name, risk, reversal = "world.secretive", Risk.LOW, Reversal.EXACT

    def snapshot(self, api: Any) -> Any:
        api.log("snapshot", self.thing)
        return {"password": "hunter2"}


def test_without_a_key_a_secret_in_the_snapshot_makes_it_irreversible(rein: AgentRein, world: World) -> None:
    action = proposed(rein, Secretive(thing="a"), world)
    assert action.reversal is Reversal.NONE
    rein.approve(action.id, by="ana")
    do(rein, Secretive(thing="a"), world, key="k")
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "irreversible"


def test_an_approval_of_something_reversible_does_not_cover_its_irreversible_twin(
    sqlite_url: str, world: World
) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.*", "ask")]) as rein:
        first = proposed(rein, Secretive(thing="a"), world)
        assert first.reversal is Reversal.EXACT, "nobody has looked at its snapshot yet"
        rein.approve(first.id, by="ana")
        second = proposed(rein, Secretive(thing="a"), world)
        assert (second.generation, second.reversal) == (2, Reversal.NONE)
        assert rein.journal.get(first.id).status is Status.EXPIRED
        rein.approve(second.id, by="ana")
        do(rein, Secretive(thing="a"), world, key="k")
        assert world.count("do") == 1


def test_an_exact_rule_allows_it_and_the_record_says_irreversible(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.secretive", "allow")]) as rein:
        action = do(rein, Secretive(thing="a"), world)
        assert rein.journal.get(action.id).reversal is Reversal.NONE


def test_with_a_key_it_is_sealed_and_stays_reversible(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, seal=KEY) as rein:
        action = do(rein, Secretive(thing="a"), world)
        assert rein.journal.get(action.id).before == {"password": "hunter2"}


@pytest.mark.parametrize("seal", [None, KEY])
def test_a_secret_argument_is_approved_in_another_process(
    sqlite_url: str, world: World, seal: str | None
) -> None:
    op = Keep(thing="a", value={"password": "hunter2"})
    with opened(sqlite_url, world, rules=ASK, seal=seal) as rein:
        action = proposed(rein, op, world)
    with opened(sqlite_url, world, rules=ASK) as elsewhere:
        elsewhere.approve(action.id, by="ana")
    with opened(sqlite_url, world, rules=ASK, seal=seal) as rein:
        do(rein, op, world, key="k")
        assert world.get("a") == {"password": "hunter2"}


def test_a_secret_that_nothing_could_seal_survives_an_edit_of_something_else(
    sqlite_url: str, world: World
) -> None:
    op = Keep(thing="a", value={"password": "hunter2"})
    with opened(sqlite_url, world, rules=ASK) as rein:
        action = proposed(rein, op, world)
        edited = {"thing": "b", "value": {"password": "hunter2"}}
        run(decide(rein.core, action, Decision("edit", by="ana", args=edited)))
        do(rein, op, world, key="k")
        assert world.get("b") == {"password": "hunter2"}, "and never a mask"


def test_an_edit_may_not_carry_a_mask(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        proposed(rein, Keep(thing="a", value={"password": "hunter2"}), world)
        read = rein.journal.calls("k")[-1]
        with pytest.raises(ConfigError, match="lacks a secret"):
            run(decide(rein.core, read, Decision("edit", by="ana", args={**read.args, "thing": "b"})))


class Held(WorldOperation):
    """Opens something in its snapshot that must be let go of, whoever edits the arguments."""

    name, risk, reversal = "world.held", Risk.LOW, Reversal.COMPENSATING

    _opened: set[str] = PrivateAttr(default_factory=set)

    def snapshot(self, api: Any) -> Any:
        self._opened = api.opened
        self._opened.add(self.thing)
        return None

    def release(self) -> None:
        self._opened.discard(self.thing)


@pytest.mark.parametrize("kind", ["approve", "edit", "refused"])
def test_whatever_a_snapshot_opened_is_let_go_of(sqlite_url: str, world: World, kind: str) -> None:
    world.opened = set()  # type: ignore[attr-defined]
    with opened(sqlite_url, world, rules=ASK) as rein:
        args = {"thing": "b"} if kind == "edit" else None
        world.set("refuse", int(kind == "refused"))
        refused = pytest.raises(NotDone) if kind == "refused" else nullcontext()
        with refused:
            do(rein, Held(thing="a"), world, ask=answer("edit" if kind == "edit" else "approve", args=args))
        assert world.opened == set()  # type: ignore[attr-defined]


# -- the gate ------------------------------------------------------------------------------------


def considered(rein: AgentRein, op: WorldOperation, world: World, **facts: Any) -> Any:
    asked: Call = call(key="k", **facts)
    return run(consider(rein.core, op, world, asked))


def test_the_gate_journals_its_verdict_once(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=ASK) as rein:
        first = considered(rein, Blind(thing="a"), world)
        again = considered(rein, Blind(thing="a"), world)
        assert first.action.id == again.action.id
        assert len(rein.journal.calls("k")) == 1


def test_the_gate_lets_pass_what_may_run_and_what_ran(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as rein:
        assert considered(rein, Blind(thing="a"), world) is None
        do(rein, Blind(thing="a"), world, key="k")
        assert considered(rein, Blind(thing="a"), world) is None


def test_the_gate_tells_that_the_time_was_over_and_asks_anew_the_next_time(
    sqlite_url: str, world: World
) -> None:
    with opened(sqlite_url, world, rules=ASK, approval_ttl=0.1) as rein:
        first = considered(rein, Blind(thing="a"), world)
        time.sleep(0.15)
        over = considered(rein, Blind(thing="a"), world)
        assert over.action.id == first.action.id and over.action.status is Status.EXPIRED
        again = considered(rein, Blind(thing="a"), world)
        assert (first.action.generation, again.action.generation) == (1, 2)
        assert again.action.status is Status.PROPOSED


# -- the undo is an action too ---------------------------------------------------------------------


class Drastic(Blind):
    """Its undo is a risk of its own."""

    name, undo_risk = "world.drastic", Risk.HIGH


def test_far_reaching_undos_wait_and_the_rest_goes_on(rein: AgentRein, world: World) -> None:
    for op in (Blind(thing="a"), Create(thing="b"), Charge(thing="a"), Drastic(thing="d"), Blind(thing="c")):
        do(rein, op, world)
    report = rein.rollback(session=SESSION)
    assert [(line.operation, line.outcome) for line in report] == [
        ("world.blind", "compensated"),
        ("world.drastic", "stuck"),
        ("world.charge", "stuck"),
        ("world.create", "restored"),
        ("world.blind", "waiting"),
    ]
    assert report.lines[1].error == "awaiting approval: its undo has high risk"
    assert report.lines[2].error == "awaiting approval: its undo moves money"
    assert report.lines[4].error == "it waits for an undo above it"
    assert world.events("undo") == [("undo", "c"), ("undo", "b")]
    assert rein.sessions()[0].status is SessionStatus.STUCK


def test_the_plan_asks_once_for_all_of_them_and_the_report_is_as_planned(
    rein: AgentRein, world: World
) -> None:
    for op in (Blind(thing="a"), Charge(thing="a"), Charge(thing="b"), Create(thing="c")):
        do(rein, op, world)
    world.put("taken", {"x": 0})
    do(rein, Whole(thing="taken", fields={"x": 1}), world)
    world.put("taken", {"x": "theirs"})
    plan = rein.plan(session=SESSION)
    assert [line.verdict for line in plan] == ["conflict", "undo", "ask", "ask", "undo"]
    assert len(plan.asks) == 2
    assert world.count("undo") == 0, "nothing was touched to find out"
    report = rein.rollback(session=SESSION, approve=plan, by="ana")
    assert [line.outcome for line in report] == ["conflict", "restored", *["compensated"] * 3]
    assert [line.action_id for line in report] == [line.action.id for line in plan]
    [first, *_] = [action for action in rein.actions(session=SESSION) if action.operation == "world.charge"]
    assert first.undo.approved_by == "ana"
    notes = [entry for entry in rein.journal.entries([SESSION]) if entry.event == "note"]
    assert [entry.detail["by"] for entry in notes] == ["ana", "ana"], "approved durably, before the walk"


def test_an_approval_of_undos_needs_a_name(rein: AgentRein, world: World) -> None:
    do(rein, Charge(thing="a"), world)
    with pytest.raises(ConfigError, match="needs a name"):
        rein.rollback(session=SESSION, approve=rein.plan(session=SESSION))


def test_one_undo_is_approved_by_itself(rein: AgentRein, world: World) -> None:
    action = do(rein, Charge(thing="a"), world)
    rein.rollback(session=SESSION)
    rein.approve(action.id, by="ana")
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "compensated"


def test_an_approval_of_an_undo_is_for_the_action_as_it_was_seen(rein: AgentRein, world: World) -> None:
    action = do(rein, Charge(thing="a"), world)
    seen = rein.journal.get(action.id)
    rein.rollback(session=SESSION, approve=[action.id], by="ana")
    with pytest.raises(LostRace):
        run(approve_undo(rein.core, seen, by="bo"))
    assert rein.journal.get(action.id).undo.outcome == "compensated"


class Paid(Put):
    """Like `Put`, and its undo costs a fee."""

    name, undo_effects = "world.paid", Charge.undo_effects


def test_what_somebody_undid_already_needs_no_approval(rein: AgentRein, world: World) -> None:
    world.put("a", {"x": 0})
    do(rein, Paid(thing="a", fields={"x": 1}), world)
    world.put("a", {"x": 0})
    assert [line.verdict for line in rein.plan(session=SESSION)] == ["already undone"]
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "restored"
    assert world.count("undo") == 0
