"""Verbs that only look: sessions, timeline, show."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from langchain_agentrein.action import Json, SessionStatus
from langchain_agentrein.cli.screen import say, say_json
from langchain_agentrein.cli.source import Source
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.rein import AgentRein

SessionOption = Annotated[
    str | None, typer.Option("--session", "-s", metavar="ID", help="A session: its id, or a beginning of it.")
]
ThreadOption = Annotated[
    str | None, typer.Option("--thread", "-t", metavar="ID", help="A thread, as the agent's config names it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


class Format(StrEnum):
    """How a timeline can be written."""

    RICH = "rich"
    JSON = "json"
    MERMAID = "mermaid"
    HTML = "html"


def sessions(
    ctx: typer.Context,
    thread: ThreadOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    status: Annotated[
        list[SessionStatus] | None, typer.Option(help="Only these; may be given again.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List sessions, newest first."""
    from langchain_agentrein.timeline import Timeline, render_sessions

    rein = source_of(ctx).rein()
    found = rein.sessions(thread=thread, tenant=tenant, statuses=status or None, limit=limit + 1)
    shown = found[:limit]
    mask = rein.journal.redactor.mask
    if as_json:
        by_id = {one["id"]: one for one in Timeline(shown, mask=mask).to_dict()["sessions"]}
        say_json([by_id[one.id] for one in shown])
        return
    say(render_sessions(shown, mask=mask))
    if len(found) > limit:
        say(f"... and more: --limit {limit * 5}", "bright_black")


def timeline(
    ctx: typer.Context,
    session: SessionOption = None,
    thread: ThreadOption = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to write it.")] = Format.RICH,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there; .html means HTML.")
    ] = None,
) -> None:
    """Show what happened, why, and what became of it; the newest session unless told otherwise."""
    rein = source_of(ctx).rein()
    if output is not None and form is Format.RICH:
        form = _BY_SUFFIX.get(output.suffix.lower(), form)
    where = place(rein, session, thread, latest=True)
    if not where:
        say("no sessions")
        return
    told = rein.timeline(**where)
    if output is None and form is Format.RICH:
        say(told)
        return
    text = _written(told, form)
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}") from error
    say(f"written to {output.absolute()}")


_BY_SUFFIX = {
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".json": Format.JSON,
    ".mmd": Format.MERMAID,
    ".mermaid": Format.MERMAID,
}


def _written(told: Any, form: Format) -> str:
    import json

    match form:
        case Format.JSON:
            return json.dumps(told.to_dict(), indent=2, ensure_ascii=False)
        case Format.MERMAID:
            return str(told.to_mermaid())
        case Format.HTML:
            return str(told.to_html())
        case Format.RICH:
            return str(told)


def show(
    ctx: typer.Context,
    action_id: Annotated[str, typer.Argument(metavar="ACTION", help="Its id, or a beginning of it.")],
    full: Annotated[bool, typer.Option("--full", help="Show long lists whole.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one action with everything that is known of it."""
    from langchain_agentrein.timeline import render_action

    rein = source_of(ctx).rein()
    action = rein.action(action_id)
    if as_json:
        say_json(rein.timeline(session=action.session_id)[action.id].to_dict())
        return
    entries = rein.journal.entries([action.session_id])
    if not full:
        action = action.with_(**{name: _abridged(getattr(action, name)) for name in _LONG})
    say(render_action(action, entries=entries, mask=rein.journal.redactor.mask))


_LONG = ("args", "before", "receipt", "result", "after", "metadata")
MOST, FIELDS = 5, 40
"""Items of a list, and fields of a mapping, that are shown unless all are asked for."""


def _abridged(value: Json) -> Json:
    if isinstance(value, dict):
        shown = {name: _abridged(item) for name, item in list(value.items())[:FIELDS]}
        return shown | ({"...": f"{len(value) - FIELDS:,} more: --full"} if len(value) > FIELDS else {})
    if isinstance(value, list):
        more = [f"... {len(value) - MOST:,} more: --full"] if len(value) > MOST else []
        return [_abridged(item) for item in value[:MOST]] + more
    return value


def source_of(ctx: typer.Context) -> Source:
    """The global options."""
    source = ctx.obj
    assert isinstance(source, Source)
    return source


def place(
    rein: AgentRein, session: str | None, thread: str | None, *, latest: bool = False
) -> dict[str, Any]:
    """`session=` or `thread=` for a call on `rein`; a session may be named by a beginning of its id.

    Args:
        latest: Where neither is named, take the newest session, if there is any.
    Raises:
        ConfigError: Both are named, or neither, or several sessions begin like that.
    """
    if session is not None and thread is not None:
        raise ConfigError("name either --session or --thread")
    if thread is not None:
        return {"thread": thread}
    if session is None:
        if not latest:
            raise ConfigError("name a --session or a --thread: `agentrein sessions` lists them")
        newest = rein.sessions(limit=1)
        return {"session": newest[0].id} if newest else {}
    if rein.journal.session(session) is None:
        like = [one.id for one in rein.sessions() if one.id.startswith(session)]
        if len(like) > 1:
            raise ConfigError(f"{len(like)} sessions begin with {session!r}: {', '.join(sorted(like)[:5])}")
        session = like[0] if like else session
    return {"session": session}
