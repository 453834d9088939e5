"""What the promises say of a case, compared with what the world saw and what the journal says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.action import UNDONE, Action, Reversal, SessionStatus
from tests.lab.world import Event, World

BEFORE = {"b": "old"}
"""What is there before a case begins."""
HAPPENED = {*UNDONE, Status.EXECUTED, Status.IN_DOUBT, Status.CONFLICT, Status.STUCK}
"""A record in which an effect is at home: it happened, or may have, and somebody is told."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, in sentences, and what was counted on the way."""

    anomalies: tuple[str, ...]
    sessions: int
    effects: int
    undos: int


@dataclass(frozen=True, slots=True)
class Case:
    """What a case is judged by.

    Attributes:
        ended: `done`: the agent said so; `failed`: it failed, and was walked back; `back`: it was rolled back.
        wanted: What the model called, `(tool, thing)`, that has an effect.
        held: Things that are acted on when the session completes: at most once, and told where it was not.
        gap: A worker slept beyond its lease between its record, or its fence, and its request: it may come late, and
            nobody but the service can refuse it.
        late: A sibling of the call that was stopped may have been in that gap: its effect may be recorded as a further
            generation, and nothing else is allowed to it.
        lossy: Every checkpoint of the thread was lost, and the message was sent once more: that is another turn, which
            does again what the first one did.
    """

    name: str
    ended: str
    wanted: tuple[tuple[str, str], ...]
    held: frozenset[str] = frozenset()
    gap: bool = False
    late: bool = False
    lossy: bool = False


def judge(case: Case, world: World, rein: AgentRein) -> Verdict:
    """Compare."""
    sessions = rein.journal.sessions(thread_id=case.name)
    actions = rein.journal.actions([one.id for one in sessions]) if sessions else []
    events = world.events(case.name)
    if case.gap or case.late:
        events = _late(events, actions)
    known = {action.id: action for action in actions}
    found = [
        *_recorded(events, known),
        *_once(events, actions, case),
        *_told_truly(events, actions),
        *_newest_first(events, known, case),
        *_ended(case, world.things(case.name), events, actions, [one.status for one in sessions]),
    ]
    if sessions and not (checked := rein.journal.verify([one.id for one in sessions])).ok:
        found.append(f"the chain does not verify: {checked}")
    kinds = Counter(event.kind for event in events)
    return Verdict(tuple(found), len(sessions), kinds["do"], kinds["undo"])


def _late(events: Sequence[Event], actions: Sequence[Action]) -> list[Event]:
    """What came after a probe had said that it would not is recorded as a further generation."""
    failed = {action.id for action in actions if action.status is Status.FAILED}
    done = {event.key for event in events if event.kind == "do"}
    again = {
        action.parent_id: action.id
        for action in actions
        if action.parent_id in failed and action.id not in done
    }
    return [replace(event, key=again.get(event.key) or event.key) for event in events]


def _recorded(events: Sequence[Event], known: dict[str, Action]) -> Iterator[str]:
    """P1, P3: every effect has its record, in a state that says that it happened."""
    for event in events:
        action = known.get(event.key)
        if action is None:
            yield f"P1: {event.kind} of {event.thing} has no record ({event.key})"
        elif action.status not in HAPPENED:
            yield f"P3: {event.kind} of {event.thing} happened, and its action is {action.status}"


def _once(events: Sequence[Event], actions: Sequence[Action], case: Case) -> Iterator[str]:
    """P2, P5: one effect a call that is not undone, one undo an effect."""
    for (kind, key), n in Counter((event.kind, event.key) for event in events).items():
        if n > 1 and not (case.gap and kind == "undo"):
            yield f"P{2 if kind == 'do' else 5}: {kind} for {key} happened {n} times"
    calls = {action.id: action.call_key for action in actions}
    live: Counter[str] = Counter()
    for event in events:
        call = calls.get(event.key, event.key)
        live[call] += 1 if event.kind == "do" else -1
        if live[call] > 1 and not case.gap:
            yield f"P2: the call of {event.thing} has {live[call]} effects at once"
        if live[call] < 0 and not case.gap:
            yield f"P5: {event.thing} was undone before it was done"


