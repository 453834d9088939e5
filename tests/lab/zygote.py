"""A warm process that has imported everything, and forks a child for each line that it reads.

{"spec": {...}, "out": "..."}  ->  "pid N", then once it has ended "code N"; a stopped child says "stopped N" first
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from tests.lab.child import Spec

ROOT = Path(__file__).parents[2]


def serve() -> None:
    """Fork for each line, until there are no more."""
    from tests.lab import child, points

    points.install()
    warm = False
    for line in sys.stdin:
        wanted = json.loads(line)
        if not warm:
            _warm_up(child, Spec(**wanted["spec"]))
            points.POINTS.begin()
            warm = True
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                child.lived(Spec(**wanted["spec"]), Path(wanted["out"]))
                code = 0
            finally:
                os._exit(code)
        print(f"pid {pid}", flush=True)
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            print(f"stopped {pid}", flush=True)
        print(f"code {os.waitstatus_to_exitcode(status)}", flush=True)


def _warm_up(child: Any, spec: Spec) -> None:
    """Live once right here: most of a short life is what is imported or built at its first use."""
    importlib.import_module("sqlalchemy.dialects.postgresql.psycopg")
    for drive in ("sync", "async"):
        with tempfile.TemporaryDirectory() as home:
            case = f"warm-{os.getpid()}-{drive}"
            own: Any = {
                "act": "run",
                "scenario": "asked",
                "database": "",
                "point": "",
                "harm": "",
                "answers": [],
                "github": "",
            }
            child.main(replace(spec, home=home, case=case, drive=drive, **own))
    gc.collect()
    gc.freeze()


@dataclass(slots=True)
class Life:
    """A child that lives, or has lived.

    Attributes:
        code: Its exit code; -9 if it was killed.
        told: What it left behind, if it lived to the end.
    """

    pid: int
    out: Path
    zygote: Zygote
    code: int | None = None

    def until(self, timeout: float = 60.0) -> str:
        """Wait until it is `stopped` or `ended`."""
        word, value = self.zygote.hear(timeout)
        if word == "stopped":
            return "stopped"
        self.code = value
        return "ended"

    def wake(self) -> None:
        """Let it go on after it was stopped."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def told(self) -> dict[str, Any]:
        if not self.out.exists():
            return {"state": "dead", "reached": []}
        told: dict[str, Any] = json.loads(self.out.read_text())
        return told


@dataclass(slots=True)
class Zygote:
    """The warm process, as its controller sees it. One child at a time."""

    process: subprocess.Popen[str] = field(init=False)
    _said: Queue[str] = field(init=False, default_factory=Queue)
    _count: int = 0

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", "from tests.lab.zygote import serve; serve()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line)

    def start(self, spec: Spec) -> Life:
        """Let a child live."""
        assert self.process.stdin is not None
        self._count += 1
        out = Path(spec.home) / f"told-{self._count}.json"
        self.process.stdin.write(json.dumps({"spec": json.loads(spec.to_json()), "out": str(out)}) + "\n")
        self.process.stdin.flush()
        word, pid = self.hear(60.0)
        assert word == "pid", word
        return Life(pid, out, self)

    def live(self, spec: Spec, timeout: float = 60.0) -> Life:
        """Let a child live until it ends."""
        life = self.start(spec)
        how = life.until(timeout)
        assert how == "ended", how
        return life

    def hear(self, timeout: float) -> tuple[str, int]:
        try:
            word, number = self._said.get(timeout=timeout).split()
        except Empty:
            raise AssertionError("the child neither ended nor stopped in time") from None
        return word, int(number)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
