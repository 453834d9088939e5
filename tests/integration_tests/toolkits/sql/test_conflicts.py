"""An undo destroys nobody's work."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine

from langchain_agentrein.errors import AgentReinError, Conflict
from tests.integration_tests.toolkits.sql.driver import look, photograph, rebuilt, run, script, undo


def test_a_column_that_somebody_changed_is_kept_and_the_rest_restored(shop: Engine) -> None:
    action = run(shop, "UPDATE orders SET status = 'paid', note = 'mine' WHERE id IN (1, 2)")
    script(shop, "UPDATE orders SET note = 'theirs' WHERE id = 1")

    state = look(shop, action)
    assert state.taken == ("orders[1].note",)
    assert state.free == ("orders[1].status", "orders[2].note", "orders[2].status")
    with pytest.raises(Conflict) as caught:
        undo(shop, action)
    assert caught.value.details == ["orders[1].note was changed since"]

    undo(shop, action, state.free)
    with shop.connect() as connection:
        rows = connection.exec_driver_sql("SELECT status, note FROM orders WHERE id < 3 ORDER BY id").all()
    assert [tuple(row) for row in rows] == [("new", "theirs"), ("new", None)]


def test_columns_that_it_never_changed_are_not_looked_at(shop: Engine) -> None:
    action = run(shop, "UPDATE orders SET status = 'paid' WHERE id = 1")
    script(shop, "UPDATE orders SET note = 'theirs' WHERE id = 1")
    before = photograph(shop)
    undo(shop, action)
    assert photograph(shop) != before
    with shop.connect() as connection:
        row = connection.exec_driver_sql("SELECT status, note FROM orders WHERE id = 1").one()
    assert tuple(row) == ("new", "theirs")


def test_an_edit_between_the_look_and_the_undo_is_seen(shop: Engine) -> None:
    action = run(shop, "UPDATE orders SET status = 'paid' WHERE id = 1")
    free = look(shop, action).free
    script(shop, "UPDATE orders SET status = 'theirs' WHERE id = 1")
    before = photograph(shop)
    with pytest.raises(Conflict):
        undo(shop, action, ["orders[1].status"] if free else [])
    assert photograph(shop) == before


@pytest.mark.parametrize(
    ("statement", "meanwhile", "why"),
    [
        (
            "INSERT INTO customers (email) VALUES ('n')",
            "UPDATE customers SET vip = true WHERE id = 4",
            "changed since",
        ),
        ("UPDATE orders SET note = 'm' WHERE id = 3", "DELETE FROM orders WHERE id = 3", "deleted since"),
        (
            "DELETE FROM shipments WHERE code = 's-1'",
            "INSERT INTO shipments (code, order_id) VALUES ('s-1', NULL)",
            "changed since",
        ),
        (
            "DELETE FROM customers WHERE id = 3",
            "INSERT INTO customers (email) VALUES ('cy@x')",
            "UNIQUE|unique",
        ),
        (
            'DELETE FROM "order items" WHERE order_id = 2',
            "DELETE FROM orders WHERE id = 2",
            "FOREIGN|foreign",
        ),
        (
            "UPDATE orders SET note = 'm' WHERE id = 3",
            "ALTER TABLE orders DROP COLUMN note",
            "no column note",
        ),
        ("DELETE FROM shipments", "DROP TABLE shipments", "gone"),
    ],
)
def test_what_others_did_meanwhile_is_a_conflict(
    shop: Engine, statement: str, meanwhile: str, why: str
) -> None:
    if statement.endswith("id = 3") and statement.startswith("DELETE"):
        script(shop, "DELETE FROM invoices")
    action = run(shop, statement)
    script(shop, meanwhile)
    before = photograph(shop)
    with pytest.raises(Conflict) as caught:
        undo(shop, action)
    assert re.search(why, " ".join([str(caught.value), *caught.value.details]))
    assert photograph(shop) == before


def test_an_edited_inserted_row_is_kept_and_its_sibling_deleted(shop: Engine) -> None:
    action = run(shop, "INSERT INTO customers (email) VALUES ('n'), ('m')")
    script(shop, "UPDATE customers SET boss = 1 WHERE id = 4")
    state = look(shop, action)
    assert (state.free, state.taken) == (("customers[5]",), ("customers[4]",))
    undo(shop, action, state.free)
    with shop.connect() as connection:
        ids = connection.exec_driver_sql("SELECT id FROM customers WHERE id > 3").scalars().all()
    assert ids == [4]


def test_rows_that_others_attached_to_an_inserted_row(shop: Engine) -> None:
    action = run(shop, "INSERT INTO customers (email) VALUES ('n'), ('m')")
    assert rebuilt(action).attached(shop, action) == []
    script(
        shop,
        "INSERT INTO orders (customer_id) VALUES (4), (4)",
        "INSERT INTO customers (email, boss) VALUES ('o', 5)",
    )
    assert sorted(rebuilt(action).attached(shop, action)) == [
        "2 rows of orders refer to rows of customers that were inserted",
        "a row of customers refers to rows of customers that were inserted",
    ]
    before = photograph(shop)
    with pytest.raises(Conflict) as caught:  # found again in the undo's own transaction
        undo(shop, action)
    assert len(caught.value.details) == 2
    assert photograph(shop) == before


def test_rows_of_one_statement_may_refer_to_each_other(shop: Engine) -> None:
    before = photograph(shop)
    action = run(shop, "INSERT INTO customers (email, boss) VALUES ('n', 5), ('m', 4)")
    assert rebuilt(action).attached(shop, action) == []
    undo(shop, action)
    assert photograph(shop) == before


def test_rows_that_others_attached_to_a_changed_key(db: Engine) -> None:
    script(
        db,
        "CREATE TABLE countries (id integer PRIMARY KEY, code text UNIQUE)",
        "CREATE TABLE cities (id integer PRIMARY KEY, country text REFERENCES countries (code) ON UPDATE CASCADE)",
        "INSERT INTO countries VALUES (1, 'de')",
        "INSERT INTO cities VALUES (1, 'de')",
    )
    action = run(db, "UPDATE countries SET code = 'DE'")
    script(db, "INSERT INTO cities VALUES (2, 'DE')")
    with pytest.raises(Conflict) as caught:
        undo(db, action)
    assert caught.value.details == ["a row of cities refers to countries[1] that had their key changed"]


def test_triggers_added_since_are_named(shop: Engine) -> None:
    action = run(shop, "UPDATE shipments SET no = 2 WHERE code = 's-9'")
    if shop.dialect.name == "sqlite":
        trigger = "CREATE TRIGGER audit AFTER UPDATE ON shipments BEGIN INSERT INTO log VALUES ('x'); END"
    else:
        script(
            shop,
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO log VALUES ('x'); RETURN NULL; END $$",
        )
        trigger = "CREATE TRIGGER audit AFTER UPDATE ON shipments FOR EACH ROW EXECUTE FUNCTION note()"
    script(shop, trigger)
    assert undo(shop, action) == ["triggers wrote 1 row of log during the undo"]


def test_what_reads_back_different_is_not_called_restored(shop: Engine) -> None:
    action = run(shop, "UPDATE shipments SET no = 2 WHERE code = 's-9'")
    if shop.dialect.name == "sqlite":
        trigger = "CREATE TRIGGER keep AFTER UPDATE ON shipments BEGIN UPDATE shipments SET no = 7; END"
    else:
        script(
            shop,
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.no = 7; RETURN NEW; END $$",
        )
        trigger = "CREATE TRIGGER keep BEFORE UPDATE ON shipments FOR EACH ROW EXECUTE FUNCTION keep()"
    script(shop, trigger)
    before = photograph(shop)
    with pytest.raises(AgentReinError, match="reads back different"):
        undo(shop, action)
    assert photograph(shop) == before


def test_a_secret_key_is_not_spelled_out_in_names(db: Engine) -> None:
    script(
        db,
        "CREATE TABLE tokens (token text PRIMARY KEY, n int)",
        "INSERT INTO tokens VALUES ('hush-hush', 1)",
    )
    action = run(db, "UPDATE tokens SET n = 2")
    assert "hush" not in str(list(action.after))
    undo(db, action)


def test_many_rows_are_compared_in_blocks_and_restored_row_by_row(db: Engine) -> None:
    script(
        db,
        "CREATE TABLE many (id integer PRIMARY KEY, n integer, note text)",
        f"INSERT INTO many VALUES {', '.join(f'({n}, 1, NULL)' for n in range(3500))}",
    )
    before = photograph(db)
    action = run(db, "UPDATE many SET n = 2, note = 'x' WHERE id <> 7")
    assert list(action.after) == [
        "many (rows 1 to 1,000)",
        "many (rows 1,001 to 2,000)",
        "many (rows 2,001 to 3,000)",
        "many (rows 3,001 to 3,499)",
    ]
    assert action.after == rebuilt(action).expect(action)
    undo(db, action)
    assert photograph(db) == before
    assert look(db, action).already_undone

    action = run(db, "UPDATE many SET n = 2, note = 'x'")
    script(db, "UPDATE many SET note = 'mine' WHERE id = 3", "DELETE FROM many WHERE id = 5")
    with pytest.raises(Conflict):
        undo(db, action)
    state = look(db, action)
    assert state.taken == ("many (rows 1 to 1,000)",) and len(state.free) == 3
    assert undo(db, action, state.free) == [
        f"kept many[{row}].{column}, which somebody changed since"
        for row, column in ((3, "note"), (5, "n"), (5, "note"))
    ]
    script(db, "UPDATE many SET note = NULL WHERE id = 3", "INSERT INTO many VALUES (5, 1, NULL)")
    assert photograph(db) == before
