"""Databases to act on: a SQLite file and a Postgres server, empty before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, event, make_url, text

from tests.support.postgres import database

AUTO = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}


@pytest.fixture(scope="session")
def sql_database(postgres_url: str) -> Iterator[URL]:
    """A Postgres database of these tests' own."""
    with database(make_url(postgres_url), "agentrein_sql") as url:
        yield url


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'target.db'}", connect_args={"timeout": 0.5})
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = 1"))
    yield engine
    engine.dispose()


@pytest.fixture
def postgres(sql_database: URL) -> Iterator[Engine]:
    engine = create_engine(sql_database)
    with engine.begin() as connection:
        connection.execute(
            text(
                "DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace "
                "WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' "
                "LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP; CREATE SCHEMA public; END $$"
            )
        )
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(request.param)
    return engine


@pytest.fixture
def shop(db: Engine) -> Engine:
    """A shop with keys of every kind, cascades through two levels and a tree of bosses."""
    auto = AUTO[db.dialect.name]
    tables = [
        f"""CREATE TABLE customers (id {auto}, email text UNIQUE NOT NULL, password text, vip boolean DEFAULT false,
            boss integer REFERENCES customers (id) ON DELETE SET NULL)""",
        f"""CREATE TABLE orders (id {auto}, customer_id integer NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
            total numeric(10, 2) NOT NULL DEFAULT 0, status text NOT NULL DEFAULT 'new', note text,
            twice numeric GENERATED ALWAYS AS (total * 2) STORED)""",
        """CREATE TABLE "order items" (order_id integer NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
            "No." integer NOT NULL, "Größe" text, qty integer NOT NULL CHECK (qty > 0), PRIMARY KEY (order_id, "No."))""",
        """CREATE TABLE shipments (code text PRIMARY KEY, order_id integer, no integer DEFAULT 1,
            FOREIGN KEY (order_id, no) REFERENCES "order items" ON DELETE SET NULL)""",
        "CREATE TABLE invoices (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES orders (id))",
        "CREATE TABLE log (line text)",
    ]
    rows = [
        "INSERT INTO customers (email, password, boss) VALUES ('ana@x', 'pw-a', NULL), ('bo@x', 'pw-b', 1), ('cy@x', 'pw-c', 1)",
        "INSERT INTO orders (customer_id, total, note) VALUES (1, 10.50, 'a: b'), (1, 0, NULL), (2, 7, 'c'), (3, 1, 'd')",
        """INSERT INTO "order items" VALUES (1, 1, 'XL', 2), (1, 2, NULL, 3), (2, 1, 'ß%s', 1), (3, 1, 'S', 1)""",
        "INSERT INTO shipments VALUES ('s-1', 1, 1), ('s-2', 1, 2), ('s-9', NULL, NULL), ('s-3', 3, 1)",
        "INSERT INTO invoices VALUES (1, 4)",
        "INSERT INTO log VALUES ('started')",
    ]
    with db.begin() as connection:
        for statement in [*tables, *rows]:
            connection.execute(text(statement.replace(":", "\\:")))
    return db