def _told_truly(events: Sequence[Event], actions: Sequence[Action]) -> Iterator[str]:
    """P3, P7: no record says more than what happened, and none is left under way."""
    did = {(event.kind, event.key) for event in events}
    for action in actions:
        name = f"{action.operation} {action.args} ({action.id})"
        if action.status in (Status.EXECUTING, Status.COMPENSATING):
            yield f"P3: {name} is still {action.status} after recover"
        if action.status is Status.EXECUTED and ("do", action.id) not in did:
            yield f"P3: {name} is executed, and never happened"
        if action.status is Status.RESTORED and ("undo", action.id) not in did:
            yield f"P7: {name} is restored, and was never undone"
        if action.status is Status.COMPENSATED and ("undo", action.id) not in did:
            yield f"P7: {name} is compensated, and was never undone"
        if action.status is Status.EXECUTED and ("undo", action.id) in did:
            yield f"P3: {name} is executed, and was undone"


def _newest_first(events: Sequence[Event], known: dict[str, Action], case: Case) -> Iterator[str]:
    """P4: in each session the undos go down the stack. One that is sent again from the gap comes when it comes."""
    last: dict[str, int] = {}
    undone: set[str] = set()
    for event in events:
        action = known.get(event.key)
        if action is None:
            continue
        if event.kind == "do":
            last.pop(action.session_id, None)  # a new effect: another walk
            continue
        if event.key in undone and case.gap:
            continue
        undone.add(event.key)
        seq = action.seq or 0
        if seq > last.get(action.session_id, seq):
            yield f"P4: the undo of {event.thing} ({seq}) came after that of an older effect"
        last[action.session_id] = seq


def _ended(
    case: Case,
    things: dict[str, Any],
    events: Sequence[Event],
    actions: Sequence[Action],
    sessions: Sequence[SessionStatus],
) -> Iterator[str]:
    """P7, P8: a run that says it is done is done, once; what was rolled back is as before, or somebody is told."""
    undone = {event.key for event in events if event.kind == "undo"}
    live = [event for event in events if event.kind == "do" and event.key not in undone]
    if SessionStatus.ROLLING_BACK in sessions:
        yield "P8: a session is still being rolled back after recover"
    if case.ended == "done":
        yield from _done(case, live, actions, sessions)
        return
    for action in actions:
        if action.on_hold:
            yield f"P8: it failed or was rolled back, and {action.args} is still held"
    waits = [
        action for action in actions if action.status in (Status.STUCK, Status.CONFLICT, Status.IN_DOUBT)
    ]
    waiting = {action.id for action in waits}
    known = {action.id: action for action in actions}
    for event in live:
        # What lies below an undo that waits for a person waits with it.
        if event.key not in waiting and not any(_below(known.get(event.key), top) for top in waits):
            yield f"P4: {event.thing} was rolled back, and is still there, and nobody is told"
    if not waiting:
        kept = {name: value for name, value in things.items() if name in ("a", "b", "e", "h")}
        if kept != BEFORE:
            yield f"P6: rolled back, and the world is {kept}, not {BEFORE}"
    hopeless = {a.id for a in actions if a.reversal is Reversal.NONE}
    if waiting - hopeless and SessionStatus.STUCK not in sessions:
        yield f"P7: something waits for a person, and no session is stuck: {sessions}"


def _done(
    case: Case, live: Sequence[Event], actions: Sequence[Action], sessions: Sequence[SessionStatus]
) -> Iterator[str]:
    """P2: what was called is there, once; what was held, at most once, and told where it is not."""
    have = Counter(event.thing for event in live)
    replayed = case.lossy and sessions.count(SessionStatus.COMPLETED) > 1
    told = {
        (action.args or {}).get("thing")
        for action in actions
        if action.status in (Status.FAILED, Status.IN_DOUBT)
    }
    for _, thing in case.wanted:
        if thing in case.held & told and have[thing] == 0:
            continue
        if have[thing] != 1 and not case.gap and not (replayed and have[thing] > 1):
            yield f"P2: the run is done, and {thing} was done {have[thing]} times"


def _below(action: Action | None, top: Action) -> bool:
    return action is not None and action.session_id == top.session_id and (action.seq or 0) < (top.seq or 0)
