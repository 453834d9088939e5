"""Reading a statement that changes rows."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from langchain_agentrein.toolkits.sql.statement import Name, parse, tables_in

DIALECTS = pytest.mark.parametrize("dialect", ["sqlite", "postgres"])


@DIALECTS
def test_update(dialect: str) -> None:
    write = parse(
        'UPDATE s.orders AS o SET a = CASE WHEN x IS DISTINCT FROM y THEN 1 END, "B" = (SELECT max(z) FROM w WHERE q)'
        " FROM c WHERE c.id = o.id ; -- done",
        dialect,
    )
    assert (write.kind, write.table, write.schema, write.alias) == (
        "update",
        Name("orders"),
        Name("s"),
        Name("o"),
    )
    assert write.columns == (Name("a"), Name("B", True))
    assert write.source == "FROM s.orders AS o\n, c WHERE c.id = o.id"
    assert write.sql.endswith("o.id") and write.filtered


def test_update_keeps_is_distinct_from_apart() -> None:
    write = parse("UPDATE t SET a = b IS DISTINCT FROM c FROM d", "postgres")
    assert write.source == "FROM t\n, d"


@DIALECTS
def test_delete(dialect: str) -> None:
    write = parse('WITH q AS (SELECT 1 AS x) DELETE FROM "my t" WHERE id IN (SELECT x FROM q)', dialect)
    assert (write.kind, write.table) == ("delete", Name("my t", True))
    assert write.prefix == "WITH q AS (SELECT 1 AS x)"
    assert write.source == 'FROM "my t"\nWHERE id IN (SELECT x FROM q)'
    assert not parse("DELETE FROM t", dialect).filtered


def test_delete_using() -> None:
    assert parse("DELETE FROM ONLY t AS x USING u, v WHERE x.a = u.a", "postgres").source == (
        "FROM ONLY t AS x\n, u, v\nWHERE x.a = u.a"
    )


@DIALECTS
def test_insert(dialect: str) -> None:
    write = parse("insert into t (a, B) values (1, (2)), (:x, 3)", dialect)
    assert (write.columns, write.rows, write.values) == ((Name("a"), Name("B")), 2, 2)
    assert parse("INSERT INTO t DEFAULT VALUES", dialect).rows == 0


def test_insert_that_draws_from_sequences() -> None:
    write = parse("INSERT INTO t VALUES (DEFAULT, nextval('s.q'), 3)", "postgres")
    assert (write.defaults, write.sequences) == ((0,), ("s.q",))


@DIALECTS
@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "-- only a comment",
        "DELETE FROM a; DELETE FROM b",
        "DELETE FROM a RETURNING id",
        "INSERT INTO a SELECT * FROM b",
        "INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1",
        "WITH g AS (DELETE FROM a RETURNING id) DELETE FROM b",
        "WITH g AS (SELECT 1) SELECT * FROM g",
        "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE",
        "CREATE TABLE a (b int)",
        "DROP TABLE a",
        "TRUNCATE a",
        "VACUUM",
        "GRANT ALL ON a TO b",
        "EXPLAIN ANALYZE DELETE FROM a",
        "UPDATE a SET x = evil(1)",
        'UPDATE a SET x = "evil" (1)',
        "DELETE FROM a WHERE evil (1) > 0",
        "INSERT INTO a VALUES (s.lower('x'))",
        "UPDATE a SET x = 'unclosed",
        "UPDATE a SET x = 1 /* unclosed",
        "UPDATE a SET",
        "DELETE FROM a ORDER BY x LIMIT 1",
    ],
)
def test_refused(sql: str, dialect: str) -> None:
    with pytest.raises(NotDone, match=r"^refused, nothing changed: "):
        parse(sql, dialect)


@pytest.mark.parametrize(
    ("sql", "parameters", "dialect", "bound"),
    [
        ("a = :x AND b = ':x' -- :x", {"x": 1}, "sqlite", "a =  ? AND b = ':x' -- :x"),
        (
            "a::text = :x AND b[1:x] = '{:y}'",
            {"x": 1},
            "postgres",
            "a::text =  %(x)s AND b[1 %(x)s] = '{:y}'",
        ),
        (
            "a % 2 = :end AND \"c:x\" LIKE '%:x'",
            {"end": 1},
            "postgres",
            "a %% 2 =  %(end)s AND \"c:x\" LIKE '%%:x'",
        ),
        ("a = ':x'", None, "sqlite", "a = ':x'"),
        (r"a = '\:x' OR b = :ü", {"ü": 1}, "sqlite", r"a = '\:x' OR b =  ?"),
    ],
)
def test_parameters(sql: str, parameters: dict[str, int] | None, dialect: str, bound: str) -> None:
    url = {"sqlite": "sqlite://", "postgres": "postgresql+psycopg://"}[dialect]
    assert str(bind(sql, parameters, dialect).compile(create_engine(url))) == bound


def test_touches_names_tables_without_a_database() -> None:
    op = SqlExecute(statement="DELETE FROM s.Orders WHERE id IN (SELECT id FROM old)")
    assert op.touches() == {"sql:orders", "sql:old"}
    assert SqlExecute(statement="UPDATE OR REPLACE 'x").touches() == {"sql"}
    assert tables_in("WITH q AS (SELECT 1 FROM r) DELETE FROM t USING q") == {"r", "t"}
