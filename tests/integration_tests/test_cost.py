"""Cost in proportion: the 200th action of a session costs what the 10th did. Counted, never timed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from sqlalchemy import create_engine, event

from langchain_agentrein import AgentRein, SessionFailed
from tests.support.agents import Hotel, calls, script

ON: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 10_000}
GRAIN = 50
"""SQLite's instructions are counted in such lots."""


class Meter:
    """What the journal's database was asked to do, since it was last read."""

    def __init__(self, engine: Any) -> None:
        self.statements = self.instructions = self.written = 0
        event.listen(engine, "before_cursor_execute", self._executed)
        event.listen(engine, "connect", lambda raw, _: raw.set_progress_handler(self._worked, GRAIN))

    def _executed(self, connection: Any, cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        self.statements += 1
        if sql.startswith(("INSERT", "UPDATE")):
            self.written += len(repr(parameters))

    def _worked(self) -> int:
        self.instructions += GRAIN
        return 0

    def read(self) -> dict[str, int]:
        """What it counted; it begins anew."""
        told = {"statements": self.statements, "instructions": self.instructions, "written": self.written}
        self.statements = self.instructions = self.written = 0
        return told


class Costly(Hotel):
    """A hotel whose meter is read at each booking."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        self.actions = actions
        self.costs: list[dict[str, int]] = []

    def turn(self, meter: Meter, fails: bool) -> Any:
        def answer(messages: Any) -> AIMessage:
            self.costs.append(meter.read())
            number = len(self.costs)
            if number <= self.actions:
                return calls(("book", {"room": f"{number:03}"}))
            return calls(("charge", {"amount": 1})) if fails else AIMessage("done")

        return answer


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[SqliteSaver]:
    with SqliteSaver.from_conn_string(f"{tmp_path}/checkpoints.db") as saver:
        yield saver


def run(path: Path, saver: Any, actions: int, *, fails: bool = False) -> tuple[Costly, Meter, AgentRein]:
    """One session of many turns, each with one action."""
    engine = create_engine(f"sqlite:///{path}/journal{actions}.db")
    meter, hotel = Meter(engine), Costly(actions)
    rein = AgentRein(engine)
    agent: Any = create_agent(
        script(*[hotel.turn(meter, fails)] * (actions + 1)),
        [hotel.book, hotel.charge],
        middleware=[rein.middleware()],
        checkpointer=saver,
    )
    try:
        agent.invoke({"messages": "book them all"}, ON, durability="sync")
    except SessionFailed:
        assert fails
    return hotel, meter, rein


def mean(costs: list[dict[str, int]], what: str) -> float:
    return sum(cost[what] for cost in costs) / len(costs)


def ours(saver: SqliteSaver) -> list[int]:
    """The bytes of our channels in each checkpoint and in the writes beside it, oldest first."""
    sizes = []
    for kept in reversed(list(saver.list(ON))):
        values = [
            *kept.checkpoint["channel_values"].items(),
            *((channel, value) for _, channel, value in kept.pending_writes or ()),
        ]
        mine = [(name, value) for name, value in values if name.startswith(("agentrein", "action_stack"))]
        sizes.append(sum(len(name) + len(saver.serde.dumps_typed(value)[1]) for name, value in mine))
    return sizes


def test_the_last_action_costs_what_the_tenth_did(tmp_path: Path) -> None:
    hotel, _, rein = run(tmp_path, InMemorySaver(), 200)

    assert len(hotel.rooms) == 200
    early, late = hotel.costs[10:20], hotel.costs[-10:]
    assert mean(late, "statements") == mean(early, "statements") < 40
    assert mean(late, "written") < 1.05 * mean(early, "written")
    assert mean(late, "instructions") < 1.2 * mean(early, "instructions"), (
        "something reads all that was done so far"
    )
    rein.close()


def test_our_share_of_a_checkpoint_does_not_grow(tmp_path: Path, saver: SqliteSaver) -> None:
    run(tmp_path, saver, 200)[2].close()

    sizes = ours(saver)
    early, late = sizes[40:120], sizes[-80:]
    assert 0 < statistics.median(late) <= 1.1 * statistics.median(early)
    assert sum(size > 1_000 for size in sizes) <= 2, "the stack is written whole more than now and then"


def test_a_walk_costs_in_proportion(tmp_path: Path) -> None:
    walks = {}
    for actions in (20, 80):
        hotel, meter, rein = run(tmp_path, InMemorySaver(), actions, fails=True)
        walks[actions] = meter.read()
        assert hotel.rooms == [] and rein.verify().ok
        rein.close()

    for what, cost in walks[20].items():
        assert walks[80][what] < 4.2 * cost, (
            f"{what}: four times the actions cost more than four times as much"
        )
