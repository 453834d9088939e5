"""What a recorder tells of a transaction: every row that it changed, as it was and as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.model import Table
from langchain_agentrein.toolkits.sql.rows import ROWID, Values
from langchain_agentrein.toolkits.sql.statement import Statement, refuse

RETURNED = 100
"""How many rows of a RETURNING are kept for the receipt."""


@dataclass(slots=True)
class Changed:
    """What was changed in one table, by the text of each row's key: a state, not a history.

    A row whose key changed is one that is gone, and another that came.

    Attributes:
        before: The rows that were there.
        after: The rows that are there now.
    """

    table: Table
    before: dict[str, Values] = field(default_factory=dict)
    after: dict[str, Values] = field(default_factory=dict)

    def settle(self) -> None:
        """Leave out what did not change."""
        for key in [key for key, row in self.before.items() if key in self.after]:
            if _visible(self.before[key]) == _visible(self.after[key]):
                del self.before[key], self.after[key]


@dataclass(slots=True)
class Ran:
    """What the statements themselves said.

    Attributes:
        rowcount: The rows that they name, without those that came along.
        returned: The first rows of their RETURNING.
    """

    rowcount: int = 0
    returned: list[dict[str, Json]] = field(default_factory=list)


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
    def changed(self) -> list[Changed]:
        """Every row that changed since `start`, however it came about; the statement's own table first.

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


def _visible(row: Values) -> Values:
    return {name: value for name, value in row.items() if name != ROWID}
