"""Interleaved runs, medians, and ratios of what ran side by side: a noisy machine slows both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Size = Literal["tiny", "usual", "long"]
"""`tiny` only shows that a benchmark runs; `long` adds what takes minutes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        group: The heading it stands under.
        ours: With unit, or empty.
        other: What it is compared with, with unit.
        ratio: How they relate.
        goal: As the issue states it; empty where there is none.
        met: Whether it is reached; `None` without a goal.
        note: What the reader must know to compare fairly.
    """

    group: str
    what: str
    ours: str
    other: str
    ratio: str
    goal: str = ""
    met: bool | None = None
    note: str = ""


class Times:
    """Seconds by case, one of each per round."""

    def __init__(self, names: list[str]) -> None:
        self._seconds: dict[str, list[float]] = {name: [] for name in names}

    def add(self, name: str, seconds: float) -> None:
        self._seconds[name].append(seconds)

    def median(self, name: str) -> float:
        return statistics.median(self._seconds[name])

    def ratio(self, one: str, other: str) -> float:
        """The median, over the rounds, of `one` divided by `other`."""
        pairs = zip(self._seconds[one], self._seconds[other], strict=True)
        return statistics.median(a / b for a, b in pairs)


def interleaved(cases: Mapping[str, Callable[[int], Any]], *, rounds: int, warmup: int = 3) -> Times:
    """Run every case once a round, each round beginning with another one.

    Args:
        cases: Called with a number that is new in each round.
        warmup: Rounds that are not counted.
    """
    names = list(cases)
    times = Times(names)
    for n in range(warmup + rounds):
        for name in names[n % len(names) :] + names[: n % len(names)]:
            started = time.perf_counter()
            cases[name](n)
            seconds = time.perf_counter() - started
            if n >= warmup:
                times.add(name, seconds)
    return times


def ms(seconds: float) -> str:
    """Seconds as milliseconds, or as seconds where there are many."""
    return f"{seconds:.2f} s" if seconds >= 10 else f"{seconds * 1000:.2f} ms"


def times(ratio: float) -> str:
    return f"{ratio:.2f}x"


def percent(share: float) -> str:
    return f"{share * 100:+.1f}%"
