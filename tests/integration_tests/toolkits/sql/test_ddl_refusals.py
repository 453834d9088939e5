"""A change of the schema that could not be undone exactly is refused, with a reason, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from langchain_agentrein.action import Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.ddl import is_ddl
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.integration_tests.toolkits.sql.driver import run, script
from tests.integration_tests.toolkits.sql.dump import dump

BOTH = {
    "CREATE TABLE a (x integer); DROP TABLE log": "several statements",
    "CREATE TRIGGER t AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION f()": "CREATE TRIGGER is not handled",
    "DROP TRIGGER audit": "DROP TRIGGER is not handled",
    "CREATE OR REPLACE VIEW seen AS SELECT 1": "OR REPLACE",
    "CREATE TEMP TABLE t (x integer)": "temporary",
    "CREATE TEMPORARY VIEW t AS SELECT 1": "temporary",
    "DROP TABLE log CASCADE": "CASCADE",
    "DROP TABLE nowhere": "no table nowhere",
    "DROP INDEX nowhere": "no index nowhere",
    "ALTER TABLE nowhere ADD COLUMN x integer": "no table nowhere",
    "CREATE INDEX i ON nowhere (x)": "no table nowhere",
    "CREATE TABLE": "names nothing",
    "CREATE TABLE a.b.c (x integer)": "cannot be read",
    "CREATE TABLE log (x integer)": "already exists",
    "CREATE TABLE t AS SELECT mystery(id) FROM orders": r"mystery\(",
    "ALTER TABLE orders ADD COLUMN x integer DEFAULT (mystery(1))": r"mystery\(",
    "ALTER TABLE orders ADD COLUMN note text": "failed",
    "ALTER TABLE log DROP COLUMN other": "no such column|does not exist|no column",
    "DROP TABLE big": "more than 50 rows",
    "ALTER TABLE big DROP COLUMN n": "more than 50 rows",
    "CREATE TABLE copied AS SELECT * FROM big": "more than 50 rows",
}
SQLITE = {
    "DROP TABLE customers": r"carry on \(ON DELETE CASCADE\) to 4 rows of orders",
    "DROP TABLE orders": "carry on|FOREIGN KEY",
    "DROP TABLE parents": "FOREIGN KEY constraint failed",
    "DROP TABLE docs": "virtual",
    "CREATE VIRTUAL TABLE v USING fts5 (x)": "virtual",
    "CREATE TABLE other.t (x)": "not the main database",
    "DROP TABLE sqlite_sequence": "SQLite itself",
    "CREATE TABLE temp.t (x)": "temporary",
    "TRUNCATE log": "TRUNCATE",
    "ALTER TABLE orders DROP COLUMN id": "cannot drop|PRIMARY KEY",
    "ALTER TABLE tempo ADD COLUMN x": "temporary",
    "ALTER TABLE watched ADD COLUMN x": "temporary trigger",
}
POSTGRES = {
    "ALTER TABLE keyless DROP COLUMN n": "no primary key",
    "CREATE TABLE p (x integer) PARTITION BY RANGE (x)": "partitions",
    "CREATE TABLE p PARTITION OF parts FOR VALUES FROM (10) TO (20)": "partitions",
    "CREATE TABLE p () INHERITS (base)": "inherited",
    "ALTER TABLE parts ADD COLUMN x integer": "partitioned",
    "DROP TABLE parts_a": "partitioned or inherited",
    "ALTER TABLE base ADD COLUMN x integer": "inherited",
    "TRUNCATE derived": "inherited",
    "DROP TABLE guarded": "row-level security",
    "DROP TABLE ruled": "rule .*r",
    "TRUNCATE ruled": r"triggers or rules \(r\)",
    "TRUNCATE audited": "triggers or rules",
    "ALTER TABLE audited DROP COLUMN n": "triggers or rules",
    "DROP TABLE published": "publication",
    "DROP TABLE measured": "statistics",
    "TRUNCATE log, invoices": "several tables",
    "DROP TABLE log, invoices": "several tables",
    "TRUNCATE log RESTART IDENTITY": "RESTART IDENTITY",
    "TRUNCATE customers": "failed.*foreign key",
    "TRUNCATE customers CASCADE": "CASCADE",
    "DROP TABLE customers": "other objects depend on it",
    "DROP VIEW over_log": "other objects depend on it",
    "CREATE INDEX CONCURRENTLY i ON orders (note)": "CONCURRENTLY",
    "DROP INDEX CONCURRENTLY by_note": "CONCURRENTLY",
    "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'": "CREATE FUNCTION is not handled",
    "CREATE EXTENSION citext": "CREATE EXTENSION is not handled",
    "CREATE SCHEMA s": "CREATE SCHEMA is not handled",
    "CREATE TYPE mood AS ENUM ('a')": "CREATE TYPE is not handled",
    "CREATE USER eve": "CREATE USER is not handled",
    "DROP DATABASE postgres": "DROP DATABASE is not handled",
    "ALTER SYSTEM SET fsync = off": "ALTER SYSTEM is not handled",
    "CREATE PUBLICATION q FOR ALL TABLES": "is not handled",
    "VACUUM log": "VACUUM",
    "GRANT SELECT ON log TO PUBLIC": "GRANT",
    "REINDEX TABLE log": "REINDEX",
    "REFRESH MATERIALIZED VIEW m": "REFRESH",
    "DROP VIEW log": "is no view",
    "DROP TABLE over_log": "is no table",
    "ALTER TABLE log OWNER TO reader": "would not bring back table public.log",
    "ALTER TABLE log SET (fillfactor = 50)": "would not bring back table public.log",
    "ALTER TABLE log SET UNLOGGED": "would not bring back table public.log",
    "ALTER TABLE log ENABLE ROW LEVEL SECURITY": "would not bring back table public.log",
    "ALTER TABLE log REPLICA IDENTITY FULL": "would not bring back table public.log",
    "ALTER TABLE orders ALTER COLUMN twice DROP EXPRESSION": "would not bring back column public.orders.twice",
    "ALTER TABLE orders ALTER COLUMN note SET STATISTICS 7": "would not bring back column public.orders.note",
    "ALTER SEQUENCE numbers INCREMENT BY 5": "would not bring back sequence public.numbers",
    "ALTER SEQUENCE numbers RESTART": "RESTART is not handled",
    "ALTER TABLE orders ADD COLUMN x integer, ALTER COLUMN id RESTART WITH 99": "RESTART is not handled",
    "ALTER TABLE orders ADD COLUMN x integer, DISABLE TRIGGER ALL": "TRIGGER is not handled",
    "ALTER TABLE orders ALTER COLUMN note DROP DEFAULT": "nothing that it changes can be seen",
    "ALTER TABLE log SET SCHEMA elsewhere": "would not bring back|does not exist",
    "CREATE TABLE t AS SELECT sneaky() AS x": r"sneaky\(",
    "CREATE TABLE aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg (x integer)": "longer than 63 bytes",
    'CREATE TABLE U&"d\\0061t" (x integer)': "cannot be read",
    "ALTER TABLE pg_catalog.pg_class ADD COLUMN x integer": "Postgres itself|permission",
}
COMMON_SETUP = [
    "CREATE TABLE keyless (line text, n integer)",
    "INSERT INTO keyless VALUES ('a', 1)",
    "CREATE TABLE big (id integer PRIMARY KEY, n integer)",
    f"INSERT INTO big VALUES {', '.join(f'({n}, {n})' for n in range(60))}",
    "CREATE INDEX by_note ON orders (note)",
    "CREATE TABLE parents (id integer PRIMARY KEY)",
    "CREATE TABLE children (p integer REFERENCES parents (id))",
    "INSERT INTO parents VALUES (1)",
    "INSERT INTO children VALUES (1)",
]
SQLITE_SETUP = [
    "CREATE TEMP TABLE tempo (id integer PRIMARY KEY)",
    "CREATE TABLE watched (id integer PRIMARY KEY)",
    "CREATE TEMP TRIGGER w AFTER INSERT ON watched BEGIN DELETE FROM log; END",
    "CREATE VIRTUAL TABLE docs USING fts5 (body)",
]
POSTGRES_SETUP = [
    "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'reader') THEN CREATE ROLE reader; END IF; END $$",
    "CREATE TABLE parts (id integer, n integer, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
    "CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (9)",
    "CREATE TABLE base (id integer PRIMARY KEY, n integer)",
    "CREATE TABLE derived (m integer) INHERITS (base)",
    "CREATE TABLE guarded (id integer PRIMARY KEY)",
    "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
    "CREATE TABLE ruled (id integer PRIMARY KEY, n integer)",
    "CREATE RULE r AS ON UPDATE TO ruled DO ALSO INSERT INTO log VALUES ('r')",
    "CREATE TABLE audited (id integer PRIMARY KEY, n integer)",
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES ('x'); RETURN NULL; END $$",
    "CREATE FUNCTION sneaky() RETURNS integer LANGUAGE sql AS $$ INSERT INTO log VALUES ('x') RETURNING 1 $$",
    "CREATE TRIGGER a AFTER UPDATE ON audited FOR EACH ROW EXECUTE FUNCTION note()",
    "CREATE TABLE published (id integer PRIMARY KEY)",
    "DROP PUBLICATION IF EXISTS news",
    "CREATE PUBLICATION news FOR TABLE published",
    "CREATE TABLE measured (a integer, b integer)",
    "CREATE STATISTICS ab ON a, b FROM measured",
    "CREATE VIEW over_log AS SELECT line FROM log",
    "CREATE VIEW over_over AS SELECT line FROM over_log",
    "CREATE MATERIALIZED VIEW m AS SELECT 1 AS n",
    "CREATE SEQUENCE numbers",
]


def test_refused_and_nothing_changed(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlExecute, "most", 50)
    on_sqlite = shop.dialect.name == "sqlite"
    script(shop, *COMMON_SETUP, *(SQLITE_SETUP if on_sqlite else POSTGRES_SETUP))
    before = dump(shop)
    for statement, why in (BOTH | (SQLITE if on_sqlite else POSTGRES)).items():
        with pytest.raises(NotDone, match=why):
            run(shop, statement)
        assert dump(shop) == before, statement
        SqlExecute(statement=statement).assess(shop)
    assert dump(shop) == before


def test_a_broken_view_stands_in_the_way(sqlite: Engine) -> None:
    script(sqlite, "CREATE TABLE log (line text)", "CREATE VIEW broken AS SELECT x FROM nowhere")
    with pytest.raises(NotDone, match="error in view broken"):
        run(sqlite, "ALTER TABLE log RENAME COLUMN line TO other")


def test_parameters_are_refused(shop: Engine) -> None:
    with pytest.raises(NotDone, match="takes no parameters"):
        run(shop, "CREATE TABLE t (x integer)", x=1)


def test_rows_changed_on_the_way_are_noticed(postgres: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's own count of changed rows is the last word, whatever the statement is read as."""
    from langchain_agentrein.toolkits.sql.ddl import statement

    script(
        postgres,
        "CREATE TABLE log (line text)",
        "CREATE FUNCTION sneaky() RETURNS integer LANGUAGE sql AS $$ INSERT INTO log VALUES ('x') RETURNING 1 $$",
    )
    monkeypatch.setattr(statement, "suspicious", lambda *_: None)
    before = dump(postgres)
    with pytest.raises(NotDone, match=r"changed rows of public\.log"):
        run(postgres, "CREATE TABLE t AS SELECT sneaky() AS x")
    assert dump(postgres) == before


