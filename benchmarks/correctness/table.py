"""The table in README.md: what stands between its marks is written by `make bench-correctness`, the rest by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.correctness.count import HANDED, KINDS
from benchmarks.correctness.scenarios import Scenario

BEGIN, END = "<!-- written by make bench-correctness -->", "<!-- until here -->"
RAN_WITH = ("langchain", "langgraph", "langgraph-checkpoint-sqlite")


def cell(found: Counter[str]) -> str:
    """What was not right, or 0; and what a person was told to look at."""
    wrong = [f"{found[kind]} {kind}" for kind in KINDS if found[kind]]
    told = [f"({found[HANDED]} {HANDED})"] if found[HANDED] else []
    return " ".join([", ".join(wrong) or "0", *told])


def totals(
    scenarios: Sequence[Scenario], systems: Iterable[str], results: Mapping[tuple[str, str], Counter[str]]
) -> Iterator[tuple[str, list[int]]]:
    """Each kind, and how often it was found by system; then all of them, and what was handed to a person."""
    sums = [sum((results[one.name, system] for one in scenarios), Counter()) for system in systems]
    for kind in KINDS:
        yield kind, [found[kind] for found in sums]
    yield "anomalies", [sum(found[kind] for kind in KINDS) for found in sums]
    yield HANDED, [found[HANDED] for found in sums]


def kept(
    scenarios: Sequence[Scenario],
    titles: Mapping[str, str],
    results: Mapping[tuple[str, str], Counter[str]],
    file: Path,
) -> None:
    """Replace what stands between the marks.

    Raises:
        ValueError: The file has lost its marks.
    """
    before, mark, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"{file.name} has lost its marks: {BEGIN} ... {END}")
    rows = [["", *titles.values()], ["---"] * (len(titles) + 1)]
    for scenario in scenarios:
        rows.append([scenario.title, *[_bold(cell(results[scenario.name, system])) for system in titles]])
    for kind, counts in totals(scenarios, titles, results):
        rows.append([f"*{kind}*", *map(str, counts)])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    versions = ", ".join(f"{name} {version(name)}" for name in RAN_WITH)
    file.write_text(f"{before}{BEGIN}\nWith {versions}.\n\n{table}{END}{after}")


def _bold(text: str) -> str:
    return text if text.startswith("0") else f"**{text}**"
