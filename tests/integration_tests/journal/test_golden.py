"""What an earlier release wrote is still verified, shown and undone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.journal.codec import contains_mask
from langchain_agentrein.journal.migrations import STEPS
from tests.golden.make import KEY, write
from tests.golden.operations import Shelf

GOLDEN = Path(__file__).parents[2] / "golden"
ODD = {"$odd": "\x00 \ud83d \U0001f600", "big": 2**100}
LEFT = {"plain": ODD, "secret": {"password": "hunter2"}, "paid": 5}
"""What the actions of the golden journals left on the shelf."""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    directory = tmp_path / "shelf"
    directory.mkdir()
    for name, value in LEFT.items():
        (directory / f"{name}.json").write_text(json.dumps(value))
    return Shelf(directory)


@pytest.fixture(params=sorted(GOLDEN.glob("v*.db")), ids=lambda path: path.stem)
def rein(request: pytest.FixtureRequest, tmp_path: Path, shelf: Shelf) -> Iterator[AgentRein]:
    copy = tmp_path / "journal.db"
    shutil.copy(request.param, copy)
    with AgentRein(f"sqlite:///{copy}", seal=KEY, clients={"golden": shelf}) as opened:
        yield opened


def test_there_is_one_for_every_schema() -> None:
    assert {path.stem for path in GOLDEN.glob("v*.db")} == {f"v{n + 1}" for n in range(len(STEPS))}


def test_it_verifies(rein: AgentRein) -> None:
    checked = rein.verify()
    assert checked.ok, str(checked)
    assert checked.sessions == 3


def test_it_is_read(rein: AgentRein) -> None:
    plain, odd, secret, paid = rein.actions(session="ses_done")
    assert odd.args == {"thing": "plain", "value": ODD}
    assert odd.before == {"value": 1, "raw": b"\x00\xff"}
    assert secret.args["value"] == {"password": "hunter2"}
    assert plain.intent.text == "step 0"
    assert plain.intent.goal == "put things on the shelf"
    assert paid.receipt["key"] == paid.key
    assert [one.call_key for one in (plain, odd, secret, paid)] == [f"key-{n}" for n in range(4)]
    sent, waiting = rein.actions(session="ses_open")
    assert (sent.status, waiting.status) == (Status.IN_DOUBT, Status.PROPOSED)
    [gone] = rein.actions(session="ses_gone")
    assert (gone.status, gone.args) == (Status.RESTORED, None)
    assert "golden.put" in str(rein.timeline(thread="thread").to_dict())


def test_it_is_undone(rein: AgentRein, shelf: Shelf) -> None:
    plan = rein.plan(session="ses_done")
    assert [line.verdict for line in plan] == ["ask", "undo", "undo", "undo"]
    report = rein.rollback(session="ses_done", approve=plan, by="ana")
    assert [line.outcome for line in report] == ["restored"] * 4, str(report)
    assert [shelf.get(name) for name in LEFT] == [None] * 3
    assert rein.verify()


def test_without_its_key_no_mask_is_written(rein: AgentRein, shelf: Shelf, tmp_path: Path) -> None:
    with AgentRein(
        f"sqlite:///{tmp_path}/journal.db", clients={"golden": shelf}, on_stuck="continue"
    ) as other:
        other.rollback(session="ses_done")
        assert contains_mask(other.actions(session="ses_done")[2].args)
    assert shelf.get("secret") == {"password": "hunter2"}


def test_what_is_written_today_is_like_the_newest(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    target = tmp_path / "today.db"
    write(target, shelf)
    with (
        AgentRein(f"sqlite:///{target}", seal=KEY) as today,
        AgentRein(
            f"sqlite:///{shutil.copy(GOLDEN / f'v{len(STEPS)}.db', tmp_path / 'then.db')}", seal=KEY
        ) as then,
    ):
        for session in ("ses_done", "ses_open", "ses_gone"):
            entries = [[(e.event, e.to_status, sorted(e.detail)) for e in one.journal.entries([session])]
                       for one in (today, then)]  # fmt: skip
            assert entries[0] == entries[1], (
                "the record changed its shape: write a golden journal of a new version"
            )
