"""Verbs that keep the record: forget, prune (what it must not keep), heads, export (what is kept elsewhere)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from langchain_agentrein.action import Json
from langchain_agentrein.cli.change import EXIT_UNSETTLED, ByOption, YesOption
from langchain_agentrein.cli.read import SessionOption, ThreadOption, place, source_of
from langchain_agentrein.cli.screen import confirmed, say, someone
from langchain_agentrein.errors import ConfigError

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")]

_AGE = re.compile(r"([0-9]{1,6})([hdw])", re.ASCII)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Form(StrEnum):
    """How an export can be written."""

    JSONL = "jsonl"
    JSON = "json"


def forget(
    ctx: typer.Context,
    session: SessionOption = None,
    thread: ThreadOption = None,
    before: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="All sessions that ended before this (UTC)."
        ),
    ] = None,
    mentioning: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="All sessions that mention it, such as a person's mail address."),
    ] = None,
    by: ByOption = None,
    yes: YesOption = False,
) -> None:
    """Erase the payloads of ended sessions: arguments, snapshots, reasons. The chain still verifies."""
    rein = source_of(ctx).rein()
    where: dict[str, Any] = {}
    if session is not None or thread is not None or (before is None and mentioning is None):
        where = dict(place(rein, session, thread))
    if before is not None:
        where["before"] = before.replace(tzinfo=UTC)
    if mentioning is not None:
        where["mentioning"] = mentioning
    what = " ".join(str(value) for value in where.values())
    if not confirmed(f"Forget the payloads of {what}? What is forgotten cannot be undone any more.", yes=yes):
        say("nothing was done")
        raise typer.Exit(EXIT_UNSETTLED)
    erased = rein.forget(**where, by=someone(by))
    _forgotten(erased)


def prune(
    ctx: typer.Context,
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Such as 90d, 12w, 48h.")],
    by: ByOption = None,
    yes: YesOption = False,
) -> None:
    """Forget whatever ended longer ago than that. Sessions that are still open stay."""
    age = age_of(older_than)
    rein = source_of(ctx).rein()
    question = (
        f"Forget every session that ended more than {older_than} ago? None of it can be undone any more."
    )
    if not confirmed(question, yes=yes):
        say("nothing was done")
        raise typer.Exit(EXIT_UNSETTLED)
    _forgotten(rein.prune(older_than=age, by=someone(by)))


def heads(ctx: typer.Context, output: OutputOption = None) -> None:
    """Sign each session's head with AGENTREIN_HEADS_KEY: keep it elsewhere, for verify --against."""
    _write(json.dumps(source_of(ctx).rein().heads(), indent=2), output)


def export(
    ctx: typer.Context,
    session: SessionOption = None,
    thread: ThreadOption = None,
    form: Annotated[
        Form, typer.Option("--format", "-f", help="A line for each record, or one list.")
    ] = Form.JSONL,
    output: OutputOption = None,
) -> None:
    """Write what is known of a session, redacted, with its chain: verify --export checks it anywhere."""
    rein = source_of(ctx).rein()
    records = rein.export(**place(rein, session, thread))
    if form is Form.JSON:
        _write(json.dumps(records, indent=2, default=str), output)
    else:
        _write("\n".join(json.dumps(one, default=str) for one in records), output)


def age_of(text: str) -> timedelta:
    """`90d`, `12w` or `48h` as a duration.

    Raises:
        ConfigError: It is none.
    """
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{text[:40]!r} is no age: write 90d, 12w or 48h")
    return int(found[1]) * _UNITS[found[2]]


def records_of(file: Path) -> list[Json]:
    """What `export` wrote, in either form.

    Raises:
        ConfigError: It cannot be read.
    """
    text = text_of(file)
    try:
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is no export: {error}") from error


def text_of(file: Path) -> str:
    """A file's text.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error


def _forgotten(erased: int) -> None:
    say(f"{erased} session{'s' if erased != 1 else ''} forgotten; the chain still verifies")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}") from error
    say(f"written to {output.absolute()}")
