"""The story: the wrong issues are closed, a colleague works on, and everything but her words is put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from langchain_agentrein.demo.emulator import HOME, emulate
from langchain_agentrein.demo.issues.release import ReleaseToolkit
from langchain_agentrein.demo.issues.repository import AGENT, REPO, SEED, Repository, State, expected
from langchain_agentrein.demo.issues.script import GOAL, THREAD, tidy
from langchain_agentrein.demo.scripted import ScriptedModel
from langchain_agentrein.demo.telling import EXIT_DIFFERS, Telling
from langchain_agentrein.policy import ApprovalRule
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.timeline import render_report
from langchain_agentrein.toolkits import GitHubToolkit

PROMPT = "You keep the issues of a repository tidy, and say why before each step."
LEFT = 11
"""The issue that the agent opened, and the colleague answered: nobody closes that but her."""
ANSWERS = {
    "github_issues_delete": "people wrote these: answer them, never delete",
    "agentrein_undo": "ana has worked on it since: it stays as she left it",
}


class IssuesStory(Telling):
    """One run of it.

    Args:
        folder: For the journal and the emulator's log.
        installed: Where the emulators are.
    """

    def __init__(self, folder: Path, console: Console, *, yes: bool, installed: Path = HOME) -> None:
        super().__init__(console, yes=yes)
        self.folder, self.installed = folder, installed
        self._repository: Repository | None = None
        self._midway: State | None = None

    def tell(self) -> int:
        """Run it; returns the exit code."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with emulate("github", SEED, self.folder, installed=self.installed) as url:
            self._repository = repository = Repository(url)
            repository.build()
            before = repository.state()
            self._introduce(before)
            hub = repository.hub(AGENT)
            journal = f"sqlite:///{self.folder / 'agentrein.db'}"
            # What it announces cannot be taken back, and the release tool looks for itself whether it may.
            rules = [ApprovalRule("release.announce", "allow")]
            with AgentRein(journal, clients={"github": hub, "release": hub}, rules=rules) as rein:
                agent = create_agent(
                    ScriptedModel(script=tidy),
                    [*GitHubToolkit(hub).get_tools(), *ReleaseToolkit(hub).get_tools()],
                    system_prompt=PROMPT,
                    middleware=[rein.middleware()],
                    checkpointer=InMemorySaver(),
                )
                failed = self.work(agent, GOAL, THREAD)
                self.chapter("The session failed, so it was taken back, newest first")
                if failed is not None:
                    self.console.print(render_report(failed.report, mask=rein.journal.redactor.mask))
                self.chapter("What happened, and why")
                told = rein.timeline(thread=THREAD)
                self.console.print(told)
                page = self.folder / "timeline.html"
                page.write_text(told.to_html(), encoding="utf-8")
                checked = rein.verify()
            code = self._compare(before, repository.state())
        self.console.print(f"The journal: {checked}.")
        self.console.print(f"The timeline as a page: {page}", soft_wrap=True)
        return code if checked.ok and failed is not None else EXIT_DIFFERS

    def noticed(self, message: BaseMessage) -> None:
        """The colleague comes in when the milestone is closed."""
        if isinstance(message, ToolMessage) and message.name == "github_milestones_update":
            assert self._repository is not None
            self._midway = self._repository.state()
            self._repository.meanwhile()
            self.console.print(Text("\nMeanwhile ana retitles #6, and answers in #5 and #11.", "bold yellow"))

    def stand_in(self, request: dict[str, Any]) -> dict[str, Any]:
        if (why := ANSWERS.get(request["name"])) is not None:
            return {"type": "reject", "message": why}
        return super().stand_in(request)

    def _introduce(self, state: State) -> None:
        about = (
            "The model is scripted: no key, no network. Agent, tools, PyGithub and the server are real:\n"
            f"an emulator of GitHub on loopback, where {REPO} has {len(state['issues'])} issues.\n"
            f"It all lies in {self.folder}"
        )
        self.console.print(
            Panel(
                Text.assemble(("An agent with a repository's issues\n", "bold"), about), border_style="blue"
            )
        )

    def _compare(self, before: State, now: State) -> int:
        """Say what became of each issue; returns the exit code."""
        self.chapter("Is everything as it was, with ana's words in it?")
        assert self._midway is not None
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
        for name in ("issue", "before", "at its furthest", "now"):
            table.add_column(name)
        for number, furthest in self._midway["issues"].items():
            was = before["issues"].get(number)
            table.add_row(f"#{number}", _line(was), _line(furthest), _line(now["issues"].get(number)))
        self.console.print(table)
        left = now["issues"].pop(LEFT, None)
        if now != expected(before) or left is None or left["state"] != "open":
            self.console.print(Text("NOT as it was.", "bold red"))
            return EXIT_DIFFERS
        self.console.print(
            Text(
                "Identical, and all that ana wrote stands. #11 is the agent's; she has answered in it, so closing it "
                "is left to a person.",
                "bold green",
            )
        )
        return 0


def _line(issue: dict[str, Any] | None) -> Text:
    if issue is None:
        return Text("-", "bright_black")
    by = ", ".join(sorted({who for who, _ in issue["comments"]}))
    labels = " ".join(issue["labels"])
    words = [issue["state"], issue["title"], f"[{labels}]" if labels else "", f"({by})" if by else ""]
    return Text(" ".join(word for word in words if word), "yellow" if issue["state"] == "closed" else "")
