"""Whatever happens in a session, and in whatever order: the promises hold after every step.

`HYPOTHESIS_PROFILE=soak` plays some thousands of sessions instead of a handful (see `CONTRIBUTING.md`).
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from langchain_agentrein import Action, Status
from langchain_agentrein.action import REFUSED, WAITING, SessionRecord
from langchain_agentrein.engine import Call, complete
from langchain_agentrein.errors import AgentReinError, ConfigError
from langchain_agentrein.flow import Flow
from langchain_agentrein.operation import Operation
from tests.integration_tests.engine.sessions import (
    BACK,
    FIELDS,
    FORWARD,
    HOW,
    OPERATIONS,
    THINGS,
    THREAD,
    Driven,
    Workers,
    check,
    in_turns,
    newest_first,
    same_as_planned,
)
from tests.support.ground import CHILDREN
from tests.support.profiles import examples

WORKERS = st.integers(0, 1)
KEYS = st.integers(0, 5)
STEPS = st.integers(1, 30)
TURNS = st.lists(st.integers(0, 1), max_size=40)
SESSION = SessionRecord(id="ses_model", thread_id=THREAD)


class Sessions(RuleBasedStateMachine):
    """Two workers, one thread, and a world that judges them."""

    url: str | None = None
    """An empty database; without one, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.workers = Workers(self.url)
        self.ground = self.workers.ground
        self.start = copy.deepcopy(self.ground.things)
        self.made: dict[int, Operation] = {}
        self.strange = 0
        self.forced = False
        self.retried: set[str] = set()

    def teardown(self) -> None:
        try:
            self._all_back()
        finally:
            self.workers.close()

    # -- flows ---------------------------------------------------------------------------------

    def _call(self, worker: int, key: int, op: Operation, again: bool) -> Flow[Any]:
        op = self.made.setdefault(key, op) if again else op
        self.made.setdefault(key, op)
        fresh = op.from_args(op.args)
        call = Call(session=SESSION, key=f"k{key}", thread_id=THREAD)
        return self.workers.alive[worker].perform(fresh, self.ground, call)

    def _back(self, worker: int, **options: Any) -> Flow[Any]:
        """A rollback of all that the thread did."""
        self._retrying()
        rein = self.workers.alive[worker]
        return rein._rollback(thread=THREAD, all_sessions=True, by="ana", **options)

    def _retrying(self) -> None:
        """A person rolls back again what is stuck because nobody could tell how far it came: that is their word."""
        self.retried |= {
            one.id for one in self._with(Status.STUCK) if one.operation in ("ground.send", "ground.pay")
        }

    def _with(self, *statuses: Status) -> list[Action]:
        return [action for action in self.workers.actions() if action.status in statuses]

    def _expected(self, driven: Driven) -> None:
        """Refusals and the world's own errors may come out of a flow; nothing else."""
        if driven.error is not None and not isinstance(
            driven.error, AgentReinError | TimeoutError | KeyboardInterrupt
        ):
            raise driven.error

    # -- rules ---------------------------------------------------------------------------------

    @rule(worker=WORKERS, key=KEYS, op=OPERATIONS, again=st.booleans(), forward=FORWARD)
    def call(self, worker: int, key: int, op: Operation, again: bool, forward: list[str]) -> None:
        self.ground.forward = list(forward)
        driven = Driven(self._call(worker, key, op, again))
        driven.to_the_end()
        self.ground.forward = []
        self._expected(driven)

    @rule(worker=WORKERS, key=KEYS, op=OPERATIONS, again=st.booleans(), steps=STEPS, how=HOW, forward=FORWARD)
    def call_cut_short(
        self, worker: int, key: int, op: Operation, again: bool, steps: int, how: str, forward: list[str]
    ) -> None:
        self.ground.forward = list(forward)
        self._expected(self.workers.cut_short(worker, self._call(worker, key, op, again), steps, how))
        self.ground.forward = []

    @rule(key=KEYS, op=OPERATIONS, other=KEYS, also=OPERATIONS, turns=TURNS)
    def calls_in_turns(self, key: int, op: Operation, other: int, also: Operation, turns: list[int]) -> None:
        """The same call of two workers; or calls that act on different things."""
        op, also = self.made.get(key, op), self.made.get(other, also)
        if key != other and op.touches() & also.touches():
            return
        flows = [Driven(self._call(0, key, op, True)), Driven(self._call(1, other, also, True))]
        in_turns(flows, turns)
        for driven in flows:
            self._expected(driven)

    @rule(
        worker=WORKERS, data=st.data(), answer=st.sampled_from(["approve", "reject", "edit"]), fields=FIELDS
    )
    def decide(self, worker: int, data: st.DataObject, answer: str, fields: dict[str, int]) -> None:
        if not (waiting := self._with(Status.PROPOSED)):
            return
        one = data.draw(st.sampled_from(waiting))
        rein = self.workers.alive[worker]
        if answer == "reject":
            rein.reject(one.id, by="ana")
        elif answer == "edit" and "fields" in one.args:
            rein.approve(one.id, by="ana", args={**one.args, "fields": fields})
        else:
            rein.approve(one.id, by="ana")

    @rule(worker=WORKERS, data=st.data())
    def settle(self, worker: int, data: st.DataObject) -> None:
        if not (doubtful := self._with(Status.IN_DOUBT)):
            return
        one = data.draw(st.sampled_from(doubtful))
        rein = self.workers.alive[worker]
        (rein.approve if self.ground.happened(one.key) else rein.reject)(one.id, by="ana")

    @rule(thing=THINGS, what=st.sampled_from(["x", "y", "attach", "remove", "make"]))
    def somebody_else(self, thing: str, what: str) -> None:
        self.strange += 1
        there, mark = self.ground.things.get(thing), f"theirs {self.strange}"
        if there is None:
            if what == "make":
                self.ground.things[thing] = {"x": mark, "y": 0, CHILDREN: []}
        elif what == "remove":
            del self.ground.things[thing]
        elif what == "attach":
            there[CHILDREN].append(mark)
        elif what != "make":
            there[what] = mark

    @rule(blind=st.booleans())
    def probes(self, blind: bool) -> None:
        self.ground.blind = blind

    @rule(worker=WORKERS, approve=st.booleans())
    def back_as_planned(self, worker: int, approve: bool) -> None:
        if not self.made or not self.workers.actions():
            return
        settled = not self._with(Status.EXECUTING) and (self.ground.blind or not self._with(Status.IN_DOUBT))
        plan = self.workers.alive[1 - worker].plan(thread=THREAD, all_sessions=True)
        since = len(self.ground.log)
        driven = Driven(self._back(worker, approve=plan if approve else ()))
        report = driven.to_the_end()
        assert driven.error is None, driven.error
        newest_first(self.workers, since)
        if settled:
            same_as_planned(plan, report, approved=approve)

    @rule(
        worker=WORKERS, back=BACK, on_conflict=st.sampled_from([None, None, "skip", "force"]), data=st.data()
    )
    def back_with_trouble(self, worker: int, back: list[str], on_conflict: Any, data: st.DataObject) -> None:
        if not (actions := self.workers.actions()):
            return
        self.ground.back, self.forced = list(back), self.forced or on_conflict is not None
        scope: dict[str, Any] = {}
        named: Status | None = None
        if (which := data.draw(st.sampled_from(["all", "to", "only"]))) != "all":
            one = data.draw(st.sampled_from(actions))
            named, scope = one.status, ({"to": one.id} if which == "to" else {"only": [one.id]})
        since = len(self.ground.log)
        driven = Driven(self._back(worker, on_conflict=on_conflict, **scope))
        driven.to_the_end()
        self.ground.back = []
        if isinstance(driven.error, ConfigError):
            assert scope and named in {Status.FAILED, Status.DENIED} | REFUSED | WAITING
        else:
            assert driven.error is None, driven.error
        newest_first(self.workers, since)

    @rule(worker=WORKERS, steps=STEPS, how=HOW, back=BACK)
    def back_cut_short(self, worker: int, steps: int, how: str, back: list[str]) -> None:
        if not self.workers.actions():
            return
        self.ground.back = list(back)
        self._expected(self.workers.cut_short(worker, self._back(worker), steps, how))
        self.ground.back = []

    @rule(turns=TURNS)
    def back_in_turns(self, turns: list[int]) -> None:
        if not self.workers.actions():
            return
        since = len(self.ground.log)
        flows = [Driven(self._back(0)), Driven(self._back(1))]
        in_turns(flows, turns)
        assert [driven.error for driven in flows] == [None, None]
        newest_first(self.workers, since)

    @rule(key=KEYS, op=OPERATIONS, turns=TURNS)
    def call_and_back_in_turns(self, key: int, op: Operation, turns: list[int]) -> None:
        if not self.workers.actions():
            return
        flows = [Driven(self._call(0, key, op, True)), Driven(self._back(1))]
        in_turns(flows, turns)
        self._expected(flows[0])
        assert flows[1].error is None, flows[1].error

    @rule(worker=WORKERS)
    def recover(self, worker: int) -> None:
        driven = Driven(self.workers.alive[worker]._recover())
        driven.to_the_end()
        assert driven.error is None, driven.error

    @rule(worker=WORKERS, forward=FORWARD)
    def complete(self, worker: int, forward: list[str]) -> None:
        self.ground.forward = list(forward)
        for flow in self._completing(worker):
            driven = Driven(flow)
            driven.to_the_end()
            assert driven.error is None, driven.error
        self.ground.forward = []

    @rule(worker=WORKERS, steps=STEPS, how=HOW)
    def complete_cut_short(self, worker: int, steps: int, how: str) -> None:
        for flow in self._completing(worker):
            self._expected(self.workers.cut_short(worker, flow, steps, how))

    @rule(turns=TURNS, back=st.booleans())
    def complete_in_turns(self, turns: list[int], back: bool) -> None:
        if not (first := self._completing(0)):
            return
        flows = [Driven(first[0]), Driven(self._back(1) if back else self._completing(1)[0])]
        in_turns(flows, turns)
        assert [driven.error for driven in flows] == [None, None]

    def _completing(self, worker: int) -> list[Flow[Any]]:
        rein = self.workers.alive[worker]
        return [complete(rein.core, session.id) for session in rein.sessions(thread=THREAD)]

    @rule(worker=WORKERS, data=st.data(), goes=st.booleans(), forward=FORWARD)
    def release(self, worker: int, data: st.DataObject, goes: bool, forward: list[str]) -> None:
        rein = self.workers.alive[worker]
        if not (held := rein.held()):
            return
        one = data.draw(st.sampled_from(held))
        self.ground.forward = list(forward)
        driven = Driven(rein._release(one.id, by="ana") if goes else rein._drop(one.id, by="ana"))
        driven.to_the_end()
        self.ground.forward = []
        self._expected(driven)

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def the_promises_hold(self) -> None:
        check(self.workers, self.retried)

    def _all_back(self) -> None:
        """At the end a person settles what is in doubt, and all of it goes back."""
        if not self.workers.actions():
            return
        rein, self.ground.blind = self.workers.alive[0], False
        Driven(rein._recover()).to_the_end()
        self._retrying()
        for action in self._with(
            Status.STUCK
        ):  # a worker died while it undid this: somebody looks, and says so
            rein.approve(action.id, by="ana")
        plan = rein.plan(thread=THREAD, all_sessions=True)
        driven = Driven(self._back(0, approve=plan))
        report = driven.to_the_end()
        assert driven.error is None, driven.error
        check(self.workers, self.retried)
        if not self.strange:
            assert report.complete, report
        if not self.strange and not self.forced:
            assert self.ground.things == self.start, report


TestSessions = Sessions.TestCase
TestSessions.settings = examples(15, steps=20)


def test_on_postgres(postgres_database: str) -> None:
    """A few of the same."""

    class OnPostgres(Sessions):
        url = postgres_database

    run_state_machine_as_test(OnPostgres, settings=examples(3, steps=10, many=100))  # type: ignore[no-untyped-call]
