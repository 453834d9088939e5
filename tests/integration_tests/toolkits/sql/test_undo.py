"""What was done and undone leaves the whole database as it was."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.integration_tests.toolkits.sql.driver import look, photograph, rebuilt, run, script, undo

STATEMENTS: list[tuple[str, dict[str, Any]]] = [
    (
        "UPDATE orders SET status = 'paid', total = total + :more WHERE customer_id = :id",
        {"more": 2.25, "id": 1},
    ),
    ("UPDATE customers AS c SET boss = c.id WHERE c.email LIKE '%@x'", {}),
    ("UPDATE orders SET note = 'x' FROM customers c WHERE c.id = orders.customer_id AND c.boss = 1", {}),
    (
        "WITH rich AS (SELECT id FROM orders WHERE total > 5) UPDATE orders SET note = 'rich' WHERE id IN (SELECT id FROM rich)",
        {},
    ),
    ('UPDATE "order items" SET "Größe" = :v WHERE qty > 1 -- all but one', {"v": "a':b%(c)s"}),
    ("UPDATE customers SET email = email || CASE WHEN vip IS DISTINCT FROM true THEN ':new' ELSE '' END", {}),
    ("DELETE FROM customers WHERE id = 1", {}),
    ('DELETE FROM orders WHERE id IN (SELECT order_id FROM "order items" WHERE qty > 1);', {}),
    ("DELETE FROM shipments", {}),
    ("DELETE FROM customers WHERE email = 'nobody'", {}),
    ("INSERT INTO customers (email, boss) VALUES (:mail, 2), ('y', NULL)", {"mail": "x@y"}),
    ("INSERT INTO \"order items\" VALUES (2, 7, 'M', 1), (2, 8, 'M', 1)", {}),
    ("INSERT INTO shipments (code) VALUES ('s-5')", {}),
]


@pytest.mark.parametrize(
    ("statement", "parameters"), STATEMENTS, ids=[str(n) for n in range(len(STATEMENTS))]
)
def test_undo_restores_the_whole_database(shop: Engine, statement: str, parameters: dict[str, Any]) -> None:
    before = photograph(shop)
    action = run(shop, statement, **parameters)
    done = photograph(shop)
    assert (done != before) == bool(action.before["tables"])
    assert action.after == rebuilt(action).expect(action)
    assert not look(shop, action).taken

    undo(shop, action)

    assert photograph(shop) == before
    assert look(shop, action).already_undone
    undo(shop, action)
    assert photograph(shop) == before


def test_actions_unwind_in_reverse_order(shop: Engine) -> None:
    before = photograph(shop)
    actions = [run(shop, statement, **parameters) for statement, parameters in STATEMENTS[:9]]
    for action in reversed(actions):
        undo(shop, action)
    assert photograph(shop) == before


def test_receipt_names_rows_and_keys(shop: Engine) -> None:
    deleted = run(shop, "DELETE FROM customers WHERE id = 1").receipt
    assert deleted == {
        "rowcount": 1,
        "tables": {"customers": 3, "orders": 2, '"order items"': 3, "shipments": 2},
        "keys": [],
    }
    assert run(shop, "INSERT INTO customers (email) VALUES ('n')").receipt["keys"] == [{"id": 4}]


def test_only_changed_columns_are_kept_of_an_update(shop: Engine) -> None:
    action = run(shop, "UPDATE orders SET status = 'new', note = 'n' WHERE id = 1")
    assert action.before["tables"][0]["rows"] == [
        {"key": {"id": 1}, "before": {"note": "a: b"}, "after": {"note": "n"}}
    ]
    assert action.after == {"orders[1].note": "n"}


def test_keys_updated_through_foreign_keys_follow_back(db: Engine) -> None:
    script(
        db,
        "CREATE TABLE countries (id integer PRIMARY KEY, code text UNIQUE)",
        "CREATE TABLE cities (id integer PRIMARY KEY, country text REFERENCES countries (code) ON UPDATE CASCADE)",
        "INSERT INTO countries VALUES (1, 'de'), (2, 'fr')",
        "INSERT INTO cities VALUES (1, 'de'), (2, 'de'), (3, 'fr')",
    )
    before = photograph(db)
    action = run(db, "UPDATE countries SET code = upper(code) WHERE id = 1")
    assert action.receipt["tables"] == {"countries": 1, "cities": 2}
    undo(db, action)
    assert photograph(db) == before


def test_unique_values_that_moved_in_step_move_back(db: Engine) -> None:
    script(
        db,
        "CREATE TABLE places (id integer PRIMARY KEY, pos integer UNIQUE)",
        "INSERT INTO places VALUES (1, 30), (2, 20), (3, 10)",
    )
    before = photograph(db)
    for action in [run(db, "UPDATE places SET pos = pos + 10 WHERE pos >= 10")]:
        undo(db, action)
    assert photograph(db) == before


def test_a_ring_of_rows_comes_back(db: Engine) -> None:
    script(
        db,
        "CREATE TABLE teams (id integer PRIMARY KEY, lead integer)",
        "CREATE TABLE people (id integer PRIMARY KEY, team integer NOT NULL REFERENCES teams (id) ON DELETE CASCADE,"
        " mentor integer REFERENCES people (id))",
        "INSERT INTO teams VALUES (1, 2)",
        "INSERT INTO people VALUES (1, 1, NULL), (2, 1, 1), (3, 1, 3)",
        "UPDATE people SET mentor = 2 WHERE id = 1",
    )
    before = photograph(db)
    action = run(db, "DELETE FROM teams")
    undo(db, action)
    assert photograph(db) == before


def test_rows_that_need_each_other_come_back(db: Engine) -> None:
    deferred = "REFERENCES {} ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
    constraint = (
        "" if db.dialect.name == "sqlite" else "ALTER TABLE a ADD FOREIGN KEY (b) " + deferred.format("b")
    )
    inline = deferred.format("b") if db.dialect.name == "sqlite" else ""
    script(
        db,
        f"CREATE TABLE a (id integer PRIMARY KEY, b integer NOT NULL {inline})",
        f"CREATE TABLE b (id integer PRIMARY KEY, a integer NOT NULL {deferred.format('a')})",
        *([constraint] if constraint else []),
    )
    script(db, "INSERT INTO a VALUES (1, 2)", "INSERT INTO b VALUES (2, 1)")
    before = photograph(db)
    undo(db, run(db, "DELETE FROM a"))
    assert photograph(db) == before


def test_values_that_changed_places_change_back(postgres: Engine) -> None:
    script(
        postgres,
        "CREATE TABLE places (id integer PRIMARY KEY, pos integer UNIQUE DEFERRABLE)",
        "INSERT INTO places VALUES (1, 1), (2, 2)",
    )
    before = photograph(postgres)
    undo(postgres, run(postgres, "UPDATE places SET pos = 3 - pos"))
    assert photograph(postgres) == before


def test_hidden_row_numbers_come_back(sqlite: Engine) -> None:
    script(sqlite, "CREATE TABLE t (k text PRIMARY KEY)", "INSERT INTO t VALUES ('a'), ('b'), ('c')")
    before = photograph(sqlite)
    undo(sqlite, run(sqlite, "DELETE FROM t WHERE k <> 'c'"))
    assert photograph(sqlite) == before


def test_counters_and_sequences(shop: Engine) -> None:
    action = run(shop, "INSERT INTO customers (email) VALUES ('n')")
    second = run(shop, "INSERT INTO customers (email) VALUES ('m')")
    if shop.dialect.name == "sqlite":
        assert undo(shop, action) == ["the AUTOINCREMENT counter of customers stays at 5"]
        assert undo(shop, second) == []
    else:
        assert undo(shop, second) == ["sequence public.customers_id_seq advanced"]


def test_explicit_keys_advance_no_sequence(postgres: Engine) -> None:
    script(postgres, "CREATE TABLE t (id serial PRIMARY KEY, n int)")
    assert undo(postgres, run(postgres, "INSERT INTO t VALUES (7, 1)")) == []
    assert undo(postgres, run(postgres, "INSERT INTO t VALUES (DEFAULT, 1)")) == [
        "sequence public.t_id_seq advanced"
    ]


def test_other_schemas_and_spellings(postgres: Engine) -> None:
    script(
        postgres,
        'CREATE SCHEMA "Über"',
        "CREATE TYPE \"Über\".\"mo:od\" AS ENUM ('so', 'la la')",
        'CREATE TABLE "Über"."T""x" ("K:1" integer, "k" text, m "Über"."mo:od", PRIMARY KEY ("K:1", k))',
        "INSERT INTO \"Über\".\"T\"\"x\" VALUES (1, 'a', 'so'), (2, ':b', 'la la')",
    )
    before = photograph(postgres)
    for statement in (
        'UPDATE "Über"."T""x" SET M = \'so\'',
        'DELETE FROM "Über"."T""x" AS "Q" WHERE "Q"."K:1" = 2',
    ):
        action = run(postgres, statement)
        assert action.receipt["rowcount"]
        undo(postgres, action)
        assert photograph(postgres) == before


def test_a_sqlite_connection_without_foreign_keys_cascades_nothing(shop: Engine) -> None:
    if shop.dialect.name != "sqlite":
        pytest.skip("SQLite only")
    script(shop, "DELETE FROM invoices")
    with shop.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = 0")
    action = run(shop, "DELETE FROM customers WHERE id = 1")
    assert action.receipt["tables"] == {"customers": 1}


def test_too_many_rows_are_refused(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlExecute, "most", 3)
    before = photograph(shop)
    with pytest.raises(NotDone, match="more than 3"):
        run(shop, "UPDATE orders SET note = 'x'")
    with pytest.raises(NotDone, match="more than 3"):
        run(shop, "DELETE FROM customers WHERE id = 1")
    assert photograph(shop) == before
