"""The statement, run uncommitted between two looks at the catalogue, and the rehearsal of its undo.

The snapshot that comes of it:

    {"dialect": "sqlite" | "postgres", "kind": "ddl",
     "xid": str | None,            # Postgres: the transaction, whose fate can be asked for
     "statement": str, "name": str,        # `DROP TABLE`, `public.orders`: for reports
     "targets": [str],             # Postgres: where an undo looks
     "before": {key: description}, "after": {key: description},    # of the objects that changed
     "data": {field: {...}},       # what else is compared; see `data`
     "known": [str],               # the objects that were built on what was made, right after
     "made": {key: {"full", "column", "default"}},   # what was made, and an undo takes away
     "tables": [{"schema", "name", "label", "rows": [{column: value}]}],   # that are lost
     "values": [...],              # columns that are lost; see `values`
     "undo": [...], "residue": [str]}      # see `steps`
"""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import AgentReinError, NotDone
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.capture import Held, hold, reason
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import data, images, values
from langchain_agentrein.toolkits.sql.ddl.catalogue import Catalogue, Lost, Schema, begin, catalogue_of
from langchain_agentrein.toolkits.sql.ddl.statement import Ddl, parse
from langchain_agentrein.toolkits.sql.ddl.steps import execute
from langchain_agentrein.toolkits.sql.model import Table
from langchain_agentrein.toolkits.sql.rows import Values
from langchain_agentrein.toolkits.sql.statement import refuse


def capture(database: Database, sql: str, most: int) -> Held:
    """Run the statement, uncommitted, with everything that its undo needs.

    Args:
        most: Rows beyond which nothing is copied.
    Raises:
        NotDone: It cannot run, or cannot be undone exactly. Nothing changed.
        Throttled: Other transactions stood in the way. Nothing changed.
    """
    ddl = parse(sql, database.dialect)
    return hold(
        database,
        lambda: begin(database),
        lambda connection: _Capture(catalogue_of(database, connection), ddl, most).run(),
    )


def no_such(ddl: Ddl) -> NotDone:
    """There is nothing of the name that the statement says."""
    named = ddl.on or ddl.name
    what = "table" if ddl.on else ddl.kind.lower()
    return NotDone(f"nothing changed: there is no {what} {named.text if named else ''}".rstrip())


class _Capture:
    def __init__(self, catalogue: Catalogue, ddl: Ddl, most: int) -> None:
        self.catalogue, self.ddl, self.most = catalogue, ddl, most
        self.database, self.connection = catalogue.database, catalogue.connection

    def run(self) -> Json:
        catalogue, ddl = self.catalogue, self.ddl
        target = catalogue.target(ddl)
        if target is None:
            if ddl.optional and ddl.verb != "CREATE":
                return self._snapshot("", {}, {}, {})
            raise no_such(ddl)
        catalogue.lock([target] if ddl.verb != "CREATE" else [])
        catalogue.check(ddl, target)
        before = catalogue.describe([target])
        table = self._table(target) if ddl.verb != "CREATE" else None
        rows = self._rows(table) if table is not None and ddl.loses else []
        kept = catalogue.keep(target) if ddl.verb != "CREATE" else []
        tally = catalogue.tally()
        self.connection.execute(bind(ddl.sql, None, self.database.dialect))
        counted = catalogue.tally()
        after = catalogue.describe([target])
        if elsewhere := catalogue.elsewhere(tally, counted):
            refuse(elsewhere, "leave out what calls functions")
        was, now = changed(catalogue, before, after)
        if not was and not now and ddl.verb != "TRUNCATE":
            if ddl.optional:
                return self._snapshot(target, {}, {}, {})
            refuse("nothing that it changes can be seen in the catalogue", "let a person run it")
        lost = self._lost(table, rows, kept, before, after)
        plan = catalogue.plan(ddl, before, after, lost)
        made = catalogue.made(ddl, before, after)
        fields = data.fields(catalogue, ddl, made, lost, self.most)
        snapshot = self._snapshot(target, was, now, fields) | {
            "targets": catalogue.names(before, after, target),
            "made": made,
            "known": catalogue.attached(made, after),
            "tables": lost.tables,
            "values": lost.values,
            "undo": plan.steps,
            "residue": plan.residue + [f"sequence {name} advanced" for name in ddl.sequences],
        }
        self._rehearse(snapshot, before)
        return snapshot

    def _snapshot(self, target: str, was: Schema, now: Schema, fields: Json) -> dict[str, Json]:
        return {
            "dialect": self.database.dialect,
            "kind": "ddl",
            "xid": self.database.transaction_id(self.connection),
            "statement": self.ddl.title,
            "name": target,
            "targets": [target] if target else [],
            "before": was,
            "after": now,
            "data": fields,
            "known": [],
            "made": {},
            "tables": [],
            "values": [],
            "undo": [],
            "residue": [],
        }

    def _table(self, target: str) -> Table | None:
        table_id = self.catalogue.table_id(target)
        return None if table_id is None else images.table_named(self.database, self.connection, *table_id)

    def _rows(self, table: Table) -> list[Values]:
        return images.read(self.database, self.connection, table, self.most)

    def _lost(
        self, table: Table | None, rows: list[Values], kept: list[Json], before: Schema, after: Schema
    ) -> Lost:
        """What the statement took away, of what was copied."""
        ddl = self.ddl
        if table is None:
            return Lost(inner=kept)
        if ddl.verb in ("DROP", "TRUNCATE"):
            image = {"schema": table.id[0], "name": table.id[1], "label": table.label, "rows": rows}
            return Lost([image], inner=kept)
        if not ddl.loses:
            return Lost(inner=kept)
        left = images.table_named(self.database, self.connection, *table.id)
        types = {column.name: column.type for column in left.stored}
        columns = [
            column.name
            for column in table.stored
            if types.get(column.name) != column.type or column.name not in types
        ]
        if not columns:
            return Lost(inner=kept)
        image = values.of_columns(table, columns, rows, self._rows(left))
        return Lost(values=[image], inner=kept)

    def _rehearse(self, snapshot: Json, before: Schema) -> None:
        """Take it back and look, and take that back: what cannot be undone is not done."""
        catalogue = self.catalogue
        try:
            with catalogue.rehearsal():
                residue = execute(self.database, self.connection, snapshot)
                seen = catalogue_of(self.database, self.connection).describe([snapshot["name"]])
                differs = sorted(differing(catalogue, before, seen))
                fields = data.look(self.database, self.connection, snapshot["data"])
        except AgentReinError as error:
            refuse(f"it could not be undone: {error}", "let a person run it")
        except SQLAlchemyError as error:
            if self.database.transient(error):
                raise
            refuse(f"it could not be undone: {reason(error)}", "let a person run it")
        differs += [name for name, field in snapshot["data"].items() if fields[name] != field["before"]]
        if differs or residue:
            refuse(
                f"its undo would not bring back {', '.join([*differs, *residue])} as before",
                "let a person run it",
            )


def changed(catalogue: Catalogue, before: Schema, after: Schema) -> tuple[Schema, Schema]:
    """The descriptions of what differs, as they are compared: before, and after."""
    was, now = catalogue.seen(before), catalogue.seen(after)
    keys = differing(catalogue, before, after)
    return (
        {key: was[key] for key in was if key in keys},
        {key: now[key] for key in now if key in keys},
    )


def differing(catalogue: Catalogue, one: Schema, other: Schema) -> set[str]:
    """The objects that are in one of them alone, or not alike."""
    first, second = catalogue.seen(one), catalogue.seen(other)
    return {key for key in {*first, *second} if first.get(key) != second.get(key)}
