"""What cannot be captured exactly is refused, with a reason, before anything changes."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, create_engine

from langchain_agentrein.action import Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql import postgres_scan, sqlite
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.integration_tests.toolkits.sql.driver import photograph, run, script, undo

BOTH = {
    "SELECT 1": "use sql_query",
    "WITH g AS (SELECT 1) SELECT * FROM g": "use sql_query",
    "UPDATE orders SET note = 'x'; SELECT 1": "use sql_query",
    "UPDATE orders SET note = 'x'; COMMIT": "transaction of its own",
    "": "empty",
    " ; ; ": "empty",
    "DELETE FROM nowhere": "no table",
    "UPDATE orders SET note = 'unclosed": "cannot be read",
    "UPDATE orders SET note = mystery(id)": "mystery",
    "UPDATE orders SET note = 'x'; UPDATE orders SET note = mystery(id)": "mystery",
}
SQLITE = {
    "UPDATE nullkeys SET n = 2": "NULL in their primary key",
    "INSERT INTO nullkeys VALUES (NULL, 2)": "NULL in their primary key",
    "UPDATE tempo SET n = 1": "temporary",
    "DELETE FROM sqlite_sequence": "SQLite itself",
    "INSERT INTO docs VALUES ('x')": "virtual",
    "UPDATE indexed SET body = 'x'": "virtual",
    "INSERT INTO other.t VALUES (1)": "attached",
    "INSERT OR REPLACE INTO audited VALUES (1, 2, 3)": "triggers hide it",
    "PRAGMA foreign_keys = 0": "PRAGMA",
    "ATTACH 'x' AS y": "ATTACH",
}
POSTGRES = {
    "WITH x AS (SELECT 1) TABLE log": "use sql_query",
    "UPDATE pg_class SET relname = 'x'": "Postgres itself",
    "UPDATE tempo SET n = 1": "no table",
    "COPY orders FROM STDIN": "COPY",
    "DO $$ BEGIN END $$": "DO",
    "UPDATE orders SET note = pg_read_file('/etc/passwd')": "pg_read_file",
    "UPDATE orders SET note = public.lower('X')": "public.lower",
    "UPDATE truncating SET n = 2": "truncated a table",
    "UPDATE creating SET n = 2": "changed the schema",
}
COMMON_SETUP = [
    "CREATE TABLE audited (id integer PRIMARY KEY, n integer, g integer)",
    "INSERT INTO audited VALUES (1, 1, 1)",
]
SQLITE_SETUP = [
    "CREATE TRIGGER a AFTER UPDATE ON audited BEGIN INSERT INTO log VALUES ('a'); END",
    "CREATE TABLE nullkeys (k text PRIMARY KEY, n integer)",
    "INSERT INTO nullkeys VALUES (NULL, 1)",
    "CREATE TEMP TABLE tempo (id integer PRIMARY KEY, n integer)",
    "CREATE VIRTUAL TABLE docs USING fts5 (body)",
    "CREATE TABLE indexed (id integer PRIMARY KEY, body text)",
    "CREATE TRIGGER i AFTER UPDATE ON indexed BEGIN INSERT INTO docs VALUES (NEW.body); END",
    "INSERT INTO indexed VALUES (1, 'b')",
]
POSTGRES_SETUP = [
    "CREATE TABLE truncating (id integer PRIMARY KEY, n integer)",
    "CREATE TABLE creating (id integer PRIMARY KEY, n integer)",
    "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN TRUNCATE log; RETURN NULL; END $$",
    "CREATE FUNCTION make() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE made (); RETURN NULL; END $$",
    "CREATE TRIGGER a AFTER UPDATE ON truncating FOR EACH ROW EXECUTE FUNCTION cut()",
    "CREATE TRIGGER a AFTER UPDATE ON creating FOR EACH ROW EXECUTE FUNCTION make()",
    "INSERT INTO truncating VALUES (1, 1)",
    "INSERT INTO creating VALUES (1, 1)",
]
ONLY_WHEN_RUN = ("nullkeys", "truncating", "creating")
"""Tables on which it shows only then."""


def test_refused_before_anything_changes(shop: Engine) -> None:
    on_sqlite = shop.dialect.name == "sqlite"
    script(shop, *COMMON_SETUP, *(SQLITE_SETUP if on_sqlite else POSTGRES_SETUP))
    before = photograph(shop)
    for statement, why in (BOTH | (SQLITE if on_sqlite else POSTGRES)).items():
        with pytest.raises(NotDone, match=why):
            run(shop, statement)
        assert photograph(shop) == before, statement
        assessed = SqlExecute(statement=statement).assess(shop)
        if not any(table in statement for table in ONLY_WHEN_RUN):
            assert assessed.summary.startswith("It will be refused"), statement
            assert assessed.risk is Risk.MEDIUM
        assert assessed.reversal is Reversal.EXACT


def test_changes_that_were_not_seen_are_noticed(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's own count of changed rows is the last word."""
    before = photograph(shop)
    if shop.dialect.name == "sqlite":
        monkeypatch.setattr(sqlite.SQLite, "referencing", lambda *_: [])
    else:
        monkeypatch.setattr(postgres_scan.Scan, "_read", lambda *_: iter(()))
    with pytest.raises(NotDone, match="more than could be captured"):
        run(shop, "DELETE FROM customers WHERE id = 2; DELETE FROM customers WHERE id = 1")
    assert photograph(shop) == before


