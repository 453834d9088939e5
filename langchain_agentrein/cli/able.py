"""What the doctor says of credentials: whether they can do, and undo, what the toolkits offer."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from langchain_agentrein.cli.source import Source
from langchain_agentrein.errors import AgentReinError, ConfigError
from langchain_agentrein.journal import Redactor
from langchain_agentrein.timeline.shown import clean

if TYPE_CHECKING:
    from langchain_agentrein.toolkits import Toolkit

WORDS = {True: ("yes", "green"), False: ("no", "bold red"), None: ("cannot tell", "yellow")}


def credentials(source: Source, place: str | None) -> Iterator[Table]:
    """A table for each toolkit that has credentials and can ask about them. Nothing is tried by writing."""
    for toolkit in _toolkits(source):
        table = Table.grid(padding=(0, 2, 0, 0))
        table.title, table.title_justify = f"\n{toolkit.connector}: can do and undo", "left"
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        try:
            for ability in toolkit.abilities(place):
                word, style = WORDS[ability.able]
                table.add_row(Text(word, style), ability.operation, Text(clean(ability.said)))
        except AgentReinError as error:
            table.add_row(Text("no", "bold red"), "all of it", Text(clean(Redactor().text(str(error)))))
        yield table


def _toolkits(source: Source) -> Iterator[Toolkit]:
    """Those that can ask, with the application's client or the environment's."""
    from langchain_agentrein import toolkits

    for module in pkgutil.iter_modules(toolkits.__path__):
        try:
            kind: type[Toolkit] = importlib.import_module(f"{toolkits.__name__}.{module.name}").TOOLKIT
        except (ImportError, AttributeError):
            continue
        if kind.abilities is toolkits.Toolkit.abilities:
            continue
        try:
            if source.application:
                yield kind(client=source.rein().client(kind.connector))
            else:
                yield kind.from_env()
        except ConfigError:
            continue
