"""`make bench`: run what is asked for, print the table, and keep it in README.md."""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Row
from benchmarks.machine import described
from benchmarks.table import kept

NAMES = ("engine_call", "agent_step", "flat", "rollback", "size", "threads", "imports", "sql_update")


def main() -> None:
    """The whole of it, unless told otherwise."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all without")
    parser.add_argument("--size", choices=("tiny", "usual", "long"), default="usual")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(NAMES):
        parser.error(f"there is no benchmark named {', '.join(sorted(unknown))}")
    console = Console()
    rows: list[Row] = []
    for name in chosen.names or NAMES:
        started = time.monotonic()
        with console.status(f"{name} ..."):
            some = list(importlib.import_module(f"benchmarks.{name}").rows(chosen.size))
        console.print(_table(some, f"{name}, {time.monotonic() - started:.0f} s"))
        rows += some
    if not chosen.names and chosen.size != "tiny":
        kept(rows, described(), chosen.size, Path(__file__).with_name("README.md"))
        console.print("kept in benchmarks/README.md")


def _table(rows: list[Row], caption: str) -> Table:
    table = Table(title=rows[0].group if rows else None, caption=caption, show_lines=False)
    for heading in ("", "ours", "against", "ratio", "goal", "met", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        met = {True: "[green]yes", False: "[red]no", None: ""}[row.met]
        table.add_row(row.what.replace("`", ""), row.ours, row.other, row.ratio, row.goal, met, row.note)
    return table


if __name__ == "__main__":
    main()
