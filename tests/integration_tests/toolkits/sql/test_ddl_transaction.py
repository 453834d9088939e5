"""A change of the schema, its images and its rehearsal are one transaction; what became of it can be found out."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from langchain_agentrein.errors import AgentReinError, Conflict, NotDone, Throttled
from langchain_agentrein.operation import Happened, NotHappened, Unknown
from langchain_agentrein.toolkits.sql.ddl import postgres as postgres_module
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.integration_tests.toolkits.sql.driver import prepared, rebuilt, run, script, undo
from tests.integration_tests.toolkits.sql.dump import dump

STATEMENTS = [
    "CREATE TABLE fresh (id integer PRIMARY KEY)",
    "ALTER TABLE orders ADD COLUMN flag integer DEFAULT 7",
    "ALTER TABLE orders RENAME COLUMN note TO remark",
    "DROP TABLE invoices",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_was_not_committed_never_was(shop: Engine, statement: str) -> None:
    before = dump(shop)
    op = SqlExecute(statement=statement)
    action = prepared(shop, op)
    op.release()
    assert dump(shop) == before
    assert isinstance(rebuilt(action).probe(shop, action), NotHappened)
    assert undo(shop, action) == []
    with pytest.raises(NotDone):  # nor can it be committed by a process that did not run it
        rebuilt(action).do(shop, action)
    assert dump(shop) == before


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_lost_reply_is_found_to_have_happened(shop: Engine, statement: str) -> None:
    before = dump(shop)
    action = run(shop, statement)
    assert rebuilt(action).probe(shop, action) == Happened(action.receipt)
    undo(shop, action)
    if shop.dialect.name == "sqlite":  # nothing but the state tells
        assert isinstance(rebuilt(action).probe(shop, action), NotHappened)
    assert dump(shop) == before


def test_a_probe_that_finds_neither_is_not_sure(sqlite: Engine) -> None:
    action = run(sqlite, "CREATE TABLE fresh (id integer PRIMARY KEY)")
    script(sqlite, "INSERT INTO fresh VALUES (1)")
    assert isinstance(rebuilt(action).probe(sqlite, action), Unknown)


def test_probe_while_the_transaction_is_open(postgres: Engine) -> None:
    op = SqlExecute(statement="CREATE TABLE fresh (id integer PRIMARY KEY)")
    action = prepared(postgres, op)
    assert isinstance(rebuilt(action).probe(postgres, action), Unknown)
    op.release()
    assert isinstance(rebuilt(action).probe(postgres, action), NotHappened)


def test_probe_falls_back_on_the_catalogue_when_postgres_forgot(postgres: Engine) -> None:
    action = run(postgres, "CREATE TABLE fresh (id integer PRIMARY KEY)")
    action = action.with_(before={**action.before, "xid": "3"})
    assert isinstance(rebuilt(action).probe(postgres, action), Happened)


def test_a_lost_connection_leaves_nothing(shop: Engine) -> None:
    before = dump(shop)
    op = SqlExecute(statement="DROP TABLE log")
    action = prepared(shop, op)
    assert op._held is not None
    raw = op._held.connection.connection.dbapi_connection
    if shop.dialect.name == "sqlite":
        raw.rollback()  # type: ignore[union-attr]
    raw.close()  # type: ignore[union-attr]
    with pytest.raises(SQLAlchemyError):
        op.do(shop, action)
    op.release()
    assert dump(shop) == before
    assert isinstance(rebuilt(action).probe(shop, action), NotHappened)


def test_others_see_nothing_before_the_commit(shop: Engine) -> None:
    op = SqlExecute(statement="CREATE TABLE fresh (id integer PRIMARY KEY)")
    action = prepared(shop, op)
    other = create_engine(shop.url)
    with other.connect() as connection, pytest.raises(SQLAlchemyError):
        connection.execute(text("SELECT * FROM fresh"))
    op.do(shop, action)
    with other.connect() as connection:
        assert connection.execute(text("SELECT * FROM fresh")).all() == []
    other.dispose()


def test_rows_written_while_it_waits_for_the_table_are_copied_too(postgres: Engine) -> None:
    """The images are read after the lock, so that nothing that others committed is lost with the table."""
    script(postgres, "CREATE TABLE t (id integer PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with postgres.connect() as other:
        other.execute(text("INSERT INTO t VALUES (2)"))
        found = []
        waiting = threading.Thread(target=lambda: found.append(run(postgres, "DROP TABLE t")))
        waiting.start()
        time.sleep(0.5)
        other.commit()
        waiting.join()
    assert [row["id"] for row in found[0].before["tables"][0]["rows"]] == [1, 2]


def test_a_table_in_use_is_not_waited_for_for_ever(postgres: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "LOCK_WAIT", "50ms")
    script(postgres, "CREATE TABLE t (id integer PRIMARY KEY)")
    with postgres.connect() as other:
        other.execute(text("SELECT * FROM t"))
        with pytest.raises(Throttled, match="in the way"):
            run(postgres, "DROP TABLE t")


def test_a_fresh_process_undoes_from_json(shop: Engine, tmp_path: Path) -> None:
    before = dump(shop)
    action = run(shop, "DROP TABLE invoices")
    stored = tmp_path / "action.json"
    stored.write_text(json.dumps({"args": action.args, "before": action.before}))
    program = (
        "import json, sys; from sqlalchemy import create_engine;"
        "from langchain_agentrein.action import Action, Status;"
        "from langchain_agentrein.toolkits.sql.execute import SqlExecute;"
        "kept = json.load(open(sys.argv[2]));"
        "op = SqlExecute.from_args(kept['args']);"
        "action = Action('a', 's', op.name, op.version, Status.EXECUTED, op.args, before=kept['before']);"
        "op.undo(create_engine(sys.argv[1]), action)"
    )
    url = shop.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", program, url, str(stored)], check=True)
    assert dump(shop) == before


def test_an_undo_that_reads_back_different_undoes_nothing(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = run(shop, "DROP TABLE log")
    after = dump(shop)
    module = importlib.import_module("langchain_agentrein.toolkits.sql.ddl.restore")
    monkeypatch.setattr(module, "execute", lambda *_: [])
    with pytest.raises(AgentReinError, match="reads back different"):
        undo(shop, action)
    assert dump(shop) == after


def test_a_lost_row_is_noticed(shop: Engine) -> None:
    action = run(shop, "DROP TABLE shipments")
    after = dump(shop)
    tables = [{**table, "rows": table["rows"][1:]} for table in action.before["tables"]]
    with pytest.raises(AgentReinError, match="reads back different"):
        undo(shop, action.with_(before={**action.before, "tables": tables}))
    assert dump(shop) == after


def test_secrets_lie_under_the_names_of_their_columns(shop: Engine) -> None:
    """So that the journal seals them, and masks them in whatever is shown."""
    for statement in ("DROP TABLE vault", "ALTER TABLE vault DROP COLUMN password"):
        if statement.startswith("DROP"):
            script(shop, "CREATE TABLE vault (id integer PRIMARY KEY, password text)")
            script(shop, "INSERT INTO vault VALUES (1, 'hunter2')")
        action = run(shop, statement)
        found: list[str] = []
        _walk(action.before, "", found)
        assert found and set(found) == {"password"}
        undo(shop, action)


def _walk(value: object, name: str, found: list[str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _walk(inner, str(key), found)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, name, found)
    elif "hunter2" in str(value):
        found.append(name)


def test_undo_twice_is_undo_once_even_under_a_second_worker(shop: Engine) -> None:
    before = dump(shop)
    action = run(shop, "DROP TABLE invoices")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            undo(shop, action)
        except (Conflict, SQLAlchemyError, Throttled) as error:
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(errors) < 3
    assert dump(shop) == before
    assert undo(shop, action) == []


def test_a_column_that_comes_back_last_is_named(postgres: Engine) -> None:
    script(
        postgres,
        "CREATE TABLE t (id integer PRIMARY KEY, a text NOT NULL DEFAULT 'd', b integer)",
        "CREATE INDEX ab ON t (a, b)",
        "INSERT INTO t VALUES (1, 'x', 1), (2, 'y', NULL)",
    )
    action = run(postgres, "ALTER TABLE t DROP COLUMN a")
    assert undo(postgres, action) == ["column a comes back as the last one of public.t"]
    with postgres.connect() as connection:
        assert connection.execute(text("SELECT * FROM t ORDER BY id")).all() == [(1, 1, "x"), (2, None, "y")]
    assert any("CREATE INDEX ab ON public.t USING btree (a, b)" in line for line in dump(postgres))


def test_the_rows_of_a_materialized_view_are_computed_anew(postgres: Engine) -> None:
    script(
        postgres, "CREATE TABLE t (id integer)", "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t"
    )
    before = dump(postgres)
    action = run(postgres, "DROP MATERIALIZED VIEW m")
    assert undo(postgres, action) == ["the rows of public.m are computed anew"]
    assert dump(postgres) == before


def test_the_first_counter_of_a_sqlite_file_is_named(sqlite: Engine) -> None:
    action = run(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    assert undo(sqlite, action) == ["SQLite keeps its table of AUTOINCREMENT counters, empty"]
    assert undo(sqlite, run(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)")) == []


def test_a_drop_on_sqlite_without_foreign_keys(shop: Engine) -> None:
    if shop.dialect.name != "sqlite":
        pytest.skip("SQLite only")
    free = create_engine(shop.url)
    before = dump(shop)
    action = run(free, "DROP TABLE customers")
    undo(free, action)
    assert dump(shop) == before
    free.dispose()


def test_names_that_are_not_on_the_search_path(postgres: Engine) -> None:
    script(postgres, "CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE b.t (id serial PRIMARY KEY)")
    path = create_engine(postgres.url, connect_args={"options": "-c search_path=a,b"})
    before = dump(postgres)
    made = run(path, "CREATE TABLE IF NOT EXISTS t (id integer)")
    assert made.before["name"] == "a.t"
    undo(postgres, made)
    dropped = run(path, "DROP TABLE t")
    assert dropped.before["name"] == "b.t"
    undo(postgres, dropped)
    assert dump(postgres) == before
    path.dispose()


def test_rows_that_refer_to_later_rows_come_back(db: Engine) -> None:
    script(
        db,
        "CREATE TABLE t (id integer PRIMARY KEY, boss integer REFERENCES t (id))",
        "INSERT INTO t VALUES (1, NULL), (2, NULL)",
        "UPDATE t SET boss = 2 WHERE id = 1",
    )
    before = dump(db)
    undo(db, run(db, "DROP TABLE t"))
    assert dump(db) == before


def test_rows_that_refer_to_nothing_are_refused(sqlite: Engine) -> None:
    free = create_engine(sqlite.url)
    script(free, "CREATE TABLE p (id integer PRIMARY KEY)", "CREATE TABLE c (p integer REFERENCES p (id))")
    script(free, "INSERT INTO c VALUES (9)")
    before = dump(sqlite)
    with pytest.raises(NotDone, match="could not be undone: rows would refer to rows that are not there"):
        run(sqlite, "DROP TABLE c")
    assert dump(sqlite) == before
    undo(free, run(free, "DROP TABLE c"))  # without foreign keys it is nobody's concern
    assert dump(sqlite) == before
    free.dispose()


def test_parents_that_went_since_are_a_conflict(sqlite: Engine) -> None:
    script(sqlite, "CREATE TABLE p (id integer PRIMARY KEY)", "CREATE TABLE c (p integer REFERENCES p (id))")
    script(sqlite, "INSERT INTO p VALUES (1)", "INSERT INTO c VALUES (1)")
    action = run(sqlite, "DROP TABLE c")
    script(sqlite, "DELETE FROM p")
    with pytest.raises(Conflict) as caught:
        undo(sqlite, action)
    assert caught.value.details == ["1 rows of c refer to rows of p that are not there"]


def test_columns_that_count_come_back(postgres: Engine) -> None:
    script(
        postgres,
        "CREATE TABLE t (id integer PRIMARY KEY, n serial, m integer GENERATED BY DEFAULT AS IDENTITY (START 7))",
        "INSERT INTO t VALUES (1), (2)",
    )
    before = dump(postgres)
    assert undo(postgres, run(postgres, "ALTER TABLE t DROP COLUMN m")) == []
    assert dump(postgres) == before
    action = run(postgres, "ALTER TABLE t DROP COLUMN n")
    assert undo(postgres, action) == ["column n comes back as the last one of public.t"]
    with postgres.connect() as connection:
        assert connection.execute(text("SELECT id, n, m FROM t ORDER BY id")).all() == [(1, 1, 7), (2, 2, 8)]
        assert connection.execute(text("SELECT nextval('t_n_seq'), nextval('t_m_seq')")).all() == [(3, 9)]


def test_an_owner_without_further_rights(postgres: Engine) -> None:
    script(
        postgres,
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'owner') THEN CREATE ROLE owner; END IF; END $$",
        "GRANT ALL ON SCHEMA public TO owner",
    )
    owner = create_engine(postgres.url, connect_args={"options": "-c role=owner"})
    script(
        owner,
        "CREATE TABLE t (id serial PRIMARY KEY, a text CHECK (a <> ''), b text)",
        "CREATE VIEW v AS SELECT a FROM t",
        "INSERT INTO t (a) VALUES ('x'), ('y')",
    )
    before = dump(postgres)
    statements = ["DROP VIEW v", "ALTER TABLE t DROP COLUMN b", "ALTER TABLE t RENAME TO u", "DROP TABLE u"]
    actions = [run(owner, statement) for statement in statements]
    for action in reversed(actions):
        assert undo(owner, action) == []
    assert dump(postgres) == before
    owner.dispose()
    script(postgres, "DROP OWNED BY owner CASCADE")


def test_a_database_in_memory() -> None:
    api = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    script(api, "CREATE TABLE t (id integer PRIMARY KEY, a text)", "INSERT INTO t VALUES (1, 'x')")
    before = dump(api)
    actions = [
        run(api, "ALTER TABLE t DROP COLUMN a"),
        run(api, "CREATE INDEX i ON t (id)"),
        run(api, "DROP TABLE t"),
    ]
    for action in reversed(actions):
        assert undo(api, action) == []
    assert dump(api) == before
