"""The lab at length: every boundary, in every setting, with every kind of harm, in random order.

python -m tests.lab --minutes 5 --seed 7
python -m tests.lab --trial 'back|sqlite/sync/sync|1|commit:journal/journal.py:move:within#3|kill|resume'
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from tests.lab import github
from tests.lab.controller import Lab, Outcome
from tests.lab.stories import STORIES, Setting, Story, Trial
from tests.lab.world import FAULTS, World, served
from tests.lab.zygote import Zygote
from tests.support import postgres

SETTINGS = [
    Setting(database, drive, durability)
    for database in ("sqlite", "postgres")
    for drive in ("sync", "threaded", "async")
    for durability in ("sync", "async", "exit")
]
SETTINGS += [Setting("github", "sync", "sync"), Setting("github", "threaded", "async")]
BLOCK = 6
"""Trials of one story in one setting, before another one is drawn: to count its boundaries takes a trial, too."""
ENDINGS = ("resume", "recover")
COLUMNS = (
    "boundaries",
    "trials",
    "kills",
    "other harm",
    "missed",
    "sessions",
    "effects",
    "undos",
    "anomalies",
)


def harms(database: str) -> tuple[str, ...]:
    """What can be done to a process at a boundary; half of it is `kill`."""
    if database == "github":
        return ("kill",) * 6 + ("full", "full")
    own = ("cut", "cut") if database == "postgres" else ("full", "full")
    return ("kill",) * 6 + ("stop", "stop", *own)


@dataclass(slots=True)
class Tally:
    """What was tried so far, and what came of it."""

    boundaries: set[tuple[str, str]] = field(default_factory=set)
    rows: dict[str, Counter[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: Outcome) -> None:
        trial, verdict = outcome.trial, outcome.verdict
        with self.lock:
            row = self.rows.setdefault(f"{trial.setting.database} {trial.setting.drive}", Counter())
            place = trial.point.rpartition("#")[0] or f"world:{trial.harm}"
            if outcome.fired and (row_key := (trial.setting.database + trial.setting.drive, place)):
                row["boundaries"] += row_key not in self.boundaries
                self.boundaries.add(row_key)
            row["trials"] += 1
            row["missed"] += not outcome.fired
            row["kills"] += outcome.fired and trial.harm == "kill"
            row["other harm"] += outcome.fired and trial.harm != "kill"
            row["sessions"] += verdict.sessions
            row["effects"] += verdict.effects
            row["undos"] += verdict.undos
            self._wrong(row, trial, verdict.anomalies)

    def wrong(self, trial: Trial, why: str) -> None:
        """A trial that could not even be judged."""
        with self.lock:
            row = self.rows.setdefault(f"{trial.setting.database} {trial.setting.drive}", Counter())
            self._wrong(row, trial, (why,))

    def _wrong(self, row: Counter[str], trial: Trial, anomalies: Sequence[str]) -> None:
        row["anomalies"] += bool(anomalies)
        for anomaly in anomalies:
            self.lines.append(f"{anomaly}\n    make soak ARGS=\"--trial '{trial}'\"")
            print(f"ANOMALY {self.lines[-1]}", flush=True)

    @property
    def total(self) -> Counter[str]:
        return sum(self.rows.values(), Counter())

    def table(self) -> str:
        """As Markdown."""
        lines = ["| | " + " | ".join(COLUMNS) + " |", "| --- |" + " ---: |" * len(COLUMNS)]
        rows = {**dict(sorted(self.rows.items())), "all": self.total}
        for name, row in rows.items():
            counts = dict(row)
            if name == "all":
                counts["boundaries"] = len({place for _, place in self.boundaries})
            lines.append(f"| {name} | " + " | ".join(str(counts.get(one, 0)) for one in COLUMNS) + " |")
        return "\n".join(lines)


@contextlib.contextmanager
def lab(
    home: Path, world: World, url: str, server: str = "", name: str = "lab", hub: str = ""
) -> Iterator[Lab]:
    """A lab of its own, with two warm processes, a database of its own on `server`, and a way of its own to `hub`."""
    with contextlib.ExitStack() as stack:
        database = ""
        if server:
            made = stack.enter_context(postgres.database(make_url(server), f"lab_{name}"))
            database = made.render_as_string(hide_password=False)
        kinds = {}
        if hub:
            kinds["github"] = partial(github.GitHubPlaying, stack.enter_context(github.outside(hub)))
        built = Lab(home, world, url, Zygote(), Zygote(), database, name, kinds)
        stack.callback(lambda: (built.zygote.close(), built.other.close()))
        yield built


def stories(setting: Setting) -> Mapping[str, Story]:
    """What is played in a setting."""
    return github.STORIES if setting.database == "github" else STORIES


class Plan:
    """Which trial is next: the boundaries of a story in a setting are counted when it is first drawn."""

    def __init__(self, seed: int, settings: Sequence[Setting]) -> None:
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self._pairs = [
            (story, one)
            for one in settings
            for story, told in stories(one).items()
            if told.durability in ("", one.durability)
        ]
        self._last, self._stay = self._pairs[0], 0
        self._left: dict[tuple[str, Setting], list[tuple[int, str]]] = {}

    def next(self, lab: Lab) -> Trial | None:
        """The next one; `None`: every boundary had its turn."""
        with self.lock:
            if not self._pairs:
                return None
            if self._stay == 0 or self._last not in self._pairs:
                self._last, self._stay = self.random.choice(self._pairs), BLOCK
            pair, self._stay = self._last, self._stay - 1
            known = pair in self._left
        if not known:
            counted = lab.count(*pair)
            with self.lock:
                self.random.shuffle(counted)
                self._left.setdefault(pair, counted)
        with self.lock:
            left = self._left[pair]
            life, point = left.pop() if left else (0, "")
            if not left and pair in self._pairs:
                self._pairs.remove(pair)
            story, setting = pair
            ending = self.random.choice(ENDINGS)
            hub = setting.database == "github"
            if self.random.random() < (0.4 if hub else 0.1):
                nth = str(self.random.randint(1, 6))
                fault = self.random.choice(tuple(github.FAULTS) if hub else FAULTS)
                return Trial(story, setting, life, nth, fault, ending)
            harm = self.random.choice(harms(setting.database))
            if harm == "stop" and ":within#" in point:
                harm = "kill"  # it sleeps with the database's lock, and others wait until it wakes or dies
            return Trial(story, setting, life, point, harm, ending)


def soak(minutes: float, seed: int, workers: int, settings: Sequence[Setting] = SETTINGS) -> Tally:
    """Try until the time is over, or with 0 minutes every boundary once."""
    tally, plan = Tally(), Plan(seed, settings)
    until = time.monotonic() + minutes * 60 if minutes else float("inf")
    with _surroundings() as (home, world, url, server, hub):

        def work(n: int) -> None:
            with lab(home, world, url, server, f"w{n}", hub) as mine:
                while time.monotonic() < until:
                    trial = None
                    try:
                        trial = plan.next(mine)
                        if trial is None:
                            return
                        tally.add(mine.try_(trial))
                    except Exception as error:
                        tally.wrong(
                            trial or Trial("forward", settings[0]), f"{type(error).__name__}: {error}"
                        )
                        mine.renew()

        threads = [threading.Thread(target=work, args=(n,)) for n in range(workers)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(1)
            _progress(tally)
        for thread in threads:
            thread.join()
    return tally


@contextlib.contextmanager
def _surroundings() -> Iterator[tuple[Path, World, str, str, str]]:
    # In memory, where there is such a place: processes are killed here, not machines.
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="agentrein-lab-", dir=memory if memory.is_dir() else None))
    try:
        with (
            served(home / "world.log") as (world, url),
            postgres.server() as server,
            github.emulated(home / "github") as hub,
        ):
            yield home, world, url, server.render_as_string(hide_password=False), hub
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _progress(tally: Tally) -> None:
    if int(time.monotonic()) % 15 == 0:
        total = tally.total
        print("  ".join(f"{name} {total[name]}" for name in COLUMNS if name != "boundaries"), flush=True)


def main() -> int:
    """The verb."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="0: every boundary once, however long it takes"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="settings that begin so: sqlite/sync")
    parser.add_argument("--trial", help="just this one, as an anomaly names it")
    given = parser.parse_args()
    if given.trial:
        trial = Trial.read(given.trial)
        with (
            _surroundings() as (home, world, url, server, hub),
            lab(home, world, url, server, hub=hub) as mine,
        ):
            outcome = mine.try_(trial)
        print(outcome.verdict, "harm was done" if outcome.fired else "the boundary was not reached")
        return bool(outcome.verdict.anomalies)
    print(f"seed {given.seed}", flush=True)
    settings = [one for one in SETTINGS if str(one).startswith(given.only)]
    tally = soak(given.minutes, given.seed, given.workers, settings)
    print(f"\nseed {given.seed}\n\n{tally.table()}")
    return bool(tally.lines)
