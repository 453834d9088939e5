"""What is kept elsewhere finds what no chain can: a journal cut, rewritten or emptied as a whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from langchain_agentrein import AgentRein, ApprovalRule, ConfigError
from langchain_agentrein.action import SessionRecord, SessionStatus
from langchain_agentrein.cli.app import app
from langchain_agentrein.cli.keep import age_of
from langchain_agentrein.journal.chain import GENESIS, link
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from tests.support.driving import do, opened
from tests.support.world import Keep, World

KEY = "k" * 32
MAIL = "ana.kovacs@example.org"


@pytest.fixture
def rein(journal_url: str, tmp_path: Path) -> Iterator[AgentRein]:
    """Two sessions that have ended, one of which is about Ana."""
    world = World(tmp_path / "world.db")
    with opened(journal_url, world, seal=Fernet.generate_key().decode()) as made:
        for session, value in (
            ("ses_ana", {"mail": MAIL.upper(), "password": "pw-0f"}),
            ("ses_bo", {"mail": "bo@x"}),
        ):
            world.put("thing", {"mail": "before"})
            record = SessionRecord(id=session, thread_id=session)
            do(made, Keep(thing="thing", value=value), world, record)
            made.journal.set_session(session, SessionStatus.COMPLETED)
        yield made


def sql(rein: AgentRein, statement: str, **parameters: Any) -> None:
    with rein.journal.store.write() as connection:
        connection.execute(text(statement), parameters)


def rewritten(rein: AgentRein, session: str) -> None:
    """Somebody who may write the whole journal says that another worker did it, every hash made anew."""
    with rein.journal.store.write() as connection:
        listed = text("SELECT * FROM agentrein_entries WHERE session_id = :s ORDER BY n")
        rows = [dict(row) for row in connection.execute(listed, {"s": session}).mappings()]
        prev = GENESIS
        for row in rows:
            row |= {"worker": "forged", "prev": prev}
            prev = link(prev, row)
            change = "UPDATE agentrein_entries SET worker = 'forged', prev = :p, hash = :h WHERE session_id = :s AND n = :n"
            connection.execute(text(change), {"p": row["prev"], "h": prev, "s": session, "n": row["n"]})
        connection.execute(
            text("UPDATE agentrein_sessions SET head = :h WHERE id = :s"), {"h": prev, "s": session}
        )


def test_a_chain_that_was_written_anew_as_a_whole_is_found_by_its_kept_head(rein: AgentRein) -> None:
    kept = json.loads(json.dumps(rein.heads(key=KEY)))
    assert rein.verify(against=kept, key=KEY)
    rewritten(rein, "ses_ana")
    assert rein.verify(), "the chain alone cannot tell"
    checked = rein.verify(against=kept, key=KEY)
    assert set(checked.problems) == {"ses_ana"}
    assert "the chain was rewritten" in checked.problems["ses_ana"][0]


def test_a_session_that_was_removed_without_a_trace_is_found(rein: AgentRein) -> None:
    kept = rein.heads(key=KEY)
    for table in ("payloads", "blobs"):
        sql(
            rein,
            f"DELETE FROM agentrein_{table} WHERE owner_id = 'ses_ana' OR owner_id IN "
            "(SELECT id FROM agentrein_actions WHERE session_id = 'ses_ana')",
        )
    for table, column in (("entries", "session_id"), ("actions", "session_id"), ("sessions", "id")):
        sql(rein, f"DELETE FROM agentrein_{table} WHERE {column} = 'ses_ana'")
    assert rein.verify()
    assert rein.verify(against=kept, key=KEY).problems == {
        "ses_ana": ["the session was kept, and is missing"]
    }


def test_a_chain_that_was_cut_with_its_head_is_found(rein: AgentRein) -> None:
    kept = rein.heads(key=KEY)
    sql(rein, "DELETE FROM agentrein_entries WHERE session_id = 'ses_bo' AND n > 3")
    sql(
        rein,
        "UPDATE agentrein_sessions SET length = 3, status = 'open', head = "
        "(SELECT hash FROM agentrein_entries WHERE session_id = 'ses_bo' AND n = 3) WHERE id = 'ses_bo'",
    )
    assert "and has 3" in str(rein.verify(against=kept, key=KEY))


def test_what_was_kept_stays_good_while_the_journal_grows_and_forgets(
    rein: AgentRein, tmp_path: Path
) -> None:
    kept = rein.heads(key=KEY)
    do(rein, Keep(thing="thing", value={"a": 1}), World(tmp_path / "world.db"), "ses_new")
    rein.forget(session="ses_ana")
    assert rein.verify(against=kept, key=KEY)
    assert rein.verify(session="ses_bo", against=kept, key=KEY)


def test_heads_that_were_changed_or_signed_by_another_prove_nothing(rein: AgentRein) -> None:
    kept = rein.heads(key=KEY)
    forged = json.loads(json.dumps(kept))
    forged["heads"].pop("ses_ana")
    for wrong, key in ((forged, KEY), (kept, "x" * 32), ({**kept, "signature": None}, KEY)):
        with pytest.raises(ConfigError, match="prove nothing"):
            rein.verify(against=wrong, key=key)
    for wrong in ([], {}, "x", {"format": "agentrein-heads/1"}):
        with pytest.raises(ConfigError, match="no kept heads"):
            rein.verify(against=wrong, key=KEY)
    for short in ("", "short", None):
        with pytest.raises(ConfigError, match="AGENTREIN_HEADS_KEY"):
            rein.heads(key=short)


def test_forgetting_a_person_finds_every_session_that_mentions_them(rein: AgentRein, tmp_path: Path) -> None:
    assert rein.forget(mentioning=MAIL, by="dpo") == 1
    assert rein.verify()
    [line] = rein.rollback(session="ses_ana")
    assert (line.outcome, line.residue) == ("irreversible", ("what its undo needs was forgotten",))
    assert World(tmp_path / "world.db").get("thing") != {"mail": "before"}
    assert rein.actions(session="ses_bo")[0].args == {"thing": "thing", "value": {"mail": "bo@x"}}
    assert rein.forget(mentioning=MAIL) == 0
    assert rein.forget(mentioning="pw-0f") == 0


def test_what_cannot_be_searched_is_not_passed_over(rein: AgentRein, journal_url: str) -> None:
    other = AgentRein(journal_url, seal=Fernet.generate_key().decode())
    with other, pytest.raises(ConfigError, match="ses_ana"):
        other.forget(mentioning="nobody")


def test_an_undo_does_not_bring_an_erased_person_back(tmp_path: Path, journal_url: str) -> None:
    """Our DELETE took the row away; then Ana asked to be forgotten. Without `forget`, its undo would insert her."""
    shop = create_engine(f"sqlite:///{tmp_path}/shop.db")
    with shop.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT, plan TEXT)"))
        connection.execute(text(f"INSERT INTO users VALUES (1, '{MAIL}', 'a'), (2, 'bo@x', 'a')"))

    def users() -> list[Any]:
        with shop.connect() as connection:
            return [row[1] for row in connection.execute(text("SELECT * FROM users ORDER BY id"))]

    rules = [ApprovalRule("sql.execute", "allow")]
    with opened(journal_url, clients={"sql": shop}, rules=rules) as rein:
        do(rein, SqlExecute(statement="UPDATE users SET plan = 'b' WHERE id = 1"), shop, "ses_update")
        do(rein, SqlExecute(statement="DELETE FROM users WHERE id = 2"), shop, "ses_delete")
        for session in ("ses_update", "ses_delete"):
            rein.journal.set_session(session, SessionStatus.COMPLETED)
        with shop.begin() as connection:
            connection.execute(text("DELETE FROM users WHERE id = 1"))
        # What somebody else erased after our UPDATE is a conflict, never put back.
        assert [line.outcome for line in rein.rollback(session="ses_update")] == ["conflict"]
        assert users() == []
        # What our own DELETE took away is put back by its undo, unless it was forgotten first.
        assert rein.forget(mentioning="bo@x", by="dpo") == 1
        assert [line.outcome for line in rein.rollback(session="ses_delete")] == ["irreversible"]
        assert users() == []
        assert rein.verify()
    shop.dispose()


def test_pruning_forgets_what_ended_long_ago_and_nothing_that_is_open(
    rein: AgentRein, tmp_path: Path
) -> None:
    do(rein, Keep(thing="thing", value={"a": 1}), World(tmp_path / "world.db"), "ses_open")
    year_ago = round((datetime.now(UTC) - timedelta(days=365)).timestamp() * 1e6)
    sql(rein, "UPDATE agentrein_sessions SET closed_at = :t WHERE id = 'ses_ana'", t=year_ago)
    assert rein.prune(older_than=timedelta(days=400)) == 0
    assert rein.prune(older_than=timedelta(days=90), by="timer") == 1
    assert rein.prune(older_than=timedelta(days=90)) == 0
    assert rein.prune(older_than=timedelta(0)) == 1  # ses_bo, and not the one that is open
    assert rein.actions(session="ses_ana")[0].args is None
    assert rein.actions(session="ses_open")[0].args is not None
    assert rein.verify()
    for wrong in (timedelta(days=-1), timedelta.max):
        with pytest.raises(ConfigError, match="older_than"):
            rein.prune(older_than=wrong)


def test_an_export_is_checked_without_the_journal(rein: AgentRein, tmp_path: Path, journal_url: str) -> None:
    def agentrein(*words: str) -> Any:
        environment = {"AGENTREIN_HEADS_KEY": KEY}
        return CliRunner().invoke(app, words, env=environment, catch_exceptions=False)

    at = ("--journal", journal_url)
    for form in ("jsonl", "json"):
        file = tmp_path / f"export.{form}"
        assert agentrein(*at, "export", "--session", "ses_ana", "-f", form, "-o", str(file)).exit_code == 0
        assert "pw-0f" not in file.read_text() and MAIL.upper() in file.read_text()
        nowhere = ("--journal", "sqlite:///nowhere.db")
        whole = agentrein(*nowhere, "verify", "--export", str(file))
        assert (whole.exit_code, whole.output) == (0, "the export is whole: 1 chain(s)\n")
        forged = file.read_text().replace('"to_status": "executed"', '"to_status": "failed"')
        assert forged != file.read_text()
        file.write_text(forged)
        found = agentrein(*nowhere, "verify", "--export", str(file))
        assert found.exit_code == 1 and "was changed" in found.output
    kept = tmp_path / "heads.json"
    assert agentrein(*at, "heads", "-o", str(kept)).exit_code == 0
    assert agentrein(*at, "verify", "--against", str(kept)).exit_code == 0
    rewritten(rein, "ses_bo")
    assert agentrein(*at, "verify").exit_code == 0
    found = agentrein(*at, "verify", "--against", str(kept))
    assert found.exit_code == 1 and "rewritten" in found.output
    assert agentrein(*at, "prune", "--older-than", "0h", "--by", "t", "--yes").output.startswith(
        "2 sessions forgotten"
    )
    assert agentrein(*at, "prune", "--older-than", "soon", "--yes").exit_code == 2


@pytest.mark.parametrize(
    "told", ["", "\x1b]0;x\x07", "[]", "{", "[" * 100_000, "null", '{"kind": "entry"}', '{"kind": "chain"}']
)
def test_a_hostile_export_is_refused_in_words(tmp_path: Path, told: str) -> None:
    file = tmp_path / "export"
    file.write_text(told)
    ran = CliRunner().invoke(app, ["verify", "--export", str(file)], catch_exceptions=False)
    assert ran.exit_code in (1, 2) and "\x1b" not in ran.output


@given(st.one_of(st.text(max_size=12), st.from_regex(r"\A[0-9]{1,9}[a-z]?\Z")))
def test_an_age_is_understood_or_refused(given_text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert age_of(given_text) >= timedelta(0)


def test_ages() -> None:
    assert [age_of(one) for one in ("90d", "12w", "48h")] == [
        timedelta(days=90), timedelta(weeks=12), timedelta(hours=48),
    ]  # fmt: skip
