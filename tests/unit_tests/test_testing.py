"""The laws hold for good operations, sync and async, exact and compensating; and each finds its own kind of breach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.operation import Happened, NotHappened, Operation, Probed
from langchain_agentrein.testing import OperationLaws


@dataclass
class Tracker:
    """A world: titles by issue, and the comments that were made."""

    titles: dict[int, str] = field(default_factory=lambda: {1: "old"})
    comments: list[str] = field(default_factory=list)


class Retitle(Operation):
    """Change an issue's title."""

    name, risk, reversal = "lawful.titles.set", Risk.MEDIUM, Reversal.EXACT

    number: int = Field(description="The issue's number.")
    title: str = Field(description="Its new title.")

    def account(self, api: Tracker) -> str:
        return "ana"

    def snapshot(self, api: Tracker) -> Json:
        return {"title": api.titles[self.number], "raw": b"\x00"}

    def do(self, api: Tracker, action: Action) -> Json:
        api.titles[self.number] = self.title
        return {"number": self.number}

    def observe(self, api: Tracker, action: Action) -> Json:
        return {"title": api.titles[self.number]}

    def as_before(self, action: Action) -> Json:
        return {"title": action.before["title"]}

    def probe(self, api: Tracker, action: Action) -> Probed:
        return Happened({"number": self.number}) if api.titles[self.number] == self.title else NotHappened()

    def undo(self, api: Tracker, action: Action) -> Sequence[str]:
        api.titles[self.number] = action.before["title"]
        return ()


class Comment(Operation):
    """Say something on an issue."""

    name, risk, reversal = "lawful.comments.add", Risk.MEDIUM, Reversal.COMPENSATING

    text: str = Field(description="What to say.")

    async def do(self, api: Tracker, action: Action) -> Json:
        api.comments.append(self.text)
        return {"index": len(api.comments) - 1}

    async def probe(self, api: Tracker, action: Action) -> Probed:  # type: ignore[override]
        return Happened({"index": 0}) if self.text in api.comments else NotHappened()

    async def observe(self, api: Tracker, action: Action) -> Json:
        return {"there": self.text in api.comments}

    def as_before(self, action: Action) -> Json:
        return {"there": False}

    async def undo(self, api: Tracker, action: Action) -> str:  # type: ignore[override]
        api.comments[action.receipt["index"]] = "[withdrawn]"
        return "people may have read it"


class RetitleLaws(OperationLaws):
    @pytest.fixture
    def api(self) -> Tracker:
        return Tracker()

    @pytest.fixture
    def operation(self) -> Operation:
        return Retitle(number=1, title="new")

    def world(self, api: Tracker) -> Any:
        return dict(api.titles), list(api.comments)

    def foreign_edit(self, api: Tracker) -> bool:
        api.titles[1] = "theirs"
        return True

    def foreign_addition(self, api: Tracker) -> bool:
        return False


class TestRetitle(RetitleLaws):
    """An exact, sync operation."""


class TestComment(RetitleLaws):
    """A compensating, async operation; it keeps what others said."""

    @pytest.fixture
    def operation(self) -> Operation:
        return Comment(text="hello")

    def left(self, before: Any, after: Any) -> Any:
        return after[0], ["[withdrawn]"]

    def foreign_edit(self, api: Tracker) -> bool:
        return False


class Foreseen(Retitle):
    """Change an issue's title, and know beforehand what will be there."""

    name = "lawful.titles.foreseen"

    def expect(self, action: Action) -> Json:
        return {"title": self.title}


class TestForeseen(RetitleLaws):
    """An operation that can be undone even if nobody could look after it."""

    @pytest.fixture
    def operation(self) -> Operation:
        return Foreseen(number=1, title="new")


class Rash(Foreseen):
    """Foresees something else than what comes."""

    name = "lawful.titles.rash"

    def expect(self, action: Action) -> Json:
        return {"title": self.title.upper()}


class Forgetful(Retitle):
    """Undoes nothing."""

    name = "lawful.titles.forgetful"

    def undo(self, api: Tracker, action: Action) -> Sequence[str]:
        return ()


class Blind(Retitle):
    """Restores without a look."""

    name = "lawful.titles.blind"

    def observe(self, api: Tracker, action: Action) -> Json:
        return {"title": self.title} if api.titles[1] != action.before["title"] else self.as_before(action)


class Gullible(Retitle):
    """Takes every doubt for a yes."""

    name = "lawful.titles.gullible"

    def probe(self, api: Tracker, action: Action) -> Probed:
        return Happened({"number": self.number})


class Denying(Retitle):
    """Takes every doubt for a no."""

    name = "lawful.titles.denying"

    def probe(self, api: Tracker, action: Action) -> Probed:
        return NotHappened()


class Terse(Retitle):
    """Does not say what its arguments mean."""

    name = "lawful.titles.terse"

    title: str


class Unsaid(Retitle):
    """Keeps a snapshot that no journal holds."""

    name = "lawful.titles.unsaid"

    def snapshot(self, api: Tracker) -> Json:
        return {"title": api.titles[self.number], "pair": (1, 2)}


class Closure(Retitle):
    """Needs more for its undo than the record holds."""

    name = "lawful.titles.closure"
    seen: dict[str, str] = Field(default_factory=dict, exclude=True, description="-")

    def snapshot(self, api: Tracker) -> Json:
        self.seen["title"] = api.titles[self.number]
        return super().snapshot(api)

    def undo(self, api: Tracker, action: Action) -> Sequence[str]:
        api.titles[self.number] = self.seen["title"]
        return ()


class Meddling(Retitle):
    """Changes something when it is only asked to look."""

    name = "lawful.titles.meddling"

    def attached(self, api: Tracker, action: Action) -> Sequence[str]:
        api.comments.append("I was here")
        return ()


class Careless(Retitle):
    """Undoes with anybody's credentials."""

    name = "lawful.titles.careless"

    def account(self, api: Tracker) -> str:
        return "ana"

    def undo(self, api: Tracker, action: Action) -> Sequence[str]:
        super().undo(api, action)
        api.comments.append("undone")
        return ()


BREACHES: list[tuple[type[Retitle], str]] = [
    (Forgetful, "test_undo_after_do_is_the_identity"),
    (Blind, "test_what_others_changed_is_kept"),
    (Gullible, "test_what_was_never_sent_did_not_happen"),
    (Denying, "test_a_lost_reply_is_settled"),
    (Denying, "test_a_death_is_settled"),
    (Terse, "test_a_model_can_call_it"),
    (Unsaid, "test_the_snapshot_survives_the_journal"),
    (Closure, "test_another_process_undoes_it"),
    (Meddling, "test_a_plan_touches_nothing"),
    (Rash, "test_the_record_tells_what_is_there"),
    (Careless, "test_undo_after_do_is_the_identity"),
]


@pytest.mark.parametrize(("broken", "law"), BREACHES, ids=lambda value: getattr(value, "__name__", value))
def test_a_breach_is_found(
    broken: type[Retitle], law: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laws, api, operation = RetitleLaws(), Tracker(), broken(number=1, title="new")
    journal = f"sqlite:///{tmp_path / 'journal.db'}"
    given: dict[str, Any] = {
        "api": api,
        "operation": operation,
        "journal": journal,
        "monkeypatch": monkeypatch,
    }
    with laws.worker(journal, operation, api) as given["rein"]:
        test = getattr(laws, law)
        names = test.__code__.co_varnames[1 : test.__code__.co_argcount]
        with pytest.raises(AssertionError):
            test(**{name: given[name] for name in names})
