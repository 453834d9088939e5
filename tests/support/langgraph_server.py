"""LangGraph's own server, `langgraph dev`, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 60.0
NOTE_BLOCKING = """
import os, traceback
from blockbuster.blockbuster import BlockingError

made = BlockingError.__init__

def noted(self, *args, **kwargs):
    made(self, *args, **kwargs)
    with open(os.environ["NOTE_BLOCKING"], "a") as file:
        file.write("".join(traceback.format_stack()[:-1]) + chr(10))

BlockingError.__init__ = noted
"""
"""Writes down every blocking call that the server's watch sees, also those whose error somebody swallows."""


class Server:
    """Serves `config` from `directory`, with the watch for blocking calls on.

    Args:
        directory: Where it runs, and keeps its threads and its log.
        config: What `langgraph.json` says.
        environment: Variables of its own.
    Attributes:
        blocking: A file that is there once something blocked the loop, and says where.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any], **environment: str) -> None:
        self.directory = directory
        self.blocking = directory / "blocking.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LANGSMITH_")},
            "PYTHONPATH": f"{directory / 'guard'}{os.pathsep}{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "LANGGRAPH_CLI_NO_ANALYTICS": "1",
            "LANGGRAPH_NO_VERSION_CHECK": "true",
            "NOTE_BLOCKING": str(self.blocking),
            **environment,
        }
        (directory / "guard").mkdir(parents=True)
        (directory / "guard" / "sitecustomize.py").write_text(NOTE_BLOCKING)
        (directory / "langgraph.json").write_text(json.dumps(config))
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def log(self) -> str:
        """What it printed so far."""
        return (self.directory / "server.log").read_text(errors="replace")

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
                    *("--host", "127.0.0.1", "--port", str(port), "--n-jobs-per-worker", "10"),
                ],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            assert self._process.poll() is None, f"the server ended at once: {self.log}"
            assert time.monotonic() < deadline, f"the server does not answer: {self.log}"
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ok", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def wait(self) -> int:
        """Wait for its end, whatever brings it about; returns its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=30)

    def terminate(self, until: str = "") -> None:
        """Ask it to end, and wait until its log says so."""
        assert self._process is not None
        self._process.terminate()
        deadline = time.monotonic() + 10
        while until not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def kill(self) -> None:
        """As when the power goes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=30)

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        if self._process is None or self._process.poll() is not None:
            return
        self.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
