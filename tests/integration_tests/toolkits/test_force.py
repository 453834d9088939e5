"""What somebody changed since is overwritten only when a person says so."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from langchain_agentrein import AgentRein
from langchain_agentrein.toolkits import FilesToolkit, SQLToolkit


def test_a_conflict_can_be_forced(tmp_path: Path) -> None:
    database, notes = tmp_path / "shop.db", tmp_path / "notes"
    notes.mkdir()
    (notes / "plan.txt").write_text("old")
    with sqlite3.connect(database) as connection:
        connection.executescript(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'old');"
        )
    rein = AgentRein(f"sqlite:///{tmp_path}/journal.db")
    tools = {tool.name: tool for tool in rein.tools(SQLToolkit(f"sqlite:///{database}"), FilesToolkit(notes))}
    with rein.session(intent="renew everything") as session:
        tools["sql_execute"].invoke({"statement": "UPDATE t SET x = 'agent' WHERE id = 1"})
        tools["files_write"].invoke({"path": "plan.txt", "content": "agent"})
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE t SET x = 'colleague'")
    (notes / "plan.txt").write_text("colleague")

    report = rein.rollback(session=session.id, by="ana")

    assert report.counts == {"conflict": 2}
    assert (notes / "plan.txt").read_text() == "colleague"
    rein.rollback(session=session.id, by="ana", on_conflict="force")
    assert (notes / "plan.txt").read_text() == "old"
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [("old",)]
    assert session.status == "rolled_back"
