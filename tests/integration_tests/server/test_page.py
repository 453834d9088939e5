"""What docs/deploy.md says about the server, done word for word."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client

from langchain_agentrein import AgentRein
from tests.integration_tests.server.conftest import message
from tests.support.langgraph_server import ROOT, Server

PAGE = (ROOT / "docs" / "deploy.md").read_text().partition("## LangGraph's server")[2]
MODEL = "from tests.support.served import Obedient\n\nmodel = Obedient()\n"
"""The page takes any model; this one does what the message says."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def server(tmp_path: Path, postgres_database: str) -> Iterator[Server]:
    """The page's three files, served."""
    [config], [agent, auth] = blocks("json"), blocks("python")
    environment = {"AGENTREIN_JOURNAL": postgres_database, "SERVED_WORLD": str(tmp_path / "unused.db")}
    server = Server(tmp_path, json.loads(config), **environment)
    (tmp_path / "langgraph.json").write_text(config)
    (tmp_path / "agent.py").write_text(MODEL + agent)
    (tmp_path / "auth.py").write_text(auth)
    with server:
        yield server
    assert not server.blocking.exists(), server.blocking.read_text()


def test_the_page(server: Server, postgres_database: str) -> None:
    ana = {"Authorization": "Bearer let-ana-in"}
    with httpx.Client(base_url=server.url) as nobody:
        assert nobody.post("/threads", json={}).status_code == 401
    with get_sync_client(url=server.url, headers=ana) as client:
        thread = client.threads.create()["thread_id"]
        turn: Any = message([["book", {"room": "blue"}]])
        client.runs.wait(thread, "agent", input=turn, durability="sync")
        resume: Any = {"resume": {"decisions": [{"type": "approve"}]}}
        client.runs.wait(thread, "agent", command=resume)
    bookings = server.directory / "bookings"
    assert bookings.read_text() == "blue booked\n"
    with AgentRein(postgres_database) as rein:
        [action] = rein.actions(thread=thread)
    assert action.approval is not None and action.approval.by == "ana@acme.com"

    [rollback] = [line for block in blocks("console") for line in block.splitlines() if "rollback" in line]
    words = shlex.split(rollback.replace('"$THREAD"', thread))
    assert words[:2] == ["$", "agentrein"]
    done = subprocess.run(
        [sys.executable, "-m", "langchain_agentrein", *words[2:], "--yes"],
        cwd=server.directory,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert bookings.read_text() == "blue booked\nblue cancelled\n"
