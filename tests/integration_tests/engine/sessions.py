"""Random sessions on a world in memory: what may happen in them, and what must hold after each step.

Flows are driven by hand, one step at a time, so that two workers may take turns at any of them, and one may die
at any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from langchain_agentrein import Action, AgentRein, ApprovalRule, Status
from langchain_agentrein.action import REFUSED, UNDONE, WAITING
from langchain_agentrein.flow import Flow, Sleep
from tests.support.ground import (
    Attach,
    Burn,
    Create,
    Delete,
    Gated,
    Ground,
    GroundOperation,
    Held,
    Pay,
    Put,
    Send,
    Whole,
)

THREAD = "thread"
THINGS = st.sampled_from("ab")
FIELDS = st.dictionaries(st.sampled_from("xy"), st.integers(1, 3), min_size=1)
FORWARD = st.lists(st.sampled_from(["", "refuse", "lose request", "lose reply", "throttle"]), max_size=2)
BACK = st.lists(st.sampled_from(["", "fail", "lose reply", "throttle"]), max_size=4)
HOW = st.sampled_from(["kill", "drop", "interrupt"])
"""How a worker ends in the middle: its process dies, its flow is let go of, or Ctrl-C reaches it."""


def _fielded(cls: type[GroundOperation]) -> st.SearchStrategy[GroundOperation]:
    return st.builds(lambda thing, fields: cls.from_args({"thing": thing, "fields": fields}), THINGS, FIELDS)


def _plain(cls: type[GroundOperation]) -> st.SearchStrategy[GroundOperation]:
    return st.builds(lambda thing: cls.from_args({"thing": thing}), THINGS)


OPERATIONS = st.one_of(
    *map(_fielded, (Put, Whole, Gated, Held)),
    *map(_plain, (Create, Delete, Send, Pay, Burn)),
    st.builds(lambda thing, child: Attach(thing=thing, child=child), THINGS, st.sampled_from("mn")),
)
RULES = [ApprovalRule("ground.gated", "ask"), ApprovalRule("ground.held", "hold")]


class Driven:
    """A flow on its way.

    Attributes:
        done: It came to its end: `result`, or `error`.
    """

    def __init__(self, flow: Flow[Any]) -> None:
        self.flow = flow
        self.done, self.result, self.error = False, None, None
        self._step = self._ahead(lambda: flow.send(None))

    def _ahead(self, go: Callable[[], Any]) -> Any:
        try:
            return go()
        except StopIteration as stop:
            self.done, self.result = True, stop.value
        except (Exception, KeyboardInterrupt) as error:  # the caller reads it
            self.done, self.error = True, error
        return None

    def once(self) -> None:
        """Take one step. Nobody sleeps."""
        try:
            value = None if isinstance(self._step, Sleep) else self._step.call(*self._step.args)
        except Exception as raised:
            self._step = self._ahead(lambda error=raised: self.flow.throw(error))
        else:
            self._step = self._ahead(lambda: self.flow.send(value))

    def interrupt(self) -> None:
        """Ctrl-C instead of the next step; then whatever it still does."""
        self._step = self._ahead(lambda: self.flow.throw(KeyboardInterrupt()))
        self.to_the_end()

    def to_the_end(self) -> Any:
        while not self.done:
            self.once()
        return self.result


def in_turns(flows: Sequence[Driven], turns: Sequence[int]) -> None:
    """Let workers take turns: as drawn, then one after the other, step by step."""
    for turn in turns:
        flow = flows[turn % len(flows)]
        if not flow.done:
            flow.once()
    while not all(flow.done for flow in flows):
        for flow in flows:
            if not flow.done:
                flow.once()


class Workers:
    """Some workers on one journal and one ground; one of them may die, and another comes in its place."""

    def __init__(self, url: str | None = None) -> None:
        self.engine: Engine = (
            create_engine(url)
            if url
            else create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        )
        if url:
            with self.engine.begin() as connection:
                connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.ground = Ground()
        self.alive = [self.hired(), self.hired()]
        self.gone: list[tuple[AgentRein, Driven]] = []

    def hired(self) -> AgentRein:
        return AgentRein(self.engine, rules=RULES, clients={"ground": self.ground}, backoff=0.0)

    def cut_short(self, worker: int, flow: Flow[Any], steps: int, how: str) -> Driven:
        """Let a worker take so many steps, and end there."""
        rein, driven = self.alive[worker], Driven(flow)
        while steps and not driven.done:
            driven.once()
            steps -= 1
        if not driven.done:
            if how == "kill":
                # Its generator is kept, so that nothing of it runs any more; it is no `with` that ends.
                self.gone.append((rein, driven))
                self.alive[worker] = self.hired()
            elif how == "drop":
                driven.flow.close()
            else:
                driven.interrupt()
        self.lapse(rein)
        return driven

    def lapse(self, rein: AgentRein) -> None:
        """Time passes: whatever this worker held is nobody's."""
        for action in self.actions():
            if action.held_by == rein.journal.worker:
                rein.journal.release(action)

    def actions(self) -> list[Action]:
        rein = self.alive[0]
        sessions = [session.id for session in rein.sessions(thread=THREAD)]
        return rein.journal.actions(sessions) if sessions else []

    def close(self) -> None:
        for rein, driven in self.gone:
            driven.flow.close()
            rein.close()
        for rein in self.alive:
            rein.close()
        self.engine.dispose()


