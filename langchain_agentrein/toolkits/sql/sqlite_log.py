"""SQLite: temporary triggers write down every row that changes, whatever changes it.

They fire for foreign keys' actions, for the database's own triggers, and for rows that REPLACE takes
away; they live in the connection's temporary database, and are gone before the transaction commits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql import blocks
from langchain_agentrein.toolkits.sql.model import Table, key_text, quote
from langchain_agentrein.toolkits.sql.query import shown
from langchain_agentrein.toolkits.sql.recording import Changed, Ran, Recorder
from langchain_agentrein.toolkits.sql.rows import ROWID, Rows, Values, key_of
from langchain_agentrein.toolkits.sql.statement import Statement, refuse

if TYPE_CHECKING:
    from langchain_agentrein.toolkits.sql.sqlite import SQLite

PREFIX = "agentrein_log_"


class LogRecorder(Recorder):
    """One log for each table that the statements may reach."""

    def __init__(
        self,
        database: SQLite,
        connection: Connection,
        statements: Sequence[Statement],
        parameters: Mapping[str, Json] | None,
        most: int,
    ) -> None:
        super().__init__(connection, parameters, database.dialect, most)
        self.database = database
        self.rows = Rows(database, connection)
        self.tables = self._reachable(statements)
        self.ignores = database.says(connection, self.tables, statements, "ignore")
        self.replaces = database.says(connection, self.tables, statements, "replace")
        self._counted = 0
        self._there: list[int] = []
        self._recursive: int | None = None

    def start(self) -> None:
        if self.replaces:
            self._there = self._rows()
        if self.replaces and not any(table.triggers for table in self.tables):
            # Else a replaced row fires nothing. Where there are triggers, they would behave differently.
            self._recursive = int(self._exec("PRAGMA recursive_triggers").scalar_one())
            self._exec("PRAGMA recursive_triggers = 1")
        for number, table in enumerate(self.tables):
            self._watch(number, table)
        self._counted = self._total()

    def run(self, statement: Statement) -> Ran:
        result = self.execute(statement.sql)
        ran = Ran.of(result.mappings(), shown) if result.returns_rows else Ran()
        ran.rowcount = int(self._exec("SELECT changes()").scalar_one())
        return ran

    def changed(self, *, counting: bool = False) -> list[Changed]:
        counted, logged, touches, most = self._total() - self._counted, 0, 0, self.most
        net = []
        found = []
        for number, table in enumerate(self.tables):
            lines, events = self._exec(
                f"SELECT count(*), count(CASE WHEN op <> 'k' THEN 1 END) FROM temp.{PREFIX}{number}"
            ).one()
            logged += lines
            touches += events
            changed, came = Changed(table, counting=counting), 0
            for touched in self._touched(number, table, lines, most):
                most -= len(touched.keys)
                after = self.rows.keyed(table, touched.keys.values())
                came += len(after) - len(touched.before)
                changed.add(touched.before, after)
            net.append(came)
            if changed.rows.count:
                found.append(changed)
        self._unwatch()
        if self.replaces and [now - was for now, was in zip(self._rows(), self._there, strict=True)] != net:
            refuse(
                "it replaced rows where triggers hide it", "look the row up first, then INSERT or UPDATE it"
            )
        # Lines of the logs count as well. What was replaced counts for nothing, nor does what was ignored.
        changes = counted - logged
        if changes > touches or (changes < touches and not (self.replaces or self.ignores)):
            refuse(
                f"it changed more than could be captured: SQLite counts {changes} changed rows, "
                f"of which {touches} were seen",
                "a trigger that writes to a virtual table cannot be undone",
            )
        return found

    def _unwatch(self) -> None:
        for number in range(len(self.tables)):
            for kind in "ikud":
                self._exec(f"DROP TRIGGER IF EXISTS temp.{PREFIX}{number}{kind}")
            self._exec(f"DROP TABLE IF EXISTS temp.{PREFIX}{number}")
        self.close()

    def close(self) -> None:
        if self._recursive is not None:
            self._exec(f"PRAGMA recursive_triggers = {self._recursive}")
            self._recursive = None

    def _reachable(self, statements: Sequence[Statement]) -> list[Table]:
        """The tables that the statements name, and whatever can follow from them."""
        every = self.database.tables(self.connection)
        if not statements:
            return _distinct(every)
        named: list[Table] = []
        for one in statements:
            if one.write is not None:
                named.append(self.database.table(self.connection, one.write.table, one.write.schema))
            named += [table for table in every if table.id[1].lower() in one.words]
        for table in named:
            if table.refusal:
                refuse(f"{table.label} {table.refusal}")
        reached = {table.id: table for table in named}
        todo = deque(named if self.database.cascades(self.connection) else ())
        while todo:
            for key in self.rows.referencing(todo.popleft()):
                if (
                    not {key.on_delete, key.on_update} <= {"NO ACTION", "RESTRICT"}
                    and key.child not in reached
                ):
                    reached[key.child] = self.rows.table(key.child)
                    todo.append(reached[key.child])
        everywhere = any(table.triggers for table in reached.values())
        return _distinct([*reached.values(), *(every if everywhere else ())])

    def _watch(self, number: int, table: Table) -> None:
        """Old rows are written down before they change, and new keys after: so the order is the true one.

        What a foreign key or a trigger does to a row in between stands after the row's own line.
        """
        log, names = f"{PREFIX}{number}", _logged(table)
        rows = [f"o{place}" for place in range(len(names))]
        keys = [f"k{place}" for place in range(len(table.key))]
        self._exec(f"CREATE TEMP TABLE {log} (n INTEGER PRIMARY KEY, op, {', '.join([*keys, *rows])})")
        old = [f"OLD.{quote(name)}" for name in names]
        old_key, new_key = ([f"{side}.{quote(name)}" for name in table.key] for side in ("OLD", "NEW"))
        moved = " OR ".join(f"{was} IS NOT {now}" for was, now in zip(old_key, new_key, strict=True))
        for kind, event, columns, values in (
            ("u", "BEFORE UPDATE", rows, old),
            ("d", "BEFORE DELETE", rows, old),
            ("i", "AFTER INSERT", keys, new_key),
            ("k", "AFTER UPDATE", [*keys, *rows], [*new_key, *old]),
        ):
            when = f"WHEN {moved} " if kind == "k" else ""
            self._exec(
                f"CREATE TEMP TRIGGER {log}{kind} {event} ON {table.sql} {when}BEGIN "
                f"INSERT INTO {log} (op, {', '.join(columns)}) VALUES ('{kind}', {', '.join(values)}); END"
            )

    def _touched(self, number: int, table: Table, lines: int, most: int) -> Iterator[_Touched]:
        """The rows that the log speaks of: all together, or if they are many some at a time."""
        many = lines > blocks.MANY
        touched, last, width = _Touched(), "", len(table.key)
        for op, new, *row in self._exec(_log(number, table, by_key=many)):
            key_row = row[:width] if new else row[width:]
            if new:
                values = {
                    column.name: self.database.decode(column, value)
                    for column, value in zip(table.key_columns, key_row, strict=True)
                }
            else:
                values = self._values(table, key_row)
            if op != "k" or new:
                self._known(table, values)
            key = _key(table, values)
            if many and key != last and len(touched.keys) >= blocks.BLOCK:
                yield touched
                most -= len(touched.keys)
                touched = _Touched()
            last = key
            if new:
                touched.new(key, values)
            else:
                touched.old(key, values, op)
            if len(touched.keys) > most:
                self.too_many()
        yield touched

    def _known(self, table: Table, values: Values) -> None:
        if None in key_of(table, values).values():
            refuse(f"rows of {table.label} have NULL in their primary key", "leave them out")

    def _values(self, table: Table, row: Sequence[Any]) -> Values:
        values = {
            column.name: self.database.decode(column, value)
            for column, value in zip(table.stored, row, strict=False)
        }
        if table.rowid:
            values[ROWID] = row[-1]
        return values

    def _rows(self) -> list[int]:
        return [int(self._exec(f"SELECT count(*) FROM {table.sql}").scalar_one()) for table in self.tables]

    def _total(self) -> int:
        return int(self._exec("SELECT total_changes()").scalar_one())

    def _exec(self, sql: str) -> Any:
        return self.connection.exec_driver_sql(sql)


class _Touched:
    """Rows of one table by key, as the log goes on."""

    def __init__(self) -> None:
        self.before: dict[str, Values] = {}
        self.keys: dict[str, Values] = {}
        self._since: dict[str, bool] = {}
        """The keys that a row has now; true: since before the log begins."""

    def old(self, key: str, row: Values, op: str) -> None:
        """A row is about to change (`u`), to go (`d`), or has just changed its key (`k`)."""
        if key not in self.keys:
            self.keys[key] = self.before[key] = row
            self._since[key] = True
        if op == "u":
            self._since.setdefault(key, False)
        else:
            self._since.pop(key, None)

    def new(self, key: str, values: Values) -> None:
        """A row has come. If it was seen changing already, it came before that: triggers were quicker to tell."""
        if self._since.get(key):
            del self.before[key]
        self.keys.setdefault(key, values)
        self._since[key] = False


def _log(number: int, table: Table, *, by_key: bool) -> str:
    """SQL that reads a log: what was done, whether a row came or was there, its key if it came, else all of it.

    A line about a changed key speaks of two rows. In the order of the keys, each row's lines keep theirs.
    """
    log, width = f"temp.{PREFIX}{number}", len(table.key)
    keys = [f"k{place}" for place in range(width)]
    rows = [f"o{place}" for place in range(len(_logged(table)))]
    names = [column.name for column in table.stored]
    old = ", ".join(f"o{names.index(name)} AS s{place}" for place, name in enumerate(table.key))
    new = ", ".join(f"k{place} AS s{place}" for place in range(width))
    listed = ", ".join([*keys, *rows])
    by = "".join(f"s{place}, typeof(s{place}), " for place in range(width)) if by_key else ""
    return (
        f"SELECT op, new, {listed} FROM ("
        f"SELECT n, op, 0 AS new, {listed}, {old} FROM {log} WHERE op <> 'i' UNION ALL "
        f"SELECT n, op, 1, {listed}, {new} FROM {log} WHERE op IN ('i', 'k')) ORDER BY {by}n, new"
    )


def _logged(table: Table) -> list[str]:
    names = [column.name for column in table.stored]
    return [*names, table.rowid] if table.rowid else names


def _key(table: Table, values: Values) -> str:
    return key_text(list(key_of(table, values).values()))


def _distinct(tables: Iterable[Table]) -> list[Table]:
    return list({table.id: table for table in tables if not table.refusal and not table.view}.values())
