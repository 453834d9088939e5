"""Every kind of statement that changes rows, done and undone: the whole database is as it was."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.integration_tests.toolkits.sql.driver import look, photograph, rebuilt, run, script, undo

BOTH = {
    "keyless insert": "INSERT INTO log VALUES ('x'), ('started'), (NULL)",
    "keyless update": "UPDATE log SET line = 'other'",
    "keyless delete": "DELETE FROM log WHERE line = 'started'",
    "keyless, one of equals": "INSERT INTO log VALUES ('started'); UPDATE log SET line = line || '!'",
    "key": "UPDATE shipments SET code = 'S' || code WHERE order_id IS NOT NULL",
    "key moved in step": "UPDATE invoices SET id = id + 1",
    "key that others follow": "UPDATE towns SET zip = zip + 100",
    "key and more": "UPDATE towns SET zip = zip + 10, name = upper(name)",
    "composite key": 'UPDATE "order items" SET "No." = "No." + 10, qty = 9 WHERE order_id = 2',
    "upsert that updates": "INSERT INTO towns VALUES (1, 'A'), (9, 'Z') ON CONFLICT (zip) DO UPDATE SET name = excluded.name",
    "upsert that does nothing": "INSERT INTO towns VALUES (1, 'A'), (9, 'Z') ON CONFLICT DO NOTHING",
    "upsert of nothing": "INSERT INTO towns VALUES (1, 'A') ON CONFLICT DO NOTHING",
    "upsert that cascades": "INSERT INTO towns VALUES (1, 'A') ON CONFLICT (zip) DO UPDATE SET zip = 77",
    "insert select": "INSERT INTO towns SELECT zip + 50, name || '''' FROM towns WHERE zip < 3",
    "insert select with a CTE": "INSERT INTO towns WITH q AS (SELECT max(zip) AS z FROM towns) SELECT z + 1, 'new' FROM q",
    "insert select join": "INSERT INTO log SELECT o.note FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.vip",
    "several": "DELETE FROM shipments; UPDATE orders SET note = 'gone'; INSERT INTO log VALUES ('all');",
    "a row there and back": "UPDATE orders SET note = 'x' WHERE id = 1; UPDATE orders SET note = 'a: b' WHERE id = 1",
    "a key given anew": "DELETE FROM invoices; INSERT INTO invoices VALUES (1, 1)",
    "wrapped in a transaction": "BEGIN; DELETE FROM shipments WHERE code = 's-9'; DELETE FROM invoices; COMMIT;",
    "returning": "UPDATE orders SET note = 'r' WHERE id < 3 RETURNING id, note AS words",
    "insert returning": "INSERT INTO shipments (code) VALUES ('s-7') RETURNING *",
    "delete returning": "DELETE FROM shipments WHERE code = 's-9' RETURNING code",
    "volatile where": "DELETE FROM many WHERE random() > 0.5",
    "audited": "UPDATE audited SET n = n + 1",
    "audited cascade": "DELETE FROM parents",
    "counted by triggers": "INSERT INTO items VALUES (2, 1, 5); DELETE FROM items WHERE id = 1",
    "the row is stamped": "UPDATE stamped SET n = 7",
    "insert into a table with triggers": "INSERT INTO audited VALUES (2, 5)",
    "view": "UPDATE rich SET note = 'by view' WHERE id = 1",
    "restructured": "INSERT INTO towns VALUES (500, 'new'); UPDATE people SET town = 500; DELETE FROM towns WHERE zip = 1",
    "deferred": "UPDATE tardy SET p = 5; INSERT INTO tardy VALUES (5, 5)",
    "nothing": "UPDATE towns SET name = name",
}
SQLITE = {
    "or replace": "INSERT OR REPLACE INTO towns VALUES (1, 'A')",
    "replace": "REPLACE INTO unique_pairs VALUES (3, 'a', 'y')",
    "or ignore": "INSERT OR IGNORE INTO towns VALUES (1, 'A'), (8, 'B')",
    "update or replace": "UPDATE OR REPLACE unique_pairs SET a = 'a'",
    "declared to replace": "INSERT INTO replacing VALUES (2, 'a')",
    "rowid": "UPDATE many SET rowid = rowid + 100 WHERE id < 5",
    "without rowid": "UPDATE lean SET k = k || 'x'; INSERT INTO lean VALUES ('n', 2)",
    "deep recursion": "DELETE FROM chain WHERE id = 1",
}
POSTGRES = {
    "merge": "MERGE INTO towns t USING (VALUES (1, 'A'), (9, 'Z')) AS v (zip, name) ON t.zip = v.zip "
    "WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT VALUES (v.zip, v.name)",
    "merge that names columns": "MERGE INTO towns t USING (VALUES (9, 'Z')) AS v (zip, name) ON t.zip = v.zip "
    "WHEN NOT MATCHED THEN INSERT (zip, name) VALUES (v.zip, v.name)",
    "merge that deletes": "MERGE INTO shipments s USING orders o ON s.order_id = o.id WHEN MATCHED THEN DELETE",
    "writing CTE": "WITH gone AS (DELETE FROM shipments RETURNING code) INSERT INTO log SELECT code FROM gone",
    "writing CTE under a query": "WITH gone AS (DELETE FROM shipments RETURNING *) SELECT * FROM gone",
    "two tables": "WITH a AS (UPDATE orders SET note = 'x' RETURNING id) UPDATE invoices SET order_id = 1",
    "partitions": "UPDATE parts SET id = id + 10, n = 0",
    "one partition": "UPDATE parts_a SET n = n + 1",
    "into partitions": "INSERT INTO parts VALUES (3, 3), (13, 3)",
    "inheritance": "UPDATE base SET n = 2",
    "rule": "UPDATE ruled SET n = 2",
    "key by foreign key": "DELETE FROM composed WHERE id = 1",
    "unique instead of a key": "UPDATE coded SET n = n + 1; DELETE FROM coded WHERE code = 'b'",
    "subtransaction": "UPDATE careful SET n = 2",
    "late trigger": "UPDATE late SET n = 2",
    "types without equality": "INSERT INTO odd VALUES ('{\"a\": 1}', '(1,2)'); DELETE FROM odd WHERE p IS NULL",
    "only": "DELETE FROM ONLY base",
    "dollars": "UPDATE orders SET note = $$it's; a 'note'$$ WHERE id = 1",
}
SETUP = [
    "CREATE TABLE many (id integer PRIMARY KEY)",
    f"INSERT INTO many VALUES {', '.join(f'({n})' for n in range(60))}",
    "CREATE TABLE towns (zip integer PRIMARY KEY, name text UNIQUE)",
    "CREATE TABLE people (id integer PRIMARY KEY, town integer REFERENCES towns (zip) ON UPDATE CASCADE)",
    "INSERT INTO towns VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    "INSERT INTO people VALUES (1, 1), (2, 1), (3, 2), (4, NULL)",
    "CREATE TABLE audited (id integer PRIMARY KEY, n integer)",
    "INSERT INTO audited VALUES (1, 1), (3, 1)",
    "CREATE TABLE parents (id integer PRIMARY KEY)",
    "CREATE TABLE heirs (id integer PRIMARY KEY, p integer REFERENCES parents (id) ON DELETE CASCADE)",
    "CREATE TABLE friends (p integer REFERENCES parents (id) ON DELETE SET NULL)",
    "INSERT INTO parents VALUES (1), (2)",
    "INSERT INTO heirs VALUES (1, 1), (2, 1)",
    "INSERT INTO friends VALUES (1), (1), (2)",
    "CREATE TABLE stock (id integer PRIMARY KEY, items integer NOT NULL)",
    "CREATE TABLE items (id integer PRIMARY KEY, stock integer, qty integer)",
    "INSERT INTO stock VALUES (1, 3)",
    "INSERT INTO items VALUES (1, 1, 3)",
    "CREATE TABLE stamped (id integer PRIMARY KEY, n integer, version integer DEFAULT 0)",
    "INSERT INTO stamped VALUES (1, 1, 5), (2, 1, 6)",
    "CREATE TABLE tardy (id integer PRIMARY KEY, p integer REFERENCES tardy (id) DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO tardy VALUES (1, 1)",
    "CREATE VIEW rich AS SELECT * FROM orders WHERE total > 5",
]
SQLITE_SETUP = [
    "CREATE TRIGGER a AFTER UPDATE ON audited BEGIN INSERT INTO log VALUES ('a' || NEW.n); END",
    "CREATE TRIGGER ai AFTER INSERT ON audited BEGIN INSERT INTO log VALUES ('i' || NEW.n); END",
    "CREATE TRIGGER h AFTER DELETE ON heirs BEGIN INSERT INTO log VALUES ('h'); END",
    "CREATE TRIGGER up AFTER INSERT ON items BEGIN UPDATE stock SET items = items + NEW.qty WHERE id = NEW.stock; END",
    "CREATE TRIGGER down AFTER DELETE ON items BEGIN UPDATE stock SET items = items - OLD.qty WHERE id = OLD.stock; END",
    "CREATE TRIGGER s AFTER UPDATE OF n ON stamped BEGIN UPDATE stamped SET version = version + 1 WHERE id = NEW.id; END",
    "CREATE TRIGGER v INSTEAD OF UPDATE ON rich BEGIN UPDATE orders SET note = NEW.note WHERE id = OLD.id; END",
    "CREATE TABLE unique_pairs (id integer PRIMARY KEY, a text UNIQUE, b text UNIQUE)",
    "INSERT INTO unique_pairs VALUES (1, 'a', 'x'), (2, 'b', 'y')",
    "CREATE TABLE replacing (id integer PRIMARY KEY, u text UNIQUE ON CONFLICT REPLACE)",
    "INSERT INTO replacing VALUES (1, 'a')",
    "CREATE TABLE lean (k text PRIMARY KEY, n integer) WITHOUT ROWID",
    "INSERT INTO lean VALUES ('a', 1), ('b', NULL)",
    "CREATE TABLE chain (id integer PRIMARY KEY, up integer REFERENCES chain (id) ON DELETE CASCADE)",
    f"INSERT INTO chain VALUES (1, NULL), {', '.join(f'({n}, {n - 1})' for n in range(2, 60))}",
]
FUNCTION = "CREATE FUNCTION {0}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {1} END $$"
POSTGRES_SETUP = [
    FUNCTION.format("note", "INSERT INTO log VALUES (TG_OP || coalesce(NEW.id, OLD.id)); RETURN NULL;"),
    "CREATE TRIGGER a AFTER UPDATE OR INSERT ON audited FOR EACH ROW EXECUTE FUNCTION note()",
    "CREATE TRIGGER h AFTER DELETE ON heirs FOR EACH ROW EXECUTE FUNCTION note()",
    FUNCTION.format("up", "UPDATE stock SET items = items + NEW.qty WHERE id = NEW.stock; RETURN NULL;"),
    FUNCTION.format("down", "UPDATE stock SET items = items - OLD.qty WHERE id = OLD.stock; RETURN NULL;"),
    "CREATE TRIGGER up AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION up()",
    "CREATE TRIGGER down AFTER DELETE ON items FOR EACH ROW EXECUTE FUNCTION down()",
    FUNCTION.format("stamp", "IF NEW.n <> OLD.n THEN NEW.version = OLD.version + 1; END IF; RETURN NEW;"),
    "CREATE TRIGGER s BEFORE UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp()",
    "CREATE TABLE parts (id integer, n integer, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
    "CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (10) TO (100)",
    "INSERT INTO parts VALUES (1, 1), (2, 2)",
    "CREATE TABLE base (id integer PRIMARY KEY, n integer)",
    "CREATE TABLE derived (m integer) INHERITS (base)",
    "INSERT INTO base VALUES (1, 1)",
    "INSERT INTO derived VALUES (1, 1, 1), (2, 2, 2)",
    "CREATE TABLE ruled (id integer PRIMARY KEY, n integer)",
    "CREATE RULE r AS ON UPDATE TO ruled DO ALSO INSERT INTO log VALUES ('r')",
    "INSERT INTO ruled VALUES (1, 1)",
    "CREATE TABLE composed (id integer PRIMARY KEY)",
    "CREATE TABLE composed_of (id integer DEFAULT 2 REFERENCES composed (id) ON DELETE SET DEFAULT, n integer, PRIMARY KEY (id, n))",
    "INSERT INTO composed VALUES (1), (2)",
    "INSERT INTO composed_of VALUES (1, 1)",
    "CREATE TABLE coded (code text UNIQUE NOT NULL, n integer)",
    "INSERT INTO coded VALUES ('a', 1), ('b', 2)",
    "CREATE TABLE careful (id integer PRIMARY KEY, n integer)",
    "INSERT INTO careful VALUES (1, 1)",
    FUNCTION.format(
        "care",
        "BEGIN INSERT INTO log VALUES ('tried'); EXCEPTION WHEN others THEN NULL; END; "
        "BEGIN INSERT INTO log VALUES ('failed'); PERFORM 1 / 0; EXCEPTION WHEN others THEN NULL; END; RETURN NULL;",
    ),
    "CREATE TRIGGER c AFTER UPDATE ON careful FOR EACH ROW EXECUTE FUNCTION care()",
    "CREATE TABLE late (id integer PRIMARY KEY, n integer)",
    "INSERT INTO late VALUES (1, 1)",
    "CREATE CONSTRAINT TRIGGER l AFTER UPDATE ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()",
    "CREATE TABLE odd (j json, p point)",
    "INSERT INTO odd VALUES ('{}', NULL), ('{}', NULL), ('[1]', '(0,0)')",
]
UNDONE_BY_TRIGGERS = {
    "audited": ["triggers wrote 2 rows of log during the undo"],
    "audited cascade": [],
    "the row is stamped": [],
}
"""What the undo's own triggers leave, where it is not nothing."""


