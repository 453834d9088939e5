"""Many rows go in blocks: the same statements with blocks of one row, so that borders are everywhere."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from langchain_agentrein import AgentRein, ApprovalRule, PayloadTooLarge
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.journal.redaction import Redactor
from langchain_agentrein.journal.sealing import Vault
from langchain_agentrein.toolkits import SQLToolkit
from langchain_agentrein.toolkits.sql import blocks, capture, forecast, postgres_record
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from langchain_agentrein.toolkits.sql.observation import Change
from langchain_agentrein.toolkits.sql.restoring_blocks import BlockRestore
from langchain_agentrein.toolkits.sql.rows import Rows
from tests.integration_tests.toolkits.sql import test_statements as whole
from tests.integration_tests.toolkits.sql.driver import look, photograph, rebuilt, run, script, undo


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything goes in blocks, and on PostgreSQL nothing is looked up by index."""
    small(monkeypatch, 1)


def small(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(blocks, "BLOCK", rows)
    monkeypatch.setattr(blocks, "MANY", rows - 1)
    monkeypatch.setattr(postgres_record, "INDEXED", 0)
    monkeypatch.setattr(forecast, "MOST_FOLLOWED", 0)


@pytest.fixture
def by_block(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each undo that went by blocks: whether it had to be done again with all rows together."""
    went: list[bool] = []
    real, together = BlockRestore.run, BlockRestore.__mro__[1].run

    def watched(self: BlockRestore) -> Any:
        went.append(False)
        return real(self)

    def fell_back(self: BlockRestore) -> Any:
        if went:
            went[-1] = True
        return together(self)

    monkeypatch.setattr(BlockRestore, "run", watched)
    monkeypatch.setattr(BlockRestore.__mro__[1], "run", fell_back)
    return went


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", whole.names())
def test_done_and_undone(shop: Engine, name: str) -> None:
    whole.test_done_and_undone(shop, name)


WAYS = {
    "update": ("UPDATE orders SET note = 'x', total = total + 1", [False]),
    "insert": ("INSERT INTO towns SELECT zip + 50, name || '!' FROM towns", [False]),
    "delete": ("DELETE FROM shipments", [False]),
    "delete of what refers to it": ("DELETE FROM customers WHERE id < 3; DELETE FROM log", None),
    "unique values moved": ("UPDATE seats SET no = no + 1", [True]),
    "triggers": ("UPDATE audited SET n = 3", []),
    "keys": ("UPDATE invoices SET id = id + 1", []),
    "rows of one table that refer to each other": ("DELETE FROM people; DELETE FROM staff", []),
    "parents and children": ("DELETE FROM parents_of", [False]),
}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", WAYS)
def test_each_goes_its_way(shop: Engine, by_block: list[bool], name: str) -> None:
    whole.prepare(shop)
    script(
        shop,
        "CREATE TABLE seats (id integer PRIMARY KEY, no integer UNIQUE)",
        f"INSERT INTO seats VALUES {', '.join(f'({n}, {9 - n})' for n in range(8))}",
        "CREATE TABLE staff (id integer PRIMARY KEY, boss integer REFERENCES staff (id))",
        "INSERT INTO staff VALUES (3, NULL), (1, 3), (2, 1)",
        "CREATE TABLE parents_of (id integer PRIMARY KEY)",
        "CREATE TABLE a_child (id integer PRIMARY KEY, p integer REFERENCES parents_of (id) ON DELETE CASCADE)",
        "INSERT INTO parents_of VALUES (1), (2), (3)",
        "INSERT INTO a_child VALUES (1, 3), (2, 2), (3, NULL), (4, 1)",
    )
    statement, way = WAYS[name]
    before = photograph(shop)
    action = run(shop, statement)
    assert photograph(shop) != before
    left = undo(shop, action)
    assert [line for line in left if "triggers wrote" not in line] == []
    if not left:
        assert photograph(shop) == before
    if way is not None:
        assert by_block == way


@pytest.fixture
def numbers(db: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    small(monkeypatch, 3)
    script(
        db,
        "CREATE TABLE numbers (id integer PRIMARY KEY, n integer, note text)",
        f"INSERT INTO numbers VALUES {', '.join(f'({n}, {n}, NULL)' for n in range(10))}",
        "CREATE TABLE uses (id integer PRIMARY KEY, of integer REFERENCES numbers (id))",
    )
    return db


def test_a_conflict_in_the_last_block_leaves_all_others_alone(numbers: Engine) -> None:
    action = run(numbers, "UPDATE numbers SET n = n + 1, note = 'x'")
    assert [one["count"] for one in action.before["tables"][0]["blocks"]] == [3, 3, 3, 1]
    script(numbers, "UPDATE numbers SET note = 'mine' WHERE id = 9", "DELETE FROM numbers WHERE id = 1")
    now = photograph(numbers)
    with pytest.raises(Conflict) as met:
        undo(numbers, action)
    assert set(met.value.details) == {"numbers[9].note was changed since", "numbers[1] was deleted since"}
    assert photograph(numbers) == now

    state = look(numbers, action)
    assert len(state.free) == 2 and len(state.taken) == 2
    left = undo(numbers, action, state.free)
    assert sorted(left) == [
        f"kept numbers[{row}].{column}, which somebody changed since"
        for row, column in ((1, "n"), (1, "note"), (9, "note"))
    ]
    script(numbers, "UPDATE numbers SET note = NULL WHERE id = 9", "INSERT INTO numbers VALUES (1, 1, NULL)")
    assert look(numbers, action).already_undone


def test_what_others_built_on_a_row_of_any_block_is_a_conflict(numbers: Engine) -> None:
    action = run(numbers, "INSERT INTO numbers SELECT id + 100, n, note FROM numbers")
    script(numbers, "INSERT INTO uses VALUES (1, 109), (2, 109)")
    now = photograph(numbers)
    assert rebuilt(action).attached(numbers, action) == [
        "2 rows of uses refer to numbers[109] that were inserted"
    ]
    with pytest.raises(Conflict, match="built on it"):
        undo(numbers, action)
    assert photograph(numbers) == now
    script(numbers, "DELETE FROM uses")
    undo(numbers, action)
    assert look(numbers, action).already_undone


def test_what_needs_all_rows_together_is_refused_beyond_what_memory_is_for(
    numbers: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "TOGETHER", 9)
    before = photograph(numbers)
    with pytest.raises(NotDone, match="20 rows, more than the 9 that can be put back together"):
        run(numbers, "UPDATE numbers SET id = id + 100")
    assert photograph(numbers) == before
    undo(numbers, run(numbers, "UPDATE numbers SET n = 0"))
    assert photograph(numbers) == before


SECRET = "hunter2-0f9a"


@pytest.mark.parametrize("hidden", ["password", "note"])
def test_a_secret_in_one_block_seals_that_block(numbers: Engine, hidden: str) -> None:
    value = SECRET if hidden == "password" else f"ghp_{SECRET.replace('-', '')}aaaaaaaaaaaaaaaa"
    script(numbers, f"ALTER TABLE numbers RENAME COLUMN n TO {'password' if hidden == 'password' else 'm'}")
    if hidden == "note":
        script(numbers, f"UPDATE numbers SET note = '{value}' WHERE id = 5")
    op = SqlExecute(statement="DELETE FROM numbers")
    try:
        before = op.snapshot(numbers)
    finally:
        op.release()
    key = Fernet.generate_key().decode()
    sealing, without = Vault(key, Redactor()), Vault(None, Redactor())
    assert without.loses(before) and not sealing.loses(before)
    text, kept = sealing.pack(before)
    assert text.count("$sealed_bytes") == (4 if hidden == "password" else 1)
    assert sealing.unpack(text, kept.get) == before
    assert without.unpack(text, kept.get) != before
    text, kept = without.pack(before)
    assert text.count("$masked") == (4 if hidden == "password" else 1)


def test_blocks_are_held_forgotten_and_counted_as_what_they_take(
    numbers: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [ApprovalRule("sql.execute", "allow")]
    with AgentRein(f"sqlite:///{tmp_path / 'journal.db'}", rules=rules) as rein:
        execute = next(tool for tool in rein.tools(SQLToolkit(numbers)) if tool.name == "sql_execute")
        before = photograph(numbers)
        with rein.session(intent="many") as session:
            execute.invoke({"statement": "UPDATE numbers SET n = n + 1"})
        with rein.journal.store.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM agentrein_blobs").scalar() == 4
        assert rein.verify()
        assert rein.rollback(session=session.id).complete
        assert photograph(numbers) == before
        rein.forget(session=session.id)
        with rein.journal.store.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM agentrein_blobs").scalar() == 0
        assert rein.verify()
    with AgentRein(f"sqlite:///{tmp_path / 'small.db'}", rules=rules, max_payload=900) as rein:
        execute = next(tool for tool in rein.tools(SQLToolkit(numbers)) if tool.name == "sql_execute")
        with rein.session(intent="too many"), pytest.raises(PayloadTooLarge) as refused:
            execute.invoke({"statement": "UPDATE numbers SET n = n + 1"})
        assert refused.value.kind == "before"
        assert photograph(numbers) == before


@pytest.mark.usefixtures("tiny")
def test_a_person_is_found_in_a_block(shop: Engine, tmp_path: Path) -> None:
    script(shop, "CREATE TABLE leads (id INTEGER PRIMARY KEY, mail VARCHAR(40), score INTEGER)")
    script(shop, "INSERT INTO leads VALUES (1, 'ana@acme.com', 1), (2, 'dan@acme.com', 2)")
    with AgentRein(
        f"sqlite:///{tmp_path / 'journal.db'}", rules=[ApprovalRule("sql.execute", "allow")]
    ) as rein:
        execute = next(tool for tool in rein.tools(SQLToolkit(shop)) if tool.name == "sql_execute")
        with rein.session(intent="clean up"):
            execute.invoke({"statement": "DELETE FROM leads"})
        assert rein.forget(mentioning="nobody@acme.com") == 0
        assert rein.forget(mentioning="Ana@Acme.com") == 1


class Row(dict[str, Any]):
    """A row that can be watched."""


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows that were read, and changes that were opened, are in memory: now, and at most."""
    count = [0, 0]

    def born(one: Any) -> None:
        count[0] += 1
        count[1] = max(count)
        weakref.finalize(one, gone).atexit = False

    def gone() -> None:
        count[0] -= 1

    named = Rows.named

    def watched(self: Rows, columns: Sequence[Any], row: Sequence[Any]) -> Row:
        one = Row(named(self, columns, row))
        born(one)
        return one

    monkeypatch.setattr(Rows, "named", watched)
    monkeypatch.setattr(Change, "__post_init__", born, raising=False)
    return count


def test_memory_does_not_follow_the_rows(
    db: Engine, alive: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch, 100)
    most = {}
    for size in (1_000, 4_000):
        script(
            db,
            "DROP TABLE IF EXISTS many",
            "CREATE TABLE many (id integer PRIMARY KEY, n integer)",
            f"INSERT INTO many WITH RECURSIVE c (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c WHERE id < {size}) SELECT id, id FROM c",
        )
        alive[:] = [0, 0]
        SqlExecute(statement="UPDATE many SET n = n + 1").assess(db)
        action = run(db, "UPDATE many SET n = n + 1")
        assert undo(db, action) == []
        with db.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM many WHERE n <> id").scalar() == 0
        most[size] = alive[1]
    assert most[4_000] <= 1.05 * most[1_000]
    assert most[4_000] < 10 * blocks.BLOCK
