"""Which values are secrets, and which only look like it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_agentrein.journal import Redactor
from langchain_agentrein.journal.codec import Hidden
from langchain_agentrein.journal.redaction import REDACTED

SECRET_KEYS = [
    "password", "Password", "new_password", "userPassword", "dbPassword", "passwords", "password_hash", "pwd",
    "secret", "clientSecret", "client_secret", "api_key", "apiKey", "x-api-key", "X-Auth-Token", "access_token",
    "refreshToken", "id_token", "token", "Authorization", "credentials", "Set-Cookie", "private_key",
    "aws.secret.key", "session id", "ssn", "cardNumber", "card_number", "cvc", "iban", "password2",
]  # fmt: skip
PLAIN_KEYS = [
    "passenger", "tokens", "max_tokens", "total_tokens", "next_page_token", "nextPageToken", "sync_token",
    "continuation_token", "tokenizer", "secretary", "primary_key", "public_key", "key", "keys", "author",
    "monkey", "cookies_accepted", "description", "bearer_of_news", "passport_office", "compass", "",
]  # fmt: skip
SECRET_VALUES = [
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "rk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "whsec_4eC39HqLyjWDarjtT1zdp7dc",
    "sk-ant-api03-4eC39HqLyjWDarjtT1zdp7dc",
    "sk-proj-4eC39HqLyjWDarjtT1zdp7dc",
    "ghp_4eC39HqLyjWDarjtT1zdp7dc123456",
    "github_pat_11AAAAAAA0abcdefghijkl",
    "glpat-4eC39HqLyjWDarjtT1zd",
    "xoxb-123456789012-abcdefghij",
    "xapp-1-A0123456-123456-abcdef",
    "https://hooks.slack.com/services/T0000000/B0000000/XXXXXXXXXXXX",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "ya29.a0AfH6SMBx1234567890",
    "pat-na1-12345678-1234-1234-1234-123456789012",
    "ntn_1234567890abcdefghijklmnopqrstuvwxyz",
    "SG.abcdefghijklmnop.qrstuvwxyz0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def",
    "Authorization: Bearer abcdef0123456789abcdef",
    "authorization: bEaReR abcdef0123456789abcdef",
    "postgresql://ana:hunter2@db/crm",
    "redis://:hunter2@cache:6379/0",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]
PLAIN_VALUES = [
    "the bearer authentication-is-required header",
    "risk-management-for-absolute-beginners-and-experts",
    "sk-estonian-translation-of-the-handbook",
    "https://example.com/a:b@c",
    "ana@acme.com",
    "https://docs.stripe.com/keys#sk_live",
    "AKIA is a prefix",
    "-----BEGIN CERTIFICATE-----",
    "skeleton_live_show",
    "eyJ is how a token begins",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
]


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_keys_that_name_a_secret(key: str) -> None:
    redactor = Redactor()
    for value in ("hunter2", 4711, b"\x01", 0.5):
        assert redactor.is_secret(key, value), (key, value)
    for nothing in (None, "", True, False):
        assert not redactor.is_secret(key, nothing)


@pytest.mark.parametrize("key", PLAIN_KEYS)
def test_keys_that_only_look_like_it(key: str) -> None:
    assert not Redactor().is_secret(key, "value")


@pytest.mark.parametrize("value", SECRET_VALUES)
def test_values_that_are_credentials(value: str) -> None:
    redactor = Redactor()
    assert redactor.is_secret("note", value)
    assert redactor.is_secret("raw", value.encode())
    shown = redactor.mask({"note": f"use {value} for it", value: 1})
    assert value not in str(shown)
    assert shown["note"].startswith("use ")
    assert REDACTED in shown["note"]
    assert redactor.text(value) != value


@pytest.mark.parametrize("value", SECRET_VALUES)
@pytest.mark.parametrize("filler", ["lorem ipsum ", "see https://example.com/x "])
def test_credentials_are_found_in_long_texts_too(value: str, filler: str) -> None:
    redactor = Redactor()
    for text in (
        filler * 2000 + value,
        value + " " + filler * 2000,
        filler * 999 + value + "\n" + filler * 999,
    ):
        assert redactor.is_secret("note", text)
        assert value not in redactor.text(text)


@pytest.mark.parametrize("value", PLAIN_VALUES)
def test_nothing_else_is_found_in_long_texts(value: str) -> None:
    assert not Redactor().is_secret("note", f"lorem ipsum {value} " * 2000)


@pytest.mark.parametrize("value", PLAIN_VALUES)
def test_values_that_only_look_like_it(value: str) -> None:
    redactor = Redactor()
    assert not redactor.is_secret("note", value)
    assert redactor.mask(value) == value


def test_whatever_lies_below_a_secret_key_is_secret() -> None:
    shown = Redactor().mask({"credentials": {"user": "ana", "more": [{"pin": 12}]}, "user": "ana"})
    assert shown == {
        "credentials": {"user": REDACTED, "more": [{"pin": REDACTED}]},
        "user": "ana",
    }


def test_an_own_detector_adds_to_it() -> None:
    redactor = Redactor(lambda key, value: key == "salary")
    assert redactor.mask({"salary": 5, "password": "x", "name": "ana"}) == {
        "salary": REDACTED,
        "password": REDACTED,
        "name": "ana",
    }


def test_a_detector_that_fails_hides() -> None:
    def broken(key: str, value: Any) -> bool:
        raise ZeroDivisionError

    assert Redactor(broken).mask(["x"]) == [REDACTED]


def test_what_is_hidden_is_shown_as_that() -> None:
    assert Redactor().mask({"a": Hidden({"$masked": True})}) == {"a": REDACTED}
    assert Redactor().mask({"a": {"$masked": True}}) == {"a": {"$masked": True}}, "that is the caller's own"


@pytest.mark.parametrize("value", [object(), {1: 2}])
def test_what_is_no_json_is_not_shown(value: Any) -> None:
    with pytest.raises(TypeError):
        Redactor().mask(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"access_token": "t1", "ok": true}', '{"access_token": "[redacted]", "ok": true}'),
        ('{"password":"a\\"b"}', '{"password":"[redacted]"}'),
        ('{\\"api_key\\": \\"a b\\"}', '{\\"api_key\\": \\"[redacted]\\"}'),
        ("UPDATE u SET password = 'it''s x', a = 'b'", "UPDATE u SET password = '[redacted]', a = 'b'"),
        ("{'secret': 's', 'n': 1}", "{'secret': '[redacted]', 'n': 1}"),
        ("secret_key => 'x'", "secret_key => '[redacted]'"),
        ("https://x.example/?token=abc&page=2", "https://x.example/?token=[redacted]&page=2"),
        ("Authorization: Basic YW5hOng=", "Authorization: Basic [redacted]"),
        ("X-Api-Key: abc123", "X-Api-Key: [redacted]"),
    ],
)
def test_a_value_that_is_named_inside_a_text(text: str, shown: str) -> None:
    redactor = Redactor()
    assert redactor.is_secret("", text)
    assert redactor.text(text) == shown
    assert redactor.text(shown) == shown and not redactor.is_secret("", shown)
    far = "x" * 30_000 + "\n"
    assert redactor.text(far + text) == far + shown


@pytest.mark.parametrize(
    "text",
    [
        "Forgot your password? See: 'here'",
        "password = :pw",
        "password: '${DB_PASSWORD}'",
        "token_type: 'bearer'",
        "password=''",
        "page_token: 'abc'",
        "f(token=token)",
        "the key is 'left'",
        '{"password": "<your password>"}',
    ],
)
def test_what_only_speaks_of_secrets_is_left_alone(text: str) -> None:
    assert Redactor().text(text) == text


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from(list("abtoken\"'`=:\\ \n{}[],?&-$")), max_size=60))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["password", "apiKey", "X-Api-Key", "client_secret", "db.token"]),
    st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=12, max_size=30).map(
        "s3".__add__
    ),
    st.text(max_size=10),
)
def test_a_secret_in_json_is_found_however_often_it_was_quoted(key: str, secret: str, around: str) -> None:
    value: Any = {"a": around, key: secret, "b": [around]}
    for _ in range(3):
        value = json.dumps(value)
        if secret in value:
            assert secret not in Redactor().text(value)
