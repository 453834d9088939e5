"""The stage, which holds each test to what it declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration_tests.neighbours.matrix import Scenario
from tests.integration_tests.neighbours.stage import Stage


@pytest.fixture(params=["invoke", "ainvoke"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A world to act on, by `invoke` and then by `ainvoke`; the test must have checked what it declares."""
    made = Stage(tmp_path, awaited=request.param == "ainvoke")
    yield made
    made.close()
    declared: Scenario | None = getattr(request.function, "scenario", None)
    if declared is not None and not getattr(request.node, "failed", False):
        assert made.proven == declared.holds, "the test checked something else than it declares"
        assert made.disproven == set(declared.lacks), "the test showed something else to be lacking"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed  # type: ignore[attr-defined]
    return report
