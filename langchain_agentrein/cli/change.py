"""Verbs that change something: plan (what would change), rollback, approve, reject, settle."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from langchain_agentrein.action import Action, SessionStatus, Status
from langchain_agentrein.cli.read import JsonOption, SessionOption, ThreadOption, place, source_of
from langchain_agentrein.cli.screen import confirmed, is_interactive, say, say_json, someone
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackPlan, RollbackReport

EXIT_UNSETTLED = 1
"""Something is left for a person."""

ToOption = Annotated[
    str | None, typer.Option("--to", metavar="ACTION", help="Undo only what came after this action.")
]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", metavar="ACTION", help="Undo just this one; may be given again.")
]
AllOption = Annotated[
    bool, typer.Option("--all-sessions", help="All sessions of the thread, not just its latest.")
]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who asks. (default: your login name)")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why, for the record.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class OnConflict(StrEnum):
    """What to do where somebody changed things since."""

    ASK = "ask"
    SKIP = "skip"
    FORCE = "force"


def plan(
    ctx: typer.Context,
    session: SessionOption = None,
    thread: ThreadOption = None,
    to: ToOption = None,
    only: OnlyOption = None,
    all_sessions: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a rollback would do, touching nothing."""
    rein = source_of(ctx).rein()
    found = rein.plan(**_scope(rein, session, thread, to, only, all_sessions))
    if as_json:
        say_json(rein.journal.redactor.mask(found.to_dict()))
    else:
        _show_plan(rein, found)


