"""Plays one scenario on one system: a world, processes that are killed and started again, a person who answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.correctness.count import anomalies
from benchmarks.correctness.scenarios import Scenario
from benchmarks.correctness.world import Client

ROOT = Path(__file__).parents[2]
PROCESSES = 12
"""More than any scenario needs; then it does not end by itself."""


def played(system: str, scenario: Scenario) -> tuple[Counter[str], Any]:
    """The anomalies, and how the run ended.

    Raises:
        RuntimeError: A process died of something that the scenario did not foresee.
    """
    with (
        tempfile.TemporaryDirectory(prefix="agentrein-correctness-") as name,
        _world(Path(name), scenario) as world,
    ):
        here = Path(name)
        end = _until_it_ends(here, system, scenario, "run")
        if scenario.kill and not (here / "died").exists() and end["ended"] != "failed":
            raise RuntimeError(f"{system} was never killed in {scenario.name}: {end}")
        if scenario.replay:
            end = _until_it_ends(here, system, scenario, "replay")
        log = (
            [json.loads(line) for line in (here / "world.jsonl").read_text().splitlines()]
            if _acted(here)
            else []
        )
        return anomalies(scenario, log, world.state(), end), {**end, "log": log}


def _acted(here: Path) -> bool:
    return (here / "world.jsonl").exists()


def _until_it_ends(here: Path, system: str, scenario: Scenario, verb: str) -> Any:
    words = [verb]
    for _ in range(PROCESSES):
        end = _process(here, system, scenario.name, words)
        if end is None:
            words = ["resume"]
        elif end["ended"] != "asked" or (said := _said(scenario, end["about"])) is None:
            return end
        else:
            words = ["answer", json.dumps(said)]
    raise RuntimeError(f"{system} did not end {scenario.name}: {end}")


def _said(scenario: Scenario, about: Any) -> Any:
    """What the person answers; `None` where they have been told, and will see to it themselves."""
    if isinstance(about, str):
        return "It is fine."
    asked = [request["name"] for request in about["action_requests"]]
    decision = {"type": "approve"}
    if asked[0].startswith("shop_"):
        decision = scenario.answer or decision
    elif asked[0] != "agentrein_orphans":
        return None
    return {"decisions": [decision] * len(asked)}


def _process(here: Path, system: str, scenario: str, words: list[str]) -> Any:
    """How a process ended; `None` if it was killed."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.correctness.child",
            here,
            system,
            scenario,
            *words,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == -signal.SIGKILL:
        return None
    if done.returncode:
        raise RuntimeError(f"{system}, {scenario}, {words[0]}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _world(here: Path, scenario: Scenario) -> Iterator[Client]:
    if scenario.lose:
        (here / "lose").write_text(scenario.lose)
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.correctness.world", here], cwd=ROOT)
    try:
        until = time.monotonic() + 30
        while not (here / "port").exists():
            if time.monotonic() > until:
                raise RuntimeError("the world did not begin")
            time.sleep(0.02)
        yield Client(here)
    finally:
        server.kill()
        server.wait()
