"""The journal and the credentials suffice: a process that knows neither tools nor clients undoes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from langchain_agentrein import AgentRein
from langchain_agentrein.toolkits import FilesToolkit, SQLToolkit


def test_clients_come_from_the_environment(tmp_path: Path) -> None:
    database, notes, journal = tmp_path / "shop.db", tmp_path / "notes", f"sqlite:///{tmp_path}/journal.db"
    notes.mkdir()
    with sqlite3.connect(database) as connection:
        connection.executescript(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'old');"
        )
    with AgentRein(journal) as rein:
        tools = {
            tool.name: tool for tool in rein.tools(SQLToolkit(f"sqlite:///{database}"), FilesToolkit(notes))
        }
        with rein.session(intent="renew everything") as session:
            tools["sql_execute"].invoke({"statement": "UPDATE t SET x = 'new' WHERE id = 1"})
            tools["files_write"].invoke({"path": "plan.txt", "content": "new"})

    rollback = ["rollback", "--session", session.id, "--by", "ana", "--yes"]
    done = subprocess.run(
        [sys.executable, "-m", "langchain_agentrein", "--journal", journal, *rollback],
        env={**os.environ, "DATABASE_URL": f"sqlite:///{database}", "AGENTREIN_FILES_ROOT": str(notes)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert list(notes.iterdir()) == []
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [("old",)]
