"""Runs a story, does harm at one of its boundaries, has it go on, and has it judged."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.action import TO_UNDO, SessionStatus
from langchain_agentrein.errors import AgentReinError
from tests.lab.child import DENIED, HELD, SCENARIOS, Spec, opened
from tests.lab.enumerate import in_gap
from tests.lab.judge import BEFORE, Case, Verdict, judge
from tests.lab.stories import STORIES, Setting, Story, Trial
from tests.lab.world import FAULTS, World
from tests.lab.zygote import Zygote

ROUNDS = 14
"""Lives after which a story that neither ends nor fails is an anomaly."""
SHORT_LEASE = 0.6


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
        kinds: Who plays the settings of a database, where that is not the world of this module.
    """

    home: Path
    world: World
    url: str
    zygote: Zygote
    other: Zygote
    postgres: str = ""
    name: str = "lab"
    kinds: Mapping[str, Callable[[Lab, Trial, str], Playing]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def try_(self, trial: Trial) -> Outcome:
        """Play it, have it go on, and judge."""
        kind = self.kinds.get(trial.setting.database, Playing)
        playing = kind(self, trial, f"{self.name}-{next(self._numbers)}")
        try:
            return playing.play()
        finally:
            playing.forget()
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


class Playing:
    """One trial, as it is played in this module's world."""

    faults: Sequence[str] = FAULTS

    def __init__(self, lab: Lab, trial: Trial, case: str) -> None:
        self.lab, self.trial, self.case = lab, trial, case
        self.story = self.stories()[trial.story]
        self.home = lab.home / case
        self.home.mkdir()
        self.lives, self.fired, self.anew = 0, False, False
        self.reached: list[list[str]] = []
        self.notes: list[str] = []
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
        self.prepare()

    # -- what its world is ---------------------------------------------------------------------------

    def stories(self) -> Mapping[str, Story]:
        """What can be played in it."""
        return STORIES

    def prepare(self) -> None:
        """Have there what is there before."""
        for thing, value in BEFORE.items():
            self.lab.world.put(self.case, thing, value)

    def forget(self) -> None:
        """The trial is over."""
        self.lab.world.forget(self.case)

    def fail(self, nth: int, fault: str) -> None:
        """Let the `nth` change that is asked for from now on go wrong."""
        self.lab.world.fail(self.case, nth, fault)

    def happened(self, kind: str, key: str) -> bool:
        """Whether `do` or `undo` of an action happened, as somebody sees who looks at the world."""
        return any((event.kind, event.key) == (kind, key) for event in self.lab.world.events(self.case))

    def opened(self) -> AgentRein:
        """The case's journal."""
        return opened(self.spec)

    def verdict(self, ended: str, rein: AgentRein) -> Verdict:
        """What the promises say of how it ended."""
        turns = SCENARIOS[self.story.scenario]
        wanted = tuple(call for turn in turns for call in turn if call[0] != "charge" and call[1] != DENIED)
        stopped = self.trial.harm == "stop"
        case = Case(
            self.case,
            ended,
            wanted,
            HELD,
            gap=stopped and in_gap(self.trial.point),
            late=stopped and self.story.scenario == "together",
            lossy=self.anew,
        )
        return judge(case, self.lab.world, rein)

    # -- the trial -----------------------------------------------------------------------------------

    def play(self) -> Outcome:
        told: dict[str, Any] = {}
        act, ended = "run", ""
        left = list(self.story.acts)
        while left:
            act, deadly = left.pop(0)
            told = self.act(act, deadly)
            if self.fired:
                break
            ended = str(told["state"]) if act != "forget" else ended
        ended = self._ends(ended, told, act)
        if self.trial.ending == "resume":
            for act, _ in left:
                ended = self._ends(ended, self.act(act), act)
        harmed = self.fired
        self._live("recover")
        if self.fired and not harmed:  # that was where harm was done
            self._live("recover")
            rolled = self.trial.harm == "stop" and self.trial.ending == "recover" and act != "forget"
            ended = "back" if rolled else ended  # what is forgotten is not undone any more
        with self.opened() as rein:
            verdict = self.verdict(ended, rein)
        verdict = replace(verdict, anomalies=(*self.notes, *verdict.anomalies))
        return Outcome(self.trial, verdict, self.reached, self.fired, self.lives)

    # -- one life after the other ------------------------------------------------------------------

    def act(self, act: str, deadly: str = "") -> dict[str, Any]:
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
        if harmed and trial.harm in self.faults:
            self.fired = True
            self.fail(int(trial.point), trial.harm)
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
        if harmed and trial.harm not in self.faults:
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
                told = self.act(again)
                if told["state"] in ("done", "failed"):
                    break
                with self.opened() as rein:
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
        with self.opened() as rein:
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
                    (rein.approve if self.happened("do", action.id) else rein.reject)(action.id, by="ana")
                elif action.status is Status.STUCK and not self.happened("undo", action.id):
                    rein.approve(action.id, by="ana")
            except AgentReinError as error:
                self.notes.append(f"a person could not settle {action.id}: {error}")

    # -- the person --------------------------------------------------------------------------------

    def _answers(self, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What somebody says who looks at the world, and tells the truth."""
        return [{"type": "approve" if self._yes(one) else "reject"} for one in asked]

    def _yes(self, asked: dict[str, Any]) -> bool:
        if asked["name"] == "agentrein_settle":
            return self.happened("do", asked["action_id"])
        if asked["name"] == "agentrein_undo":
            with self.opened() as rein:
                status = rein.journal.get(asked["action_id"]).status
            if status is Status.IN_DOUBT:
                return self.happened("do", asked["action_id"])
            return not self.happened("undo", asked["action_id"])
        return True
