"""What is played: stories, in settings, and where one of them is harmed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """How an agent is run.

    Attributes:
        database: `sqlite`, `postgres`, or `github`: the agent works on GitHub, and its journal is on SQLite.
    """

    database: str = "sqlite"
    drive: str = "sync"
    durability: str = "sync"

    def __str__(self) -> str:
        return f"{self.database}/{self.drive}/{self.durability}"


@dataclass(frozen=True, slots=True)
class Story:
    """What is done, one after the other.

    Attributes:
        acts: `(act, point)`; a point kills that act there, always: what comes next begins with that death.
        durability: Overrides the setting's.
    """

    scenario: str
    acts: tuple[tuple[str, str], ...] = (("run", ""),)
    durability: str = ""


PUT, POST = "request:PUT things:after#1", "request:POST notes:after#1"
STORIES = {
    "forward": Story("forward"),
    "back": Story("back"),
    "together": Story("together"),
    "refused": Story("refused"),
    "asked": Story("asked"),
    "undone": Story("forward", (("run", ""), ("rollback", ""))),
    "forgotten": Story("forward", (("run", ""), ("forget", ""))),
    "recovered": Story("forward", (("run", ""), ("rollback", PUT), ("recover", ""))),
    "resumed": Story("back", (("run", PUT), ("resume", ""))),
    "settled": Story("forward", (("run", POST), ("resume", "")), "sync"),
    "stranded": Story("forward", (("run", POST), ("recover", ""), ("rollback", ""))),
    "unbegun": Story("forward", (("run", "request:PUT things:before#1"), ("recover", ""), ("rollback", ""))),
    "withdrawn": Story("forward", (("run", "commit:journal/journal.py:begin:after#2"), ("rollback", ""))),
    "attended": Story("back", (("run", "request:POST notes:after#2"), ("resume", "")), "sync"),
    "unmarked": Story(
        "back", (("run", "commit:journal/sessions.py:set_session:after#1"), ("resume", "")), "sync"
    ),
    "held": Story("held"),
    "dropped": Story("dropped"),
    "overdue": Story(
        "held",
        (
            ("run", "commit:journal/sessions.py:set_session:after#1"),
            ("recover", ""),
            ("rollback", ""),
        ),
    ),
    "promised": Story(
        "held", (("run", "commit:journal/sessions.py:set_session:after#1"), ("resume", "")), "sync"
    ),
    "orphaned": Story("forward", (("run", PUT), ("resume", "")), "exit"),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One story, harmed once.

    Attributes:
        life: In which of its processes, counted from 0.
        ending: `resume`: the thread is resumed, or the same act done again; `recover`: it is recovered, and rolled back.
    """

    story: str
    setting: Setting
    life: int = -1
    point: str = ""
    harm: str = "kill"
    ending: str = "resume"

    def __str__(self) -> str:
        return f"{self.story}|{self.setting}|{self.life}|{self.point}|{self.harm}|{self.ending}"

    @classmethod
    def read(cls, text: str) -> Trial:
        """The trial that a line of the soak names."""
        story, setting, life, point, harm, ending = text.split("|")
        return cls(story, Setting(*setting.split("/")), int(life), point, harm, ending)
