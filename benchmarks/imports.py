"""What importing this package takes, in a fresh interpreter, over what its users import anyway."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.harness import Row, Size, ms

GROUP = "Import time"
ROUNDS = {"tiny": 1, "usual": 9, "long": 41}
GOAL = 0.1
BASE = "import langchain_core.tools, langgraph.graph, langgraph.prebuilt"
AGENT = f"{BASE}; from langchain.agents import create_agent"
OURS = "from langchain_agentrein import"
CASES = (
    ("`import langchain_agentrein`", BASE, "import langchain_agentrein"),
    ("`AgentRein`, `reversible`", BASE, f"{OURS} AgentRein, reversible"),
    ("the same, and a journal opened", BASE, f"{OURS} AgentRein, reversible; AgentRein('sqlite://')"),
    ("`AgentRein`, `AgentReinMiddleware`", AGENT, f"{OURS} AgentRein, AgentReinMiddleware"),
)


def rows(size: Size) -> Iterator[Row]:
    """Seconds of processor time, which a busy machine does not lengthen; interpreters are started in turns."""
    seconds: dict[str, list[tuple[float, float]]] = {what: [] for what, _, _ in CASES}
    for _ in range(ROUNDS[size]):
        for what, base, more in CASES:
            seconds[what].append(_python(base, more))
    for what, base, _ in CASES:
        based, added = (statistics.median(column) for column in zip(*seconds[what], strict=True))
        yield Row(
            GROUP,
            what,
            ms(based + added),
            ms(based),
            f"+{added * 1000:.0f} ms",
            "at most 100 ms more",
            added <= GOAL,
            "over `langchain_core` and `langgraph`" if base is BASE else "over those and `langchain.agents`",
        )


def _python(base: str, more: str) -> tuple[float, float]:
    code = f"from time import process_time as t; a = t(); {base}; b = t(); {more}; print(b - a, t() - b)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    based, added = map(float, said.split())
    return based, added
