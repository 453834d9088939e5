"""Whether a rollback takes time in proportion: by `rein.rollback`, and as a checkpointed walk in a graph."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator

from langgraph.checkpoint.sqlite import SqliteSaver

from benchmarks.flat import GROUP
from benchmarks.harness import Row, Size, ms, times
from benchmarks.subject import Subject, folder, sqlite_engine
from langchain_agentrein.graphs import build_compensation_graph

COUNTS = {"tiny": (2, 4), "usual": (10, 100, 1_000, 10_000), "long": (10, 100, 1_000, 10_000)}
WALKS = {**COUNTS, "usual": (10, 100, 1_000)}
REPEATS = 3
SLACK = 1.3


def rows(size: Size) -> Iterator[Row]:
    """Seconds per action, by the number of actions; the journal is on `synchronous=NORMAL`."""
    yield from _linear("rollback", COUNTS[size], _directly)
    yield from _linear("rollback in a graph, `SqliteSaver`", WALKS[size], _in_a_graph)


def _linear(what: str, counts: tuple[int, ...], back: Callable[[Subject, str], None]) -> Iterator[Row]:
    per_action = {
        count: statistics.median(
            _seconds(count, back) / count for _ in range(1 if count > 1_000 else REPEATS)
        )
        for count in counts
    }
    first, last = counts[-2], counts[-1]
    ratio = per_action[last] / per_action[first]
    yield Row(
        GROUP,
        f"{what}: {last:,} actions against {first:,}, per action",
        ms(per_action[last]),
        ms(per_action[first]),
        times(ratio),
        "linear",
        ratio < SLACK,
        ", ".join(f"{count:,}: {ms(seconds * count)}" for count, seconds in per_action.items()),
    )


def _seconds(count: int, back: Callable[[Subject, str], None]) -> float:
    with folder() as here:
        engine = sqlite_engine(here / "journal.db", "NORMAL")
        subject = Subject(engine)
        for n in range(count):
            subject.call(n)
        started = time.perf_counter()
        back(subject, str(here / "checkpoints.db"))
        seconds = time.perf_counter() - started
        assert not any(subject.world.values()), "something was not undone"
        subject.rein.close()
        engine.dispose()
    return seconds


def _directly(subject: Subject, _file: str) -> None:
    subject.rein.rollback(session=subject.session.id, reason="measured", by="bench")


def _in_a_graph(subject: Subject, file: str) -> None:
    connection = sqlite3.connect(file, check_same_thread=False)
    walk = build_compensation_graph(subject.rein)
    walk.checkpointer = SqliteSaver(connection)
    config = {"configurable": {"thread_id": "walk"}}
    walk.invoke({"session_id": subject.session.id, "cause": "measured"}, config, durability="sync")
    connection.close()
