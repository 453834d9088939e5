"""The systems, in the order of the table."""

from __future__ import annotations

from benchmarks.correctness.systems.base import System
from benchmarks.correctness.systems.compensation import Compensation
from benchmarks.correctness.systems.human_in_the_loop import HumanInTheLoop
from benchmarks.correctness.systems.ours import Ours, OursDefault
from benchmarks.correctness.systems.plain import Plain
from benchmarks.correctness.systems.saga import Saga

SYSTEMS: dict[str, type[System]] = {
    "plain": Plain,
    "hitl": HumanInTheLoop,
    "compensation": Compensation,
    "saga": Saga,
    "ours": Ours,
    "ours-default": OursDefault,
}
