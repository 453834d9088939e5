"""The stage, which holds each test to what it declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration_tests.neighbours.matrix import Scenario
from tests.integration_tests.neighbours.stage import Stage


@pytest.fixture(params=["invoke", "ainvoke"])
def awaited(request: pytest.FixtureRequest) -> bool:
    """Whether agents are driven by `ainvoke`."""
    return bool(request.param == "ainvoke")


@pytest.fixture
def stage(tmp_path: Path, awaited: bool) -> Iterator[Stage]:
    """A world to act on, by `invoke` and then by `ainvoke`."""
    made = Stage(tmp_path, awaited=awaited)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def held(request: pytest.FixtureRequest, stage: Stage) -> Iterator[None]:
    """A test must have checked what it declares, no less and no more."""
    yield
    declared: Scenario | None = getattr(request.function, "scenario", None)
    if declared is not None and not request.node.stash.get(FAILED, False):
        assert stage.proven == declared.holds, "the test checked something else than it declares"
        assert stage.disproven == set(declared.lacks), "the test showed something else to be lacking"


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report
