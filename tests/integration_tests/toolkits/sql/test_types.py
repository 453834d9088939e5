"""Values of every type come back as they were, to the last digit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from tests.integration_tests.toolkits.sql.driver import photograph, run, script, undo

POSTGRES = {
    "smallint": ["-32768"],
    "bigint": ["9223372036854775807"],
    "numeric": ["123456789012345678901234567890.000000000000000000010", "NaN", "-0.10"],
    "numeric(10,2)": ["1.10"],
    "real": ["0.1", "Infinity", "NaN", "16777217.5"],
    "double precision": ["0.1", "0.30000000000000004", "5e-324", "-Infinity", "-0"],
    "boolean": ["true", "false"],
    "text": ["", "it''s ''; -- \n\t\\ü \U0001f600"],
    "varchar(5)": ["ab  "],
    "char(5)": ["ab"],
    '"char"': ["x"],
    "bytea": ["\\x00ff27", "\\x"],
    "date": ["0044-03-15 BC", "infinity", "2024-02-29"],
    "time": ["24:00:00", "00:00:00.000001"],
    "timetz": ["12:00:00+05:30"],
    "timestamp": ["2024-02-29 23:59:59.999999", "infinity"],
    "timestamptz": ["2024-07-01 12:00:00.123456+02", "4713-01-01 00:00:00+00 BC"],
    "interval": ["1 year -2 mons 3 days 04:05:06.000007", "-00:00:01"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "json": ['{"b":  1,  "a": [1.0, null], "b": 2}'],
    "jsonb": ['{"a": 1.10, "b": "ü"}', "null"],
    "integer[]": ["{1,NULL,3}", "[0:1]={1,2}", "{{1,2},{3,4}}"],
    "text[]": ['{"a b","",NULL,"\\"q\\"","x,y"}'],
    "bytea[]": ['{"\\\\x00"}'],
    "money": ["-1234.56"],
    "inet": ["192.168.0.1/24"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "bit(3)": ["101"],
    "varbit": ["10101"],
    "tsvector": ["''a'':1A ''b c'':2"],
    "point": ["(1.5,-2)"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "int4range": ["[1,5)", "empty"],
    "tstzrange": ['["2024-01-01 00:00:00+00",)'],
    "int4multirange": ["{[1,3),[5,8)}"],
    "mood": ["so la la", "sad"],
    "pair": ['(1,"a,""b")'],
    "positive": ["7"],
    "regclass": ["pg_class"],
    "name": ["n"],
    "oid": ["4294967295"],
    "pg_lsn": ["16/B374D848"],
}


@pytest.mark.parametrize("type_", POSTGRES)
def test_postgres_types(postgres: Engine, type_: str) -> None:
    values = ", ".join(f"({n}, '{value}')" for n, value in enumerate(POSTGRES[type_]))
    script(
        postgres,
        "CREATE TYPE mood AS ENUM ('sad', 'so la la')",
        "CREATE TYPE pair AS (n integer, t text)",
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        f"CREATE TABLE t (id integer PRIMARY KEY, v {type_}, w {type_})",
        f"INSERT INTO t (id, v) VALUES {values}, (99, NULL)",
    )
    before = photograph(postgres)
    insert = f"INSERT INTO t (id, v) VALUES (100, '{POSTGRES[type_][0]}')"
    for statement in ("UPDATE t SET w = v, v = NULL", "DELETE FROM t", insert):
        with odd_settings(postgres):
            action = run(postgres, statement)
        undo(postgres, action)
        assert photograph(postgres) == before
        action = run(postgres, statement)
        with odd_settings(postgres):
            undo(postgres, action)
        assert photograph(postgres) == before


@contextmanager
def odd_settings(engine: Engine) -> Iterator[None]:
    """Within, sessions print and read values in ways of their own."""
    script(engine, *[f"ALTER ROLE CURRENT_USER SET {setting}" for setting in ODD])
    engine.dispose()
    try:
        yield
    finally:
        script(engine, "ALTER ROLE CURRENT_USER RESET ALL")
        engine.dispose()


ODD = [
    "DateStyle = 'SQL, DMY'",
    "TimeZone = 'Asia/Kathmandu'",
    "IntervalStyle = 'sql_standard'",
    "extra_float_digits = -3",
]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (type_, values[0])
        for type_, values in POSTGRES.items()
        if type_
        in (
            "uuid",
            "timestamptz",
            "numeric",
            "bytea",
            "date",
            "interval",
            "char(5)",
            "mood",
            "text[]",
            "int4range",
        )
    ],
)
def test_postgres_keys(postgres: Engine, type_: str, value: str) -> None:
    script(
        postgres,
        "CREATE TYPE mood AS ENUM ('sad', 'so la la')",
        f"CREATE TABLE t (k {type_} PRIMARY KEY, n integer)",
        f"CREATE TABLE c (id integer PRIMARY KEY, k {type_} REFERENCES t ON DELETE SET NULL)",
        f"INSERT INTO t VALUES ('{value}', 1)",
        f"INSERT INTO c VALUES (1, '{value}')",
    )
    before = photograph(postgres)
    for statement in ("UPDATE t SET n = 2", "DELETE FROM t"):
        with odd_settings(postgres):
            action = run(postgres, statement)
        undo(postgres, action)
        assert photograph(postgres) == before


SQLITE = [
    None, 0, 1, -1, 2**63 - 1, -(2**63), 1.0, 0.1, 1e300, 5e-324, math.inf, -math.inf, "", "1", "1.0", "ü\x00b",
    "it's", b"", b"\x00\xff", b"1", 2.0**60,
]  # fmt: skip


@pytest.mark.parametrize("declared", ["", "INTEGER", "REAL", "NUMERIC", "TEXT", "BLOB", "ANY", "DATETIME"])
def test_sqlite_values_keep_their_storage_class(sqlite: Engine, declared: str) -> None:
    script(sqlite, f"CREATE TABLE t (id integer PRIMARY KEY, v {declared}, w {declared})")
    with sqlite.begin() as connection:
        for number, value in enumerate(SQLITE):
            connection.execute(text("INSERT INTO t VALUES (:n, :v, 0)"), {"n": number, "v": value})
    before = _typed(sqlite)
    for statement in ("UPDATE t SET w = v, v = 'x'", "UPDATE t SET v = 7", "DELETE FROM t"):
        undo(sqlite, run(sqlite, statement))
        assert _typed(sqlite) == before


def test_sqlite_tells_one_from_one_point_zero(sqlite: Engine) -> None:
    script(sqlite, "CREATE TABLE t (id integer PRIMARY KEY, v, w)", "INSERT INTO t VALUES (1, 1, '1')")
    before = _typed(sqlite)
    action = run(sqlite, "UPDATE t SET v = 1.0, w = 1")
    assert action.after == {"t[1].v": {"real": "1.0"}, "t[1].w": 1}
    undo(sqlite, action)
    assert _typed(sqlite) == before


def _typed(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, typeof(v), hex(v), v, typeof(w), w FROM t ORDER BY id"))
        return [tuple(map(repr, row)) for row in rows]


def test_parameters_of_every_json_type(db: Engine) -> None:
    script(db, "CREATE TABLE t (id integer PRIMARY KEY, a text, b double precision, c boolean, d integer)")
    action = run(db, "INSERT INTO t VALUES (:i, :a, :b, :c, :d)", i=1, a="x", b=1.5, c=True, d=None)
    with db.connect() as connection:
        row = connection.execute(text("SELECT a, b, c, d FROM t")).one()
    assert tuple(row) == ("x", 1.5, True, None)
    undo(db, action)


def test_json_parameters_on_postgres(postgres: Engine) -> None:
    script(postgres, "CREATE TABLE t (id integer PRIMARY KEY, j jsonb, a integer[])")
    run(postgres, "INSERT INTO t VALUES (1, :j, :a)", j={"x": [1]}, a=[1, 2])
    with postgres.connect() as connection:
        assert tuple(connection.execute(text("SELECT j, a FROM t")).one()) == ({"x": [1]}, [1, 2])


def test_text_that_is_not_utf8_is_refused(sqlite: Engine) -> None:
    script(
        sqlite,
        "CREATE TABLE t (id integer PRIMARY KEY, v text)",
        "INSERT INTO t VALUES (1, CAST(x'ff' AS text))",
    )
    before = _typed_one(sqlite)
    from langchain_agentrein.errors import NotDone

    with pytest.raises(NotDone, match="UTF-8"):
        run(sqlite, "UPDATE t SET v = 'x'")
    assert _typed_one(sqlite) == before


def _typed_one(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(text("SELECT hex(v) FROM t")).scalar()
