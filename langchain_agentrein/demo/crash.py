"""The second story: the agent's process is killed inside an effect, and another one puts it right."""

from __future__ import annotations

import shlex
import subprocess
import sys

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from langchain_agentrein.demo.run import compare, farewell
from langchain_agentrein.demo.shop import TABLES, Shop
from langchain_agentrein.demo.telling import EXIT_DIFFERS
from langchain_agentrein.errors import ConfigError

KILLED = -9
_SCENES = (
    (
        "before-commit",
        "Killed after the rows were deleted, before the database committed",
        "The journal says that the deletion was under way. Did it happen? The journal cannot know: "
        "the process died too early. So it asks the database.",
    ),
    (
        "after-commit",
        "Killed after the database committed, before the journal heard of it",
        "This is the dangerous moment: the customers are gone for good, and nobody has written that "
        "down. What the undo needs was written down before the deletion began.",
    ),
)


class Crash:
    """Two deaths of one agent, and what `agentrein recover` and `agentrein rollback` make of them."""

    def __init__(self, shop: Shop, console: Console) -> None:
        self.shop, self.console = shop, console

    def tell(self) -> int:
        """Run it; returns the exit code."""
        self.shop.build()
        before, counts = self.shop.state(), self.shop.counts()
        rows = ", ".join(f"{counts[table]:,} {table}" for table in TABLES)
        about = (
            "The same agent, in a process that is killed with SIGKILL while it deletes customers. "
            "What follows is done by new processes, which have nothing but the journal: each `agentrein` below "
            "is given --journal, --client sql=... and --client files=..., and no more.\n"
            f"shop.db holds {rows}.\nIt all lies in {self.shop.folder}"
        )
        self.console.print(
            Panel(Text.assemble(("kill -9 in the middle of a DELETE\n", "bold"), about), border_style="blue")
        )
        code = 0
        for number, (moment, title, told) in enumerate(_SCENES, start=1):
            self.console.print()
            self.console.rule(Text(f"{number}. {title}", "bold"), style="bright_black", align="left")
            thread = f"killed-{moment}"
            self._kill(thread, moment)
            self.console.print(told)
            midway = self.shop.counts()
            self.console.print(
                f"Customers before: {counts['customers']:,}; after the kill: {midway['customers']:,}."
            )
            self._verb("recover")
            self._verb(
                "rollback", "--thread", thread, "--yes", "--by", "demo", "--reason", "its process was killed"
            )
            code = max(code, compare(self.console, self.shop, before, counts, midway, then="after the kill"))
        self.console.print()
        self._verb("timeline", "--thread", thread, "--output", str(self.shop.timeline))
        verified = self._verb("verify")
        farewell(self.console, self.shop)
        return code if verified == 0 else EXIT_DIFFERS

    def _kill(self, thread: str, moment: str) -> None:
        command = [
            sys.executable,
            "-m",
            "langchain_agentrein.demo.victim",
            str(self.shop.folder),
            thread,
            moment,
        ]
        died = subprocess.run(command, capture_output=True, text=True, check=False)
        if died.returncode != KILLED:
            raise ConfigError(
                f"the agent ended with {died.returncode} instead of being killed: {died.stderr[-2000:]}"
            )
        self.console.print(f"The agent's process ended with signal {-died.returncode} (SIGKILL).")

    def _verb(self, *words: str) -> int:
        """Run `agentrein` as a process of its own, as a person would."""
        options = ["--journal", self.shop.journal_url]
        options += ["--client", f"sql={self.shop.database_url}", "--client", f"files={self.shop.files}"]
        self.console.print(
            Text.assemble(("\n$ ", "bold"), (f"agentrein {shlex.join(words)}", "bold cyan")), soft_wrap=True
        )
        done = subprocess.run(
            [sys.executable, "-m", "langchain_agentrein", *options, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=_environment(self.console.width),
        )
        said = (done.stdout.rstrip() + "\n" + done.stderr).strip()
        self.console.print(Text("\n".join(row.rstrip() for row in said.splitlines())))
        return done.returncode


def _environment(width: int) -> dict[str, str]:
    import os

    return {**os.environ, "COLUMNS": str(width)}
