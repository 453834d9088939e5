"""Bytes per action: in the journal, and in the checkpoints that carry the stack of ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.channels import DeltaChannel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph

from benchmarks.flat import GROUP, SLACK
from benchmarks.harness import Row, Size, times
from benchmarks.subject import Subject, folder
from langchain_agentrein.graphs.state import merge_ids, merge_pair

ACTIONS = {"tiny": (5, 10), "usual": (100, 1_000), "long": (1_000, 10_000)}
STEPS = {"tiny": (4, 8), "usual": (100, 500), "long": (100, 1_000)}


class _Delta(TypedDict):
    stack: Annotated[list[str], DeltaChannel(merge_ids)]


class _Plain(TypedDict):
    stack: Annotated[list[str], merge_pair]


def rows(size: Size) -> Iterator[Row]:
    """What the first actions take, against what as many take later."""
    few, many = ACTIONS[size]
    with folder() as here:
        subject = Subject(f"sqlite:///{here / 'journal.db'}")
        early = _grown(subject, here / "journal.db", 0, few)
        _grown(subject, here / "journal.db", few, many - few)
        late = _grown(subject, here / "journal.db", many, few)
        subject.rein.close()
    yield _row(f"journal: bytes per action after {many:,}, against the first {few:,}", late, early, "flat")
    few, many = STEPS[size]
    for name, state, goal in (("DeltaChannel", _Delta, "flat"), ("a plain reducer", _Plain, "")):
        early, late = _checkpoints(state, few), _checkpoints(state, many)
        yield _row(f"checkpoints, {name}: bytes per step, {many:,} steps against {few:,}", late, early, goal)


def _row(what: str, late: float, early: float, goal: str) -> Row:
    ratio = late / early
    return Row(
        GROUP,
        what,
        f"{late / 1000:.1f} kB",
        f"{early / 1000:.1f} kB",
        times(ratio),
        goal,
        ratio < SLACK if goal else None,
    )


def _grown(subject: Subject, file: Path, first: int, count: int) -> float:
    before = _bytes(file)
    for n in range(first, first + count):
        subject.call(n)
    return (_bytes(file) - before) / count


def _bytes(file: Path) -> int:
    """What the rows take, in whole pages, with the log cut."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [pages], [page] = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
    connection.close()
    return int(pages) * int(page)


def _checkpoints(state: Any, steps: int) -> float:
    """Bytes of checkpoints and writes per superstep, in a graph that adds one id in each."""
    builder = StateGraph(state)
    builder.add_node("act", lambda known: {"stack": [f"act_{len(known['stack']):026d}"]})
    builder.add_edge(START, "act")
    builder.add_conditional_edges("act", lambda known: "act" if len(known["stack"]) < steps else "__end__")
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    saver = SqliteSaver(connection)
    graph = builder.compile(checkpointer=saver)
    config = {"configurable": {"thread_id": "one"}, "recursion_limit": steps + 10}
    graph.invoke({"stack": []}, config, durability="sync")
    sums = (
        "SELECT (SELECT sum(length(checkpoint)) FROM checkpoints) + (SELECT sum(length(value)) FROM writes)"
    )
    [total] = connection.execute(sums).fetchone()
    connection.close()
    return float(total) / steps
