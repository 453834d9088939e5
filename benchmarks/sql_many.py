"""A million rows in one UPDATE, done and undone in a process of its own: `python -m benchmarks.sql_many [rows]`.

It takes many minutes, and is no part of `make bench`.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from sqlalchemy import Engine, create_engine, text

from benchmarks.postgres import server
from benchmarks.subject import folder
from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.toolkits import SQLToolkit

ROWS = 1_000_000
STATEMENT = "UPDATE leads SET score = score + 1"
FILL = 10_000


def main(count: int) -> None:
    with folder() as here:
        _measured(f"sqlite:///{here / 'target.db'}", count)
    with server() as url:
        if url is not None:
            _measured(url, count)


def measure(url: str, count: int) -> None:
    """In this process: the peak of its memory is what counts."""
    engine = create_engine(url)
    _fill(engine, count)
    with (
        folder() as here,
        AgentRein(f"sqlite:///{here / 'journal.db'}", rules=[ApprovalRule("sql.execute", "allow")]) as rein,
    ):
        execute = next(tool for tool in rein.tools(SQLToolkit(engine)) if tool.name == "sql_execute")
        with rein.session(intent="warm up"):
            execute.invoke({"statement": f"{STATEMENT} WHERE id = 0"})
        peak, started = _peak(), time.monotonic()
        with rein.session(intent="all") as session:
            execute.invoke({"statement": STATEMENT})
        done, at = time.monotonic() - started, time.monotonic()
        assert rein.rollback(session=session.id).complete
        print(
            f"{engine.dialect.name}, {count:,} rows: done in {done:.0f} s, undone in {time.monotonic() - at:.0f} s, "
            f"{time.process_time():.0f} s of this process's own time; "
            f"peak memory {_peak():.0f} MiB, {_peak() - peak:.0f} MiB more than before",
            flush=True,
        )
    with engine.connect() as connection:
        wrong = connection.execute(text("SELECT count(*) FROM leads WHERE score <> id % 100 AND id > 0"))
        assert wrong.scalar() == 0
    engine.dispose()


def _measured(url: str, count: int) -> None:
    subprocess.run([sys.executable, "-m", "benchmarks.sql_many", str(count), url], check=True)


def _fill(engine: Engine, count: int) -> None:
    line = text("INSERT INTO leads VALUES (:id, :name, :email, 2019, 'open', :score)")
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE leads (id integer PRIMARY KEY, name text, email text, year integer, "
                "status text, score integer)"
            )
        )
        for start in range(0, count, FILL):
            connection.execute(
                line,
                [
                    {"id": n, "name": f"Lead number {n}", "email": f"lead{n}@example.com", "score": n % 100}
                    for n in range(start, min(count, start + FILL))
                ],
            )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    if len(sys.argv) > 2:
        measure(sys.argv[2], rows)
    else:
        main(rows)
