"""One reversible call at the engine, against the same two durable commits made by hand."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import create_engine

from benchmarks import peers
from benchmarks.floor import Floor
from benchmarks.harness import Row, Size, interleaved, ms, times
from benchmarks.postgres import server
from benchmarks.subject import folder, sqlite_engine, subject

ROUNDS = {"tiny": 2, "usual": 400, "long": 2000}
GROUP = "One call, against two commits by hand"
GOAL = 1.5


def rows(size: Size) -> Iterator[Row]:
    """Ours on three journals, what the chain costs, and the peers."""
    for synchronous in ("NORMAL", "FULL"):
        with folder() as here:
            engine = sqlite_engine(here / "journal.db", synchronous)
            by_hand = sqlite_engine(here / "journal.db", synchronous)
            yield from _against(engine, by_hand, f"SQLite, `synchronous={synchronous}`", size)
            engine.dispose()
            by_hand.dispose()
    with server() as url:
        if url is not None:
            engine, by_hand = (create_engine(url, pool_pre_ping=True) for _ in range(2))
            yield from _against(engine, by_hand, "PostgreSQL, `fsync=on`", size)
            engine.dispose()
            by_hand.dispose()
    yield from peers.rows(ROUNDS[size])


def _against(engine: object, by_hand: object, where: str, size: Size) -> Iterator[Row]:
    with subject(engine) as ours:
        floor, chained = Floor(by_hand), Floor(by_hand, chained=True, session="ses_chained")
        measured = interleaved(
            {"ours": ours.call, "floor": floor.call, "chained": chained.call}, rounds=ROUNDS[size]
        )
    ratio = measured.ratio("ours", "floor")
    yield Row(
        GROUP,
        where,
        ms(measured.median("ours")),
        ms(measured.median("floor")),
        times(ratio),
        f"1.0x to {GOAL}x",
        ratio <= GOAL,
        "durable before and after; snapshot, receipt, what it left, chain, undo from any process",
    )
    yield Row(
        GROUP,
        f"{where}: the floor with a hash chain",
        ms(measured.median("ours")),
        ms(measured.median("chained")),
        times(measured.ratio("ours", "chained")),
        note=f"a chain by hand costs {times(measured.ratio('chained', 'floor'))} of the floor",
    )
