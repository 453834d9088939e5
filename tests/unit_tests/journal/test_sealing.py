"""A secret that an undo needs is sealed, never masked; and lies nowhere in plain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from langchain_agentrein import AgentRein, ApprovalRule, SealError
from langchain_agentrein.action import Intent
from langchain_agentrein.journal import Journal, Redactor
from langchain_agentrein.journal.codec import contains_mask
from langchain_agentrein.journal.sealing import ENVIRONMENT, Vault
from tests.support.driving import SESSION, do, opened
from tests.support.world import Keep, World

KEY = Fernet.generate_key().decode()
SECRET = "hunter2-0f9a"
HOLDING: list[Any] = [
    {"password": SECRET},
    {"credentials": {"user": SECRET}},
    {"note": f"use sk_live_{SECRET.replace('-', '')}zzzz"},
    {"raw": f"ghp_{SECRET.replace('-', '')}aaaaaaaaaaaaaaaa".encode()},
    {f"sk_live_{SECRET.replace('-', '')}zzzz": "as a key"},
    [{"token": [SECRET, SECRET]}],
]
ARGUMENTS = [value for value in HOLDING if "raw" not in value]
"""What holds no bytes, and so can be an operation's arguments."""


def everything_in(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.glob("journal.db*")))


@pytest.mark.parametrize(
    "seal",
    [KEY, KEY.encode(), lambda: KEY, f"{Fernet.generate_key().decode()},{KEY}"],
    ids=["text", "bytes", "callable", "with a newer one"],
)
@pytest.mark.parametrize("value", ARGUMENTS)
def test_a_sealed_secret_comes_back_and_lies_nowhere_in_plain(
    sqlite_url: str, world: World, tmp_path: Path, value: Any, seal: Any
) -> None:
    world.put("a", value)
    with opened(sqlite_url, world, seal=seal) as rein:
        do(rein, Keep(thing="a", value={"plain": 1}), world)
        do(rein, Keep(thing="a", value=value), world)
        found = everything_in(tmp_path)
        assert SECRET.encode() not in found
        assert SECRET.replace("-", "").encode() not in found
        assert rein.rollback(session=SESSION).complete
        assert world.get("a") == value


@pytest.mark.parametrize("value", HOLDING)
def test_without_a_key_it_is_masked(value: Any) -> None:
    vault = Vault(None, Redactor())
    text, blobs = vault.pack({"payload": value})
    assert vault.loses(value)
    assert SECRET.replace("-", "") not in text.replace("-", "")
    assert not any(SECRET.encode() in blob for blob in blobs.values())
    assert contains_mask(vault.unpack(text, blobs.get))


@pytest.mark.parametrize("value", ARGUMENTS)
def test_without_a_key_it_lies_nowhere_either_and_the_action_is_irreversible(
    sqlite_url: str, world: World, tmp_path: Path, value: Any
) -> None:
    rules = [ApprovalRule("world.keep", "allow")]
    with opened(sqlite_url, world, rules=rules) as rein:
        do(rein, Keep(thing="a", value=value), world)
        found = everything_in(tmp_path)
        assert SECRET.encode() not in found
        assert SECRET.replace("-", "").encode() not in found
        [line] = rein.rollback(session=SESSION)
        assert line.outcome == "irreversible"


def test_bytes_are_sealed_as_bytes() -> None:
    vault = Vault(KEY, Redactor())
    raw = b"\xff-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY-----"
    text, blobs = vault.pack({"payload": raw})
    assert vault.unpack(text, blobs.get) == {"payload": raw}
    assert not any(b"BEGIN PRIVATE" in blob for blob in blobs.values())
    assert contains_mask(Vault(None, Redactor()).unpack(text, blobs.get))


def test_secrets_in_intents_goals_errors_and_reasons(sqlite_url: str, world: World, tmp_path: Path) -> None:
    secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"

    def broken(action: Any) -> bool:
        raise ValueError(f"cannot reach {secret}")

    rules = [ApprovalRule("world.keep", "deny", when=broken)]
    with opened(sqlite_url, world, seal=KEY, rules=rules) as rein, pytest.raises(Exception, match="denied"):
        do(rein, Keep(thing="a"), world)
    with opened(sqlite_url, world, seal=KEY) as rein:
        with pytest.raises(ValueError, match="lost"), rein.session(f"use {secret}") as session:
            do(
                rein,
                Keep(thing="a"),
                world,
                session.record,
                intent=Intent(text=secret),
                metadata={"k": secret},
            )
            raise ValueError(f"lost {secret}")
        session.rollback(reason=secret, by="ana")
        assert secret not in str(rein.sessions()[0].status)
    assert secret.encode() not in everything_in(tmp_path)


@pytest.mark.parametrize("wrong", ["short", "not base64 at all!", "", b"\xff\xfe", "ä" * 44])
def test_a_key_that_is_none(sqlite_url: str, wrong: Any) -> None:
    if not wrong:
        with AgentRein(sqlite_url, seal=wrong) as rein:
            assert not rein.journal.vault.has_key
        return
    with pytest.raises(SealError, match="32 bytes in URL-safe base64") as caught:
        AgentRein(sqlite_url, seal=wrong)
    assert str(wrong) not in str(caught.value)


def test_the_environment_holds_a_key(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, KEY)
    with Journal(sqlite_url) as journal:
        assert journal.vault.has_key


def test_reading_with_another_key_hides_and_does_not_fail(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, seal=KEY) as rein:
        do(rein, Keep(thing="a", value={"password": SECRET}), world)
    with opened(sqlite_url, world, seal=Fernet.generate_key()) as rein:
        [action] = rein.actions(session=SESSION)
        assert contains_mask(action.args)
        assert SECRET not in str(rein.journal.redactor.mask(action.args))
        assert rein.verify()
