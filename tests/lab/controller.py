"""Runs a story, does harm at one of its boundaries, has it go on, and has it judged."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.action import TO_UNDO, SessionStatus
from langchain_agentrein.errors import AgentReinError
from tests.lab.child import DENIED, HELD, SCENARIOS, Spec, opened
from tests.lab.enumerate import in_gap
from tests.lab.judge import BEFORE, Case, Verdict, judge
from tests.lab.world import FAULTS, World
from tests.lab.zygote import Zygote

ROUNDS = 14
"""Lives after which a story that neither ends nor fails is an anomaly."""
SHORT_LEASE = 0.6


@dataclass(frozen=True, slots=True)
class Setting:
    """How an agent is run.

    Attributes:
        database: `sqlite` or `postgres`.
    """

    database: str = "sqlite"
    drive: str = "sync"
    durability: str = "sync"

    def __str__(self) -> str:
        return f"{self.database}/{self.drive}/{self.durability}"


@dataclass(frozen=True, slots=True)
class Story:
    """What is done, one after the other.

    Attributes:
        acts: `(act, point)`; a point kills that act there, always: what comes next begins with that death.
        durability: Overrides the setting's.
    """

    scenario: str
    acts: tuple[tuple[str, str], ...] = (("run", ""),)
    durability: str = ""


PUT, POST = "request:PUT things:after#1", "request:POST notes:after#1"
STORIES = {
    "forward": Story("forward"),
    "back": Story("back"),
    "together": Story("together"),
    "refused": Story("refused"),
    "asked": Story("asked"),
    "undone": Story("forward", (("run", ""), ("rollback", ""))),
    "forgotten": Story("forward", (("run", ""), ("forget", ""))),
    "recovered": Story("forward", (("run", ""), ("rollback", PUT), ("recover", ""))),
    "resumed": Story("back", (("run", PUT), ("resume", ""))),
    "settled": Story("forward", (("run", POST), ("resume", "")), "sync"),
    "stranded": Story("forward", (("run", POST), ("recover", ""), ("rollback", ""))),
    "unbegun": Story("forward", (("run", "request:PUT things:before#1"), ("recover", ""), ("rollback", ""))),
    "withdrawn": Story("forward", (("run", "commit:journal/journal.py:begin:after#2"), ("rollback", ""))),
    "attended": Story("back", (("run", "request:POST notes:after#2"), ("resume", "")), "sync"),
    "unmarked": Story(
        "back", (("run", "commit:journal/sessions.py:set_session:after#1"), ("resume", "")), "sync"
    ),
    "held": Story("held"),
    "dropped": Story("dropped"),
    "overdue": Story(
        "held",
        (
            ("run", "commit:journal/sessions.py:set_session:after#1"),
            ("recover", ""),
            ("rollback", ""),
        ),
    ),
    "promised": Story(
        "held", (("run", "commit:journal/sessions.py:set_session:after#1"), ("resume", "")), "sync"
    ),
    "orphaned": Story("forward", (("run", PUT), ("resume", "")), "exit"),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One story, harmed once.

    Attributes:
        life: In which of its processes, counted from 0.
        ending: `resume`: the thread is resumed, or the same act done again; `recover`: it is recovered, and rolled back.
    """

    story: str
    setting: Setting
    life: int = -1
    point: str = ""
    harm: str = "kill"
    ending: str = "resume"

    def __str__(self) -> str:
        return f"{self.story}|{self.setting}|{self.life}|{self.point}|{self.harm}|{self.ending}"

    @classmethod
    def read(cls, text: str) -> Trial:
        """The trial that a line of the soak names."""
        story, setting, life, point, harm, ending = text.split("|")
        return cls(story, Setting(*setting.split("/")), int(life), point, harm, ending)


@dataclass(slots=True)
class Outcome:
    """What came of a trial.

    Attributes:
        reached: What each life reached, where it lived to tell.
        fired: The harm was done.
    """

    trial: Trial
    verdict: Verdict
    reached: list[list[str]]
    fired: bool
    lives: int


