"""How many examples the stateful tests play: the same few in every run, or many new ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
"""Set in the environment: new examples, and a hundred times as many."""


def examples(few: int, *, steps: int, many: int | None = None) -> settings:
    """Settings for a state machine.

    Args:
        few: Examples in a common run, derandomized.
        steps: Rules that each plays.
        many: Examples under `HYPOTHESIS_PROFILE=soak`.
    """
    return settings(
        max_examples=(many or 100 * few) if SOAK else few,
        stateful_step_count=2 * steps if SOAK else steps,
        derandomize=not SOAK,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
