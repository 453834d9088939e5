"""Redaction, cleaning and cutting, before anything is rendered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from langchain_agentrein.action import Intent, SessionStatus, Status, Undo
from langchain_agentrein.timeline import Timeline
from langchain_agentrein.timeline.shown import MAX_TEXT, Shown, brief, clean, line

from .stories import Story

SECRET = "sk_live_abcdef123456"


def mask(value: Any) -> Any:
    """Hides `SECRET` in texts, and everything under `password`."""
    if isinstance(value, dict):
        return {name: "[redacted]" if name == "password" else mask(item) for name, item in value.items()}
    if isinstance(value, list):
        return [mask(item) for item in value]
    return value.replace(SECRET, "[redacted]") if isinstance(value, str) else value


def everywhere(text: str, **options: Any) -> Timeline:
    story = Story(goal=f"goal {text}")
    payload = {"statement": f"say {text}", "password": text, "deep": [{"x": text}], text: 1}
    story.begin(
        "act_1", "charge_card", payload, intent=Intent(f"why {text}", "text", f"goal {text}", 0.9),
        before=payload, metadata=payload, detail={"rule": f"rule {text}"},
    )  # fmt: skip
    story.move("act_1", Status.EXECUTED, receipt=payload, result=f"done {text}", after=payload)
    story.begin("act_2", "charge_card", payload)
    error = {"type": "Error", "message": f"refused {text}", "unsettled": f"open {text}"}
    story.move("act_2", Status.IN_DOUBT, error=error)
    story.session(SessionStatus.ROLLING_BACK, failure={**error, "action_id": "act_2"})
    undo = {"residue": (f"stays {text}",), "error": f"undo {text}", "cause": f"cause {text}"}
    story.move("act_1", Status.COMPENSATING)
    story.move("act_1", Status.STUCK, undo=Undo("stuck", **undo))
    story.session(SessionStatus.STUCK, by=f"ana {text}", reason=f"reason {text}")
    return story.timeline(**options)


@pytest.mark.parametrize(
    "text", [SECRET, f"x\x00{SECRET}", "sk_live_\u200babcdef123456", "\x1b[1msk_live_\x1b[0mabcdef123456"]
)
def test_a_secret_is_shown_nowhere(text: str) -> None:
    timeline = everywhere(text, mask=mask)
    shown = [str(timeline), timeline.to_html(), timeline.to_mermaid(), json.dumps(timeline.to_dict())]
    for one in shown:
        assert "abcdef123456" not in one
        assert "redacted" in one


def test_a_mask_that_fails_shows_nothing() -> None:
    def broken(value: Any) -> Any:
        raise TypeError("nested too deep")

    assert SECRET not in json.dumps(everywhere(SECRET, mask=broken).to_dict())


def test_a_secret_at_the_cut_is_not_shown() -> None:
    shown = Shown(mask)
    for start in range(MAX_TEXT - 30, MAX_TEXT + 30):
        text = shown.text("a" * start + " " + SECRET + " " + "b" * 100_000)
        assert "sk_live" not in text


def test_a_secret_where_the_search_ends_is_not_shown() -> None:
    shown = Shown(lambda value: value.replace(SECRET, "") if isinstance(value, str) else value)
    for start in range(len(SECRET)):
        assert "sk_live" not in shown.text("a" * start + SECRET * 5_000)


def test_an_unseen_character_may_set_a_secret_off() -> None:
    shown = Shown(
        lambda value: re.sub(r"\bsk_live_\w+", "[redacted]", value) if isinstance(value, str) else value
    )
    assert "abcdef123456" not in shown.text(f"x\x00{SECRET}")


def test_a_huge_text_says_its_size() -> None:
    shown = Shown().value({"content": "x" * 5_000_000})
    assert shown["content"].startswith("xxx") and shown["content"].endswith("... (5,000,000 characters)")
    assert len(shown["content"]) < MAX_TEXT + 50


def test_a_text_cannot_pretend_to_be_cut() -> None:
    text = "pay Mallory ... (5,000,000 characters)"
    assert Shown().text(text) == text


def test_huge_lists_and_objects_say_how_much_is_left() -> None:
    shown = Shown().value({"rows": list(range(100_000)), "map": {str(n): n for n in range(100_000)}})
    assert shown["rows"][-1] == "... (99,800 more)"
    assert shown["map"]["..."] == "(99,800 more)"
    wide = [[list(range(150)) for _ in range(150)] for _ in range(150)]
    assert len(json.dumps(Shown().value(wide))) < 50_000


def test_deep_json_is_no_problem() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    story = Story()
    story.do("act_1", "files.write", {"deep": deep})
    timeline = story.timeline()
    assert "items not shown" in timeline.to_html()
    assert "bottom" not in str(timeline)
    json.dumps(timeline.to_dict())


def test_bytes_show_their_size_and_hash() -> None:
    assert Shown().value(b"hello") == "(5 bytes, sha256 2cf24dba5fb0)"
    assert Shown(mask).value({"password": b"hello"}) == {"password": "[redacted]"}


def test_what_is_not_quite_json_becomes_json() -> None:
    shown = Shown().value({"nan": float("nan"), "big": 10**5000, "thing": object(), 1: True})
    assert shown == {"nan": "nan", "big": "(an integer of 16,610 bits)", "thing": "(object)", "1": True}


def test_clean_keeps_every_word() -> None:
    assert clean("a\x1b[31mb\x1b[0m\r\nc\td\re") == "ab\nc\td\ne"
    assert clean("\x1b]8;;http://evil\x1b\\text") == "]8;;http://evil\\text"
    assert clean("👩\u200d💻 می\u200cرویم") == "👩\u200d💻 می\u200cرویم"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"statement": "SELECT\n  1"}, "SELECT 1"),
        ({"body": "x", "title": "Plans"}, "Plans"),
        ({"amount": 1, "currency": "eur"}, "amount=1, currency=eur"),
        ({"a": {"b": [1]}}, 'a={"b": [1]}'),
        ("text", "text"),
        (None, ""),
        ({}, ""),
    ],
)
def test_brief(args: Any, said: str) -> None:
    assert brief(args) == said


def test_line_says_that_it_cut() -> None:
    assert line("a b\n c") == "a b c"
    assert line("word " * 100, 20) == "word word word wo..."