@dataclass(slots=True)
class Lab:
    """One world, one trial at a time.

    Attributes:
        other: A second warm process, for whoever acts while a child of the first one sleeps.
        postgres: The URL of an empty database; empty: only SQLite is tried.
    """

    home: Path
    world: World
    url: str
    zygote: Zygote
    other: Zygote
    postgres: str = ""
    name: str = "lab"
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def try_(self, trial: Trial) -> Outcome:
        """Play it, have it go on, and judge."""
        playing = _Playing(self, trial, f"{self.name}-{next(self._numbers)}")
        try:
            return playing.play()
        finally:
            self.world.forget(playing.case)
            shutil.rmtree(playing.home, ignore_errors=True)

    def renew(self) -> None:
        """Warm up new processes, after one did not answer any more."""
        for one in (self.zygote, self.other):
            one.process.kill()
            one.process.wait()
        self.zygote, self.other = Zygote(), Zygote()

    def count(self, story: str, setting: Setting) -> list[tuple[int, str]]:
        """Every boundary of a story: `(life, point)`.

        Raises:
            AssertionError: It does not even end well when nobody does it harm.
        """
        outcome = self.try_(Trial(story, setting))
        assert not outcome.verdict.anomalies, outcome
        return [(life, point) for life, points in enumerate(outcome.reached) for point in points]


