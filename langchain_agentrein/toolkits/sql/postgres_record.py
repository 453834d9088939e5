"""Postgres: what a transaction changed, from its own counts and from the versions of the rows.

Postgres counts what a transaction did to each table. Where a plain statement explains the counts, its
rows were found by index (`Direct`). Whatever else changed a table, the table is read through once: see
`postgres_scan`. So are tables of which very many rows change, which are not held in memory together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.model import TableId
from langchain_agentrein.toolkits.sql.postgres_direct import Direct, Expected
from langchain_agentrein.toolkits.sql.postgres_scan import Scan
from langchain_agentrein.toolkits.sql.query import shown
from langchain_agentrein.toolkits.sql.reach import Indirect
from langchain_agentrein.toolkits.sql.recording import Changed, Ran, Recorder
from langchain_agentrein.toolkits.sql.rows import Rows
from langchain_agentrein.toolkits.sql.statement import Statement, refuse

if TYPE_CHECKING:
    from langchain_agentrein.toolkits.sql.postgres import Postgres

INDEXED = 20_000
"""Rows above which they are no longer looked up by index, but the table is read through."""
Tally = dict[TableId, tuple[int, int, int]]
"""Rows inserted, updated and deleted, by table."""

_TALLY = (
    "SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_all_tables "
    "WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname <> 'pg_toast'"
)
_LOCKED = (
    "SELECT CAST(relation AS regclass)::text FROM pg_locks WHERE pid = pg_backend_pid() "
    "AND mode = 'AccessExclusiveLock' AND locktype = 'relation' AND relation >= 16384"
)


class PostgresRecorder(Recorder):
    """Watches through what Postgres itself keeps."""

    def __init__(
        self,
        database: Postgres,
        connection: Connection,
        statements: Sequence[Statement],
        parameters: Mapping[str, Json] | None,
        most: int,
    ) -> None:
        super().__init__(connection, parameters, database.dialect, most)
        self.database, self.statements = database, statements
        self.rows = Rows(database, connection)
        self._direct: Direct | None = None
        self._returned: list[tuple[Any, ...]] = []
        self._past: Rows | None = None
        self._before: Tally = {}
        self._code_ran = False

    def start(self) -> None:
        self.counts = (
            self.database.all(self.connection, "SELECT current_setting('track_counts')")[0][0] == "on"
        )
        writes = [one.write for one in self.statements]
        if len(writes) == 1 and writes[0] is not None:
            with suppress(Indirect):
                most = min(self.most, INDEXED)
                self._direct = Direct(self.rows, writes[0], self.parameters, most, self.past)
        if not self._direct and not self.counts:
            refuse("Postgres does not count what it changes here", "set track_counts = on")
        self._before = self._tally()

    def run(self, statement: Statement) -> Ran:
        if self._direct is None:
            result = self.execute(statement.sql)
            if not result.returns_rows:
                return Ran(max(int(result.rowcount), 0))
            return Ran.of(result.mappings(), shown)
        joint = "," if statement.returning else "\nRETURNING "
        result = self.execute(statement.sql + joint + self._direct.returning())
        rows, width = [tuple(row) for row in result], self._direct.width()
        self._returned = [row[-width:] for row in rows]
        if len(rows) > INDEXED:  # the planner expected fewer
            self._direct, self._returned = None, []
        names = list(result.keys())[:-width]
        return Ran.of((dict(zip(names, row, strict=False)) for row in rows), shown)

    def changed(self, *, counting: bool = False) -> list[Changed]:
        if locked := self.database.all(self.connection, _LOCKED):
            refuse(
                f"it also changed the schema, or truncated a table ({locked[0][0]})",
                "send such a statement by itself",
            )
        counted = self._counted()
        with self.database.plain(self.connection):
            if self._direct is not None:
                try:
                    found, expected = self._direct.changed(self._returned)
                except Indirect:
                    pass
                else:
                    if not self.counts or _explained(counted, expected):
                        return found
            if not self.counts:
                refuse("Postgres does not count what it changes here", "set track_counts = on")
            return self._scanned(counted, counting)

    def close(self) -> None:
        if self._past is not None:
            self._past.connection.close()

    def past(self) -> Rows:
        """The database as it was when the transaction began, through a second connection."""
        if self._past is None:
            snapshot = self.database.all(self.connection, "SELECT pg_export_snapshot()")[0][0]
            connection = self.database.engine.connect().execution_options(isolation_level="REPEATABLE READ")
            self._past = Rows(self.database, connection)
            connection.execute(text(f"SET TRANSACTION SNAPSHOT '{snapshot}'"))
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        return self._past

    def _tally(self) -> Tally:
        return {
            (row[0], row[1]): (row[2], row[3], row[4]) for row in self.database.all(self.connection, _TALLY)
        }

    def _counted(self) -> Tally:
        now, none = self._tally(), (0, 0, 0)
        diff = {}
        for table in now:
            one, other = now[table], self._before.get(table, none)
            diff[table] = (one[0] - other[0], one[1] - other[1], one[2] - other[2])
        return {table: counts for table, counts in diff.items() if any(counts)}

    def _scanned(self, counted: Tally, counting: bool) -> list[Changed]:
        found: list[Changed] = []
        seen = 0

        def bounded(count: int) -> None:
            if seen + count > self.most:
                self.too_many()

        past = self.past()
        self._code_ran = any(self.rows.table(one).triggers for one in counted if one[0] != "pg_catalog")
        with self.database.plain(past.connection):
            for table_id in self._in_order(counted):
                if table_id[0] == "pg_catalog":
                    refuse("it also changed the schema, or large objects", "send such a statement by itself")
                table = self.rows.table(table_id)
                if table.refusal:
                    refuse(f"{table.label}, of which it changed rows, {table.refusal}")
                if sum(counted[table_id]) > 4 * self.most:
                    self.too_many()
                scan = Scan(self.rows, past, table, counted[table_id], bounded)
                changed = scan.into(Changed(table, counting=counting), tried=self._code_ran)
                seen += max(scan.went, scan.came)
                if changed.rows.count:
                    found.append(changed)
        return found

    def _in_order(self, counted: Tally) -> list[TableId]:
        named = [one.write.table.text.lower() for one in self.statements if one.write]
        return sorted(counted, key=lambda table: (table[1].lower() not in named, table))


def _explained(counted: Tally, expected: Mapping[TableId, Expected]) -> bool:
    return all(
        expected.get(table, Expected()).explains(counted.get(table, (0, 0, 0)))
        for table in {*counted, *expected}
    )
