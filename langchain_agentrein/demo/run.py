"""The story: an agent cleans up, is stopped once, fails at the end, and everything is as it was."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from langchain_agentrein.demo.agent import THREAD, Desk, open_desk, real_model
from langchain_agentrein.demo.script import GOAL, ScriptedModel
from langchain_agentrein.demo.shop import TABLES, Shop, State
from langchain_agentrein.errors import ConfigError, SessionFailed
from langchain_agentrein.intent import reasoning_of
from langchain_agentrein.timeline import render_report
from langchain_agentrein.timeline.shown import brief, line

EXIT_DIFFERS = 1
LAST_TOOL = "billing_hand_over"


class Story:
    """One run of the demo.

    Args:
        yes: Approve without asking.
        model: `provider:name` of a real model; `None`: the script.
    """

    def __init__(self, shop: Shop, console: Console, *, yes: bool, model: str | None) -> None:
        self.shop, self.console, self.yes, self.model = shop, console, yes, model
        self.chat = ScriptedModel() if model is None else real_model(model)
        self._midway: dict[str, int] | None = None

    def tell(self) -> int:
        """Run it; returns the exit code."""
        self.shop.build()
        before, counts = self.shop.state(), self.shop.counts()
        self._introduce(counts)
        desk = open_desk(self.shop, self.chat)
        try:
            self._work(desk)
            self._chapter("What happened, and why")
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
        self.console.print(Text.assemble(("user  ", "bold cyan"), GOAL))

    def _work(self, desk: Desk) -> None:
        config: Any = {"configurable": {"thread_id": THREAD, "approver": _approver(self.yes)}}
        task: Any = {"messages": [{"role": "user", "content": GOAL}]}
        try:
            while task is not None:
                task = self._until_asked(desk, task, config)
        except SessionFailed as failed:
            self.console.print(
                Text("\nSessionFailed was raised: whoever runs this agent sees a failure.", "red")
            )
            self._chapter("The session failed, so everything was taken back, newest first")
            self.console.print(render_report(failed.report, mask=desk.rein.journal.redactor.mask))
            return
        except Exception as error:
            if self.model is None:
                raise
            if not desk.rein.sessions(limit=1):
                raise ConfigError(f"{self.model} failed: {type(error).__name__}: {error}") from error
            # A failing model is not a failed session: it stays open, and is taken back by hand below.
            self.console.print(Text(f"\nThe model failed: {type(error).__name__}: {error}", "red"))
            self._take_back(desk, "The session stayed open, and is taken back by hand")
            return
        self._take_back(desk, "Nothing failed. Taken back by hand")

    def _take_back(self, desk: Desk, why: str) -> None:
        self._chapter(f"{why}: rein.rollback(thread=...)")
        self._midway = self._midway or self.shop.counts()
        report = desk.rein.rollback(thread=THREAD, by=_approver(self.yes), reason="end of the demo")
        self.console.print(render_report(report, mask=desk.rein.journal.redactor.mask))

    def _until_asked(self, desk: Desk, task: Any, config: Any) -> Any:
        """Run on until the end (`None`), or until a person must answer (what to resume with)."""
        for update in desk.agent.stream(task, config, stream_mode="updates"):
            for node, changes in update.items():
                if node == "__interrupt__":
                    return Command(resume={"decisions": self._ask(changes[0].value["action_requests"])})
                for message in (changes or {}).get("messages", ()):
                    self._show(message)
        return None

    def _show(self, message: Any) -> None:
        if isinstance(message, AIMessage):
            if any(call["name"] == LAST_TOOL for call in message.tool_calls):
                self._midway = self.shop.counts()
            if why := reasoning_of(message):
                self.console.print(Text.assemble(("\nthinks ", "bold magenta"), (why, "italic")))
            if message.text:
                self.console.print(Text.assemble(("agent  ", "bold green"), message.text))
            for call in message.tool_calls:
                self.console.print(
                    Text.assemble("       ", (call["name"], "bold"), f"  {brief(call['args'])}")
                )
        elif isinstance(message, ToolMessage):
            style = "red" if message.status == "error" else "bright_black"
            result = Text.assemble(f"       {message.name} -> ", (line(str(message.content), 300), style))
            self.console.print(result, no_wrap=message.status != "error", overflow="ellipsis")

    def _ask(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._decide(request) for request in requests]

    def _decide(self, request: dict[str, Any]) -> dict[str, Any]:
        what = Text.assemble(
            (f"{request['name']}  {brief(request['args'])}\n\n", "bold"), request["description"]
        )
        self.console.print(Panel(what, title="a person is asked", border_style="yellow"))
        if self.yes:
            self.console.print(Text("approved, since --yes was given", "yellow"))
            return {"type": "approve"}
        if typer.confirm("Approve?", default=None):
            return {"type": "approve"}
        return {"type": "reject", "message": typer.prompt("Why not", default="not now", show_default=False)}

    def _chapter(self, title: str) -> None:
        self.console.print()
        self.console.rule(Text(title, "bold"), style="bright_black", align="left")


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


def _approver(yes: bool) -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"
    return f"{name} (--yes)" if yes else name


def make_folder(given: Path | None) -> Path:
    """The folder for the demo's world: a new one for temporary files, or the one that was named."""
    import tempfile

    if given is None:
        return Path(tempfile.mkdtemp(prefix="agentrein-demo-")).resolve()
    return given.resolve()
