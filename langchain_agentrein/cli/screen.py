"""What the commands print with: one console for answers, one for complaints."""

from __future__ import annotations

import getpass
import json
import os
import sys
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from langchain_agentrein.action import Json
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.journal import Redactor
from langchain_agentrein.timeline.shown import UNSEEN, clean

WIDTH = 100
"""Columns where no terminal says."""


def console(*, errors: bool = False) -> Console:
    """A console on what standard output (or error) is right now."""
    stream = sys.stderr if errors else sys.stdout
    narrow = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, width=WIDTH if narrow else None, highlight=False, soft_wrap=False)


def say(what: Any = "", style: str | None = None) -> None:
    """Print a text without what a terminal would obey, or whatever rich can render."""
    if isinstance(what, str):
        what = Text(clean(what), style or "")
    console().print(what)


def say_json(value: Json) -> None:
    """Print JSON, for a program to read."""
    said = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    # JSON itself escapes the oldest control characters alone; the escaped ones mean the same to a program.
    typer.echo(UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], said))


def complain(error: BaseException, source: Any = None) -> None:
    """Say in one line what went wrong, without secrets."""
    redactor = getattr(source, "redactor", None) or Redactor()
    line = " ".join(redactor.text(clean(str(error))).split())
    console(errors=True).print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)


def someone(by: str | None) -> str:
    """Who asks: as given, else the login name."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ConfigError("this process has no login name: say who you are with --by NAME") from error


def is_interactive() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person.

    Raises:
        ConfigError: There is nobody to ask.
    """
    if yes:
        return True
    if not is_interactive():
        raise ConfigError("nobody can be asked here (standard input is no terminal): pass --yes")
    return typer.confirm(question, default=False)
