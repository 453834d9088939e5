"""Images, statement and commit are one transaction; what became of it can be found out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, StaticPool, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from langchain_agentrein.action import Action
from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.operation import Happened, NotHappened, Unknown
from langchain_agentrein.toolkits.sql import postgres_direct
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from langchain_agentrein.toolkits.sql.postgres_record import PostgresRecorder
from langchain_agentrein.toolkits.sql.reach import direct
from langchain_agentrein.toolkits.sql.recording import Ran
from langchain_agentrein.toolkits.sql.statement import Statement
from tests.integration_tests.toolkits.sql.driver import photograph, prepared, rebuilt, run, script, undo


def test_what_was_not_committed_never_was(shop: Engine) -> None:
    before = photograph(shop)
    op = SqlExecute(statement="DELETE FROM customers WHERE id = 1")
    action = prepared(shop, op)
    op.release()
    assert photograph(shop) == before
    assert isinstance(rebuilt(action).probe(shop, action), NotHappened)
    with pytest.raises(NotDone):  # nor can it be committed by a process that did not run it
        rebuilt(action).do(shop, action)
    op.release()


def test_others_see_nothing_before_the_commit(shop: Engine) -> None:
    before = photograph(shop)
    op = SqlExecute(statement="UPDATE orders SET note = 'x'")
    action = prepared(shop, op)
    other = create_engine(shop.url)
    assert photograph(other) == before
    op.do(shop, action)
    assert photograph(other) != before
    other.dispose()


def test_a_lost_connection_leaves_nothing(shop: Engine) -> None:
    before = photograph(shop)
    op = SqlExecute(statement="UPDATE orders SET note = 'x'")
    action = prepared(shop, op)
    assert op._held is not None
    raw = op._held.connection.connection.dbapi_connection
    if shop.dialect.name == "sqlite":
        raw.rollback()  # type: ignore[union-attr]
    raw.close()  # type: ignore[union-attr]
    with pytest.raises(SQLAlchemyError) as caught:
        op.do(shop, action)
    assert op.fate(caught.value) is None
    op.release()
    assert photograph(shop) == before
    assert isinstance(rebuilt(action).probe(shop, action), NotHappened)


def test_probe_tells_what_happened(shop: Engine) -> None:
    action = run(shop, "UPDATE orders SET note = 'x' WHERE id = 1")
    assert rebuilt(action).probe(shop, action) == Happened(action.receipt)
    script(shop, "UPDATE orders SET note = 'y' WHERE id = 1")
    asked = rebuilt(action).probe(shop, action)
    assert isinstance(asked, Unknown) if shop.dialect.name == "sqlite" else asked == Happened(action.receipt)


def test_probe_while_the_transaction_is_open(shop: Engine) -> None:
    op = SqlExecute(statement="UPDATE orders SET note = 'x' WHERE id = 1")
    action = prepared(shop, op)
    try:
        if shop.dialect.name == "sqlite":
            with pytest.raises(Exception, match="locked"):
                rebuilt(action).probe(shop, action)
        else:
            assert isinstance(rebuilt(action).probe(shop, action), Unknown)
    finally:
        op.release()


def test_probe_falls_back_on_images_when_postgres_forgot(postgres: Engine) -> None:
    script(postgres, "CREATE TABLE t (id int PRIMARY KEY)")
    action = run(postgres, "INSERT INTO t VALUES (1)")
    action = action.with_(before={**action.before, "xid": "3"})
    assert isinstance(rebuilt(action).probe(postgres, action), Happened)


@pytest.mark.parametrize("statement", ["DELETE FROM parents", "INSERT INTO children VALUES (2, 9)"])
def test_a_constraint_that_fails_at_the_commit_is_certain(db: Engine, statement: str) -> None:
    script(
        db,
        "CREATE TABLE parents (id integer PRIMARY KEY)",
        "CREATE TABLE children (id integer PRIMARY KEY, p integer REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO parents VALUES (1)",
        "INSERT INTO children VALUES (1, 1)",
    )
    before = photograph(db)
    op = SqlExecute(statement=statement)
    if db.dialect.name == "postgresql":  # it can be told to check before the commit
        with pytest.raises(NotDone, match="violates foreign key"):
            op.snapshot(db)
        assert photograph(db) == before
        return
    action = prepared(db, op)
    with pytest.raises(NotDone) as caught:
        op.do(db, action)
    op.release()
    assert op.fate(caught.value) is NotDone
    assert photograph(db) == before
    assert isinstance(rebuilt(action).probe(db, action), NotHappened)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO customers (email) VALUES ('ana@x')",
        "UPDATE customers SET email = NULL",
        "DELETE FROM orders",
        "UPDATE orders SET nowhere = 1",
        "INSERT INTO orders (customer_id) VALUES (77)",
        "UPDATE orders SET note = :missing",
    ],
)
def test_a_statement_that_fails_changes_nothing_and_leaves_nothing_locked(
    shop: Engine, statement: str
) -> None:
    before = photograph(shop)
    op = SqlExecute(statement=statement)
    with pytest.raises(NotDone):
        op.snapshot(shop)
        op.do(shop, None)  # type: ignore[arg-type]
    op.release()
    assert photograph(shop) == before
    script(shop, "UPDATE orders SET note = 'free' WHERE id = 1")


def left_total(action: Action) -> float:
    return float(action.before["tables"][0]["rows"][0]["after"]["total"])


def test_two_threads_on_one_file_take_turns(shop: Engine) -> None:
    engine = create_engine(shop.url, connect_args={"timeout": 20} if shop.dialect.name == "sqlite" else {})
    actions, errors = [], []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                actions.append(run(engine, "UPDATE orders SET total = total + :n WHERE id = 1", n=number))
        except Exception as error:
            errors.append(error)

    before = photograph(shop)
    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2)]
    together(threads)
    engine.dispose()
    assert not errors and len(actions) == 10
    # In the order of their commits, each found what the other had left.
    chain = {
        row["before"]["total"]: action for action in actions for row in action.before["tables"][0]["rows"]
    }
    assert len(chain) == 10
    for action in sorted(actions, key=left_total, reverse=True):
        undo(shop, action)
    assert photograph(shop) == before


def test_rows_are_locked_before_their_images_are_taken(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(
        postgres,
        "CREATE TABLE p (id integer PRIMARY KEY)",
        "CREATE TABLE c (id integer PRIMARY KEY, p integer REFERENCES p ON DELETE SET NULL)",
        "INSERT INTO p VALUES (1)",
        "INSERT INTO c VALUES (1, 1)",
    )
    run_it = PostgresRecorder.run
    refused = []

    def meanwhile(self: PostgresRecorder, statement: Statement) -> Ran:
        for table in ("p", "c"):
            with pytest.raises(SQLAlchemyError, match="lock"):
                script(postgres, f"SELECT * FROM {table} FOR UPDATE NOWAIT")
            refused.append(table)
        return run_it(self, statement)

    monkeypatch.setattr(PostgresRecorder, "run", meanwhile)
    run(postgres, "DELETE FROM p")
    assert refused == ["p", "c"]


def test_a_row_that_changes_before_it_is_locked_is_read_again(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(postgres, "CREATE TABLE t (id integer PRIMARY KEY, n integer)", "INSERT INTO t VALUES (1, 1)")
    raced: list[bool] = []

    def slow(*args: Any) -> Any:
        found = direct(*args)
        if not raced:
            raced.append(True)
            script(postgres, "UPDATE t SET n = 5")
        return found

    monkeypatch.setattr(postgres_direct, "direct", slow)
    action = run(postgres, "UPDATE t SET n = n + 1")
    assert action.before["tables"][0]["rows"][0]["before"] == {"n": 5}
    undo(postgres, action)


def test_two_undos_at_once_undo_once(shop: Engine) -> None:
    engine = create_engine(shop.url, connect_args={"timeout": 20} if shop.dialect.name == "sqlite" else {})
    before = photograph(shop)
    action = run(engine, "DELETE FROM customers WHERE id = 1")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            undo(engine, action)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    together(threads)
    engine.dispose()
    assert photograph(shop) == before


@pytest.mark.parametrize("kind", ["autocommit", "begins", "nullpool", "no reset", "converters"])
def test_engines_as_users_set_them_up(tmp_path: Path, kind: str) -> None:
    url = f"sqlite:///{tmp_path / 'e.db'}"
    match kind:
        case "autocommit":
            engine = create_engine(url, isolation_level="AUTOCOMMIT")
        case "begins":
            engine = create_engine(url)

            @event.listens_for(engine, "connect")
            def connect(raw: object, _: object) -> None:
                raw.isolation_level = None  # type: ignore[attr-defined]

            @event.listens_for(engine, "begin")
            def begin(connection: object) -> None:
                connection.exec_driver_sql("BEGIN")  # type: ignore[attr-defined]

        case "nullpool":
            engine = create_engine(url, poolclass=NullPool)
        case "no reset":
            engine = create_engine(url, pool_reset_on_return=None)
        case "converters":
            engine = create_engine(url, connect_args={"detect_types": 3})
    script(
        engine, "CREATE TABLE t (id integer PRIMARY KEY, at date)", "INSERT INTO t VALUES (1, '2024-02-03')"
    )
    before = photograph(engine)
    op = SqlExecute(statement="UPDATE t SET at = '2025-01-01'")
    prepared(engine, op)
    op.release()
    assert photograph(engine) == before
    action = run(engine, "UPDATE t SET at = '2025-01-01'")
    assert action.after == {"t[1].at": "2025-01-01"}
    undo(engine, action)
    assert photograph(engine) == before
    with engine.begin() as connection:
        assert connection.execute(text("PRAGMA query_only")).scalar() == 0
    engine.dispose()


def test_a_database_in_memory_that_threads_share() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    script(engine, "CREATE TABLE t (id integer PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 0)")
    threads = [
        threading.Thread(target=lambda: [run(engine, "UPDATE t SET n = n + 1") for _ in range(10)])
        for _ in range(3)
    ]
    together(threads)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT n FROM t")).scalar() == 30
    assert str(SqlExecute(statement="").account(engine)).startswith("sqlite:memory:")
    assert SqlExecute(statement="").locks(engine) == ()


def test_accounts_name_the_database_and_no_secret(sqlite: Engine, postgres: Engine) -> None:
    op = SqlExecute(statement="DELETE FROM t")
    file = Path(str(sqlite.url.database)).resolve()
    assert op.account(sqlite) == f"sqlite:{file}"
    assert op.locks(sqlite) == (file,)
    assert op.locks(postgres) == ()
    account = op.account(postgres)
    assert account.startswith("postgresql:") and account.endswith("/agentrein_sql")
    again = create_engine(postgres.url)
    assert account == op.account(again)
    again.dispose()


def test_a_role_that_may_not_see_the_system_identifier(postgres: Engine) -> None:
    script(
        postgres,
        "DROP ROLE IF EXISTS small",
        "CREATE ROLE small LOGIN",
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
    )
    small = create_engine(postgres.url.set(username="small"))
    try:
        assert str(SqlExecute(statement="").account(small)).endswith("5432/agentrein_sql")
    finally:
        small.dispose()
        script(postgres, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC", "DROP ROLE small")


def together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class AsyncEngine:
    """Stands for SQLAlchemy's, which needs a package that is not always installed."""


@pytest.mark.parametrize("client", ["sqlite:///x.db", object(), AsyncEngine()])
def test_other_clients_are_refused(client: object) -> None:
    with pytest.raises(ConfigError, match="Engine"):
        SqlExecute(statement="DELETE FROM t").account(client)


def test_async_drivers_are_refused() -> None:
    pytest.importorskip("aiosqlite")
    with pytest.raises(ConfigError, match="async driver"):
        SqlExecute(statement="DELETE FROM t").account(create_engine("sqlite+aiosqlite://"))
