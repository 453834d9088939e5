"""Statements that change rows, with everything that foreign keys and triggers add, and their exact undo.

A change of the schema is `ddl`'s, which answers the same questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr
from sqlalchemy import Connection

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import (
    Assessment,
    Happened,
    NotHappened,
    Operation,
    Probed,
    Undone,
    Unknown,
)
from langchain_agentrein.toolkits.sql import ddl
from langchain_agentrein.toolkits.sql.apart import tables_in_order
from langchain_agentrein.toolkits.sql.attached import attached
from langchain_agentrein.toolkits.sql.blocks import TOGETHER, count_of, in_parts, kinds_of, rows_of
from langchain_agentrein.toolkits.sql.capture import Held, capture, reason
from langchain_agentrein.toolkits.sql.database import Database, database_of
from langchain_agentrein.toolkits.sql.forecast import Limits, forecast
from langchain_agentrein.toolkits.sql.observation import (
    as_after,
    as_before,
    changes,
    fields_of,
    in_blocks,
    present,
)
from langchain_agentrein.toolkits.sql.restore import restore
from langchain_agentrein.toolkits.sql.rows import Rows
from langchain_agentrein.toolkits.sql.statement import parse, refuse, tables_in

KEYS_SHOWN = 100
"""How many keys of inserted rows a receipt names."""


class SqlExecute(Operation):
    """Run INSERT, UPDATE, DELETE, MERGE or an upsert; or one CREATE, ALTER, DROP or TRUNCATE.

    Several statements that change rows, with ; between them, run together.

    Pass values as :name parameters. The receipt counts the rows that changed, names the keys of those
    that were inserted, and holds the first rows of a RETURNING. What cannot be undone is refused, and
    nothing changes.
    """

    name, risk, reversal = "sql.execute", Risk.MEDIUM, Reversal.EXACT
    partial, repeatable = True, True

    many: ClassVar[int] = 100
    """Rows above which the risk is high."""
    most: ClassVar[int] = 2_000_000
    """Rows above which a statement is refused: their images are kept."""

    statement: str = Field(description="SQL that changes rows, with :name for each parameter.")
    parameters: dict[str, Any] | None = Field(default=None, description="Values by parameter name.")

    _held: Held | None = PrivateAttr(default=None)
    _database: Database | None = PrivateAttr(default=None)

    def assess(self, api: Any) -> Assessment:
        """Counts the rows that the statement would touch, in a transaction that cannot write."""
        limits = Limits(self.risk, self.many, self.most)
        if self._is_ddl(api):
            fewer = replace(limits, most=min(self.most, TOGETHER))
            return ddl.forecast(database_of(api), self.statement, fewer)
        risk, summary = forecast(database_of(api), self.statement, self.parameters, limits)
        return Assessment(risk, self.reversal, summary, self.undo_risk, self.undo_effects)

    def account(self, api: Any) -> str:
        return database_of(api).account()

    def locks(self, api: Any) -> Sequence[Path]:
        file = database_of(api).file()
        return () if file is None else (file,)

    def touches(self) -> frozenset[str]:
        return frozenset(f"sql:{table}" for table in tables_in(self.statement)) or frozenset({"sql"})

    def snapshot(self, api: Any) -> Json:
        """Runs the statement, uncommitted; see `capture` for the shape of what it returns.

        Raises:
            NotDone: The statement is refused, or failed. Nothing changed.
        """
        self.release()
        self._database = database_of(api)
        if self._is_ddl(api):
            if self.parameters:
                refuse("a change of the schema takes no parameters", "write the values into it")
            self._held = ddl.capture(self._database, self.statement, min(self.most, TOGETHER))
            return self._held.before
        statements = parse(self.statement, self._database.dialect)
        self._held = capture(self._database, statements, self.parameters, self.most)
        return self._held.before

    def do(self, api: Any, action: Action) -> Json:
        """Commits.

        receipt: {"rowcount": int, "tables": {name: int}, "keys": [{column: value}], "returned"?: [{column: value}]}
        """
        held, database = self._held, self._database
        if held is None or database is None:
            raise NotDone("nothing changed: the transaction that ran the statement is gone; call again")
        try:
            held.connection.commit()
        except Exception as error:
            if database.refused_commit(held.connection, error):
                raise NotDone(f"the commit was refused, nothing changed: {reason(error)}") from error
            raise
        self.release()
        return _receipt_of(action.before)

    def release(self) -> None:
        held, database = self._held, self._database
        self._held = None
        if held is not None and database is not None:
            database.end(held.connection)

    def _is_ddl(self, api: Any) -> bool:
        return ddl.is_ddl(self.statement, database_of(api).dialect)

    def observe(self, api: Any, action: Action) -> Json:
        """The changed fields as they are now; see `observation` for their names."""
        database = database_of(api)
        if action.before["kind"] == "ddl":
            return ddl.observe(database, action.before)
        with database.reading() as connection, database.plain(connection):
            return _observed(Rows(database, connection), action.before)

    def as_before(self, action: Action) -> Json:
        return (ddl.as_before if action.before["kind"] == "ddl" else as_before)(action.before)

    def expect(self, action: Action) -> Json:
        return (ddl.as_after if action.before["kind"] == "ddl" else as_after)(action.before)

    def probe(self, api: Any, action: Action) -> Probed:
        """Asks Postgres how the transaction ended; on SQLite compares images while nobody can write."""
        database, before = database_of(api), action.before
        happened = Happened(_receipt_of(before))
        if before.get("xid") and (ended := database.committed(before["xid"])) is not None:
            if isinstance(ended, str):
                return Unknown(ended)
            return happened if ended else NotHappened()
        with database.writing() as connection, database.plain(connection):
            now = _present(database, connection, before)
        if now == self.expect(action):
            return happened
        if now == self.as_before(action):
            return NotHappened()
        return Unknown("the rows are neither as they were before nor as the statement left them")

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        database = database_of(api)
        if action.before["kind"] == "ddl":
            return ddl.attached(database, action.before)
        with database.reading() as connection, database.plain(connection):
            return _attached(Rows(database, connection), action.before)

    def undo(self, api: Any, action: Action) -> Undone:
        """Restores row by row in one transaction.

        Raises:
            Conflict: Somebody changed what would be overwritten. Nothing changed.
        """
        database, fields, forced = database_of(api), action.undo_fields, action.undo_forced
        if action.before["kind"] == "ddl":
            return Undone(ddl.restore(database, action.before, fields, forced=forced))
        return restore(database, action.before, fields, forced=forced)


def _receipt_of(before: Json) -> Json:
    return (ddl.receipt_of if before["kind"] == "ddl" else receipt_of)(before)


def receipt_of(before: Json) -> Json:
    """What the statement did, from its snapshot."""
    inserted = (
        row["key"]
        for table in before["tables"]
        if kinds_of(table).inserted
        for row in rows_of(table)
        if row["before"] is None
    )
    receipt: Json = {
        "rowcount": before["rowcount"],
        "tables": {table["label"]: count_of(table) for table in before["tables"]},
        "keys": list(islice(inserted, KEYS_SHOWN)),
    }
    if returned := before.get("returned"):
        receipt["returned"] = returned
    return receipt


def _attached(rows: Rows, before: Json) -> list[str]:
    if in_parts(before) and tables_in_order(rows, before) is not None:
        some = (attached(rows, block) for _, block in in_blocks(changes(before)))
        return list(dict.fromkeys(sentence for found in some for sentence in found))
    every = list(changes(before))
    return attached(rows, every, [one for one in every if one.after is None])


def _present(database: Database, connection: Connection, before: Json) -> dict[str, Json]:
    if before["kind"] == "ddl":
        return ddl.present(database, connection, before)
    return _observed(Rows(database, connection), before)


def _observed(rows: Rows, before: Json) -> dict[str, Json]:
    return fields_of(before, present(rows, changes(before)))
