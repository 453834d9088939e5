"""What others built or wrote since is theirs: the undo of a change of the schema leaves it, and says so."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine

from langchain_agentrein.errors import Conflict
from tests.integration_tests.toolkits.sql.driver import look, rebuilt, run, script, undo
from tests.integration_tests.toolkits.sql.dump import dump

CREATE = "CREATE TABLE fresh (id integer PRIMARY KEY, note text DEFAULT 'n')"
ADD = "ALTER TABLE orders ADD COLUMN flag integer DEFAULT 7"

CASES: list[tuple[str, list[str], str]] = [
    (CREATE, ["INSERT INTO fresh VALUES (1, 'mine')"], "written into it"),
    (CREATE, ["CREATE VIEW on_it AS SELECT id FROM fresh"], "view .*on_it was made on it"),
    (CREATE, ["CREATE INDEX on_it ON fresh (note)"], "index .*on_it was made on it"),
    (CREATE, ["CREATE TABLE on_it (f integer REFERENCES fresh (id))"], "on_it.* was made on it"),
    (CREATE, ["ALTER TABLE fresh ADD COLUMN more text"], "fresh"),
    (CREATE, ["DROP TABLE fresh", "CREATE TABLE fresh (id integer PRIMARY KEY, other text)"], "fresh"),
    ("CREATE TABLE copied AS SELECT id FROM orders", ["DELETE FROM copied WHERE id = 1"], "written into it"),
    (
        "CREATE TABLE copied AS SELECT id FROM orders",
        ["UPDATE copied SET id = 77 WHERE id = 1"],
        "written into it",
    ),
    (
        "CREATE VIEW v AS SELECT id FROM orders",
        ["CREATE VIEW on_it AS SELECT * FROM v"],
        "view .*on_it was made on it",
    ),
    (
        "CREATE VIEW v AS SELECT id FROM orders",
        ["DROP VIEW v", "CREATE VIEW v AS SELECT id FROM customers"],
        "view .*v was changed",
    ),
    (
        "CREATE INDEX i ON orders (note)",
        ["DROP INDEX i", "CREATE INDEX i ON orders (status)"],
        "index .*i was changed",
    ),
    (ADD, ["UPDATE orders SET flag = 8 WHERE id = 2"], "written into it"),
    (ADD, ["UPDATE orders SET flag = NULL WHERE id = 2"], "written into it"),
    (ADD, ["INSERT INTO orders (customer_id, flag) VALUES (1, 8)"], "written into it"),
    (ADD, ["CREATE INDEX on_it ON orders (note, flag)"], "index .*on_it was made on it"),
    (ADD, ["CREATE VIEW on_it AS SELECT flag FROM orders"], "on_it|stands in the way"),
    (ADD, ["ALTER TABLE orders DROP COLUMN flag", "ALTER TABLE orders ADD COLUMN flag text"], "orders"),
    ("DROP TABLE log", ["CREATE TABLE log (line text)"], "log"),
    ("DROP TABLE log", ["CREATE VIEW log AS SELECT 1 AS line"], "log"),
    ("DROP TABLE invoices", ["DELETE FROM orders WHERE id = 4"], "stands in the way|not there"),
    ("ALTER TABLE log RENAME TO lines", ["CREATE TABLE log (other integer)"], "log"),
    (
        "ALTER TABLE log RENAME TO lines",
        ["ALTER TABLE lines ADD COLUMN more text"],
        "stands in the way|lines",
    ),
    ("ALTER TABLE log RENAME COLUMN line TO text", ["ALTER TABLE log RENAME COLUMN text TO other"], "log"),
]
SQLITE = [
    (
        CREATE,
        ["CREATE TRIGGER on_it AFTER INSERT ON fresh BEGIN DELETE FROM log; END"],
        "trigger on_it was made on it",
    ),
    (
        CREATE,
        ["CREATE TRIGGER on_it AFTER INSERT ON log BEGIN INSERT INTO fresh VALUES (1, ''); END"],
        "trigger on_it was made on it",
    ),
    (
        "ALTER TABLE orders DROP COLUMN note",
        ["ALTER TABLE orders ADD COLUMN note text"],
        "orders was changed",
    ),
]
POSTGRES = [
    (CREATE, ["ALTER TABLE fresh RENAME TO theirs"], "gone since"),
    (CREATE, ["COMMENT ON TABLE fresh IS 'mine'"], "fresh was changed"),
    (CREATE, ["GRANT SELECT ON fresh TO PUBLIC"], "fresh was changed"),
    (CREATE, ["ALTER TABLE fresh ENABLE ROW LEVEL SECURITY"], "fresh was changed"),
    (CREATE, ["ALTER TABLE fresh ALTER COLUMN note SET DEFAULT 'other'"], "note.* was changed"),
    (CREATE, ["ALTER TABLE fresh ADD CHECK (id > 0)"], "fresh_id_check.* was made on it"),
    ("TRUNCATE log", ["INSERT INTO log VALUES ('mine')"], "rows of log was changed"),
    (
        "ALTER TABLE orders ALTER COLUMN note TYPE varchar(1) USING left(note, 1)",
        ["UPDATE orders SET note = 'z' WHERE id = 1"],
        r"orders\[1\] was changed",
    ),
    (
        "ALTER TABLE orders ALTER COLUMN note TYPE varchar(1) USING left(note, 1)",
        ["INSERT INTO orders (customer_id, note) VALUES (1, 'q')"],
        "came since",
    ),
    (
        "ALTER TABLE orders ALTER COLUMN status DROP NOT NULL",
        ["UPDATE orders SET status = NULL"],
        "stands in the way",
    ),
    (
        "ALTER TABLE orders ALTER COLUMN status DROP DEFAULT",
        ["ALTER TABLE orders ALTER status SET DEFAULT 'x'"],
        "status",
    ),
    (
        "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey",
        ["UPDATE orders SET customer_id = 99"],
        "stands in the way",
    ),
    (
        "ALTER TABLE customers DROP COLUMN vip",
        ["ALTER TABLE customers ADD COLUMN vip text"],
        "vip.* was changed",
    ),
    (
        "ALTER TABLE orders ADD COLUMN n serial",
        ["INSERT INTO orders (customer_id) VALUES (1)"],
        "written into it",
    ),
]


def in_conflict(api: Engine, statement: str, theirs: list[str], told: str) -> None:
    action = run(api, statement)
    script(api, *theirs)
    before = dump(api)
    op = rebuilt(action)
    attached = list(op.attached(api, action))
    with pytest.raises(Conflict) as caught:
        undo(api, action)
    assert re.search(told, " / ".join([str(caught.value), *caught.value.details, *attached])), (
        caught.value.details
    )
    assert dump(api) == before
    if ("made on it" in told and "|" not in told) or "written" in told:
        assert attached  # so that the engine asks before it tries


@pytest.mark.parametrize(("statement", "theirs", "told"), CASES)
def test_others_work_is_a_conflict(shop: Engine, statement: str, theirs: list[str], told: str) -> None:
    in_conflict(shop, statement, theirs, told)


@pytest.mark.parametrize(("statement", "theirs", "told"), SQLITE)
@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_sqlite(shop: Engine, statement: str, theirs: list[str], told: str) -> None:
    in_conflict(shop, statement, theirs, told)


@pytest.mark.parametrize(("statement", "theirs", "told"), POSTGRES)
@pytest.mark.parametrize("db", ["postgres"], indirect=True)
def test_postgres(shop: Engine, statement: str, theirs: list[str], told: str) -> None:
    in_conflict(shop, statement, theirs, told)


def test_what_has_the_default_is_nobodys_work(shop: Engine) -> None:
    before = dump(shop)
    action = run(shop, ADD)
    script(shop, "INSERT INTO orders (customer_id, note) VALUES (1, 'new')")
    assert not rebuilt(action).attached(shop, action)
    assert undo(shop, action) == []
    script(shop, "DELETE FROM orders WHERE note = 'new'")
    if shop.dialect.name == "postgresql":
        script(shop, "SELECT setval('orders_id_seq', 4)")
    else:
        script(shop, "UPDATE sqlite_sequence SET seq = 4 WHERE name = 'orders'")
    assert dump(shop) == before


def test_a_column_of_an_empty_table(db: Engine) -> None:
    script(db, "CREATE TABLE t (id integer PRIMARY KEY)")
    action = run(db, "ALTER TABLE t ADD COLUMN c text DEFAULT 'd'")
    script(db, "INSERT INTO t (id) VALUES (1)")
    assert not rebuilt(action).attached(db, action)
    script(db, "INSERT INTO t VALUES (2, 'e')")
    assert "written into it" in rebuilt(action).attached(db, action)[0]
    with pytest.raises(Conflict):
        undo(db, action)


def test_a_part_of_it_cannot_be_undone(shop: Engine) -> None:
    action = run(shop, CREATE)
    with pytest.raises(Conflict, match="as a whole"):
        undo(shop, action, fields=[])


def test_forced_it_takes_along_what_stands_on_it(shop: Engine) -> None:
    before = dump(shop)
    action = run(shop, CREATE)
    script(shop, "INSERT INTO fresh VALUES (1, 'mine')", "CREATE INDEX on_it ON fresh (note)")
    rebuilt(action).undo(shop, action.with_(undo_forced=True))
    assert dump(shop) == before


def test_rows_that_went_and_came_are_named(shop: Engine) -> None:
    action = run(shop, "ALTER TABLE customers DROP COLUMN password")
    script(shop, "DELETE FROM orders WHERE customer_id = 2", "DELETE FROM customers WHERE id = 2")
    script(shop, "INSERT INTO customers (email) VALUES ('new@x')")
    told = undo(shop, action)
    assert told[-2:] == [
        "1 rows of customers have gone since, and their values with them",
        "1 rows of customers came since, and have the default in password",
    ]
    with shop.connect() as connection:
        rows = connection.exec_driver_sql("SELECT email, password FROM customers ORDER BY id").all()
    assert [tuple(row) for row in rows] == [("ana@x", "pw-a"), ("cy@x", "pw-c"), ("new@x", None)]
    assert look(shop, action).already_undone


def test_changes_of_rows_between_are_kept(shop: Engine) -> None:
    """A rename is taken back under rows that were written since."""
    action = run(shop, "ALTER TABLE customers RENAME COLUMN email TO mail")
    script(shop, "UPDATE customers SET mail = 'z@x' WHERE id = 1")
    assert undo(shop, action) == []
    with shop.connect() as connection:
        assert connection.exec_driver_sql("SELECT email FROM customers WHERE id = 1").scalar() == "z@x"


def test_actions_unwind_in_reverse_order(shop: Engine) -> None:
    before = dump(shop)
    statements = [
        "CREATE TABLE notes (id integer PRIMARY KEY, body text)",
        "INSERT INTO notes VALUES (1, 'a'), (2, 'b')",
        "ALTER TABLE notes ADD COLUMN lang text DEFAULT 'en'",
        "UPDATE notes SET lang = 'de' WHERE id = 1",
        "ALTER TABLE notes RENAME TO remarks",
        "CREATE INDEX by_lang ON remarks (lang)",
        "DELETE FROM remarks WHERE id = 2",
        "DROP TABLE remarks",
        "CREATE TABLE remarks (other integer PRIMARY KEY)",
        "INSERT INTO remarks VALUES (5)",
    ]
    actions = [run(shop, statement) for statement in statements]
    for action in reversed(actions):
        assert not rebuilt(action).attached(shop, action)
        assert not look(shop, action).taken
        assert undo(shop, action) == []
    assert dump(shop) == before