def prepare(shop: Engine) -> dict[str, str]:
    on_sqlite = shop.dialect.name == "sqlite"
    script(shop, *SETUP, *(SQLITE_SETUP if on_sqlite else POSTGRES_SETUP))
    return BOTH | (SQLITE if on_sqlite else POSTGRES)


def names() -> list[str]:
    return [*BOTH, *SQLITE, *POSTGRES]


@pytest.mark.parametrize("name", names())
def test_done_and_undone(shop: Engine, name: str) -> None:
    statements = prepare(shop)
    if name not in statements:
        pytest.skip("not in this database's language")
    before = photograph(shop)
    assessed = SqlExecute(statement=statements[name]).assess(shop)
    assert photograph(shop) == before
    assert "will" not in assessed.summary, assessed.summary
    action = run(shop, statements[name])
    done = photograph(shop)
    assert (done != before) == bool(action.before["tables"])
    assert action.after == rebuilt(action).expect(action)
    assert not rebuilt(action).attached(shop, action)

    left = undo(shop, action)

    left = [line for line in left if not line.startswith("sequence")]
    if any("triggers wrote" in line for line in left):
        assert left == UNDONE_BY_TRIGGERS[name]
        without_log(before, shop)
    else:
        assert left == []
        assert photograph(shop) == before
        assert look(shop, action).already_undone
        undo(shop, action)
        assert photograph(shop) == before


def without_log(before: dict[str, list[str]], shop: Engine) -> None:
    """Everything but the log is as before."""
    now = photograph(shop)
    for name, was in before.items():
        if not name.endswith("log"):
            assert [line for line in now[name] if '"log"' not in line] == [
                line for line in was if '"log"' not in line
            ]


def test_a_column_of_a_table_without_a_key_comes_back(sqlite: Engine) -> None:
    script(
        sqlite,
        "CREATE TABLE k (a text, n integer)",
        "INSERT INTO k VALUES ('x', 1), ('x', 1), (NULL, NULL), ('y', 2), ('z', 9)",
        "DELETE FROM k WHERE n = 2",
    )
    before = photograph(sqlite)
    action = run(sqlite, "ALTER TABLE k DROP COLUMN n")
    assert photograph(sqlite) != before
    assert undo(sqlite, action) == []
    assert photograph(sqlite) == before
