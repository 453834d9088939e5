"""Calls that run side by side may need the same directory."""

from __future__ import annotations

import contextvars
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from langchain_agentrein import AgentRein
from langchain_agentrein.toolkits import FilesToolkit


def test_parallel_writes_into_a_new_directory_all_land_and_are_all_undone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    rein = AgentRein(f"sqlite:///{tmp_path}/journal.db")
    tools = {tool.name: tool for tool in rein.tools(FilesToolkit(root))}
    with rein.session(intent="write them all") as session, ThreadPoolExecutor(4) as pool:
        futures = [
            pool.submit(
                contextvars.copy_context().run,
                tools["files_write"].invoke,
                {"path": f"new/deep/{n}.txt", "content": str(n)},
            )
            for n in range(8)
        ]
        for future in futures:
            future.result()
    assert sorted(os.listdir(root / "new" / "deep")) == [f"{n}.txt" for n in range(8)]

    report = rein.rollback(session=session.id, by="ana")

    assert report.complete
    assert sum(bool(line.residue) for line in report) <= 1, "only who made the directory says that it stays"
    assert list(root.iterdir()) == []