def test_what_the_rehearsal_does_not_bring_back_is_refused(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_agentrein.toolkits.sql.ddl import catalogue
    from langchain_agentrein.toolkits.sql.ddl.postgres import PostgresCatalogue
    from langchain_agentrein.toolkits.sql.ddl.sqlite import SQLiteCatalogue

    for kind in (PostgresCatalogue, SQLiteCatalogue):
        monkeypatch.setattr(kind, "plan", lambda *_: catalogue.Plan())
    before = dump(shop)
    for statement in ("CREATE TABLE t (x integer)", "DROP TABLE log", "ALTER TABLE log ADD COLUMN x integer"):
        with pytest.raises(NotDone, match=r"would not bring back|could not be undone"):
            run(shop, statement)
        assert dump(shop) == before


def test_event_triggers(postgres: Engine) -> None:
    script(
        postgres,
        "CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION seen()",
    )
    try:
        with pytest.raises(NotDone, match=r"event triggers \(watch\)"):
            run(postgres, "CREATE TABLE t (x integer)")
    finally:
        script(postgres, "DROP EVENT TRIGGER watch")


@pytest.mark.parametrize(
    ("statement", "risk", "summary"),
    [
        ("CREATE TABLE t (x integer)", Risk.MEDIUM, "CREATE TABLE on "),
        ("CREATE INDEX i ON orders (note)", Risk.MEDIUM, "CREATE INDEX on "),
        ("ALTER TABLE orders ADD COLUMN x integer DEFAULT 1", Risk.MEDIUM, "ALTER TABLE on "),
        ("ALTER TABLE orders RENAME TO others", Risk.HIGH, "ALTER TABLE on "),
        (
            "ALTER TABLE orders DROP COLUMN note",
            Risk.CRITICAL,
            "ALTER TABLE takes away values of orders, with 4 rows.",
        ),
        ("DROP TABLE log", Risk.CRITICAL, "DROP TABLE takes away the table log, with 1 row."),
        (
            "DROP TABLE IF EXISTS nowhere",
            Risk.CRITICAL,
            "DROP TABLE finds nothing of that name, and does nothing.",
        ),
        (
            "DROP TABLE nowhere",
            Risk.MEDIUM,
            "It will be refused: nothing changed: there is no table nowhere.",
        ),
        (
            "CREATE FUNCTION f() RETURNS int",
            Risk.MEDIUM,
            "It will be refused: CREATE FUNCTION is not handled",
        ),
    ],
)
def test_assess_touches_nothing(shop: Engine, statement: str, risk: Risk, summary: str) -> None:
    before = dump(shop)
    assessed = SqlExecute(statement=statement).assess(shop)
    assert (assessed.risk, assessed.summary[: len(summary)]) == (risk, summary)
    assert assessed.reversal is Reversal.EXACT
    assert dump(shop) == before


@pytest.mark.parametrize(
    ("statement", "risk"),
    [
        ("TRUNCATE orders", Risk.CRITICAL),
        ("ALTER TABLE orders ALTER COLUMN note TYPE varchar(1)", Risk.CRITICAL),
        ("ALTER TABLE orders ALTER note SET DATA TYPE varchar(1)", Risk.CRITICAL),
        ("ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'x'", Risk.MEDIUM),
        ("ALTER TABLE orders ALTER COLUMN status DROP DEFAULT", Risk.MEDIUM),
        ("ALTER TABLE orders ALTER COLUMN status DROP NOT NULL, DROP note", Risk.CRITICAL),
        ("ALTER TABLE orders DROP CONSTRAINT orders_pkey", Risk.HIGH),
    ],
)
def test_risk_follows_what_is_lost(postgres: Engine, statement: str, risk: Risk) -> None:
    script(
        postgres, "CREATE TABLE orders (id integer PRIMARY KEY, note text, status text NOT NULL DEFAULT '')"
    )
    assert SqlExecute(statement=statement).assess(postgres).risk is risk


def test_what_is_a_change_of_the_schema() -> None:
    for statement in ("create table t (x int)", "-- c\nDROP VIEW v", "/* x */ ALTER TABLE t RENAME TO u"):
        assert is_ddl(statement, "sqlite") and is_ddl(statement, "postgres")
    others: list[Any] = [
        "",
        "SELECT 1",
        "UPDATE t SET x = 1",
        "'unclosed",
        "INSERT INTO t VALUES ('DROP TABLE t')",
    ]
    for statement in others:
        assert not is_ddl(statement, "sqlite") and not is_ddl(statement, "postgres")
    assert is_ddl("TRUNCATE t", "postgres")
