"""Some two hundred statements on a real sample database, one after the other: only their undo brings it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, event, make_url, text

from langchain_agentrein.errors import AgentReinError, NotDone
from langchain_agentrein.toolkits.sql import ddl
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.integration_tests.toolkits.sql.chinook import load
from tests.integration_tests.toolkits.sql.chinook_corpus import REFUSED, Query, corpus
from tests.integration_tests.toolkits.sql.driver import look, rebuilt, run, undo
from tests.integration_tests.toolkits.sql.dump import dump
from tests.support.postgres import database

Photograph = dict[str, list[str]]
OTHER_KEYS = ("settings", "daily_sales", "PlaylistTrack")
"""Tables in which SQLite numbers the rows on its own, and anew in every VACUUM."""


@pytest.fixture(scope="module")
def store_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path: Path = tmp_path_factory.mktemp("chinook") / "chinook.db"
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = 1"))
    load(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def store_on_postgresql(postgres_url: str) -> Iterator[Engine]:
    url: URL
    with database(make_url(postgres_url), "agentrein_chinook") as url:
        engine = create_engine(url)
        load(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def store(request: pytest.FixtureRequest, dialect: str) -> Engine:
    engine: Engine = request.getfixturevalue(f"store_on_{dialect}")
    return engine


@pytest.fixture(scope="module")
def first_seen() -> dict[str, Photograph]:
    """Each database as it was when the first test came to it."""
    return {}


def photograph(api: Engine) -> Photograph:
    """Every row as text, with its place on SQLite; without the moments that a trigger stamped, once more."""
    found: Photograph = {}
    with api.connect() as connection:
        if api.dialect.name == "sqlite":
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
            for name in names.scalars().all():
                place = "NULL" if name in OTHER_KEYS else "rowid"
                rows = connection.exec_driver_sql(f'SELECT {place}, * FROM "{name}" ORDER BY 1, 2, 3')
                found[name] = [repr(tuple(row)) for row in rows]
            rows = connection.exec_driver_sql("SELECT * FROM customers ORDER BY 1").mappings()
            found["customers, unstamped"] = [str({**row, "updated_at": ""}) for row in rows]
            return found
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for name in names.scalars().all():
            rows = connection.exec_driver_sql(f'SELECT CAST(t AS text) FROM "{name}" t')
            found[name] = sorted(rows.scalars())
        rows = connection.exec_driver_sql("SELECT CAST(to_jsonb(t) - 'updated_at' AS text) FROM customers t")
        found["customers, unstamped"] = sorted(rows.scalars())
    return found


def assert_restored(before: Photograph, now: Photograph, left: list[str]) -> None:
    """Everything is as before, but for what is named."""
    audited, stamped = 0, False
    for line in left:
        if found := re.fullmatch(r"triggers wrote (\d+) rows? of audit_log during the undo", line):
            audited = int(found[1])
        elif re.fullmatch(r".*customers.*updated_at is as a trigger made it during the undo", line):
            stamped = True
        else:
            assert line.startswith("sequence "), line
    assert now.keys() == before.keys()
    for table, rows in before.items():
        if table == "audit_log":
            assert [row for row in now[table] if row in set(rows)] == rows
            assert len(now[table]) - len(rows) == audited
        elif table != "customers" or not stamped:
            assert now[table] == rows, table


PAIRS = [(dialect, name) for dialect in ("sqlite", "postgresql") for name in corpus(dialect)]


@pytest.mark.parametrize(("dialect", "name"), PAIRS, ids=[f"{dialect}-{name}" for dialect, name in PAIRS])
def test_done_and_undone(store: Engine, dialect: str, name: str, first_seen: dict[str, Photograph]) -> None:
    statement, parameters = _split(corpus(dialect)[name])
    changes_schema = ddl.is_ddl(statement, "sqlite" if dialect == "sqlite" else "postgres")
    before = photograph(store)
    first_seen.setdefault(dialect, before)
    schema = dump(store) if changes_schema else []
    if name in REFUSED[dialect]:
        with pytest.raises(NotDone, match=REFUSED[dialect][name]):
            run(store, statement, **parameters)
        assert photograph(store) == before
        return

    SqlExecute(statement=statement, parameters=parameters or None).assess(store)
    action = run(store, statement, **parameters)
    if not changes_schema:
        done = photograph(store)
        assert (done != before) == (name not in NOTHING)
        assert action.after == rebuilt(action).expect(action)

    left = undo(store, action)

    if changes_schema:
        assert left == []
        assert dump(store) == schema
    else:
        assert_restored(before, photograph(store), left)
        assert look(store, action).already_undone or left


def test_a_stamp_alone_is_said_to_stay(store_on_postgresql: Engine) -> None:
    """All that the statement changed is what the trigger stamps anew, also when it is undone."""
    action = run(store_on_postgresql, "UPDATE customers SET email = lower(email) WHERE country = 'Brazil'")
    with pytest.raises(AgentReinError, match=r"updated_at reads back different .* nothing was undone"):
        undo(store_on_postgresql, action)


NOTHING = {"nothing to do", "customers who never bought", "albums without tracks"}
"""What finds no row to change."""


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_store_is_as_it_was_loaded(
    store: Engine, dialect: str, first_seen: dict[str, Photograph]
) -> None:
    """After all of them: what triggers stamped and audited apart."""
    before, now = first_seen.get(dialect) or photograph(store), photograph(store)
    for table in before.keys() - {"audit_log", "customers"}:
        assert now[table] == before[table], table


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_hardly_any_is_refused(dialect: str) -> None:
    """Each of those named here was seen to be refused by the test above, and no other."""
    statements = corpus(dialect)
    assert REFUSED[dialect].keys() <= statements.keys()
    assert len(REFUSED[dialect]) <= 0.03 * len(statements), sorted(REFUSED[dialect])


def _split(query: Query) -> tuple[str, dict[str, object]]:
    return (query, {}) if isinstance(query, str) else query
