"""What cannot be captured exactly is refused, with a reason, before anything changes."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from langchain_agentrein.action import Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.integration_tests.toolkits.sql.driver import photograph, run, script

BOTH = {
    "INSERT INTO log VALUES ('x')": "no primary key",
    "UPDATE orders SET id = 9 WHERE id = 1": "primary key",
    "UPDATE orders SET note = 'x' RETURNING id": "RETURNING",
    "DELETE FROM customers; DELETE FROM orders": "several statements",
    "INSERT INTO shipments SELECT 'n', 1, 1": "INSERT ... SELECT",
    "INSERT INTO shipments (code) VALUES ('s-1') ON CONFLICT DO NOTHING": "upsert",
    "SELECT 1": "use sql_query",
    "": "empty",
    "DELETE FROM nowhere": "no table",
    "UPDATE orders SET note = 'unclosed": "cannot be read",
    "UPDATE orders SET note = mystery(id)": "mystery",
    "DELETE FROM many WHERE random() > 0.5": "not those",
    "DELETE FROM seen": "view",
    "UPDATE audited SET n = 2": "triggers",
    "DELETE FROM parents": "triggers",
    "DELETE FROM grandparents": "triggers",
    "DELETE FROM keyless_parents": "no primary key",
}
SQLITE = {
    "REPLACE INTO shipments VALUES ('s-1', NULL, NULL)": "look the row up",
    "INSERT OR REPLACE INTO shipments VALUES ('s-1', NULL, NULL)": "upsert",
    "INSERT OR IGNORE INTO shipments VALUES ('s-1', NULL, NULL)": "upsert",
    "UPDATE OR REPLACE orders SET note = 'x'": "cannot be read",
    "INSERT INTO replacing VALUES (2, 'a')": "ON CONFLICT REPLACE",
    "UPDATE orders SET rowid = 77 WHERE id = 1": "no column",
    "UPDATE nullkeys SET n = 2": "NULL in their primary key",
    "INSERT INTO nullkeys VALUES (NULL, 2)": "NULL in their primary key",
    "UPDATE tempo SET n = 1": "temporary",
    "DELETE FROM sqlite_sequence": "SQLite itself",
    "INSERT INTO docs VALUES ('x')": "virtual",
    "INSERT INTO other.t VALUES (1)": "attached",
    "PRAGMA foreign_keys = 0": "PRAGMA",
    "ATTACH 'x' AS y": "ATTACH",
}
POSTGRES = {
    "MERGE INTO shipments s USING orders o ON s.order_id = o.id WHEN MATCHED THEN DELETE": "MERGE",
    "WITH gone AS (DELETE FROM shipments RETURNING *) UPDATE orders SET note = 'x'": "CTE",
    "WITH gone AS (DELETE FROM shipments RETURNING *) SELECT * FROM gone": "writes",
    "UPDATE parts SET n = 2": "partitioned",
    "UPDATE parts_a SET n = 2": "partitioned",
    "UPDATE base SET n = 2": "inherited",
    "UPDATE ruled SET n = 2": "rules",
    "UPDATE pg_class SET relname = 'x'": "Postgres itself",
    "COPY orders FROM STDIN": "COPY",
    "DO $$ BEGIN END $$": "DO",
    "UPDATE orders SET note = pg_read_file('/etc/passwd')": "pg_read_file",
    "UPDATE orders SET note = public.lower('X')": "public.lower",
    "DELETE FROM composed": "part of the primary key",
}
COMMON_SETUP = [
    "CREATE TABLE many (id integer PRIMARY KEY)",
    f"INSERT INTO many VALUES {', '.join(f'({n})' for n in range(60))}",
    "CREATE VIEW seen AS SELECT * FROM orders",
    "CREATE TABLE audited (id integer PRIMARY KEY, n integer, g integer)",
    "CREATE TABLE grandparents (id integer PRIMARY KEY)",
    "CREATE TABLE parents (id integer PRIMARY KEY, g integer REFERENCES grandparents (id) ON DELETE CASCADE)",
    "CREATE TABLE heirs (id integer PRIMARY KEY, p integer REFERENCES parents (id) ON DELETE CASCADE)",
    "CREATE TABLE keyless_parents (id integer PRIMARY KEY)",
    "CREATE TABLE keyless (p integer REFERENCES keyless_parents (id) ON DELETE SET NULL)",
    "INSERT INTO audited VALUES (1, 1, 1)",
    "INSERT INTO grandparents VALUES (1)",
    "INSERT INTO parents VALUES (1, 1)",
    "INSERT INTO heirs VALUES (1, 1)",
    "INSERT INTO keyless_parents VALUES (1)",
    "INSERT INTO keyless VALUES (1)",
]
SQLITE_SETUP = [
    "CREATE TRIGGER a AFTER UPDATE ON audited BEGIN INSERT INTO log VALUES ('a'); END",
    "CREATE TRIGGER h AFTER DELETE ON heirs BEGIN INSERT INTO log VALUES ('h'); END",
    "CREATE TABLE replacing (id integer PRIMARY KEY, u text UNIQUE ON CONFLICT REPLACE)",
    "INSERT INTO replacing VALUES (1, 'a')",
    "CREATE TABLE nullkeys (k text PRIMARY KEY, n integer)",
    "INSERT INTO nullkeys VALUES (NULL, 1)",
    "CREATE TEMP TABLE tempo (id integer PRIMARY KEY, n integer)",
    "CREATE VIRTUAL TABLE docs USING fts5 (body)",
]
POSTGRES_SETUP = [
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES ('x'); RETURN NULL; END $$",
    "CREATE TRIGGER a AFTER UPDATE ON audited FOR EACH ROW EXECUTE FUNCTION note()",
    "CREATE TRIGGER h AFTER DELETE ON heirs FOR EACH ROW EXECUTE FUNCTION note()",
    "CREATE TABLE parts (id integer, n integer, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
    "CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (9)",
    "INSERT INTO parts VALUES (1, 1)",
    "CREATE TABLE base (id integer PRIMARY KEY, n integer)",
    "CREATE TABLE derived (m integer) INHERITS (base)",
    "CREATE TABLE ruled (id integer PRIMARY KEY, n integer)",
    "CREATE RULE r AS ON UPDATE TO ruled DO ALSO INSERT INTO log VALUES ('r')",
    "CREATE TABLE composed (id integer PRIMARY KEY)",
    "CREATE TABLE composed_of (id integer DEFAULT 2 REFERENCES composed (id) ON DELETE SET DEFAULT, n integer, PRIMARY KEY (id, n))",
    "INSERT INTO composed VALUES (1), (2)",
    "INSERT INTO composed_of VALUES (1, 1)",
]


def test_refused_before_anything_changes(shop: Engine) -> None:
    on_sqlite = shop.dialect.name == "sqlite"
    script(shop, *COMMON_SETUP, *(SQLITE_SETUP if on_sqlite else POSTGRES_SETUP))
    before = photograph(shop)
    for statement, why in (BOTH | (SQLITE if on_sqlite else POSTGRES)).items():
        with pytest.raises(NotDone, match=why):
            run(shop, statement)
        assert photograph(shop) == before, statement
        assessed = SqlExecute(statement=statement).assess(shop)
        if not {"random()", "nullkeys"} & set(statement.split()):  # seen only once it has run
            assert assessed.summary.startswith("It will be refused"), statement
            assert assessed.risk is Risk.MEDIUM
        assert assessed.reversal is Reversal.EXACT


def test_changes_that_no_catalogue_told_of_are_noticed(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's own count of changed rows is the last word."""
    from langchain_agentrein.toolkits.sql import postgres, sqlite

    script(shop, *COMMON_SETUP, *(SQLITE_SETUP if shop.dialect.name == "sqlite" else POSTGRES_SETUP))
    for module in (sqlite.SQLite, postgres.Postgres):
        looked_up = module.table

        def blind(self, *args, _looked_up=looked_up, **kw):  # type: ignore[no-untyped-def]
            import dataclasses

            return dataclasses.replace(_looked_up(self, *args, **kw), refusal=None, triggers=())

        monkeypatch.setattr(module, "table", blind)
    before = photograph(shop)
    with pytest.raises(NotDone, match="more than could be captured"):
        run(shop, "UPDATE audited SET n = 2")
    monkeypatch.setattr(sqlite.SQLite, "referencing", lambda *_: [])
    monkeypatch.setattr(postgres.Postgres, "referencing", lambda *_: [])
    with pytest.raises(NotDone, match="more than could be captured"):
        run(shop, "DELETE FROM customers WHERE id = 2")
    assert photograph(shop) == before


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
