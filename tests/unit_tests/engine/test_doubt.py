"""Nothing is lost: what may have happened is executed or in doubt, never missing."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import Action, AgentRein, InDoubt, Reversal, Risk, Status, Throttled, TransitionError
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.engine import reconcile
from langchain_agentrein.flow import run
from tests.support.driving import SESSION, call, do, opened, performed
from tests.support.world import Blind, Mail, Put, World, WorldOperation


def only_action(rein: AgentRein) -> Action:
    [action] = rein.actions(session=SESSION)
    return action


def test_an_error_that_says_nothing_is_in_doubt(rein: AgentRein, world: World) -> None:
    world.set("lose request", 1)
    with pytest.raises(TimeoutError):
        do(rein, Blind(thing="a"), world)
    action = only_action(rein)
    assert action.status is Status.IN_DOUBT
    assert action.error == {"type": "TimeoutError", "message": "no answer, and nothing happened"}


def test_a_lost_reply_is_found_by_the_probe(rein: AgentRein, world: World) -> None:
    world.set("lose reply", 1)
    done = performed(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    assert done.replayed
    assert done.action.status is Status.EXECUTED
    assert done.action.receipt == {"thing": "a"}
    assert done.action.after == {"x": 1}
    assert performed(rein, Put(thing="a", fields={"x": 1}), world, key="k").replayed
    assert world.count("do") == 1


def test_a_lost_request_is_found_by_the_probe(rein: AgentRein, world: World) -> None:
    world.set("lose request", 1)
    with pytest.raises(TimeoutError):
        do(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    assert only_action(rein).status is Status.FAILED
    do(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    assert world.count("do") == 1


def test_an_unknown_goes_to_a_person_and_never_to_a_second_try(rein: AgentRein, world: World) -> None:
    world.set("blind", True)
    world.set("lose reply", 1)
    with pytest.raises(TimeoutError):
        do(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    for _ in range(2):
        with pytest.raises(InDoubt, match="may have happened already"):
            do(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    action = only_action(rein)
    assert action.status is Status.IN_DOUBT
    assert action.error["unsettled"] == "the index lags"
    assert world.count("do") == 1
    assert len([e for e in rein.journal.entries([SESSION]) if e.event == "note"]) == 1, "why is said once"


@pytest.mark.parametrize(("happened", "status"), [(True, Status.EXECUTED), (False, Status.FAILED)])
def test_a_person_settles_it(rein: AgentRein, world: World, happened: bool, status: Status) -> None:
    world.set("blind", True)
    world.set("lose reply", 1)
    with pytest.raises(TimeoutError):
        do(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    action = only_action(rein)
    settled = rein.approve(action.id, by="ana") if happened else rein.reject(action.id, by="ana")
    assert settled.status is status
    again = performed(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    assert again.replayed is happened
    assert world.count("do") == (1 if happened else 2)
    with pytest.raises(TransitionError):
        rein.reject(action.id, by="ana")


def test_what_a_person_said_happened_can_be_undone(rein: AgentRein, world: World) -> None:
    world.put("a", {"x": 0})
    world.set("blind", True)
    world.set("lose reply", 1)
    with pytest.raises(TimeoutError):
        do(rein, Put(thing="a", fields={"x": 1}), world)
    rein.approve(only_action(rein).id, by="ana")
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "restored"
    assert world.get("a") == {"x": 0}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_effect_that_is_interrupted_is_in_doubt(
    rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def interrupted(self: Any, api: Any, action: Action) -> None:
        api.log("do", self.thing)
        raise stop

    monkeypatch.setattr(Blind, "do", interrupted)
    with pytest.raises(stop):
        do(rein, Blind(thing="a"), world, key="k")
    assert only_action(rein).status is Status.IN_DOUBT


def test_a_flow_that_nobody_drives_any_more_leaves_its_effect_in_doubt(rein: AgentRein, world: World) -> None:
    from tests.support.driving import call

    flow = rein.perform(Blind(thing="a"), world, call(key="k"))
    value: Any = None
    while True:
        step = flow.send(value)
        if getattr(step, "effect", False):
            break
        value = step.call(*step.args)  # type: ignore[union-attr]
    flow.close()
    assert only_action(rein).status is Status.IN_DOUBT


class Interrupted(WorldOperation):
    """It happens, and then its process is interrupted while it looks at what it left behind."""

    name, risk, reversal = "world.interrupted", Risk.LOW, Reversal.EXACT

    def observe(self, api: Any, action: Action) -> Any:
        if api.spend("interrupt"):
            raise KeyboardInterrupt
        return None


def test_an_interruption_after_the_effect_does_not_lose_the_receipt(rein: AgentRein, world: World) -> None:
    world.set("interrupt", 1)
    with pytest.raises(KeyboardInterrupt):
        do(rein, Interrupted(thing="a"), world, key="k")
    action = only_action(rein)
    assert action.status is Status.EXECUTED
    assert action.receipt == {"thing": "a"}
    assert not action.seen


class Looked(Put):
    """It is interrupted while it looks at what it left."""

    name = "world.looked"

    def observe(self, api: Any, action: Action) -> Any:
        if api.spend("interrupt"):
            raise KeyboardInterrupt
        return super().observe(api, action)


@pytest.mark.parametrize("how", ["interrupted", "let go"])
def test_an_interruption_while_it_looks_does_not_lose_what_it_must_have_left(
    rein: AgentRein, world: World, how: str
) -> None:
    world.put("a", {"x": 0})
    if how == "interrupted":
        world.set("interrupt", 1)
        with pytest.raises(KeyboardInterrupt):
            do(rein, Looked(thing="a", fields={"x": 1}), world)
    else:
        flow = rein.perform(Looked(thing="a", fields={"x": 1}), world, call())
        step, value = next(flow), None
        while getattr(step, "call", None) is None or step.call.__name__ != "observe":
            value = step.call(*step.args)
            step = flow.send(value)
        flow.close()
    assert rein.rollback(session=SESSION).counts == {"restored": 1}
    assert world.get("a") == {"x": 0}


class Tired(WorldOperation):
    """It is told to wait, and interrupted while it waits."""

    name, risk, reversal = "world.tired", Risk.LOW, Reversal.COMPENSATING

    def do(self, api: Any, action: Action) -> Any:
        raise Throttled(
            "slow down", retry_after=-1
        )  # `time.sleep` refuses: an interruption that is easy to make


def test_an_interruption_while_waiting_for_a_second_try_is_a_failure(rein: AgentRein, world: World) -> None:
    with pytest.raises(ValueError, match="sleep"):
        do(rein, Tired(thing="a"), world)
    assert only_action(rein).status is Status.FAILED


def test_a_probe_with_another_account_says_nothing(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as rein:
        world.set("blind", True)
        world.set("lose reply", 1)
        with pytest.raises(TimeoutError):
            do(rein, Put(thing="a", fields={"x": 1}), world, key="k")
        world.set("blind", False)
        other = World(world.path, account="other")
        with pytest.raises(InDoubt):
            do(rein, Put(thing="a", fields={"x": 1}), other, key="k")
        assert "these credentials are 'other'" in only_action(rein).error["unsettled"]
        assert performed(rein, Put(thing="a", fields={"x": 1}), world, key="k").replayed


class OddProbe(WorldOperation):
    """Its probe answers, or fails, as it is told."""

    name, risk, reversal = "world.odd_probe", Risk.LOW, Reversal.COMPENSATING

    def probe(self, api: Any, action: Action) -> Any:
        answer = api.answer
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("answer", [True, None, "yes", ConnectionError("down"), PermissionError("scope")])
def test_a_probe_that_cannot_tell_leaves_it_in_doubt(rein: AgentRein, world: World, answer: Any) -> None:
    world.answer = answer  # type: ignore[attr-defined]
    world.set("lose reply", 1)
    with pytest.raises(TimeoutError):
        do(rein, OddProbe(thing="a"), world)
    assert only_action(rein).status is Status.IN_DOUBT


def test_recover_goes_on_where_one_operation_cannot_be_asked(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as rein:
        world.set("lose reply", 2)
        with pytest.raises(TimeoutError):
            do(rein, Blind(thing="a"), world)
        world.set("blind", True)
        with pytest.raises(TimeoutError):
            do(rein, Put(thing="b", fields={"x": 1}), world)
        world.set("blind", False)

    def resolver(connector: str, account: str | None) -> Any:
        if not asked:
            asked.append(connector)
            raise RuntimeError("the vault of credentials is down")
        return world

    asked: list[str] = []
    with opened(sqlite_url, clients=resolver) as rein:
        first, second = rein.recover()
        assert (first.outcome, second.outcome) == ("in_doubt", "executed")


def test_a_late_finisher_is_recorded_though_a_probe_had_denied_it(rein: AgentRein, world: World) -> None:
    def settle_first(self: Any, api: Any, action: Action) -> Any:
        taken = rein.journal.move(action, Status.IN_DOUBT)
        rein.journal.move(taken, Status.FAILED, detail={"settled": "probe"})
        rein.journal.set_session(SESSION, SessionStatus.ROLLED_BACK)
        api.log("do", self.thing, action.key)
        return {"thing": self.thing}

    original = Blind.do
    Blind.do = settle_first  # type: ignore[method-assign]
    try:
        late = do(rein, Blind(thing="a"), world, key="k")
    finally:
        Blind.do = original  # type: ignore[method-assign]
    first, second = rein.journal.calls("k")
    assert (first.status, second.status) == (Status.FAILED, Status.EXECUTED)
    assert second.id == late.id
    assert second.generation == 2
    assert rein.sessions()[0].status is SessionStatus.STUCK, "its session is not rolled back any more"
    assert rein.verify()


def test_a_finisher_that_was_taken_for_dead_records_its_receipt(rein: AgentRein, world: World) -> None:
    def taken(self: Any, api: Any, action: Action) -> Any:
        rein.journal.move(action, Status.IN_DOUBT)
        return {"thing": self.thing}

    original = Blind.do
    Blind.do = taken  # type: ignore[method-assign]
    try:
        done = do(rein, Blind(thing="a"), world)
    finally:
        Blind.do = original  # type: ignore[method-assign]
    assert done.status is Status.EXECUTED
    assert only_action(rein).receipt == {"thing": "a"}


class Pause(Exception):
    """A tool interrupts its own run."""


class Asks(WorldOperation):
    """Asks something in the middle, and runs again from the top when it is answered."""

    name, risk, reversal = "world.asks", Risk.LOW, Reversal.COMPENSATING

    def do(self, api: Any, action: Action) -> Any:
        if not api.knob("answer"):
            raise Pause
        return self._effect(api, action)


def test_a_tool_that_pauses_itself_goes_on_in_the_same_row(rein: AgentRein, world: World) -> None:
    with pytest.raises(Pause):
        do(rein, Asks(thing="a"), world, key="k", pauses=(Pause,))
    paused = only_action(rein)
    assert paused.status is Status.EXECUTING
    assert paused.paused
    assert len(rein.recover()) == 0, "it waits for an answer, not for a recovery"
    world.set("answer", True)
    done = do(rein, Asks(thing="a"), world, key="k", pauses=(Pause,))
    assert done.id == paused.id
    assert done.status is Status.EXECUTED
    assert world.count("do") == 1


def test_a_tool_that_pauses_for_long_holds_a_fresh_lease_when_it_goes_on(
    sqlite_url: str, world: World
) -> None:
    with opened(sqlite_url, world, lease=0.01) as rein, pytest.raises(Pause):
        do(rein, Asks(thing="a"), world, key="k", pauses=(Pause,))
    with opened(sqlite_url, world, lease=60) as rein:
        action = only_action(rein)
        resumed = rein.journal.pause(action, False, hold=60)
        assert resumed.held_until is not None
        assert action.held_until is not None
        assert (resumed.held_until - action.held_until).total_seconds() > 50


def test_a_paused_tool_does_not_go_on_in_a_session_that_fails(rein: AgentRein, world: World) -> None:
    with pytest.raises(Pause):
        do(rein, Asks(thing="a"), world, key="k", pauses=(Pause,))
    rein.journal.set_session(SESSION, SessionStatus.ROLLING_BACK)
    world.set("answer", True)
    with pytest.raises(Exception, match="takes no new actions"):
        do(rein, Asks(thing="a"), world, key="k", pauses=(Pause,))
    assert world.count("do") == 0


def test_a_paused_tool_is_settled_by_a_rollback_and_found_by_recover(rein: AgentRein, world: World) -> None:
    with pytest.raises(Pause):
        do(rein, Asks(thing="a"), world, key="k", pauses=(Pause,))
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "in_doubt"
    assert not only_action(rein).paused
    assert [line.outcome for line in rein.recover()] == ["in_doubt"]


def test_what_nobody_can_undo_and_nobody_can_find_does_not_hold_a_session_back(
    sqlite_url: str, world: World
) -> None:
    from langchain_agentrein import ApprovalRule

    with opened(sqlite_url, world, rules=[ApprovalRule("world.mail", "allow")]) as rein:
        do(rein, Put(thing="a", fields={"x": 1}), world)
        world.set("lose reply", 1)
        with pytest.raises(TimeoutError):
            do(rein, Mail(thing="m"), world)
        mail, put = rein.rollback(session=SESSION)
        assert mail.residue == ("it may have happened, and nothing undoes it",)
        assert put.outcome == "restored"
        assert rein.sessions()[0].status is SessionStatus.ROLLED_BACK


def test_reconcile_never_raises_over_a_broken_record(rein: AgentRein, world: World) -> None:
    world.set("lose reply", 1)
    with pytest.raises(TimeoutError):
        do(rein, Blind(thing="a"), world)
    broken = only_action(rein).with_(args={"no": "such argument"})
    left = run(reconcile(rein.core, broken))
    assert left.status is Status.IN_DOUBT
    assert "ValidationError" in left.error["unsettled"]
