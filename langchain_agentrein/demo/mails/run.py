"""The story: 200 mails are written, none leaves, and the 12 that were meant leave when the work is done."""

from __future__ import annotations

from pathlib import Path

from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from langchain_agentrein.demo.emulator import HOME, emulate
from langchain_agentrein.demo.mails.crm import CrmToolkit
from langchain_agentrein.demo.mails.front import fronted
from langchain_agentrein.demo.mails.mailbox import LEADS, NEW, OWNER, SEED, Mailbox, State
from langchain_agentrein.demo.mails.script import AGAIN, DONE, GOAL, THREAD, follow_up
from langchain_agentrein.demo.scripted import ScriptedModel
from langchain_agentrein.demo.telling import EXIT_DIFFERS, Telling
from langchain_agentrein.policy import ApprovalRule
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.toolkits import GmailToolkit

HEAD, TAIL = 16, 24
PROMPT = "You help a sales team with its mail, and say why before each step."


class MailsStory(Telling):
    """One run of it.

    Args:
        folder: For the journal, the CRM and the emulator's log.
        installed: Where the emulators are.
    """

    def __init__(self, folder: Path, console: Console, *, yes: bool, installed: Path = HOME) -> None:
        super().__init__(console, yes=yes)
        self.folder, self.installed = folder, installed

    def tell(self) -> int:
        """Run it; returns the exit code."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (
            emulate("google", SEED, self.folder, installed=self.installed) as emulator,
            fronted(emulator, OWNER) as url,
        ):
            mailbox = Mailbox(url)
            mailbox.build()
            self._introduce()
            hub, crm = mailbox.hub(), self.folder / "crm.json"
            rules = [ApprovalRule("gmail.send", "hold")]
            journal = f"sqlite:///{self.folder / 'agentrein.db'}"
            with AgentRein(journal, clients={"gmail": hub, "crm": crm}, rules=rules) as rein:
                agent = create_agent(
                    ScriptedModel(script=follow_up),
                    [*GmailToolkit(hub).get_tools(), *CrmToolkit(crm).get_tools()],
                    system_prompt=PROMPT,
                    middleware=[rein.middleware()],
                    checkpointer=InMemorySaver(),
                )
                before = mailbox.state()
                failed = self.work(agent, GOAL, THREAD)
                self.chapter("What happened, and why")
                told = rein.timeline(thread=THREAD)
                self.console.print(_short(str(told)), soft_wrap=True)
                page = self.folder / "timeline.html"
                page.write_text(told.to_html(), encoding="utf-8")
                safe = self._nothing_left(before, mailbox) and failed is not None
                self.chapter("The same again, with the week in it")
                again = self.work(agent, AGAIN, THREAD)
                right = self._the_right_ones(before, mailbox) and again is None
                checked = rein.verify()
        self.console.print(f"The journal: {checked}.")
        self.console.print(f"The timeline as a page: {page}", soft_wrap=True)
        return 0 if checked.ok and safe and right else EXIT_DIFFERS

    def _introduce(self) -> None:
        about = (
            "The model is scripted: no key, no network. Agent, tools, Google's client and server are real:\n"
            f"an emulator of Gmail on loopback, with mail from {LEADS} leads to {OWNER}, {NEW} of last week.\n"
            'The one rule: ApprovalRule("gmail.send", "hold"). What is sent leaves when the work is done.\n'
            f"It all lies in {self.folder}"
        )
        self.console.print(
            Panel(Text.assemble(("An agent with a mailbox\n", "bold"), about), border_style="blue")
        )

    def _nothing_left(self, before: State, mailbox: Mailbox) -> bool:
        """Say whether the mailbox is as it was."""
        self.chapter("Did anything leave?")
        sent, now = mailbox.sent(), mailbox.state()
        if sent or now != before:
            self.console.print(Text(f"{len(sent)} mails left, or the mailbox differs.", "bold red"))
            return False
        self.console.print(
            Text(f"No mail left. The mailbox is identical: {len(now)} messages and labels.", "bold green")
        )
        return True

    def _the_right_ones(self, before: State, mailbox: Mailbox) -> bool:
        """Say whether the mails that were meant have left, and no others."""
        sent = mailbox.sent()
        marked = [name for name, labels in mailbox.state().items() if DONE in labels]
        if len(sent) != NEW or len(set(sent)) != NEW or len(marked) != NEW:
            self.console.print(Text(f"{len(sent)} mails left, {len(marked)} are marked.", "bold red"))
            return False
        self.console.print(
            Text(f"\nThe session completed: the {NEW} mails left, each to one of last week's.", "bold green")
        )
        return True


def _short(told: str) -> str:
    """Its beginning and its end."""
    lines = told.splitlines()
    if len(lines) <= HEAD + TAIL:
        return told
    between = f"... {len(lines) - HEAD - TAIL} more lines of the same kind: the page has them all"
    return "\n".join([*lines[:HEAD], between, *lines[-TAIL:]])