def test_without_counts_only_what_can_be_foretold_is_done(postgres: Engine) -> None:
    script(postgres, "CREATE TABLE t (id integer PRIMARY KEY, n integer)", "INSERT INTO t VALUES (1, 1)")
    blind = create_engine(postgres.url, connect_args={"options": "-c track_counts=off"})
    before = photograph(postgres)
    with pytest.raises(NotDone, match="track_counts"):
        run(blind, "UPDATE t SET id = 2")
    action = run(blind, "UPDATE t SET n = 2")
    undo(blind, action)
    blind.dispose()
    assert photograph(postgres) == before


@pytest.mark.parametrize(
    ("statement", "risk", "summary"),
    [
        ("INSERT INTO customers (email) VALUES ('n')", Risk.LOW, "INSERT adds 1 row to customers."),
        (
            "INSERT INTO customers (email) VALUES ('n'), ('m')",
            Risk.MEDIUM,
            "INSERT adds 2 rows to customers.",
        ),
        ("UPDATE orders SET note = 'x' WHERE id < 3", Risk.MEDIUM, "UPDATE touches 2 rows of orders."),
        (
            "UPDATE orders SET note = 'x'",
            Risk.CRITICAL,
            "UPDATE touches 4 rows of orders, without a WHERE.",
        ),
        (
            "DELETE FROM customers WHERE id = 1",
            Risk.HIGH,
            "DELETE touches 1 row of customers and cascades to 2 rows of customers and 2 rows of orders"
            ' and 3 rows of "order items" and 2 rows of shipments.',
        ),
        ("DELETE FROM shipments WHERE code = 'none'", Risk.MEDIUM, "DELETE touches 0 rows of shipments."),
        ("UPDATE orders SET note = 'x' WHERE nowhere = 1", Risk.MEDIUM, "It will fail"),
    ],
)
def test_assess_counts_and_touches_nothing(shop: Engine, statement: str, risk: Risk, summary: str) -> None:
    before = photograph(shop)
    assessed = SqlExecute(statement=statement).assess(shop)
    assert (assessed.risk, assessed.summary[: len(summary)]) == (risk, summary)
    assert photograph(shop) == before


def test_many_rows_are_a_high_risk(shop: Engine) -> None:
    values = ", ".join(f"('m{n}')" for n in range(150))
    assert (
        SqlExecute(statement=f"INSERT INTO customers (email) VALUES {values}").assess(shop).risk is Risk.HIGH
    )
    run(shop, f"INSERT INTO customers (email) VALUES {values}")
    assessed = SqlExecute(statement="UPDATE customers SET vip = true WHERE email LIKE 'm%'").assess(shop)
    assert assessed.risk is Risk.HIGH and "150 rows" in assessed.summary
