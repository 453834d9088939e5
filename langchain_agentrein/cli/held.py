"""Verbs for what is held: held (what waits, and for what), release, drop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from langchain_agentrein.action import Action, Json, SessionRecord, Status
from langchain_agentrein.cli.change import EXIT_UNSETTLED, ByOption, ReasonOption
from langchain_agentrein.cli.read import JsonOption, SessionOption, ThreadOption, place, source_of
from langchain_agentrein.cli.screen import say, say_json, someone
from langchain_agentrein.engine import due_at
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.timeline.shown import brief, iso, stamp

ActionArgument = Annotated[str, typer.Argument(metavar="ACTION", help="Its id, or a beginning of it.")]


def held(
    ctx: typer.Context,
    session: SessionOption = None,
    thread: ThreadOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is held and not done yet, and what it waits for."""
    rein = source_of(ctx).rein()
    where = place(rein, session, thread) if session or thread else {}
    waiting = rein.held(**where)
    sessions = {one.id: one for one in rein.journal.sessions(ids={action.session_id for action in waiting})}
    if as_json:
        say_json([_as_json(rein, action, sessions.get(action.session_id)) for action in waiting])
        return
    for action in waiting:
        _show(rein, action, sessions.get(action.session_id))
    if not waiting:
        say("nothing is held")


def release(ctx: typer.Context, action_id: ActionArgument, by: ByOption = None) -> None:
    """Do what is held, now, though its session may still be open."""
    rein = source_of(ctx).rein()
    action = asyncio.run(rein.arelease(rein.action(action_id).id, by=someone(by)))
    say(f"{action.operation} {action.id}: {outcome(rein, action)}")
    if action.status is not Status.EXECUTED:
        raise typer.Exit(EXIT_UNSETTLED)


def drop(
    ctx: typer.Context, action_id: ActionArgument, by: ByOption = None, reason: ReasonOption = None
) -> None:
    """Let go of what is held: it is never done."""
    rein = source_of(ctx).rein()
    action = rein.drop(rein.action(action_id).id, by=someone(by), reason=reason)
    say(f"{action.operation} {action.id}: dropped; it is never done")


def outcome(rein: AgentRein, action: Action) -> str:
    """What came of a release."""
    if action.status is Status.EXECUTED:
        return "done; it can be rolled back" if action.reversal != "none" else "done; nothing undoes it"
    why = rein.journal.redactor.text(str((action.error or {}).get("message", "")))
    return _CAME_OF_IT.get(action.status, str(action.status).replace("_", " ")) + (f": {why}" if why else "")


_CAME_OF_IT = {
    Status.FAILED: "it failed, and was certainly not done",
    Status.IN_DOUBT: "it may have been done, and nobody can tell",
    Status.EXECUTING: "another process is doing it just now",
}


def _show(rein: AgentRein, action: Action, session: SessionRecord | None) -> None:
    mask = rein.journal.redactor.mask
    about = brief(mask(action.args))
    say(f"{action.operation}  {about}" if about else action.operation, "bold")
    say(f"  {action.id}  session {action.session_id}", "bright_black")
    say(f"  {_waits_for(action, session)}", "yellow")
    if action.intent.text:
        say(f"  why: {rein.journal.redactor.text(action.intent.text)}")
    if action.error:
        say(f"  {rein.journal.redactor.text(str(action.error.get('message')))}", "yellow")


def _waits_for(action: Action, session: SessionRecord | None) -> str:
    due = due_at(action, session)
    if due is not None and due <= datetime.now(UTC):
        return "due: `agentrein recover` does it"
    if due is not None:
        return f"due at {stamp(due)}, when `agentrein recover` does it"
    if action.approval is None or action.approval.release_after is None:
        return "waits for a person: `agentrein release` or `agentrein drop`"
    status = str(session.status).replace("_", " ") if session is not None else "gone"
    if status == "superseded":
        return "its session was superseded: `agentrein release` or `agentrein drop`"
    return f"waits for its session to complete, which is {status}"


def _as_json(rein: AgentRein, action: Action, session: SessionRecord | None) -> dict[str, Json]:
    due = due_at(action, session)
    said: dict[str, Any] = {
        "id": action.id,
        "operation": action.operation,
        "session_id": action.session_id,
        "session_status": str(session.status) if session is not None else None,
        "thread_id": action.thread_id,
        "args": action.args,
        "why": action.intent.text,
        "held_at": iso(action.created_at),
        "due_at": iso(due),
        "waits_for": _waits_for(action, session),
        "error": (action.error or {}).get("message"),
    }
    masked: dict[str, Json] = rein.journal.redactor.mask(said)
    return masked
