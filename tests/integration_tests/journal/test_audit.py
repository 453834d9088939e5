"""The record can be trusted: whoever changes, removes, adds or reorders something is found, and where."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import inspect, text

from langchain_agentrein.action import SessionRecord, SessionStatus, Status
from langchain_agentrein.journal import Journal, Verification
from langchain_agentrein.journal.chain import link
from tests.support.journals import SESSION, action


@pytest.fixture
def journal(journal_url: str) -> Iterator[Journal]:
    """A journal with a session of two actions, one of them undone, and a second session."""
    with Journal(journal_url) as opened:
        for session in (SESSION, SessionRecord(id="ses_other", thread_id="other")):
            first = opened.begin(action(before=b"raw", undo_until=None), session)
            opened.move(first, Status.EXECUTED, receipt={"a": 1}, columns={"undo_until": 1})
            second = opened.move(opened.begin(action(), session), Status.EXECUTED)
            opened.move(opened.move(second, Status.COMPENSATING, hold=1), Status.RESTORED)
            opened.set_session(session.id, SessionStatus.COMPLETED, by="ana", reason="done")
        yield opened


def sql(journal: Journal, statement: str, **parameters: Any) -> None:
    """Change the record behind its back."""
    with journal.store.write() as connection:
        changed = connection.execute(text(statement), parameters)
        assert changed.rowcount > 0


def found(journal: Journal) -> str:
    """What verify says; of the session that was touched alone."""
    checked = journal.verify()
    assert not checked.ok
    assert set(checked.problems) == {SESSION.id}
    assert str(checked).startswith("the record was altered:")
    return "\n".join(checked.problems[SESSION.id])


def test_a_record_that_nobody_touched_is_whole(journal: Journal) -> None:
    checked = journal.verify()
    assert checked.ok
    assert bool(checked)
    assert (checked.sessions, checked.entries) == (2, 16)
    assert str(checked) == "the record is whole: 2 session(s), 16 entries"
    assert set(checked.heads) == {SESSION.id, "ses_other"}
    assert journal.verify([SESSION.id]).sessions == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 1),
        ("event", "note"),
        ("action_id", "act_other"),
        ("from_status", "stuck"),
        ("to_status", "failed"),
        ("to_status", "no status at all"),
        ("worker", "somebody"),
        ("detail", '{"by":"bo"}'),
        ("detail", "no json"),
        ("payload_digest", "0"),
    ],
)
def test_a_changed_entry_is_named(journal: Journal, column: str, value: Any) -> None:
    sql(
        journal,
        f"UPDATE agentrein_entries SET {column} = :v WHERE session_id = 'ses_test' AND n = 3",
        v=value,
    )
    assert "entry 3 was changed" in found(journal)


@pytest.mark.parametrize(
    ("lost", "said"), [((3,), "entry 3 is missing"), ((3, 4), "entries 3 to 4 are missing")]
)
def test_a_removed_entry_is_named(journal: Journal, lost: tuple[int, ...], said: str) -> None:
    for n in lost:
        sql(journal, "DELETE FROM agentrein_entries WHERE session_id = 'ses_test' AND n = :n", n=n)
    problems = found(journal)
    assert said in problems
    assert "does not follow the one before it" in problems


def test_a_truncated_chain_is_found(journal: Journal) -> None:
    sql(journal, "DELETE FROM agentrein_entries WHERE session_id = 'ses_test' AND n > 5")
    assert "the last 3 of 8 entries are missing" in found(journal)


def test_a_truncated_chain_whose_head_was_moved_along_is_found(journal: Journal) -> None:
    sql(journal, "DELETE FROM agentrein_entries WHERE session_id = 'ses_test' AND n > 5")
    sql(
        journal,
        "UPDATE agentrein_sessions SET length = 5, head = "
        "(SELECT hash FROM agentrein_entries WHERE session_id = 'ses_test' AND n = 5) WHERE id = 'ses_test'",
    )
    assert "its last entry says" in found(journal)


def test_reordered_entries_are_found(journal: Journal) -> None:
    for old, new in ((3, 99), (4, 3), (99, 4)):
        sql(
            journal,
            "UPDATE agentrein_entries SET n = :new WHERE session_id = 'ses_test' AND n = :old",
            new=new,
            old=old,
        )
    problems = found(journal)
    assert "entry 3 was changed" in problems
    assert "entry 4 was changed" in problems


def test_an_inserted_entry_is_found(journal: Journal) -> None:
    with journal.store.read() as connection:
        row = connection.execute(
            text("SELECT * FROM agentrein_entries WHERE session_id = 'ses_test' AND n = 8")
        )
        last = dict(row.mappings().one())
    forged = {**last, "n": 9, "prev": last["hash"], "detail": '{"by":"bo"}', "payload_digest": None}
    forged["hash"] = link(last["hash"], forged)
    names = ", ".join(forged)
    places = ", ".join(f":{name}" for name in forged)
    sql(journal, f"INSERT INTO agentrein_entries ({names}) VALUES ({places})", **forged)
    assert "the session's head does not match its last entry, 9" in found(journal)


def test_an_illegal_step_is_found_though_the_chain_holds(journal: Journal) -> None:
    with journal.store.write() as connection:
        head = journal._lock(connection, SESSION.id)
        [one, _] = journal.actions([SESSION.id])
        journal._append(
            connection, head, "action", action_id=one.id, from_status="executed", to_status="restored"
        )
    assert "moves action" in found(journal)


CHANGES: dict[str, Any] = {
    "operation": "world.mail",
    "operation_version": 9,
    "source": "evil",
    "connector": "evil",
    "account": "other",
    "tenant": "other",
    "thread_id": "other",
    "tool_call_id": "other",
    "message_id": "other",
    "call_key": "other",
    "generation": 9,
    "parent_id": "act_other",
    "risk": 4,
    "reversal": "none",
    "digest": "0",
    "seq": 9,
    "undo_until": 2,
    "created_at": 1,
    "started_at": 1,
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_column_of_an_action_is_named(journal: Journal, column: str) -> None:
    sql(
        journal,
        f"UPDATE agentrein_actions SET {column} = :v WHERE session_id = 'ses_test' AND seq = 1",
        v=CHANGES[column],
    )
    assert f"{column} was changed" in found(journal)


def test_a_changed_status_of_an_action_is_named(journal: Journal) -> None:
    sql(journal, "UPDATE agentrein_actions SET status = 'executed' WHERE session_id = 'ses_test' AND seq = 2")
    assert "is executed, its last entry says restored" in found(journal)


def test_every_column_of_an_action_is_watched_or_known_not_to_be(journal: Journal) -> None:
    known = {column["name"] for column in inspect(journal.store.engine).get_columns("agentrein_actions")}
    free = {
        "id",
        "session_id",
        "status",
        "salt",
        "paused",
        "finished_at",
        "undone_at",
        "held_by",
        "held_until",
        "fence",
    }
    assert known == set(CHANGES) | free


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("status", "open", "the session is open, its last entry says completed"),
        ("thread_id", "other", "thread_id was changed"),
        ("tenant", "other", "tenant was changed"),
        ("agent_id", "other", "agent_id was changed"),
        ("parent_id", "other", "parent_id was changed"),
        ("requested_by", "bo", "requested_by was changed"),
        ("opened_at", 1, "opened_at was changed"),
        ("next_seq", 1, "next_seq was changed"),
        ("head", "0", "head does not match"),
        ("length", 99, "entries are missing"),
    ],
)
def test_a_changed_session_is_named(journal: Journal, column: str, value: Any, said: str) -> None:
    sql(journal, f"UPDATE agentrein_sessions SET {column} = :v WHERE id = 'ses_test'", v=value)
    assert said in found(journal)


def test_a_removed_and_an_added_action_are_named(journal: Journal) -> None:
    sql(journal, "UPDATE agentrein_actions SET id = 'act_forged' WHERE session_id = 'ses_test' AND seq = 1")
    checked = journal.verify()
    problems = "\n".join(checked.problems[SESSION.id])
    assert "action act_forged was added" in problems
    assert "is missing" in problems


def test_a_removed_session_is_noticed(journal: Journal) -> None:
    sql(journal, "DELETE FROM agentrein_sessions WHERE id = 'ses_test'")
    assert journal.verify().problems[SESSION.id] == ["the session's row is missing"]
    assert journal.verify([SESSION.id]).problems == {SESSION.id: ["the session's row is missing"]}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE agentrein_payloads SET data = '{}' WHERE n = 2", "the payload of entry 2 was changed"),
        ("UPDATE agentrein_payloads SET salt = 'x' WHERE n = 2", "the payload of entry 2 was changed"),
        ("DELETE FROM agentrein_payloads WHERE n = 2", "the payload of entry 2 is missing"),
        ("UPDATE agentrein_payloads SET n = 5 WHERE n = 2", "the payload of entry 5 was added"),
        ("UPDATE agentrein_payloads SET n = 77 WHERE n = 2", "belongs to no entry (77)"),
        ("UPDATE agentrein_blobs SET data = :raw WHERE true", "bytes of act_"),
        ("DELETE FROM agentrein_blobs WHERE true", "are missing"),
    ],
)
def test_a_changed_payload_is_named(journal: Journal, statement: str, said: str) -> None:
    ours = " AND owner_id IN (SELECT id FROM agentrein_actions WHERE session_id = 'ses_test')"
    parameters = {"raw": b"forged"} if ":raw" in statement else {}
    if "n = 5" in statement:
        ours = " AND owner_id = (SELECT id FROM agentrein_actions WHERE session_id = 'ses_test' AND seq = 1)"
        statement = statement.replace("n = 5", "n = 3").replace("n = 2", "n = 2")
        said = "the payload of entry 2 is missing"
        sql(journal, "DELETE FROM agentrein_payloads WHERE n = 3" + ours)
    sql(journal, statement + ours, **parameters)
    assert said in found(journal)


def test_strangers_are_noticed(journal: Journal) -> None:
    sql(journal, "INSERT INTO agentrein_payloads (owner_id, n, salt, data) VALUES ('act_x', 1, '', '{}')")
    sql(journal, "INSERT INTO agentrein_blobs (owner_id, name, data) VALUES ('act_y', 'z', :d)", d=b"")
    checked: Verification = journal.verify()
    assert checked.problems == {
        "(no session)": ["a payload of act_x, which is not there", "bytes of act_y, which is not there"]
    }


def test_added_bytes_are_noticed(journal: Journal) -> None:
    [one, _] = journal.actions([SESSION.id])
    sql(journal, "INSERT INTO agentrein_blobs (owner_id, name, data) VALUES (:o, 'z', :d)", o=one.id, d=b"")
    assert "belong to no payload" in found(journal)


def test_verifying_while_others_write_raises_no_alarm(journal_url: str) -> None:
    stop = threading.Event()

    def write() -> None:
        with Journal(journal_url) as other:
            while not stop.is_set():
                other.move(other.begin(action(), SESSION), Status.EXECUTED)

    with Journal(journal_url) as journal:
        journal.begin(action(), SESSION)
        thread = threading.Thread(target=write)
        thread.start()
        try:
            assert all(journal.verify().ok for _ in range(10))
        finally:
            stop.set()
            thread.join()
