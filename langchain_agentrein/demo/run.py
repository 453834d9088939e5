"""The story: an agent cleans up, is stopped once, fails at the end, and everything is as it was."""

from __future__ import annotations

from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from langchain_agentrein.demo.agent import THREAD, Desk, open_desk, real_model
from langchain_agentrein.demo.script import GOAL, clean_up
from langchain_agentrein.demo.scripted import ScriptedModel
from langchain_agentrein.demo.shop import TABLES, Shop, State
from langchain_agentrein.demo.telling import EXIT_DIFFERS, Telling, approver
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.timeline import render_report

LAST_TOOL = "billing_hand_over"


class Story(Telling):
    """One run of the demo.

    Args:
        yes: Approve without asking.
        model: `provider:name` of a real model; `None`: the script.
    """

    def __init__(self, shop: Shop, console: Console, *, yes: bool, model: str | None) -> None:
        super().__init__(console, yes=yes)
        self.shop, self.model = shop, model
        self.chat = ScriptedModel(script=clean_up) if model is None else real_model(model)
        self._midway: dict[str, int] | None = None

    def tell(self) -> int:
        """Run it; returns the exit code."""
        self.shop.build()
        before, counts = self.shop.state(), self.shop.counts()
        self._introduce(counts)
        desk = open_desk(self.shop, self.chat)
        try:
            self._work(desk)
            self.chapter("What happened, and why")
            told = desk.rein.timeline(thread=THREAD)
            self.console.print(told)
            self.shop.timeline.write_text(told.to_html(), encoding="utf-8")
            checked = desk.rein.verify()
        finally:
            desk.rein.close()
            desk.engine.dispose()
        code = compare(self.console, self.shop, before, counts, self._midway)
        self.console.print(f"The journal: {checked}.")
        self.console.print(f"The timeline as a page: {self.shop.timeline}", soft_wrap=True)
        farewell(self.console, self.shop)
        return code if checked.ok else EXIT_DIFFERS

    def _introduce(self, counts: dict[str, int]) -> None:
        who = f"The model is {self.model}." if self.model else "The model is scripted: no key, no network."
        rows = ", ".join(f"{counts[table]:,} {table}" for table in TABLES)
        self.console.print(
            Panel(
                Text.assemble(
                    ("An agent with a database and a folder\n", "bold"),
                    f"{who} Agent, tools, database and files are real.\n",
                    f"shop.db holds {rows}.\n",
                    f"It all lies in {self.shop.folder}",
                ),
                border_style="blue",
            )
        )

    def noticed(self, message: BaseMessage) -> None:
        if isinstance(message, AIMessage) and any(call["name"] == LAST_TOOL for call in message.tool_calls):
            self._midway = self.shop.counts()

    def _work(self, desk: Desk) -> None:
        try:
            failed = self.work(desk.agent, GOAL, THREAD)
        except Exception as error:
            if self.model is None:
                raise
            if not desk.rein.sessions(limit=1):
                raise ConfigError(f"{self.model} failed: {type(error).__name__}: {error}") from error
            # A failing model is not a failed session: it stays open, and is taken back by hand below.
            self.console.print(Text(f"\nThe model failed: {type(error).__name__}: {error}", "red"))
            self._take_back(desk, "The session stayed open, and is taken back by hand")
            return
        if failed is None:
            self._take_back(desk, "Nothing failed. Taken back by hand")
            return
        self.chapter("The session failed, so everything was taken back, newest first")
        self.console.print(render_report(failed.report, mask=desk.rein.journal.redactor.mask))

    def _take_back(self, desk: Desk, why: str) -> None:
        self.chapter(f"{why}: rein.rollback(thread=...)")
        self._midway = self._midway or self.shop.counts()
        report = desk.rein.rollback(thread=THREAD, by=approver(self.yes), reason="end of the demo")
        self.console.print(render_report(report, mask=desk.rein.journal.redactor.mask))


def compare(
    console: Console,
    shop: Shop,
    before: State,
    counts: dict[str, int],
    midway: dict[str, int] | None,
    *,
    then: str = "at its furthest",
) -> int:
    """Compare the world with what it was, and say so; returns the exit code.

    Args:
        midway: The rows by table in between, and
        then: when that was.
    """
    console.print()
    console.rule(Text("Is everything as it was?", "bold"), style="bright_black", align="left")
    now, after = shop.counts(), shop.state()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    table.add_column("rows of")
    for name in ("before", then, "now"):
        table.add_column(name, justify="right")
    for name in TABLES:
        far = midway[name] if midway else None
        style = "yellow" if far is not None and far != counts[name] else ""
        table.add_row(
            name, f"{counts[name]:,}", Text("" if far is None else f"{far:,}", style), f"{now[name]:,}"
        )
    console.print(table)
    console.print(
        f"database  before {before.digest[:16]}  now {after.digest[:16]}  ({len(after.dump):,} statements)"
    )
    differences = before.differences(after)
    if not differences:
        console.print(
            Text(
                f"Identical: the whole dump of the database, and all {len(after.files)} files.", "bold green"
            )
        )
        return 0
    console.print(Text("NOT identical:", "bold red"))
    for difference in differences:
        console.print(Text(f"  {difference}", "red"))
    return EXIT_DIFFERS


def farewell(console: Console, shop: Shop) -> None:
    """Say what to look at next."""
    console.print("\nLook around:")
    for verb in ("sessions", "timeline", "verify"):
        console.print(f"  agentrein --journal {shop.folder / 'agentrein.db'} {verb}", soft_wrap=True)


def make_folder(given: Path | None) -> Path:
    """The folder for the demo's world: a new one for temporary files, or the one that was named."""
    import tempfile

    if given is None:
        return Path(tempfile.mkdtemp(prefix="agentrein-demo-")).resolve()
    return given.resolve()
