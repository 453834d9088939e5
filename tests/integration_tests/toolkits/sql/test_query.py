"""Reading reads, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.registry import REGISTRY
from langchain_agentrein.toolkits.sql import SQLToolkit
from langchain_agentrein.toolkits.sql.query import SqlQuery
from langchain_agentrein.toolkits.sql.schema import SqlSchema
from tests.integration_tests.toolkits.sql.driver import photograph, script


def query(api: Engine, statement: str, limit: int | None = None, **parameters: Any) -> Any:
    op = SqlQuery(statement=statement, parameters=parameters or None, limit=limit)
    return json.loads(op.result(op.do(api, None)))  # type: ignore[arg-type]


def test_rows_as_json(shop: Engine) -> None:
    found = query(shop, "SELECT id, note FROM orders WHERE id < :most ORDER BY id -- ;", most=3)
    assert found == {"columns": ["id", "note"], "rows": [[1, "a: b"], [2, None]], "truncated": False}
    assert query(shop, "SELECT id FROM orders ORDER BY id", limit=2)["truncated"] is True
    assert len(query(shop, "SELECT id FROM orders", limit=4)["rows"]) == 4
    assert query(shop, "WITH a (x) AS (SELECT 1 UNION ALL SELECT 2) SELECT count(*) FROM a")["rows"] == [[2]]
    assert query(shop, "VALUES (1, 'x')")["rows"] == [[1, "x"]]


def test_every_value_becomes_json(postgres: Engine) -> None:
    found = query(
        postgres,
        "SELECT 1.10::numeric, 'NaN'::float8, now()::date, '1 day'::interval, '\\x00ff'::bytea, '{1,2}'::int[],"
        " 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, '{\"a\": [1]}'::jsonb, '[1,3)'::int4range, true, NULL",
    )
    row = found["rows"][0]
    assert (
        row[0] == "1.10"
        and row[1] == "nan"
        and row[4] == "0x00ff"
        and row[5] == [1, 2]
        and row[7] == {"a": [1]}
    )


def test_writes_are_refused_and_the_connection_stays_usable(shop: Engine) -> None:
    before = photograph(shop)
    for statement in ("DELETE FROM orders", "SELECT 1; DELETE FROM orders", "SELECT * INTO x FROM orders"):
        with pytest.raises(NotDone):
            query(shop, statement)
    with pytest.raises(NotDone, match="failed"):
        query(shop, "SELECT nowhere FROM orders")
    assert photograph(shop) == before
    script(shop, "UPDATE orders SET note = 'x'")


def test_what_the_reading_misjudges_the_database_refuses(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_agentrein.toolkits.sql import query as module

    monkeypatch.setattr(module, "check", lambda sql, dialect: sql)
    before = photograph(shop)
    for statement in ("UPDATE orders SET note = 'x' RETURNING id", "CREATE TABLE x (a int)"):
        with pytest.raises(NotDone, match=r"read|syntax"):
            query(shop, statement)
    assert photograph(shop) == before


def test_a_view_that_writes_is_stopped(postgres: Engine) -> None:
    script(postgres, "CREATE SEQUENCE s", "CREATE VIEW v AS SELECT nextval('s')")
    with pytest.raises(NotDone, match="read-only"):
        query(postgres, "SELECT * FROM v")


def test_schema_names_columns_and_keys(shop: Engine) -> None:
    op = SqlSchema(tables=["order items"])
    (table,) = json.loads(op.result(op.do(shop, None)))["tables"]  # type: ignore[arg-type]
    assert [column["name"] for column in table["columns"]] == ["order_id", "No.", "Größe", "qty"]
    assert table["primary_key"] == ["order_id", "No."]
    assert table["foreign_keys"][0]["table"] == "orders"
    names = {one["name"] for one in SqlSchema().do(shop, None)["tables"]}  # type: ignore[arg-type]
    assert {"customers", "orders", "order items", "log"} <= names
    with pytest.raises(NotDone, match="nowhere"):
        SqlSchema(tables=["nowhere"]).do(shop, None)  # type: ignore[arg-type]


def test_the_toolkit(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = {tool.name: tool for tool in SQLToolkit(shop, limit=1).get_tools()}
    assert set(tools) == {"sql_query", "sql_schema", "sql_execute"}
    assert json.loads(tools["sql_query"].invoke({"statement": "SELECT id FROM orders"}))["truncated"] is True
    assert {tool.name for tool in SQLToolkit(shop, read_only=True).get_tools()} == {"sql_query", "sql_schema"}
    assert {"sql.query", "sql.schema", "sql.execute"} <= REGISTRY.names()
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        SQLToolkit.from_env()
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@localhost/db")
    assert SQLToolkit.from_env().client.dialect.name == "postgresql"
    with pytest.raises(ConfigError, match="mysql"):
        SQLToolkit(create_engine("mysql://", module=__import__("sqlite3")))


def test_the_users_engine_is_left_as_it_was(sqlite: Engine) -> None:
    query(SQLToolkit(sqlite, limit=5).client, "SELECT 1")
    assert sqlite.get_execution_options() == {}
    with sqlite.connect() as connection:
        assert connection.execute(text("PRAGMA query_only")).scalar() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM orders ORDER BY (id + customer_id) % 3, (id)",
        "SELECT customer_id FROM orders GROUP BY (customer_id) ORDER BY(1)",
        "SELECT sum(total) OVER (PARTITION BY (customer_id) ORDER BY (id)) FROM orders",
    ],
)
def test_a_parenthesis_after_two_words_calls_nothing(shop: Engine, statement: str) -> None:
    assert query(shop, statement)["rows"]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM orders TABLESAMPLE BERNOULLI (100)",
        "SELECT count(*) FROM orders TABLESAMPLE SYSTEM (100)",
        "SELECT id FROM ONLY orders ORDER BY id FETCH FIRST (1) ROWS ONLY",
        "SELECT (date '2012-01-01', date '2012-02-01') OVERLAPS (date '2012-01-15', interval '1 day')",
    ],
)
def test_words_of_postgres_call_nothing(postgres: Engine, statement: str) -> None:
    script(postgres, "CREATE TABLE orders (id integer)", "INSERT INTO orders VALUES (1), (2)")
    assert query(postgres, statement)["rows"]


@pytest.mark.parametrize(
    "call",
    [
        '"order by"(1)',
        '"group by"(1)',
        "system(5)",
        "bernoulli(5)",
        "first(1)",
        "query_to_xml('DELETE FROM orders', true, true, '')",
        "ts_stat('DELETE FROM orders')",
        "ts_rewrite('a'::tsquery, 'SELECT t, s FROM aliases')",
        "set_config('a.b', 'c', false)",
        "setseed(0.5)",
        "pg_sleep(1)",
        "pg_advisory_lock(1)",
        "lo_import('/etc/passwd')",
        "dblink('', 'DELETE FROM orders')",
        "setval('s', 1)",
        "nextval('s')",
        "pg_terminate_backend(1)",
        "txid_current()",
    ],
)
def test_what_may_do_something_is_refused(postgres: Engine, call: str) -> None:
    with pytest.raises(NotDone, match="harmless"):
        query(postgres, f"SELECT {call}")
