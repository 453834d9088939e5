"""Verbs that check: verify (the record), doctor (the environment)."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from langchain_agentrein.action import Json
from langchain_agentrein.cli.able import credentials
from langchain_agentrein.cli.keep import records_of, text_of
from langchain_agentrein.cli.read import JsonOption, SessionOption, ThreadOption, place, source_of
from langchain_agentrein.cli.screen import console, say, say_json
from langchain_agentrein.cli.source import JOURNAL_ENVIRONMENT, Source
from langchain_agentrein.errors import AgentReinError, ConfigError
from langchain_agentrein.journal import Redactor, found_version
from langchain_agentrein.journal.sealing import ENVIRONMENT as SEAL_ENVIRONMENT
from langchain_agentrein.timeline.shown import clean

DISTRIBUTION = "langchain-agentrein"
NEEDED = tuple("langchain langchain-core langgraph pydantic sqlalchemy sqlglot jinja2 rich typer".split())
EXIT_BAD = 1
_COLLECTIONS = frozenset({"all", "dev", "test"})
"""Extras that only gather others, or are for work on this package."""


def verify(
    ctx: typer.Context,
    session: SessionOption = None,
    thread: ThreadOption = None,
    heads: Annotated[
        bool, typer.Option("--heads", help="Print each session's last hash, to keep it elsewhere.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Heads that were kept: finds a chain cut or rewritten as a whole."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check the chains of an export instead; no journal needed."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the record: every link, every payload, every row. Exit code 1 if it was altered."""
    if export is not None:
        _verify_export(export)
        return
    rein = source_of(ctx).rein()
    where: dict[str, Any] = place(rein, session, thread) if session is not None or thread is not None else {}
    if against is not None:
        where["against"] = _kept(against)
    checked = rein.verify(**where)
    if as_json:
        say_json(
            {
                "ok": checked.ok,
                "sessions": checked.sessions,
                "entries": checked.entries,
                "problems": checked.problems,
                "heads": checked.heads,
            }
        )
    else:
        say(str(checked), "green" if checked.ok else "bold red")
        if heads:
            for one, head in sorted(checked.heads.items()):
                typer.echo(f"{head}  {one}")
    if not checked.ok:
        raise typer.Exit(EXIT_BAD)


def _kept(file: Path) -> Json:
    try:
        return json.loads(text_of(file))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} holds no heads: {error}") from error


def _verify_export(file: Path) -> None:
    from langchain_agentrein.journal.export import check as check_export

    records = records_of(file)
    problems = check_export(records)
    for session, found in problems.items():
        for problem in found:
            say(f"{clean(session)}: {clean(problem)}", "bold red")
    chains = sum(isinstance(one, dict) and one.get("kind") == "chain" for one in records)
    if problems or not chains:
        say("" if problems else "it holds no chain", "bold red")
        raise typer.Exit(EXIT_BAD)
    say(f"the export is whole: {chains} chain(s)", "green")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        verdict: `ok`, `note`: it works, but know this; `bad`: it will not work.
    """

    what: str
    verdict: str
    said: str


_STYLES = {"ok": "green", "note": "yellow", "bad": "bold red"}


def doctor(
    ctx: typer.Context,
    repo: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Say what GitHub's credentials can do in this repository."),
    ] = None,
) -> None:
    """Check the environment: versions, the journal, the seal key, optional packages, and what credentials can undo."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    bad = False
    for finding in _findings(source_of(ctx)):
        bad = bad or finding.verdict == "bad"
        table.add_row(Text(finding.verdict, _STYLES[finding.verdict]), finding.what, Text(finding.said))
    console().print(table)
    if not bad:
        for told in credentials(source_of(ctx), repo):
            console().print(told)
    if bad:
        raise typer.Exit(EXIT_BAD)


def version_of(distribution: str) -> str | None:
    """The version that is installed, or `None`."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _findings(source: Source) -> Iterator[Finding]:
    system = f"{platform.python_version()} on {platform.system()}"
    yield Finding("Python", "ok" if sys.version_info >= (3, 11) else "bad", system)
    own = version_of(DISTRIBUTION)
    yield Finding(DISTRIBUTION, "ok" if own else "note", own or "not installed: it runs from its source")
    for name in NEEDED:
        found = version_of(name)
        yield Finding(name, "ok" if found else "bad", found or f"missing: pip install {DISTRIBUTION}")
    yield _seal_key()
    yield _application(source) if source.application else _journal(source)
    yield from _extras()


def _seal_key() -> Finding:
    if not os.environ.get(SEAL_ENVIRONMENT):
        without = "actions whose snapshot holds a secret count as irreversible, and are asked about"
        return Finding("seal key", "note", f"{SEAL_ENVIRONMENT} is not set: {without}")
    from langchain_agentrein.journal.sealing import Vault

    try:
        Vault(None, Redactor())
    except AgentReinError as error:
        return Finding("seal key", "bad", Redactor().text(str(error)))
    return Finding("seal key", "ok", f"{SEAL_ENVIRONMENT} is set")


def _journal(source: Source) -> Finding:
    shown = Redactor().text(source.url)
    try:
        version = found_version(source.url)
        if version is None:
            made = f"none yet at {shown}: the first action makes it"
            hint = "" if source.journal else f"; name another with --journal or {JOURNAL_ENVIRONMENT}"
            return Finding("journal", "note", made + hint)
        rein = source.rein()
        open_ends = len(rein.sessions(limit=1000))
    except AgentReinError as error:
        return Finding("journal", "bad", Redactor().text(str(error)))
    many = "1,000 or more" if open_ends == 1000 else str(open_ends)
    return Finding("journal", "ok", f"{shown}: schema version {version}, sessions: {many}")


def _application(source: Source) -> Finding:
    try:
        engine = source.rein().journal.store.engine
    except AgentReinError as error:
        return Finding("application", "bad", Redactor().text(str(error)))
    where = engine.url.render_as_string(hide_password=True)
    return Finding("application", "ok", f"{source.application}, with its journal at {where}")


def _extras() -> Iterator[Finding]:
    """What each extra of the installed distribution still lacks."""
    from packaging.requirements import Requirement

    try:
        given = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return
    wanted = [Requirement(one) for one in given.get_all("Requires-Dist") or ()]
    for extra in given.get_all("Provides-Extra") or ():
        if extra in _COLLECTIONS:
            continue
        needs = [one for one in wanted if one.marker is not None and one.marker.evaluate({"extra": extra})]
        needs = [one for one in needs if one.marker is not None and not one.marker.evaluate({"extra": ""})]
        lacking = [one.name for one in needs if version_of(one.name) is None]
        if lacking:
            said = f"not installed ({', '.join(lacking)}): pip install '{DISTRIBUTION}[{extra}]'"
            yield Finding(f"extra {extra}", "note", said)
        else:
            yield Finding(
                f"extra {extra}", "ok", ", ".join(f"{one.name} {version_of(one.name)}" for one in needs)
            )
