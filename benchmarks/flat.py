"""Whether a call costs the same late in a session as early in it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.harness import Row, Size, interleaved, ms, times
from benchmarks.subject import Subject, folder, sqlite_engine

GROUP = "Flat and linear"
LATE = {"tiny": 20, "usual": 10_000, "long": 10_000}
ROUNDS = {"tiny": 2, "usual": 300, "long": 1000}
EARLY = 10
SLACK = 1.15


def rows(size: Size) -> Iterator[Row]:
    """The 10th action of a session beside the 10,000th of another one."""
    with folder() as here:
        engine = sqlite_engine(here / "journal.db", "NORMAL")
        late = Subject(engine)
        early = [Subject(engine, f"ses_{n}") for n in range(ROUNDS[size] + 3)]
        for n in range(LATE[size]):
            late.call(n)
        for one in early:
            for n in range(EARLY - 1):
                one.call(n)
        cases = {
            "early": lambda n: early[n].call(EARLY),
            "late": lambda n: late.call(LATE[size] + n),
        }
        measured = interleaved(cases, rounds=ROUNDS[size])
        for one in (*early, late):
            one.rein.close()
        engine.dispose()
    ratio = measured.ratio("late", "early")
    yield Row(
        GROUP,
        f"action {LATE[size]:,} of a session, against action {EARLY}",
        ms(measured.median("late")),
        ms(measured.median("early")),
        times(ratio),
        "flat",
        ratio < SLACK,
        "SQLite, `synchronous=NORMAL`",
    )
