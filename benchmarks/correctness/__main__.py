"""`make bench-correctness`: play every scenario on every system, print what was not right, and keep the table.

What only some scenarios or systems are played of renews its own cells; the others stay as they were last played.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.correctness.columns import SYSTEMS
from benchmarks.correctness.play import played
from benchmarks.correctness.scenarios import BY_NAME, SCENARIOS, Scenario
from benchmarks.correctness.table import cell, kept, totals

Results = dict[tuple[str, str], Counter[str]]
"""The anomalies by scenario and system."""
PLAYED = Path(".benchmarks/correctness.json")
"""What was played last, in the folder that `make clean` removes."""


def main() -> None:
    """The whole of it, unless told otherwise."""
    parser = argparse.ArgumentParser(prog="make bench-correctness", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="scenario", help=f"of {', '.join(BY_NAME)}; all without")
    parser.add_argument("--system", action="append", choices=tuple(SYSTEMS), help="only these; all without")
    parser.add_argument(
        "--details", action="store_true", help="say for each cell how the run ended, and the world's log"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BY_NAME):
        parser.error(f"there is no scenario named {', '.join(sorted(unknown))}")
    scenarios = [BY_NAME[name] for name in chosen.names] or list(SCENARIOS)
    titles = _titles(chosen.system or list(SYSTEMS))
    console = Console()
    results: Results = {}

    def play(pair: tuple[Scenario, str]) -> None:
        scenario, system = pair
        found, end = played(system, scenario)
        results[scenario.name, system] = found
        console.print(f"{scenario.name}, {system}: {cell(found)}", highlight=False)
        if chosen.details:
            console.print(end)

    # Two at a time: more would only wait for each other's imports.
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(play, [(scenario, system) for scenario in scenarios for system in titles]))
    console.print(_table(scenarios, titles, results))
    known = _remembered(results)
    everything = _titles(list(SYSTEMS))
    if len(everything) == len(SYSTEMS) and all(
        (one.name, name) in known for one in SCENARIOS for name in SYSTEMS
    ):
        kept(SCENARIOS, everything, known, Path(__file__).with_name("README.md"))
        console.print("kept in benchmarks/correctness/README.md")


def _remembered(results: Results) -> Results:
    """What was played now, and what was played before of the rest."""
    known = json.loads(PLAYED.read_text()) if PLAYED.exists() else {}
    known |= {" ".join(pair): dict(found) for pair, found in results.items()}
    PLAYED.parent.mkdir(exist_ok=True)
    PLAYED.write_text(json.dumps(known, indent=1, sort_keys=True))
    return {(pair.split(" ")[0], pair.split(" ")[1]): Counter(found) for pair, found in known.items()}


def _titles(systems: list[str]) -> dict[str, str]:
    """The columns that are installed, with their versions."""
    titles = {}
    for name in systems:
        system = SYSTEMS[name]
        if system.package is None:
            titles[name] = system.title
        elif importlib.util.find_spec(system.package.replace("-", "_")) is not None:
            titles[name] = f"{system.title} {version(system.package)}"
    return titles


def _table(scenarios: list[Scenario], titles: Mapping[str, str], results: Results) -> Table:
    table = Table(title="What was not right at the end", show_lines=True)
    table.add_column("")
    for title in titles.values():
        table.add_column(title, overflow="fold")
    for scenario in scenarios:
        table.add_row(scenario.title, *[cell(results[scenario.name, system]) for system in titles])
    table.add_section()
    for kind, counts in totals(scenarios, titles, results):
        table.add_row(kind, *map(str, counts))
    return table


if __name__ == "__main__":
    main()
