"""What a recorder tells of a transaction: every row that it changed, as it was and as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Connection

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.blocks import Gathered, rows_of
from langchain_agentrein.toolkits.sql.model import Table, key_text
from langchain_agentrein.toolkits.sql.rows import ROWID, Values, key_of
from langchain_agentrein.toolkits.sql.statement import Statement, refuse

RETURNED = 100
"""How many rows of a RETURNING are kept for the receipt."""


class Changed:
    """What was changed in one table: a state, not a history.

    A row whose key changed is one that is gone, and another that came.
    """

    def __init__(self, table: Table, *, counting: bool = False) -> None:
        self.table = table
        self.rows = Gathered(counting=counting)

    def add(self, before: Mapping[str, Values], after: Mapping[str, Values]) -> None:
        """Take in rows that were there, and rows that are there now, by the text of their key.

        Both sides of a row come together. What did not change is left out.
        """
        for key in {**before, **after}:
            was, now = before.get(key), after.get(key)
            if was is None or now is None or _visible(was) != _visible(now):
                self.rows.add([_row(self.table, was, now)])

    def key_texts(self) -> Iterator[str]:
        """The text of each row's key."""
        for row in rows_of(self.rows.as_json()):
            yield key_text(list(row["key"].values()))

    def as_json(self) -> dict[str, Json]:
        """As `capture` shapes it."""
        table = self.table
        named = {"schema": table.id[0], "name": table.id[1], "label": table.label}
        return {**named, **self.rows.as_json()}


@dataclass(slots=True)
class Ran:
    """What the statements themselves said.

    Attributes:
        rowcount: The rows that they name, without those that came along.
        returned: The first rows of their RETURNING.
    """

    rowcount: int = 0
    returned: list[dict[str, Json]] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], shown: Callable[[Any], Json]) -> Self:
        """Count them, and keep the first, each value as `shown` says it."""
        ran = cls()
        for row in rows:
            ran.rowcount += 1
            if row and len(ran.returned) < RETURNED:
                ran.returned.append({name: shown(value) for name, value in row.items()})
        return ran


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a database can tell of statements without leaving a trace.

    Attributes:
        rows: By the label of each table.
        exact: They were counted, not estimated.
    """

    rows: Mapping[str, int]
    exact: bool


class Recorder(ABC):
    """Watches one transaction: `start` it, `run` the statements, then ask what `changed`."""

    def __init__(
        self, connection: Connection, parameters: Mapping[str, Json] | None, dialect: str, most: int
    ) -> None:
        self.connection, self.parameters, self.dialect, self.most = connection, parameters, dialect, most

    @abstractmethod
    def start(self) -> None:
        """Whatever must be in place before the first statement."""

    @abstractmethod
    def run(self, statement: Statement) -> Ran:
        """Run one statement, uncommitted."""

    @abstractmethod
    def changed(self, *, counting: bool = False) -> list[Changed]:
        """Every row that changed since `start`, however it came about; the statement's own table first.

        Args:
            counting: Only their number is wanted.
        Raises:
            NotDone: Something changed that could not be captured.
        """

    def close(self) -> None:  # noqa: B027 - most leave nothing behind
        """Give back what `start` took. Always called, also after an error."""

    def execute(self, sql: str) -> Any:
        """The user's own text, with the parameters that it names."""
        return self.connection.execute(bind(sql, self.parameters, self.dialect))

    def too_many(self) -> None:
        """Refuse, for want of bounds."""
        refuse(f"it touches more than {self.most:,} rows", "narrow its WHERE and send it in parts")


def _row(table: Table, before: Values | None, after: Values | None) -> Json:
    if before is not None and after is not None:
        changed = [name for name in before if before[name] != after[name] and name != ROWID]
        return {
            "key": key_of(table, before),
            "before": {c: before[c] for c in changed},
            "after": {c: after[c] for c in changed},
        }
    whole = before if before is not None else after
    shown = None if after is None else _visible(after)
    return {"key": key_of(table, whole or {}), "before": before, "after": shown}


def _visible(row: Values) -> Values:
    return {name: value for name, value in row.items() if name != ROWID}
