"""Whatever the schema, the rows and the statement: refused or failed, nothing changed; done and undone, neither."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened
from tests.integration_tests.toolkits.sql.driver import look, photograph, rebuilt, run, script, undo

ACTIONS = ["CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION", "RESTRICT"]
KEYS = st.integers(0, 4)
VALUES = st.sampled_from(["NULL", "'a'", "'A b'", "''", "'q''q'"])


@st.composite
def schemas(draw: st.DrawFn) -> tuple[list[str], list[str], int]:
    """Tables t0, t1, ... with references to each other, and INSERTs that may or may not fit them."""
    count = draw(st.sampled_from([1, 2, 3, 3]))
    creates: list[str] = []
    inserts: list[str] = []
    for number in range(count):
        composite = draw(st.booleans())
        columns = [
            "id integer NOT NULL",
            "n integer NOT NULL DEFAULT 0",
            "u integer UNIQUE",
            "v text",
            "r integer",
        ]
        columns.append("s integer DEFAULT 0")
        columns.append("PRIMARY KEY (id, n)" if composite else "PRIMARY KEY (id)")
        for column in sorted(draw(st.sets(st.sampled_from(["r", "s"]), min_size=1, max_size=2))):
            parent = draw(st.sampled_from([max(0, number - 1), max(0, number - 1), 0, number]))
            target = "u" if parent == number and composite else draw(st.sampled_from(["u", "u", "id"]))
            if target == "id" and f"t{parent}" in composites(creates):
                target = "u"
            deletes, updates = draw(st.sampled_from(ACTIONS)), draw(st.sampled_from(ACTIONS))
            columns.append(
                f"FOREIGN KEY ({column}) REFERENCES t{parent} ({target}) ON DELETE {deletes} ON UPDATE {updates}"
                + draw(st.sampled_from(["", " DEFERRABLE INITIALLY DEFERRED"]))
            )
        creates.append(f"CREATE TABLE t{number} ({', '.join(columns)})")
        for key in range(draw(st.integers(2, 5))):
            refers = st.one_of(st.integers(0, min(key + number, 3)).map(str), st.just("NULL"))
            unique = draw(st.sampled_from([str(key), str(key), str(key), "NULL"]))
            row = [str(key), "0", unique, draw(VALUES), draw(refers), draw(refers)]
            inserts.append(f"INSERT INTO t{number} VALUES ({', '.join(row)})")
    return creates, inserts, count


def composites(creates: list[str]) -> set[str]:
    return {create.split()[2] for create in creates if "PRIMARY KEY (id, n)" in create}


@st.composite
def statements(draw: st.DrawFn, count: int) -> str:
    table = f"t{draw(st.sampled_from([0, 0, *range(count)]))}"
    where = draw(
        st.sampled_from(
            [
                "",
                " WHERE id = 0",
                " WHERE id = 1",
                " WHERE id > 1",
                " WHERE v IS NOT NULL",
                " WHERE r IS NULL OR s = 0",
            ]
        )
    )
    match draw(st.sampled_from(["delete", "update", "insert"])):
        case "delete":
            return f"DELETE FROM {table}{where}"
        case "update":
            what = draw(
                st.sampled_from(
                    [
                        "u = u + 10",
                        "u = u + 20, v = NULL",
                        "u = -u",
                        "u = u + 1",
                        "v = v || 'x', u = NULL",
                        "r = NULL",
                        "r = s, s = r",
                        "v = 'z'",
                    ]
                )
            )
            return f"UPDATE {table} SET {what}{where}"
        case _:
            rows = [
                f"({draw(KEYS)}, {draw(st.integers(0, 1))}, {draw(st.one_of(KEYS, st.just('NULL')))}, {draw(VALUES)})"
                for _ in range(draw(st.integers(1, 2)))
            ]
            return f"INSERT INTO {table} (id, n, u, v) VALUES {', '.join(rows)}"


def fill(api: Engine, creates: list[str], inserts: list[str]) -> None:
    for create in creates:
        script(api, create)
    for insert in inserts:
        try:
            script(api, insert)
        except Exception:
            continue


def hold(api: Engine, schema: tuple[list[str], list[str], int], data: Any) -> None:
    creates, inserts, _ = schema
    names = [create.split()[2] for create in creates]
    tail = " CASCADE" if api.dialect.name == "postgresql" else ""
    drop = [f"DROP TABLE IF EXISTS t{n}{tail}" for n in reversed(range(3))]
    if not tail:
        with api.connect() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys = 0")
            for statement in drop:
                connection.exec_driver_sql(statement)
            connection.commit()
            connection.exec_driver_sql("PRAGMA foreign_keys = 1")
    else:
        script(api, *drop)
    fill(api, creates, inserts)
    photographs, actions = [], []
    for _ in range(data.draw(st.integers(1, 3), label="actions")):
        statement = data.draw(statements(len(names)), label="statement")
        before = photograph(api)
        try:
            action = run(api, statement)
        except NotDone as error:
            if "captured" in str(error) or "its WHERE" in str(error):
                raise  # the reading of a plain statement, or of its cascades, was wrong
            assert photograph(api) == before
            continue
        assert action.after == rebuilt(action).expect(action)
        assert isinstance(rebuilt(action).probe(api, action), Happened)
        photographs.append(before)
        actions.append(action)
    for before, action in zip(reversed(photographs), reversed(actions), strict=True):
        assert not rebuilt(action).attached(api, action)
        undo(api, action)
        assert look(api, action).already_undone
        assert photograph(api) == before


FAST = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


@settings(FAST, max_examples=150)
@given(schema=schemas(), data=st.data())
def test_sqlite(sqlite_engine: Engine, schema: Any, data: Any) -> None:
    hold(sqlite_engine, schema, data)


@settings(FAST, max_examples=60)
@given(schema=schemas(), data=st.data())
def test_postgres(postgres_engine: Engine, schema: Any, data: Any) -> None:
    hold(postgres_engine, schema, data)


@pytest.fixture
def sqlite_engine(sqlite: Engine) -> Engine:
    return sqlite


@pytest.fixture
def postgres_engine(postgres: Engine) -> Engine:
    return postgres
