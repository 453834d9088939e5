"""The name of a process, and whether the process that bears a name still lives."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import socket
from pathlib import Path


def worker_name() -> str:
    """This process: host, pid and a number that a recycled pid does not share."""
    return f"{_host()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(worker: str) -> bool:
    """Whether `worker` certainly runs no more; of another host nobody can tell."""
    host, _, rest = worker.partition(":")
    pid = rest.partition(":")[0]
    if host != _host() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@functools.cache
def _host() -> str:
    """The machine and the set of pids that are seen from here: containers may share a host name."""
    seen = []
    for source in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        path = Path(source)
        try:
            seen.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
        except OSError:
            continue  # not on this platform: the host's name alone must do
    mark = hashlib.sha256("\n".join(seen).encode()).hexdigest()[:6] if seen else ""
    return f"{socket.gethostname()}.{mark}" if mark else socket.gethostname()