def check(workers: Workers, retried: set[str]) -> None:
    """What holds after every step, whatever the step was.

    Args:
        retried: Actions whose undo a person had tried again although nobody could tell how far it came.
    """
    ground, actions = workers.ground, workers.actions()
    assert not ground.wrongs, ground.wrongs
    did, undid = ground.count("do"), ground.count("undo")
    assert set(did) <= {action.id for action in actions}, "an effect that the journal does not know"
    in_effect: dict[str, int] = {}
    for action in actions:
        about = f"{action.operation} {action.args} ({action.status}, {did[action.id]} done, {undid[action.id]} undone)"
        assert did[action.id] <= 1, f"done twice: {about}"
        # What is restored field by field may be finished later, once the rest is nobody's any more.
        partly = action.operation in ("ground.put", "ground.gated", "ground.held")
        assert undid[action.id] <= 1 or partly or action.id in retried, f"undone twice: {about}"
        assert bool(undid[action.id]) <= did[action.id], f"undone, and never done: {about}"
        if did[action.id]:
            assert action.status not in {Status.FAILED} | REFUSED | WAITING, f"lost: {about}"
        else:
            assert (
                action.status
                in {Status.EXECUTING, Status.FAILED, Status.IN_DOUBT, Status.DENIED} | REFUSED | WAITING
            ), f"invented: {about}"
        if undid[action.id]:
            assert action.status not in (Status.EXECUTED, Status.IN_DOUBT, Status.IRREVERSIBLE), (
                f"untold: {about}"
            )
        if action.status in UNDONE and action.operation in ("ground.send", "ground.pay"):
            assert undid[action.id], f"said, and not undone: {about}"
        if action.status not in UNDONE or action.status is Status.IRREVERSIBLE:
            in_effect[action.call_key] = in_effect.get(action.call_key, 0) + did[action.id]
    assert all(count == 1 for count in ground.count("took back").values()), "a field was taken back twice"
    assert all(count <= 1 for count in in_effect.values()), "one call stands twice"
    audit = workers.alive[0].verify()
    assert audit.ok, audit


OUTCOMES = {
    "undo": {"restored", "compensated"},
    "already undone": {"restored", "compensated"},
    "conflict": {"conflict"},
    "irreversible": {"irreversible", "in_doubt"},
    "settle": {"in_doubt"},
    "cannot": {"stuck"},
    "waits": {"waiting"},
    "ask": {"stuck"},
    "drop": {"dropped", "expired"},
}


def same_as_planned(plan: Any, report: Any, *, approved: bool) -> None:
    """Line by line; below an undo that nobody approved, the plan tells what an approved one would do."""
    assert [line.action.id for line in plan] == [line.action_id for line in report]
    for planned, done in zip(plan, report, strict=True):
        expected = OUTCOMES["undo"] if approved and planned.verdict == "ask" else OUTCOMES[planned.verdict]
        assert done.outcome in expected, f"planned:\n{plan}\ndone:\n{report}"
        if planned.verdict == "ask" and not approved:
            return


def newest_first(workers: Workers, since: int) -> None:
    """What was undone since that place in the log was undone in the reverse order of the starts."""
    place = {action.id: n for n, action in enumerate(workers.actions())}
    undone = [place[action_id] for what, action_id, _ in workers.ground.log[since:] if what == "undo"]
    assert undone == sorted(undone, reverse=True), "not newest first"
