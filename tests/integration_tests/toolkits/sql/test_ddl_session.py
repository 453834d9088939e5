"""A session that changes the schema fails, and everything is unwound by the engine, from the journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.toolkits import SQLToolkit
from tests.integration_tests.toolkits.sql.driver import script
from tests.integration_tests.toolkits.sql.dump import dump

STATEMENTS = [
    "CREATE TABLE notes (id integer PRIMARY KEY, body text)",
    "INSERT INTO notes VALUES (1, 'a')",
    "ALTER TABLE notes ADD COLUMN lang text DEFAULT 'en'",
    "DROP TABLE invoices",
    "ALTER TABLE customers RENAME COLUMN email TO mail",
    "UPDATE customers SET mail = 'z@x' WHERE id = 1",
]
ALLOW = ApprovalRule("sql.execute", "allow")


def test_a_failed_session_is_unwound(shop: Engine, tmp_path: Path) -> None:
    before = dump(shop)
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", seal="x" * 43 + "=", rules=[ALLOW]) as rein:
        execute = next(tool for tool in rein.tools(SQLToolkit(shop)) if tool.name == "sql_execute")
        with pytest.raises(RuntimeError), rein.session(intent="tidy up") as session:
            session_id = session.id
            for statement in STATEMENTS:
                execute.invoke({"statement": statement})
            raise RuntimeError("it went wrong")
        assert {action.status for action in rein.actions(session=session_id)} == {"restored"}
        assert dump(shop) == before


def test_others_work_is_kept_by_the_engine(shop: Engine, tmp_path: Path) -> None:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        execute = next(tool for tool in rein.tools(SQLToolkit(shop)) if tool.name == "sql_execute")
        with rein.session(intent="prepare") as session:
            execute.invoke({"statement": STATEMENTS[0]})
        script(shop, "INSERT INTO notes VALUES (9, 'mine')")
        report = rein.rollback(session=session.id, by="ana")
        assert report.counts == {"conflict": 1}
        with shop.connect() as connection:
            assert connection.exec_driver_sql("SELECT body FROM notes").scalar() == "mine"
        rein.rollback(session=session.id, by="ana", on_conflict="force")
        with shop.connect() as connection, pytest.raises(Exception, match="notes"):
            connection.exec_driver_sql("SELECT body FROM notes")
