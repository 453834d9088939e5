"""Reading a statement that changes rows."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from langchain_agentrein.toolkits.sql.statement import Name, Statement, Write, parse, tables_in

DIALECTS = pytest.mark.parametrize("dialect", ["sqlite", "postgres"])


def one(sql: str, dialect: str) -> Statement:
    (statement,) = parse(sql, dialect)
    return statement


def plain(sql: str, dialect: str) -> Write:
    write = one(sql, dialect).write
    assert write is not None
    return write


@DIALECTS
def test_update(dialect: str) -> None:
    statement = one(
        'UPDATE s.orders AS o SET a = CASE WHEN x IS DISTINCT FROM y THEN 1 END, "B" = (SELECT max(z) FROM w WHERE q)'
        " FROM c WHERE c.id = o.id RETURNING o.a, b; -- done",
        dialect,
    )
    write = statement.write
    assert write is not None
    assert (write.kind, write.table, write.schema, write.alias) == (
        "update",
        Name("orders"),
        Name("s"),
        Name("o"),
    )
    assert write.columns == (Name("a"), Name("B", True))
    assert write.source == "FROM s.orders AS o\n, c WHERE c.id = o.id"
    assert statement.sql.endswith("o.a, b") and statement.filtered and statement.returning


def test_update_keeps_is_distinct_from_apart() -> None:
    assert plain("UPDATE t SET a = b IS DISTINCT FROM c FROM d", "postgres").source == "FROM t\n, d"


@DIALECTS
def test_delete(dialect: str) -> None:
    write = plain('WITH q AS (SELECT 1 AS x) DELETE FROM "my t" WHERE id IN (SELECT x FROM q)', dialect)
    assert (write.kind, write.table) == ("delete", Name("my t", True))
    assert write.prefix == "WITH q AS (SELECT 1 AS x)"
    assert write.source == 'FROM "my t"\nWHERE id IN (SELECT x FROM q)'


def test_delete_using() -> None:
    assert plain("DELETE FROM ONLY t AS x USING u, v WHERE x.a = u.a RETURNING 1", "postgres").source == (
        "FROM ONLY t AS x\n, u, v\nWHERE x.a = u.a"
    )


@DIALECTS
def test_insert(dialect: str) -> None:
    assert plain("insert into t (a, B) values (1, (2)), (:x, 3)", dialect).rows == 2
    assert plain("INSERT INTO t DEFAULT VALUES", dialect).rows == 1
    upsert = plain("INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1", dialect)
    assert upsert.upsert and upsert.rows == 1


@DIALECTS
@pytest.mark.parametrize(
    ("sql", "select"),
    [
        ("INSERT INTO a SELECT * FROM b JOIN c ON c.x = b.x", "\nSELECT * FROM b JOIN c ON c.x = b.x"),
        (
            "INSERT INTO a SELECT x FROM b WHERE true ON CONFLICT DO NOTHING",
            "\nSELECT x FROM b WHERE true",
        ),
        (
            "WITH q AS (SELECT 1) INSERT INTO a (x) SELECT * FROM q RETURNING x",
            "WITH q AS (SELECT 1)\nSELECT * FROM q",
        ),
    ],
)
def test_insert_select(sql: str, select: str, dialect: str) -> None:
    assert plain(sql, dialect).select == select


def test_insert_that_draws_from_sequences() -> None:
    assert one("INSERT INTO t VALUES (DEFAULT, nextval('s.q'), 3)", "postgres").sequences == ("s.q",)


@DIALECTS
@pytest.mark.parametrize(
    ("sql", "verbs"),
    [
        ("DELETE FROM a; DELETE FROM b;", ["delete", "delete"]),
        ("BEGIN; DELETE FROM a; UPDATE b SET x = ';'; COMMIT", ["delete", "update"]),
        ("WITH q AS (SELECT 1) INSERT INTO a SELECT * FROM q", ["insert"]),
        ("WITH g AS (DELETE FROM a RETURNING id) SELECT * FROM g", ["select"]),
        ("WITH g AS (DELETE FROM a RETURNING id) UPDATE b SET x = 1", ["update"]),
        ("REPLACE INTO a VALUES (1)", ["replace"]),
    ],
)
def test_verbs(sql: str, verbs: list[str], dialect: str) -> None:
    assert [statement.verb for statement in parse(sql, dialect)] == verbs


@DIALECTS
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "DELETE FROM t RETURNING 1",
        "WITH g AS (DELETE FROM a) UPDATE b SET x = 1 WHERE y",
        "DELETE FROM t USING (SELECT 1 WHERE x) q",
        "DELETE FROM a WHERE x; DELETE FROM b",
        "MERGE INTO a USING b ON true WHEN NOT MATCHED BY SOURCE THEN DELETE",
    ],
)
def test_without_where(sql: str, dialect: str) -> None:
    assert not all(statement.filtered for statement in parse(sql, dialect))


@DIALECTS
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET a = 1 WHERE b",
        "DELETE FROM t WHERE x IN (SELECT y FROM z)",
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2",
        "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN UPDATE SET x = 1",
        "INSERT INTO t VALUES ('DELETE FROM x')",
    ],
)
def test_with_where(sql: str, dialect: str) -> None:
    assert one(sql, dialect).filtered


@DIALECTS
@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "-- only a comment",
        "WITH g AS (SELECT 1) SELECT * FROM g",
        "CREATE TABLE a (b int)",
        "DELETE FROM a; DROP TABLE a",
        "BEGIN; DELETE FROM a",
        "DELETE FROM a; ROLLBACK",
        "TRUNCATE a",
        "VACUUM",
        "GRANT ALL ON a TO b",
        "EXPLAIN ANALYZE DELETE FROM a",
        "UPDATE a SET x = evil(1)",
        'UPDATE a SET x = "evil" (1)',
        "DELETE FROM a WHERE evil (1) > 0",
        "INSERT INTO a VALUES (s.lower('x'))",
        "REPLACE INTO a VALUES (evil(1))",
        "DELETE FROM a; DELETE FROM a WHERE evil(1)",
        "UPDATE a SET x = 'unclosed",
        "UPDATE a SET x = 1 /* unclosed",
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


@pytest.mark.parametrize("then", ["insert(1) END", "insert (a) END", '"insert" (a) VALUES (1)'])
def test_insert_before_a_parenthesis_is_a_call_unless_values_follow(then: str) -> None:
    with pytest.raises(NotDone, match="harmless"):
        parse(f"MERGE INTO t USING s ON CASE WHEN a THEN {then}", "postgres")
    parse(
        "MERGE INTO t USING s ON t.a = s.a WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, lower(s.b))",
        "postgres",
    )
