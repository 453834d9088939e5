"""Postgres: a plain statement on a plain table, whose rows are found by index before and after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.model import TableId
from langchain_agentrein.toolkits.sql.postgres_catalogue import rows_expected
from langchain_agentrein.toolkits.sql.reach import (
    Indirect,
    PrintedKey,
    Reached,
    alias_of,
    capturable,
    direct,
    printed_key,
    reach,
    set_columns,
)
from langchain_agentrein.toolkits.sql.recording import Changed
from langchain_agentrein.toolkits.sql.rows import Rows, Values
from langchain_agentrein.toolkits.sql.statement import Write

Images = dict[TableId, dict[str, Values]]


@dataclass(slots=True)
class Expected:
    """How many changes of one table the images account for.

    Attributes:
        updated: At least so many rows were updated...
        touched: ... and at most so many times, since several foreign keys may change one row.
    """

    inserted: int = 0
    deleted: int = 0
    updated: int = 0
    touched: int = 0

    def explains(self, counted: Sequence[int]) -> bool:
        """Whether (inserted, updated, deleted), as the database counts, is no more than this."""
        inserted, updated, deleted = counted
        most = max(self.updated, self.touched)
        return (inserted, deleted) == (self.inserted, self.deleted) and self.updated <= updated <= most


class Direct:
    """What one statement changes, by the rows that it names and those that foreign keys carry it on to.

    Raises:
        Indirect: It cannot be foretold.
    """

    def __init__(
        self,
        rows: Rows,
        write: Write,
        parameters: Mapping[str, Json] | None,
        most: int,
        past: Callable[[], Rows],
    ) -> None:
        self.rows, self.write, self.past = rows, write, past
        database, connection = rows.database, rows.connection
        self.target = database.table(connection, write.table, write.schema)
        capturable(self.target)
        if write.kind == "update":
            set_columns(write, self.target)
        self.handles: dict[Any, PrintedKey] = {}
        if write.kind != "insert":
            self.handles = direct(database, connection, write, self.target, parameters, most)
        elif write.rows > most or (write.select and self._expected_of(write.select, parameters) > most):
            raise Indirect
        with database.plain(connection):
            named = rows.handled(self.target, self.handles, lock=True)
            if len(named) != len(self.handles):
                raise Indirect
            self.reached = reach(rows, write, self.target, named, most)
            self.before = self._images(lock=True)

    def returning(self) -> str:
        """What to ask of the statement: an INSERT returns handles, since its keys may be new."""
        alias = alias_of(self.write)
        database = self.rows.database
        listed = database.handles(self.target, alias) if self.write.kind == "insert" else None
        return ", ".join(listed or printed_key(database, self.target, alias))

    def width(self) -> int:
        """How many columns `returning` asks for."""
        return 1 if self.write.kind == "insert" else len(self.target.key)

    def changed(self, returned: Sequence[tuple[Any, ...]]) -> tuple[list[Changed], dict[TableId, Expected]]:
        """What it changed, and what the database should have counted.

        Raises:
            Indirect: The rows that it changed are not those that were found before.
        """
        target, reached = self.target, self.reached
        if self.write.kind == "insert":
            reached.keys[target.id] = self.rows.handled(target, returned)
            if len(reached.keys[target.id]) != len(returned):
                raise Indirect
            if self.write.upsert:
                past = self.past()
                with past.database.plain(past.connection):
                    self.before[target.id] = past.keyed(target, reached.keys[target.id].values())
        after = self._images()
        self._compare(reached, set(self.handles.values()), set(returned), after)
        expected = {one: self._expected(one, after, len(returned)) for one in reached.keys}
        found = []
        for table_id in reached.keys:
            changed = Changed(self.rows.table(table_id))
            changed.add(self.before[table_id], after[table_id])
            if changed.rows.count:
                found.append(changed)
        return found, expected

    def _expected_of(self, query: str, parameters: Mapping[str, Json] | None) -> int:
        """How many rows the planner expects: to count them would run the query, and advance sequences, twice."""
        explain = bind(f"EXPLAIN (FORMAT JSON) {query}", parameters, self.rows.database.dialect)
        return rows_expected(self.rows.connection.execute(explain).scalar_one())

    def _images(self, *, lock: bool = False) -> Images:
        return {
            table_id: self.rows.keyed(self.rows.table(table_id), keys.values(), lock=lock)
            for table_id, keys in self.reached.keys.items()
        }

    def _compare(
        self, reached: Reached, named: set[PrintedKey], changed: set[PrintedKey], after: Images
    ) -> None:
        """The rows that the database says it changed must be those whose images were taken."""
        match self.write.kind:
            case "insert":
                return
            case "update":
                exact = changed == named
            case "delete":  # a cascade may delete a row before the statement comes to it
                exact = changed <= named and not set(reached.direct) & set(after[self.target.id])
        missing = any(
            row not in self.before[table_id] for table_id, keys in reached.keys.items() for row in keys
        )
        if not exact or missing:
            raise Indirect

    def _expected(self, table_id: TableId, after: Images, returned: int) -> Expected:
        old, new = self.before[table_id], after[table_id]
        inserted = len(set(new) - set(old))
        if table_id == self.target.id and self.write.kind == "insert":
            return Expected(inserted, 0, returned - inserted, returned - inserted)
        own = table_id == self.target.id and self.write.kind == "update"
        named = set(self.reached.direct) if own else set()
        differs = {row for row in old if row in new and old[row] != new[row]}
        return Expected(
            inserted=inserted,
            deleted=len(set(old) - set(new)),
            updated=len(differs | named),
            touched=len(named) + self.reached.touched[table_id],
        )
