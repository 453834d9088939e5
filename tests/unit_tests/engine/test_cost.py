"""What things cost, counted in statements and imports: time is for the benchmarks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from langchain_agentrein import AgentRein, registry
from tests.support.driving import SESSION, do, opened
from tests.support.world import Put, World


@contextmanager
def counted(rein: AgentRein) -> Iterator[list[str]]:
    """The first words of every statement that the journal runs meanwhile."""
    engine, said = rein.journal.store.engine, []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(" ".join(statement.split()[:3]))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world.db")


def test_a_call_is_one_look_and_two_transactions(tmp_path: Path, world: World) -> None:
    with opened(f"sqlite:///{tmp_path}/journal.db", world) as rein:
        do(rein, Put(thing="a", fields={"n": 1}), world, key="first")
        with counted(rein) as said:
            do(rein, Put(thing="a", fields={"n": 2}), world, key="second")
        assert [one for one in said if one.startswith(("BEGIN", "COMMIT", "ROLLBACK"))] == [
            "BEGIN IMMEDIATE",
            "COMMIT",
        ] * 2
        assert len(said) == 15


def test_each_undo_runs_as_many_statements_as_any_other(tmp_path: Path, world: World) -> None:
    def statements(count: int) -> int:
        with opened(f"sqlite:///{tmp_path}/journal_{count}.db", world) as rein:
            for n in range(count):
                do(rein, Put(thing=f"{count}_{n}", fields={"n": n}), world)
            with counted(rein) as said:
                rein.rollback(session=SESSION)
        return len(said)

    few, some, many = (statements(count) for count in (2, 4, 8))
    assert many - some == 2 * (some - few)


def test_what_is_imported_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(**_: Any) -> Any:
        raise AssertionError("every installed package's metadata was read")

    monkeypatch.setattr(registry, "entry_points", never)
    assert registry.REGISTRY.get(Put.name, Put.version, Put.source()) is Put


def test_sqlalchemy_comes_with_the_first_journal_only() -> None:
    code = (
        "import sys; from langchain_agentrein import AgentRein, AgentReinMiddleware, reversible; "
        "assert 'sqlalchemy' not in sys.modules; AgentRein('sqlite://'); assert 'sqlalchemy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
