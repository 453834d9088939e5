"""Whatever several workers try, and in whatever order: only legal steps are taken, by whoever holds the action."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from langchain_agentrein.action import TRANSITIONS, Action, SessionStatus, Status
from langchain_agentrein.errors import LostRace, SessionFrozen, TransitionError
from langchain_agentrein.journal import Journal
from langchain_agentrein.journal.chain import PATH
from tests.support.journals import SESSION, action

WORKERS = st.integers(0, 1)
KEYS = st.sampled_from(["", "k1", "k2"])


class Workers(RuleBasedStateMachine):
    """Two journals on one database, and a model of what they must agree on."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self.directory.name) / 'journal.db'}"
        self.journals = [Journal(url), Journal(url)]
        self.seen: list[dict[str, Action]] = [{}, {}]
        self.truth: dict[str, tuple[Status, int]] = {}
        self.calls: set[tuple[str, int]] = set()
        self.begun: list[str] = []
        self.session = SessionStatus.OPEN

    def teardown(self) -> None:
        for journal in self.journals:
            journal.close()
        self.directory.cleanup()

    @initialize()
    def open(self) -> None:
        self._keep(0, self.journals[0].begin(action(), SESSION))

    def _keep(self, worker: int, known: Action) -> None:
        if known.seq is not None and known.id not in self.begun:
            self.begun.append(known.id)
        self.seen[worker][known.id] = known
        self.truth[known.id] = (known.status, known.fence)

    @rule(worker=WORKERS, status=st.sampled_from(sorted(PATH)), key=KEYS, generation=st.integers(1, 2))
    def begin(self, worker: int, status: Status, key: str, generation: int) -> None:
        frozen = self.session is not SessionStatus.OPEN and status is not Status.DENIED
        taken = bool(key) and (key, generation) in self.calls
        new = action(status, call_key=key, generation=generation)
        try:
            self._keep(worker, self.journals[worker].begin(new, SESSION))
        except SessionFrozen:
            assert frozen
        except LostRace:
            assert taken
        else:
            assert not frozen
            assert not taken
            if key:
                self.calls.add((key, generation))

    @rule(worker=WORKERS, data=st.data())
    def look(self, worker: int, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.truth)))
        self.seen[worker][one] = self.journals[worker].get(one)

    @rule(
        worker=WORKERS,
        data=st.data(),
        to=st.sampled_from(sorted(Status)),
        hold=st.sampled_from([None, 60.0]),
        released=st.booleans(),
    )
    def move(self, worker: int, data: st.DataObject, to: Status, hold: float | None, released: bool) -> None:
        if not self.seen[worker]:
            return
        known = self.seen[worker][data.draw(st.sampled_from(sorted(self.seen[worker])))]
        current = self.truth[known.id] == (known.status, known.fence)
        again = to is known.status is Status.COMPENSATING and hold is not None
        goes = to is Status.EXECUTING or (known.status is Status.HELD and to is Status.APPROVED)
        closed = self.session is not SessionStatus.OPEN
        frozen = goes and closed and not (released and self.session is SessionStatus.COMPLETED)
        try:
            moved = self.journals[worker].move(known, to, hold=hold, released=released)
        except LostRace:
            assert not current
        except SessionFrozen:
            assert frozen
        except TransitionError:
            assert to not in TRANSITIONS[known.status]
            assert not again
        else:
            assert current
            assert not frozen
            assert again or to in TRANSITIONS[known.status]
            self._keep(worker, moved)

    @rule(worker=WORKERS, data=st.data(), paused=st.booleans())
    def pause(self, worker: int, data: st.DataObject, paused: bool) -> None:
        if not self.seen[worker]:
            return
        known = self.seen[worker][data.draw(st.sampled_from(sorted(self.seen[worker])))]
        if known.status is not Status.EXECUTING:
            return
        try:
            self._keep(worker, self.journals[worker].pause(known, paused))
        except LostRace:
            assert self.truth[known.id] != (known.status, known.fence)
        except SessionFrozen:
            assert not paused
            assert self.session is not SessionStatus.OPEN

    @rule(
        worker=WORKERS,
        to=st.sampled_from([SessionStatus.OPEN, SessionStatus.ROLLING_BACK, SessionStatus.COMPLETED]),
    )
    def freeze(self, worker: int, to: SessionStatus) -> None:
        self.journals[worker].set_session(SESSION.id, to)
        self.session = to

    @invariant()
    def the_journal_says_what_came_to_pass(self) -> None:
        if not self.truth:
            return
        found = {one.id: one for one in self.journals[0].actions([SESSION.id])}
        assert {one.id: (one.status, one.fence) for one in found.values()} == self.truth
        assert [found[one].seq for one in self.begun] == list(range(1, len(self.begun) + 1))
        assert self.journals[1].verify()


Workers.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestWorkers = Workers.TestCase
