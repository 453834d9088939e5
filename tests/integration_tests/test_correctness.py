"""The benchmark of correctness: its judge finds each kind, its kills are real, and its table is whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import benchmarks.correctness as correctness
from benchmarks.correctness.columns import SYSTEMS
from benchmarks.correctness.count import HANDED, KINDS, anomalies
from benchmarks.correctness.play import played
from benchmarks.correctness.scenarios import BY_NAME, SCENARIOS
from benchmarks.correctness.table import BEGIN, END


def test_a_kill_after_the_effect() -> None:
    counted, end = played("ours", BY_NAME["after"])
    assert (counted, end["ended"]) == (Counter(), "done")


def made(number: str, item: str) -> Any:
    return {"verb": "order", "args": {}, "told": {"order_id": number, "item": item}}


def cancelled(number: str) -> Any:
    return {"verb": "cancel", "args": {}, "told": {"order_id": number}}


@pytest.mark.parametrize(
    ("scenario", "log", "ended", "handed", "found"),
    [
        ("after", [made("1", "a"), made("2", "b"), made("3", "b")], "done", [], {"duplicate": 1}),
        ("after", [made("1", "a"), cancelled("1"), made("2", "a"), made("3", "b")], "done", [], {}),
        ("after", [made("1", "a")], "done", [], {"wrong undo": 1}),
        ("undo", [made("1", "a"), made("2", "b"), cancelled("2")], "failed", [], {"residue": 1}),
        ("undo", [made("1", "a"), made("2", "b")], "failed", ["shop_order"], {"residue": 1, HANDED: 1}),
        ("undo", [made("1", "a"), cancelled("1"), cancelled("1")], "failed", [], {"double undo": 1}),
        ("jump", [made("1", "a")], "failed", [], {"unapproved": 1}),
        ("swap", [{"verb": "transfer", "args": {}, "told": {}}], "done", [], {"unapproved": 1}),
        (
            "foreign-addition",
            [{"verb": "delete", "told": {"tasks": ["hers"]}}],
            "failed",
            [],
            {"wrong undo": 1},
        ),
    ],
)
def test_the_judge(scenario: str, log: Any, ended: str, handed: Any, found: dict[str, int]) -> None:
    end = {"ended": ended, "handed": handed}
    assert anomalies(BY_NAME[scenario], log, {"projects": {}}, end) == Counter(found)


@pytest.mark.parametrize(
    ("title", "status", "found"),
    [
        ("Printer, see Ana", "open", {}),
        ("Printer, see Ana", "closed", {"residue": 1}),
        ("Printer", "open", {"wrong undo": 1}),
    ],
)
def test_the_judge_of_a_colleagues_edit(title: str, status: str, found: dict[str, int]) -> None:
    state = {"projects": {}, "tickets": {"t1": {"title": title, "status": status}}}
    assert anomalies(BY_NAME["foreign-edit"], [], state, {"ended": "failed", "handed": []}) == Counter(found)


def test_the_table_is_whole() -> None:
    text = Path(correctness.__path__[0], "README.md").read_text()
    lines = text.partition(BEGIN)[2].partition(END)[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ") and "---" not in line]
    firsts = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")][2:]
    assert firsts == [
        *(one.title for one in SCENARIOS),
        *(f"*{kind}*" for kind in (*KINDS, "anomalies", HANDED)),
    ]
    assert {len(row) for row in rows[1:]} == {len(SYSTEMS) + 1}
