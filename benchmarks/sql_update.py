"""One UPDATE of many rows, with and without its undo."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, Size, interleaved, ms, times
from benchmarks.subject import folder
from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.toolkits import SQLToolkit

GROUP = "SQL: one UPDATE"
ROWS = {"tiny": 100, "usual": 100_000, "long": 100_000}
ROUNDS = {"tiny": 1, "usual": 2, "long": 5}
STATEMENT = "UPDATE leads SET status = 'archived', score = score + 1 WHERE year < 2020"


def rows(size: Size) -> Iterator[Row]:
    """On SQLite; the images of the rows lie in a journal beside it."""
    count = ROWS[size]
    with folder() as here:
        for name in ("ours", "plain"):
            _fill(here / f"{name}.db", count)
        plain = sqlite3.connect(here / "plain.db")
        with AgentRein(
            f"sqlite:///{here / 'journal.db'}", rules=[ApprovalRule("sql.execute", "allow")]
        ) as rein:
            tools = {tool.name: tool for tool in rein.tools(SQLToolkit(f"sqlite:///{here / 'ours.db'}"))}
            execute = tools["sql_execute"]

            def ours(n: int) -> None:
                with rein.session(intent="archive"):
                    said = execute.invoke({"statement": STATEMENT})
                assert f"{count}" in str(said).replace(",", ""), said

            def by_hand(n: int) -> None:
                with plain:
                    assert plain.execute(STATEMENT).rowcount == count

            measured = interleaved({"ours": ours, "plain": by_hand}, rounds=ROUNDS[size], warmup=0)
            last = rein.sessions()[0]
            back = interleaved({"back": lambda _: rein.rollback(session=last.id)}, rounds=1, warmup=0)
        plain.close()
    yield Row(
        GROUP,
        f"{count:,} rows, SQLite",
        ms(measured.median("ours")),
        ms(measured.median("plain")),
        times(measured.ratio("ours", "plain")),
        note=f"keeps an image of every row, before and after; its rollback takes {ms(back.median('back'))}",
    )


def _fill(file: Path, count: int) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE leads (id INTEGER PRIMARY KEY, name TEXT, year INTEGER, status TEXT, score INTEGER)"
        )
        lines = ((n, f"Lead number {n}", 2019, "open", n % 100) for n in range(count))
        connection.executemany("INSERT INTO leads VALUES (?, ?, ?, ?, ?)", lines)
    connection.close()