def rollback(
    ctx: typer.Context,
    session: SessionOption = None,
    thread: ThreadOption = None,
    to: ToOption = None,
    only: OnlyOption = None,
    all_sessions: AllOption = False,
    by: ByOption = None,
    reason: ReasonOption = None,
    yes: YesOption = False,
    approve_far_reaching: Annotated[
        bool,
        typer.Option(
            "--approve-far-reaching",
            help="With --yes: also run undos that reach people, move money, publish or trigger automation.",
        ),
    ] = False,
    on_conflict: Annotated[
        OnConflict | None,
        typer.Option(help="Where somebody changed things since: ask, skip, or overwrite."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Undo, newest effect first. Shows the plan, and asks."""
    if as_json and not yes:
        raise ConfigError("--json asks nobody: pass --yes with it")
    rein = source_of(ctx).rein()
    scope = _scope(rein, session, thread, to, only, all_sessions)
    found = rein.plan(**scope)
    if not as_json:
        _show_plan(rein, found)
    if not found.lines and not _unfinished(rein, found):
        if as_json:
            say_json(RollbackReport(found.session_ids).to_dict())
        return
    if found.lines and not confirmed("Roll this back?", yes=yes):
        say("nothing was done")
        raise typer.Exit(EXIT_UNSETTLED)
    approved = _approved(found, yes=yes, approve=approve_far_reaching)
    report = rein.rollback(
        **scope,
        by=someone(by),
        reason=reason,
        approve=found if approved else (),
        on_conflict=on_conflict.value if on_conflict is not None else None,
    )
    _show_report(rein, report, as_json=as_json)
    if not report.complete:
        raise typer.Exit(EXIT_UNSETTLED)


def approve(
    ctx: typer.Context,
    action_id: Annotated[str, typer.Argument(metavar="ACTION", help="Its id, or a beginning of it.")],
    by: ByOption = None,
    args: Annotated[
        str | None, typer.Option(metavar="JSON", help="Run it with these arguments instead.")
    ] = None,
) -> None:
    """Say yes: it may run; its far-reaching undo may run; or, in doubt, it did happen."""
    rein = source_of(ctx).rein()
    edited = None
    if args is not None:
        try:
            edited = json.loads(args)
        except ValueError as error:
            raise ConfigError(f"--args is no JSON: {error}") from error
        if not isinstance(edited, dict):
            raise ConfigError("--args is a JSON object with the action's arguments")
    before = rein.action(action_id)
    if edited is not None and before.status is not Status.PROPOSED:
        raise ConfigError(f"--args is for a call that waits; action {before.id} is {before.status}")
    action = rein.approve(before.id, by=someone(by), args=edited)
    say(f"{action.operation} {action.id}: {_APPROVED.get(before.status, str(action.status))}")
    _late(before, action)


_APPROVED = {
    Status.PROPOSED: "approved; it runs when its call comes again (resume the run)",
    Status.IN_DOUBT: "it did happen, you say; it can be rolled back",
    Status.EXECUTED: "its undo may run; `agentrein rollback` does it",
    Status.STUCK: "its undo may run; `agentrein rollback` does it",
}


def reject(
    ctx: typer.Context,
    action_id: Annotated[str, typer.Argument(metavar="ACTION", help="Its id, or a beginning of it.")],
    by: ByOption = None,
    reason: ReasonOption = None,
) -> None:
    """Say no: it may not run; or, in doubt, it did not happen."""
    rein = source_of(ctx).rein()
    before = rein.action(action_id)
    action = rein.reject(before.id, by=someone(by), reason=reason)
    said = "it did not happen, you say" if before.status is Status.IN_DOUBT else "rejected; it will not run"
    say(f"{action.operation} {action.id}: {said}")
    _late(before, action)


def settle(
    ctx: typer.Context,
    action_id: Annotated[str, typer.Argument(metavar="ACTION", help="Its id, or a beginning of it.")],
    by: ByOption = None,
    note: Annotated[
        str | None, typer.Option("--note", help="What was done about it, for the record.")
    ] = None,
) -> None:
    """Say that what an undo left has been seen to: undone by hand, found undone, or left on purpose."""
    rein = source_of(ctx).rein()
    action = rein.settle(rein.action(action_id).id, by=someone(by), note=note)
    say(f"{action.operation} {action.id}: settled; no rollback looks at it again")


def _scope(
    rein: AgentRein,
    session: str | None,
    thread: str | None,
    to: str | None,
    only: list[str] | None,
    all_sessions: bool,
) -> dict[str, Any]:
    if all_sessions and thread is None:
        raise ConfigError("--all-sessions goes with --thread")
    return {
        **place(rein, session, thread),
        "to": rein.action(to).id if to is not None else None,
        "only": [rein.action(one).id for one in only] if only else None,
        "all_sessions": all_sessions,
    }


def _unfinished(rein: AgentRein, found: RollbackPlan) -> bool:
    """Whether a session is still to be closed, though nothing of it is left to undo."""
    ended = {SessionStatus.ROLLED_BACK, SessionStatus.COMPLETED, SessionStatus.KEPT}
    return any(one.status not in ended for one in rein.journal.sessions(ids=found.session_ids))


def _approved(found: RollbackPlan, *, yes: bool, approve: bool) -> bool:
    """Whether a person allows the undos that reach further than putting things back."""
    if not found.asks:
        return False
    many = "1 of these undos reaches" if len(found.asks) == 1 else f"{len(found.asks)} of these undos reach"
    what = f"{many} further than putting things back"
    if yes:
        if not approve and is_interactive():
            say(f"{what}: left waiting, since --approve-far-reaching was not given", "yellow")
        return approve
    for line in found.asks:
        effects = ", ".join(sorted(map(str, line.undo_effects))) or f"{line.undo_risk} risk"
        say(f"  {line.action.operation} {line.action.id}: its undo {effects}", "yellow")
    return typer.confirm(f"{what}. Run them too?", default=False)


def _show_plan(rein: AgentRein, found: RollbackPlan) -> None:
    from langchain_agentrein.timeline import render_plan

    say(render_plan(found, mask=rein.journal.redactor.mask))


def _show_report(rein: AgentRein, report: RollbackReport, *, as_json: bool) -> None:
    from langchain_agentrein.timeline import render_report

    if as_json:
        say_json(rein.journal.redactor.mask(report.to_dict()))
    else:
        say()
        say(render_report(report, mask=rein.journal.redactor.mask))


def _late(before: Action, action: Action) -> None:
    if before.status is Status.PROPOSED and action.status is Status.EXPIRED:
        raise ConfigError(f"the question about action {action.id} had expired: nothing will run")
