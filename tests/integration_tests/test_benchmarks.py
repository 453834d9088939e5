"""Every benchmark runs, at its tiniest, and says something. How fast it is, no test asks."""

from __future__ import annotations

import importlib

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.harness import Row


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_makes_rows(name: str) -> None:
    rows = list(importlib.import_module(f"benchmarks.{name}").rows("tiny"))
    assert rows
    assert all(isinstance(row, Row) and row.what and row.ratio for row in rows)
