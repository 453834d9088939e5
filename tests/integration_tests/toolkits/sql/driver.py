"""Drives one operation by hand, as the engine does, and photographs whole databases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from langchain_agentrein.action import Action, Status
from langchain_agentrein.engine.compare import Comparison, compare
from langchain_agentrein.journal.redaction import Redactor
from langchain_agentrein.journal.sealing import Vault
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.sql.execute import SqlExecute


def journaled(value: Any) -> Any:
    """`value` after a stay in the journal."""
    packed, blobs = Vault("x" * 43 + "=", Redactor()).pack(value)
    return Vault("x" * 43 + "=", Redactor()).unpack(packed, blobs.get)


def run(api: Engine, statement: str, /, **parameters: Any) -> Action:
    """Snapshot, do and observe; what comes back has been through the journal."""
    op = SqlExecute(statement=statement, parameters=parameters or None)
    try:
        action = prepared(api, op)
        receipt = op.do(api, action)
    finally:
        op.release()
    action = action.with_(receipt=receipt, status=Status.EXECUTED)
    return action.with_(after=journaled(op.observe(api, action)))


def prepared(api: Engine, op: Operation) -> Action:
    """The action as it is when its effect begins."""
    before = journaled(op.snapshot(api))
    return Action(
        "a1", "s1", op.name, op.version, Status.EXECUTING, op.args, account=op.account(api), before=before
    )


def rebuilt(action: Action) -> SqlExecute:
    """The operation as a fresh process finds it."""
    return SqlExecute.from_args(json.loads(json.dumps(action.args)))


def look(api: Engine, action: Action) -> Comparison:
    """What the engine makes of the present state."""
    op = rebuilt(action)
    return compare(op.observe(api, action), before=op.as_before(action), after=action.after)


def undo(api: Engine, action: Action, fields: Sequence[str] | None = None) -> list[str]:
    """Undo in a fresh process."""
    asked = action.with_(undo_fields=None if fields is None else tuple(fields))
    return list(rebuilt(action).undo(api, asked).residue)


def script(api: Engine, *statements: str) -> None:
    """Somebody else's transaction."""
    with api.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", "\\:")))


def photograph(api: Engine) -> dict[str, list[str]]:
    """Every row of every table, as text that tells types apart; on SQLite in its stored order."""
    found: dict[str, list[str]] = {}
    with api.connect() as connection:
        if api.dialect.name == "sqlite":
            raw = connection.connection.dbapi_connection
            found["dump"] = list(raw.iterdump())  # type: ignore[union-attr]
            return found
        names = connection.execute(
            text(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
            )
        ).scalars()
        for name in list(names):
            rows = connection.execute(
                text(f"SELECT CAST(t AS text) FROM {name.replace(':', chr(92) + ':')} t")
            )
            found[name] = sorted(rows.scalars())
    return found
