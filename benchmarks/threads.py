"""Parallel calls of one session, from 1, 8 and 64 threads, beside the floor in as many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import create_engine

from benchmarks.floor import Floor
from benchmarks.harness import Row, Size, interleaved, ms, times
from benchmarks.postgres import server
from benchmarks.subject import folder, sqlite_engine, subject

GROUP = "Parallel calls of one session"
THREADS = {"tiny": (2,), "usual": (1, 8, 64), "long": (1, 8, 64)}
CALLS = {"tiny": 4, "usual": 128, "long": 1024}
ROUNDS = {"tiny": 1, "usual": 3, "long": 9}


def rows(size: Size) -> Iterator[Row]:
    """SQLite has one writer; PostgreSQL has one for each session, since its chain is one."""
    with folder() as here:
        engines = [sqlite_engine(here / "journal.db") for _ in range(2)]
        yield from _on("SQLite, `synchronous=FULL`", *engines, size)
    with server() as url:
        if url is not None:
            yield from _on("PostgreSQL", *(create_engine(url, pool_pre_ping=True) for _ in range(2)), size)


def _on(where: str, engine: Any, by_hand: Any, size: Size) -> Iterator[Row]:
    with subject(engine) as ours:
        floor = Floor(by_hand)
        for workers in THREADS[size]:
            with ThreadPoolExecutor(workers) as pool:
                cases = {
                    "ours": _all(pool, ours.call, workers, CALLS[size]),
                    "floor": _all(pool, floor.call, workers, CALLS[size]),
                }
                measured = interleaved(cases, rounds=ROUNDS[size], warmup=1)
            yield Row(
                GROUP,
                f"{where}, {workers} thread{'s' if workers > 1 else ''}",
                ms(measured.median("ours") / CALLS[size]),
                ms(measured.median("floor") / CALLS[size]),
                times(measured.ratio("ours", "floor")),
                note="wall time per call",
            )
    engine.dispose()
    by_hand.dispose()


def _all(
    pool: ThreadPoolExecutor, call: Callable[[int], None], workers: int, calls: int
) -> Callable[[int], None]:
    def once(n: int) -> None:
        first = (n * 100 + workers) * 100_000  # no call is made twice
        list(pool.map(call, range(first, first + calls)))

    return once
