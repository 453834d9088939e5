"""The verb `recover`: once, or for as long as it runs."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
from typing import Annotated

import typer

from langchain_agentrein.action import Action, SessionStatus, Status
from langchain_agentrein.cli.change import EXIT_UNSETTLED
from langchain_agentrein.cli.held import outcome
from langchain_agentrein.cli.read import JsonOption
from langchain_agentrein.cli.screen import say, say_json
from langchain_agentrein.cli.source import Source
from langchain_agentrein.engine import Scope, may_retry
from langchain_agentrein.errors import ConfigError, JournalUnavailable
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackReport

MAX_AWAY = 600.0
"""Seconds between two looks at a journal that does not answer, at most."""


def recover(
    ctx: typer.Context,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, until it is stopped.")] = False,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.05, help="With --watch: how often.")
    ] = 30.0,
    retries: Annotated[
        int,
        typer.Option(min=0, help="How often an undo that failed is tried again before it is a dead letter."),
    ] = 0,
    pause: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="Before the first such try; doubled for each further one."
        ),
    ] = 30.0,
) -> None:
    """Settle what dead workers left under way, finish the rollbacks they had begun, do what was held and is due."""
    source: Source = ctx.obj
    rein = source.rein()
    if watch:
        if as_json:
            raise ConfigError("--json tells once: leave out --watch")
        _watch(rein, every, retries, pause)
        return
    report = asyncio.run(rein.arecover(retries=retries, pause=pause))
    if as_json:
        say_json(rein.journal.redactor.mask(report.to_dict()))
    elif not report.lines:
        say("nothing was left under way")
    else:
        _tell(rein, report)
    if not as_json:
        _tell_waiting(rein)
    if any(line.outcome not in _SETTLED for line in report):
        raise typer.Exit(EXIT_UNSETTLED)


_FOUND_OUT = {
    "executed": "it did happen; its session can be resumed, or rolled back",
    "failed": "it did not happen; nothing is left of it",
}
_SETTLED = {*_FOUND_OUT, "restored", "compensated", "irreversible"}


def _tell(rein: AgentRein, report: RollbackReport) -> None:
    from langchain_agentrein.timeline import render_report

    for line in report:
        if line.released:
            said = outcome(rein, rein.journal.get(line.action_id))
            say(f"{line.operation} {line.action_id}: it was held, and due; {said}")
        elif line.outcome in _FOUND_OUT:
            say(f"{line.operation} {line.action_id}: {_FOUND_OUT[line.outcome]}")
    walked = tuple(line for line in report if line.outcome not in _FOUND_OUT and not line.released)
    if walked:
        say(render_report(RollbackReport(report.session_ids, walked), mask=rein.journal.redactor.mask))


def _tell_waiting(rein: AgentRein) -> None:
    if held := len(rein.held()):
        say(f"{held} {'action is' if held == 1 else 'actions are'} held: `agentrein held`", "yellow")
    waiting = rein.sessions(statuses=[SessionStatus.OPEN, SessionStatus.SUPERSEDED, SessionStatus.STUCK])
    if waiting:
        many = "1 session is" if len(waiting) == 1 else f"{len(waiting)} sessions are"
        say(
            f"{many} still open, superseded or stuck: resume the thread, or `agentrein rollback` it", "yellow"
        )


def _watch(rein: AgentRein, every: float, retries: int, pause: float) -> None:
    """Recover again and again; tell what was done, and once of each undo that is left to a person."""
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    told: set[str] = set()
    away = 0
    while not stop.is_set():
        try:
            report = asyncio.run(rein.arecover(retries=retries, pause=pause))
            letters = rein.journal.unsettled(statuses=[Status.STUCK, Status.CONFLICT, Status.IN_DOUBT])
            letters += [one for one in rein.journal.on_hold() if one.error]
            dead = [rein.journal.get(one.id) for one in letters if one.id not in told]
        except JournalUnavailable as error:
            say(str(error), "yellow")
            wait, away = min(every * 2**away, MAX_AWAY), away + 1
        else:
            told &= {one.id for one in letters}
            changed = tuple(line for line in report if line.outcome in _SETTLED)
            if changed:
                _tell(rein, RollbackReport(report.session_ids, changed))
            for action in dead:
                if not _comes_again(rein, action, retries):
                    told.add(action.id)
                    say(_letter(rein, action), "yellow")
            wait, away = every, 0
        # Not all at the same moment, where several watch one journal.
        stop.wait(wait * random.uniform(0.8, 1.2))


def _comes_again(rein: AgentRein, action: Action, retries: int) -> bool:
    """Whether it is tried again here: only in a session that was to be rolled back whole."""
    session = rein.journal.session(action.session_id)
    whole = session is not None and session.status is SessionStatus.STUCK and Scope.of(session).whole
    return whole and may_retry(action, retries)


def _letter(rein: AgentRein, action: Action) -> str:
    held = (action.error or {}).get("message") if action.on_hold else None
    why = action.undo.error or (action.error or {}).get("unsettled") or held
    why = why or "nobody can tell whether it happened"
    text = rein.journal.redactor.text(why)
    return (
        f"left to a person: {action.operation} {action.id} of {action.session_id} is {action.status}: {text}"
    )
