"""What a timeline says of what was held, released and dropped."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein.action import Approval, SessionStatus, Status
from langchain_agentrein.timeline.nodes import ActionNode
from tests.unit_tests.timeline.stories import Story

S = Status


def held(after: float | None = 0.0) -> Story:
    story = Story()
    approval = Approval("hold", "policy", reason="rule 'gmail.send' hold", release_after=after)
    story.begin("act_1", "gmail.send", {"to": "ana"}, S.HELD, approval=approval)
    return story


def action(story: Story) -> ActionNode:
    node = story.timeline()["act_1"]
    assert isinstance(node, ActionNode)
    return node


def history(story: Story) -> list[str]:
    return [moment.text for moment in action(story).history]


@pytest.mark.parametrize(
    ("after", "until"),
    [
        (0.0, "until its session completes"),
        (600.0, "until its session completes, and 0:10:00 longer"),
        (0.25, "until its session completes, and 0.25 s longer"),
        (None, "until a person releases it"),
    ],
)
def test_it_says_until_when(after: float | None, until: str) -> None:
    told = held(after).timeline()
    assert action(held(after)).held == until
    assert action(held(after)).to_dict()["held"] == until
    assert f"held: {until}" in " ".join(str(told).split())
    assert until in told.to_html()
    assert "held until" in told.to_mermaid()
    assert told.interrupts == (), "nobody was asked"


def test_a_release_is_told_with_who_said_so() -> None:
    story = held()
    approval: Any = Approval("release", "ana", reason="rule 'gmail.send' hold", release_after=0.0)
    story.note("act_1", "not released", error={"type": "ConfigError", "message": "no client"})
    assert "ConfigError: no client" in str(story.timeline())
    story.move("act_1", S.APPROVED, {"released": True, "by": "ana"}, approval=approval, error=None)
    story.move("act_1", S.EXECUTING)
    story.move("act_1", S.EXECUTED, receipt={"ok": True})
    assert history(story) == [
        "held, not done",
        "it could not be released, and stays held",
        "released by ana",
        "started",
        "done",
    ]
    assert (action(story).held, action(story).seq) == ("", 1)
    assert story.timeline().interrupts == ()


def test_a_drop_is_told_with_its_cause() -> None:
    story = held()
    story.begin("act_2", "card.charge", {"amount": 1})
    failure = {"type": "Declined", "message": "no"}
    story.move("act_2", S.FAILED, error=failure)
    story.session(SessionStatus.ROLLING_BACK, failure=failure)
    story.move("act_1", S.DROPPED)
    story.session(SessionStatus.ROLLED_BACK)
    told = story.timeline()
    assert told.causes == (
        "`gmail.send` (ana) had been held and was never done: it was dropped because "
        "`card.charge` failed with Declined: no, 1 step later.",
    )
    assert "dropped because `card.charge` failed" in " ".join(str(told).split())
    assert any((edge.kind, edge.target) == ("compensates", "act_1") for edge in told.edges)


def test_a_person_who_drops_it_is_the_cause_whatever_failed_before() -> None:
    story = held()
    story.session(SessionStatus.ROLLING_BACK, by="bo", scope={"only": ["x"], "to": None})
    story.session(SessionStatus.OPEN)
    said = Approval("drop", "ana", reason="not to her")
    story.move("act_1", S.DROPPED, {"by": "ana"}, approval=said)
    told = story.timeline()
    assert told.causes == (
        "`gmail.send` (ana) had been held and was never done: it was dropped because ana said so: 'not to her'.",
    )
    assert history(story) == ["held, not done", "let go, never run by ana"]
    assert not any(edge.kind == "compensates" for edge in told.edges)
