"""What a directory holds, in a form that compares."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any


def world(root: Path) -> dict[str, Any]:
    """Every file with content, mode and time, every link, every directory with its mode."""
    found: dict[str, Any] = {}
    for directory, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(directory, name)
            there = path.lstat()
            mode = stat.S_IMODE(there.st_mode)
            place = str(path.relative_to(root))
            if stat.S_ISLNK(there.st_mode):
                found[place] = ("link", os.readlink(path), there.st_mtime_ns)
            elif stat.S_ISDIR(there.st_mode):
                found[place] = ("dir", mode)
            else:
                found[place] = ("file", mode, there.st_mtime_ns, path.read_bytes())
    return found


def plant(root: Path, path: str, content: str | bytes = b"", *, mode: int = 0o644, age: float = 1e6) -> Path:
    """A file of some age, and the directories above it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)
    time = 1_700_000_000_123_456_789 - int(age * 1e9)
    os.utime(file, ns=(time, time))
    return file
