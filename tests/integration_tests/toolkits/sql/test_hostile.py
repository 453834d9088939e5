"""A model writes the SQL: what hides a write from its reader is refused, and reading never changes a thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, event

from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.query import SqlQuery
from tests.integration_tests.toolkits.sql.driver import photograph, run, script

HIDING = [
    "SELECT 1 --\r; COMMIT; DELETE FROM t WHERE 1 = 0 --\n + 1",
    "SELECT 1 --\x00; COMMIT; DELETE FROM t --\n + 1",
    "SELECT 1 /* /* */; COMMIT; DELETE FROM t; SELECT 1 /* */ */",
    "SELECT /*/ 1 */ ; COMMIT; DELETE FROM t; --*/ 2",
    "SELECT U&'\\0027; COMMIT; DELETE FROM t; --'",
    "SELECT N'\\'; COMMIT; DELETE FROM t; --'",
    "SELECT e'\\'; COMMIT; DELETE FROM t; --'",
    'SELECT "a\\"; COMMIT; DELETE FROM t; --"',
    "SELECT $1$; COMMIT; DELETE FROM t; $1$",
    "SELECT $é$; COMMIT; DELETE FROM t; $é$",
    "SELECT 1 AS a$x$; COMMIT; DELETE FROM t; SELECT 1 AS b$x$",
    "SELECT [; COMMIT; DELETE FROM t; ]",
    "SELECT `; COMMIT; DELETE FROM t; `",
    "SELECT 1 {# ; COMMIT; DELETE FROM t; #} ",
    "WITH x AS MATERIALIZED (DELETE FROM t RETURNING 1) SELECT 1",
    "EXPLAIN ANALYZE DELETE FROM t",
    "COPY t TO PROGRAM 'touch copied'",
    "DO $$ BEGIN DELETE FROM t; END $$",
    "SELECT * FROM t FOR NO KEY UPDATE",
    "SELECT 1 INTO TEMP x",
    "SELECT pg_read_file('/etc/hostname')",
    'SELECT U&"\\0070g_sleep"(0)',
    "SELECT t.evil FROM t",
    "PRAGMA writable_schema = 1",
    "PRAGMA query_only = 0",
    "PRAGMA table_info(t); DELETE FROM t",
    "ATTACH 'attached.db' AS x",
    "VACUUM INTO 'copied.db'",
    "SELECT writefile('written', 'x')",
    "SELECT fts3_tokenizer('x')",
]
"""What one of the two databases would read otherwise than it looks; many are no SQL at all in the other."""

PIECES = [
    *("SELECT 1", "SELECT a FROM t", "WITH x AS (", "DELETE FROM t", "UPDATE t SET a = 2", "RETURNING a", "(", ")"),
    *("INSERT INTO t VALUES (9)", "DROP TABLE t", "CREATE TABLE y AS", "COMMIT", "BEGIN", "ROLLBACK", ";", ",", "+ 1"),
    *("--", "/*", "*/", "\n", "\r", "\x00", "'", '"', "$$", "$a$", "\\", "E'", "U&'", "`", "[", "]", "{#", "#}", ":a", "::"),
    *("UNION ALL", "INTO y", "FOR UPDATE", "EXPLAIN", "REPLACE INTO t VALUES (3)", "PRAGMA query_only = 0", "VALUES (1)"),
    *("nextval('s')", "lower(", "evil(", "x AS (", ") SELECT * FROM x", "TABLE t", "\u2028", "\ufeff", "é", "#", "//"),
]  # fmt: skip
SQL = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), min_size=1, max_size=9).map(" ".join)
"""Statements of pieces that begin, end or hide something."""


def lines(engine: Engine) -> None:
    """A table of two rows, and on Postgres what a read must not advance or call."""
    script(engine, "CREATE TABLE t (a integer)", "INSERT INTO t VALUES (1), (2)")
    if engine.dialect.name == "postgresql":
        script(
            engine,
            "CREATE SEQUENCE s",
            "CREATE FUNCTION evil(t) RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('s') $$",
        )


def read(engine: Engine, statement: str) -> bool:
    """Whether it was taken for a read, and ran."""
    try:
        SqlQuery(statement=statement, limit=5).do(engine, None)  # type: ignore[arg-type]
    except NotDone:
        return False
    return True


@pytest.mark.parametrize("statement", HIDING)
def test_what_hides_a_write_changes_nothing(
    db: Engine, statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines(db)
    before = photograph(db)
    read(db, statement)
    assert photograph(db) == before
    assert {file.name for file in tmp_path.iterdir()} <= {"target.db"}
    script(db, "UPDATE t SET a = 3")


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM t --\r WHERE a = 1\n", "DELETE FROM t WHERE a = 1 --\r AND a = 2\n OR a > 0"],
)
def test_a_condition_that_sqlite_takes_for_a_comment_is_refused(sqlite: Engine, statement: str) -> None:
    lines(sqlite)
    before = photograph(sqlite)
    with pytest.raises(NotDone, match="carriage return"):
        run(sqlite, statement)
    assert photograph(sqlite) == before
    run(sqlite, "UPDATE t SET a = 'x\r--'")
    run(sqlite, statement.replace("\r", "\r\n"))


def test_a_statement_that_a_driver_would_cut_is_refused(db: Engine) -> None:
    lines(db)
    before = photograph(db)
    with pytest.raises(NotDone, match="NUL"):
        run(db, "DELETE FROM t --\x00\n WHERE a = 1")
    with pytest.raises(NotDone, match="NUL"):
        SqlQuery(statement="SELECT 1 --\x00\n, 2").do(db, None)  # type: ignore[arg-type]
    assert photograph(db) == before


@settings(max_examples=400, deadline=None)
@given(SQL)
def test_reading_changes_nothing_on_sqlite(statement: str) -> None:
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lambda raw, _: raw.create_function("evil", -1, lambda *_: 1))
    try:
        lines(engine)
        with engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            changes, before = raw.total_changes, list(raw.iterdump())  # type: ignore[union-attr]
        read(engine, statement)
        with engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert (raw.total_changes, list(raw.iterdump())) == (changes, before)  # type: ignore[union-attr]
    finally:
        engine.dispose()


def test_reading_changes_nothing_on_postgres(postgres: Engine) -> None:
    lines(postgres)

    def seen() -> Any:
        with postgres.connect() as connection:
            return photograph(postgres), connection.exec_driver_sql(
                "SELECT last_value, is_called FROM s"
            ).all()

    before = seen()

    @settings(max_examples=150, deadline=None)
    @given(SQL)
    def holds(statement: str) -> None:
        if read(postgres, statement):
            assert seen() == before

    holds()
    assert seen() == before