class _Playing:
    def __init__(self, lab: Lab, trial: Trial, case: str) -> None:
        self.lab, self.trial, self.case = lab, trial, case
        self.story = STORIES[trial.story]
        self.home = lab.home / case
        self.home.mkdir()
        self.lives, self.fired, self.anew = 0, False, False
        self.reached: list[list[str]] = []
        self.notes: list[str] = []
        for thing, value in BEFORE.items():
            lab.world.put(case, thing, value)
        setting = trial.setting
        self.spec = Spec(
            str(self.home),
            lab.url,
            case,
            database=lab.postgres if setting.database == "postgres" else "",
            drive=setting.drive,
            durability=self.story.durability or setting.durability,
            scenario=self.story.scenario,
            lease=SHORT_LEASE if trial.harm == "stop" else 30.0,
        )

    def play(self) -> Outcome:
        told: dict[str, Any] = {}
        act, ended = "run", ""
        left = list(self.story.acts)
        while left:
            act, deadly = left.pop(0)
            told = self._act(act, deadly)
            if self.fired:
                break
            ended = str(told["state"]) if act != "forget" else ended
        ended = self._ends(ended, told, act)
        if self.trial.ending == "resume":
            for act, _ in left:
                ended = self._ends(ended, self._act(act), act)
        harmed = self.fired
        self._live("recover")
        if self.fired and not harmed:  # that was where harm was done
            self._live("recover")
            rolled = self.trial.harm == "stop" and self.trial.ending == "recover" and act != "forget"
            ended = "back" if rolled else ended  # what is forgotten is not undone any more
        with opened(self.spec) as rein:
            turns = SCENARIOS[self.story.scenario]
            wanted = tuple(
                call for turn in turns for call in turn if call[0] != "charge" and call[1] != DENIED
            )
            verdict = judge(
                Case(
                    self.case,
                    ended,
                    wanted,
                    HELD,
                    gap=self.trial.harm == "stop" and in_gap(self.trial.point),
                    late=self.trial.harm == "stop" and self.story.scenario == "together",
                    lossy=self.anew,
                ),
                self.lab.world,
                rein,
            )
        verdict = replace(verdict, anomalies=(*self.notes, *verdict.anomalies))
        return Outcome(self.trial, verdict, self.reached, self.fired, self.lives)

    # -- one life after the other ------------------------------------------------------------------

    def _act(self, act: str, deadly: str = "") -> dict[str, Any]:
        """Do one act to its end, a person answering what is asked."""
        unharmed = not self.fired
        told = self._live(act, deadly=deadly)
        for _ in range(ROUNDS):
            if told["state"] != "asked" or (unharmed and self.fired):
                return told
            told = self._live("resume", self._answers(told["asked"]), deadly=deadly)
        self.notes.append(f"it asks without end: {told['asked']}")
        return told

    def _live(self, act: str, answers: Sequence[Any] = (), *, deadly: str = "") -> dict[str, Any]:
        trial, spec = self.trial, replace(self.spec, act=act, answers=list(answers))
        harmed = not self.fired and trial.life == self.lives and trial.point != ""
        if harmed and trial.harm in FAULTS:
            self.fired = True
            self.lab.world.fail(self.case, int(trial.point), trial.harm)
        elif harmed:
            spec = replace(spec, point=trial.point, harm=trial.harm)
        elif deadly:
            spec = replace(spec, point=deadly, harm="kill")
        self.lives += 1
        life = self.lab.zygote.start(spec)
        if life.until() == "stopped":
            self.fired = True
            self._meanwhile()
            life.wake()
            life.until()
        told = life.told
        self.anew = self.anew or bool(told.get("anew"))
        if harmed and trial.harm not in FAULTS:
            self.fired = self.fired or trial.point in told["reached"] or life.code == -9
        self.reached.append(told["reached"])
        return told

    def _meanwhile(self) -> None:
        """What others do while a worker sleeps beyond its lease."""
        time.sleep(SHORT_LEASE + 0.1)
        self.lab.other.live(replace(self.spec, act="recover"))
        if self.trial.ending == "recover":
            self.lab.other.live(replace(self.spec, act="rollback"))

    # -- after the harm ----------------------------------------------------------------------------

    def _ends(self, before: str, told: dict[str, Any], act: str) -> str:
        """How it ended, after one more act: what is forgotten has ended as it did before."""
        now = self._finished(told, act)
        return before if act == "forget" else now

    def _finished(self, told: dict[str, Any], act: str) -> str:
        """Bring the story to its end; how it ended."""
        if self.trial.ending == "recover" and self.fired and act != "forget":
            self._recovered()
            return "back"
        again = "resume" if act in ("run", "resume") else act
        if self.fired:
            for _ in range(ROUNDS):
                told = self._act(again)
                if told["state"] in ("done", "failed"):
                    break
                with opened(self.spec) as rein:
                    self._settled(rein)  # what nobody can ask about inside the graph
            else:
                self.notes.append(f"it cannot be brought to an end: {told}")
        elif told["state"] == "error":
            self.notes.append(f"unharmed, it ends in {told['why']}")
        if act in ("rollback", "recover"):
            return "back"
        return str(told["state"])

    def _recovered(self) -> None:
        """Recover, settle what a person must, and roll back whatever is there."""
        self._live("recover")
        with opened(self.spec) as rein:
            for _ in range(3):
                self._settled(rein)
                if not self._left(rein):
                    return
                told = self._live("rollback")
                if told["state"] == "error":
                    self.notes.append(f"the rollback ended in {told['why']}")

    def _left(self, rein: AgentRein) -> bool:
        """Whether anything is still to be rolled back."""
        sessions = rein.journal.sessions(thread_id=self.case)
        ended = all(one.status is SessionStatus.ROLLED_BACK for one in sessions)
        return not ended or bool(rein.journal.actions([one.id for one in sessions], statuses=TO_UNDO))

    def _settled(self, rein: AgentRein) -> None:
        ids = [one.id for one in rein.journal.sessions(thread_id=self.case)]
        for action in rein.journal.actions(ids) if ids else []:
            try:
                if action.status is Status.IN_DOUBT:
                    (rein.approve if self._happened("do", action.id) else rein.reject)(action.id, by="ana")
                elif action.status is Status.STUCK and not self._happened("undo", action.id):
                    rein.approve(action.id, by="ana")
            except AgentReinError as error:
                self.notes.append(f"a person could not settle {action.id}: {error}")

    # -- the person --------------------------------------------------------------------------------

    def _answers(self, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What somebody says who looks at the world, and tells the truth."""
        return [{"type": "approve" if self._yes(one) else "reject"} for one in asked]

    def _yes(self, asked: dict[str, Any]) -> bool:
        if asked["name"] == "agentrein_settle":
            return self._happened("do", asked["action_id"])
        if asked["name"] == "agentrein_undo":
            with opened(self.spec) as rein:
                status = rein.journal.get(asked["action_id"]).status
            if status is Status.IN_DOUBT:
                return self._happened("do", asked["action_id"])
            return not self._happened("undo", asked["action_id"])
        return True

    def _happened(self, kind: str, key: str) -> bool:
        return any((event.kind, event.key) == (kind, key) for event in self.lab.world.events(self.case))
