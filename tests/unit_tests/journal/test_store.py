"""A journal that cannot be used says why, and nothing is recorded by halves."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from langchain_agentrein import AgentRein, ConfigError, JournalUnavailable, JournalVersion, Status
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.journal import Journal
from langchain_agentrein.journal.migrations import STEPS
from tests.support.driving import SESSION as SESSION_ID
from tests.support.driving import Elsewhere, do, opened
from tests.support.journals import SESSION, action
from tests.support.world import Blind, World


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("agentrein.db", "is not a database URL"),
        ("", "is not a database URL"),
        ("sqlite//x", "is not a database URL"),
        ("postgresql://host:port:5432/x", "is not a database URL"),
        ("mysql://ana:hunter2@db/crm", "lives on SQLite or PostgreSQL, not on 'mysql'"),
        ("oracle://db", "not on 'oracle'"),
        ("postgresql+nosuchdriver://db/x", "no driver for 'postgresql\\+nosuchdriver'"),
        (Path("agentrein.db"), "is not a database URL"),
        (None, "is not a database URL"),
    ],
)
def test_a_url_that_is_none(url: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AgentRein(url)


def test_no_error_shows_a_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as malformed:
        AgentRein("postgresql//ana:hunter2@db/crm")
    assert "hunter2" not in str(malformed.value)
    with pytest.raises(JournalUnavailable) as unreachable:
        AgentRein(f"postgresql://ana:hunter2@/crm?host={tmp_path}")
    assert "hunter2" not in str(unreachable.value)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="check that the directory exists"):
        Journal(f"sqlite:///{tmp_path}/no/journal.db")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(JournalUnavailable, match="not a database"):
        Journal(f"sqlite:///{tmp_path}/journal.db")


def test_a_journal_that_another_process_holds(sqlite_url: str, tmp_path: Path, world: World) -> None:
    with opened(f"{sqlite_url}?timeout=0.1", world) as rein:
        do(rein, Blind(thing="a"), world)
        holder = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable, match="another process holds it"):
            do(rein, Blind(thing="b"), world)
        assert len(rein.actions(session=SESSION_ID)) == 1, "it can still be read"
        holder.execute("ROLLBACK")
        holder.close()
        assert world.count("do") == 1
        do(rein, Blind(thing="b"), world)


def test_a_read_only_journal_can_be_read_and_nothing_runs(
    sqlite_url: str, tmp_path: Path, world: World
) -> None:
    with opened(sqlite_url, world) as rein:
        do(rein, Blind(thing="a"), world)
    read_only = f"sqlite:///file:{tmp_path}/journal.db?mode=ro&uri=true"
    with opened(read_only, world) as rein:
        assert len(rein.actions(session=SESSION_ID)) == 1
        with pytest.raises(JournalUnavailable, match="make the file and its directory writable"):
            do(rein, Blind(thing="b"), world)
    assert world.count("do") == 1


def as_nobody(place: str, said: str) -> None:
    """In a process of its own: give up root, try to write, and leave what was said in a file."""
    with Path(said).open("w") as report:  # while it still may
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            Journal(f"sqlite:///{place}/journal.db").begin(action(), SESSION)
        except JournalUnavailable as error:
            report.write(str(error))


@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="only root can become another")
def test_a_journal_in_somebody_elses_directory(tmp_path: Path) -> None:
    place = Path(tempfile.mkdtemp())  # the test's own directory is closed to others
    try:
        with Journal(f"sqlite:///{place}/journal.db") as journal:
            journal.begin(action(), SESSION)
        place.chmod(0o755)
        assert Elsewhere(as_nobody, str(place), str(tmp_path / "said")).ended() == 0
        assert "make the file and its directory writable" in (tmp_path / "said").read_text()
    finally:
        shutil.rmtree(place)


def test_a_step_that_fails_leaves_nothing_behind(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(sqlite_url) as journal:
        begun = journal.begin(action(), SESSION)

        def broken(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(journal, "_append", broken)
        with pytest.raises(ZeroDivisionError):
            journal.move(begun, Status.EXECUTED)
        with pytest.raises(ZeroDivisionError):
            journal.begin(action(), SESSION)
        monkeypatch.undo()
        assert [one.status for one in journal.actions([SESSION.id])] == [Status.EXECUTING]
        assert journal.verify()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_journal_in_memory_serves_every_thread(url: str) -> None:
    errors: list[BaseException] = []

    def go() -> None:
        try:
            for _ in range(5):
                journal.move(journal.begin(action(), SESSION), Status.EXECUTED)
                journal.actions([SESSION.id])
        except BaseException as error:
            errors.append(error)

    with Journal(url) as journal:
        assert journal.store.file is None
        threads = [threading.Thread(target=go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len(journal.actions([SESSION.id])) == 20
        assert journal.verify()


def test_an_engine_of_the_callers_own_stays_theirs(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/journal.db")
    with Journal(engine) as journal:
        journal.begin(action(), SESSION)
        assert journal.store.file == (tmp_path / "journal.db").resolve()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM agentrein_actions")) == 1
    engine.dispose()


def test_an_engine_whose_memory_every_thread_has_for_itself_is_refused() -> None:
    private = create_engine("sqlite://", poolclass=SingletonThreadPool)
    with pytest.raises(ConfigError, match="poolclass=StaticPool"):
        Journal(private)
    private.dispose()
    shared = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with Journal(shared) as journal:
        journal.begin(action(), SESSION)
    shared.dispose()


def test_what_is_recorded_survives_a_power_cut(sqlite_url: str) -> None:
    with Journal(sqlite_url) as journal, journal.store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL: a commit is on the disk"


# -- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [len(STEPS) + 1, 99])
def test_a_journal_of_a_newer_release_is_left_alone(sqlite_url: str, version: int) -> None:
    with Journal(sqlite_url) as journal, journal.store.write() as connection:
        connection.execute(text("UPDATE agentrein_meta SET value = :v"), {"v": str(version)})
    with pytest.raises(JournalVersion, match="upgrade langchain-agentrein") as newer:
        Journal(sqlite_url)
    assert (newer.value.found, newer.value.known) == (version, len(STEPS))


def test_a_database_that_holds_other_things_as_well(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as mine:
        mine.execute("CREATE TABLE orders (id INTEGER)")
        mine.execute("INSERT INTO orders VALUES (1)")
    mine.close()
    with Journal(f"sqlite:///{path}") as journal:
        journal.begin(action(), SESSION)
    with sqlite3.connect(path) as mine:
        assert mine.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    mine.close()


def test_forgotten_bytes_are_in_no_file(sqlite_url: str, tmp_path: Path) -> None:
    secret = "ana@acme.com wrote this"
    engine = create_engine(sqlite_url)

    @event.listens_for(engine, "connect")
    def _as_sqlite_may_be_built(raw: Any, _: Any) -> None:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA secure_delete = OFF")

    with Journal(engine) as journal:
        for n in range(20):
            begun = journal.begin(
                action(args={"n": n, "text": secret}, before=secret.encode() * 500), SESSION
            )
            journal.move(begun, Status.EXECUTED, receipt=secret)
        journal.set_session(SESSION.id, SessionStatus.COMPLETED)
        assert secret.encode() in b"".join(file.read_bytes() for file in tmp_path.glob("journal.db*"))
        journal.forget([SESSION.id])
        assert secret.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("journal.db*"))
        assert journal.verify()
    engine.dispose()
