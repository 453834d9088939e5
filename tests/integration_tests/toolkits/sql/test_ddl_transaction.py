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
from sqlalchemy import Engine, create_engine, text
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
        with postgres.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            while not watching.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
                time.sleep(0.02)
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
