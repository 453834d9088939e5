"""Only what is provably a read is one."""

from __future__ import annotations

import pytest

from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.reads import check

BOTH = [
    "SELECT 1",
    "select a, count(*) filter (where b > 1) over (partition by c) from t where d in (1, 2) and exists (select 1)",
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT max(n) FROM r",
    "(SELECT 1) UNION (SELECT 2) ORDER BY 1 LIMIT 3",
    "VALUES (1, 'a'), (2, 'b');",
    "SELECT CAST(a AS numeric(10, 2)), coalesce(b, 'delete from t') FROM \"weird (name\" -- DROP TABLE t",
    "SELECT x.a FROM (SELECT 1 AS a) AS x (a) JOIN t USING (a)",
]
ONLY = {
    "sqlite": [
        "PRAGMA table_info('t')",
        "pragma user_version",
        "SELECT * FROM pragma_table_info('t')",
        "SELECT json_extract(a, '$.b') FROM t",
    ],
    "postgres": [
        "TABLE t",
        "SELECT a::varchar(3), now() AT TIME ZONE 'UTC', extract(year FROM b), pg_catalog.lower(c) FROM t",
        "SELECT * FROM generate_series(1, 3) AS g (n), jsonb_to_recordset('[]') AS x (a int, b numeric(10, 2))",
        "WITH q AS NOT MATERIALIZED (SELECT 1) SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t, q",
        "SELECT E'it\\'s', $x$ DELETE FROM t; nextval('s') $x$, ARRAY(SELECT 1), ROW(1, 2)",
    ],
}
NEVER = [
    "",
    "DELETE FROM t",
    "SELECT 1; SELECT 2",
    "SELECT * INTO b FROM a",
    "WITH w AS (DELETE FROM t RETURNING *) SELECT * FROM w",
    "WITH w AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM w",
    "EXPLAIN ANALYZE DELETE FROM t",
    "CREATE TABLE x AS SELECT 1",
    "SELECT evil()",
    'SELECT "evil" (1)',
    "SELECT evil/**/(1)",
    "SELECT s.evil(1)",
    "SELECT s.lower('A')",
    "SELECT a, evil(1) AS b FROM t",
    "SELECT * FROM evil(1) AS x (a)",
    "SELECT * FROM t, LATERAL (SELECT evil(t.a)) AS y",
    "SELECT 1 WHERE 'a' = 'unclosed",
    "SET x = 1",
    "VACUUM",
    "CALL p()",
]
NEVER_ON = {
    "sqlite": [
        "PRAGMA user_version = 3",
        "PRAGMA user_version(3)",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA table_info(t); DELETE FROM t",
        "SELECT load_extension('x')",
        "SELECT writefile('x', 'y')",
        "ATTACH 'x' AS y",
        "REPLACE INTO t VALUES (1)",
    ],
    "postgres": [
        "SELECT a FROM t FOR UPDATE",
        "SELECT a FROM (SELECT a FROM t FOR SHARE) x",
        "SELECT nextval('s')",
        "SELECT setval('s', 1), set_config('a', 'b', false)",
        "SELECT pg_terminate_backend(1)",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_catalog.pg_sleep(1)",
        "SELECT dblink_exec('x', 'y')",
        "SELECT 'a\\', pg_sleep(1) --'",
        "SELECT /* /* */ 1 */ pg_sleep(1)",
        "COPY t TO '/tmp/x'",
        "DO $$ BEGIN END $$",
    ],
}


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_reads_pass_as_they_were_written(dialect: str) -> None:
    for sql in BOTH + ONLY[dialect]:
        assert sql.startswith(check(sql, dialect)), sql


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_everything_else_is_refused(dialect: str) -> None:
    for sql in NEVER + NEVER_ON[dialect]:
        with pytest.raises(NotDone, match=r"^refused, nothing changed: "):
            check(sql, dialect)
            pytest.fail(sql)
