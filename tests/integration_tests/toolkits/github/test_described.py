"""What GitHub does not describe is found out, whatever an emulator makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration_tests.toolkits.github.conftest import Served
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.emulators import NoEmulator
from tests.support.openapi import Description, github

ISSUES = "/repos/bot/shop/issues"


@pytest.fixture
def described() -> Description:
    try:
        return github()
    except NoEmulator as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (f"POST {ISSUES}", {"title": "t", "labels": ["a"], "milestone": None}),
        (f"PATCH {ISSUES}/1", {"state": "open", "state_reason": None, "milestone": None}),
        (f"GET {ISSUES}?state=all&per_page=100&page=2", None),
        ("GET /repos/bot/shop/contents/a/b%20c.md?ref=fix/login", None),
        ("GET /repos/bot/shop/git/ref/heads/fix/login", None),
        (f"PUT {ISSUES}/1/lock", {}),
    ],
)
def test_what_github_describes_passes(described: Description, request_: str, body: Any) -> None:
    verb, target = request_.split()
    assert described.request(verb, target, b"" if body is None else json.dumps(body).encode()) == []


@pytest.mark.parametrize(
    ("request_", "body", "said"),
    [
        ("GET /repos/bot/shop/isues", None, "there is no such call"),
        (f"DELETE {ISSUES}/1", None, "there is no such call"),
        (f"GET {ISSUES}/one", None, "path parameter issue_number: 'one' is not of type 'integer'"),
        (f"GET {ISSUES}?stat=all", None, "there is no query parameter stat"),
        (f"GET {ISSUES}?state=shut", None, "query parameter state: 'shut' is not one of"),
        (f"POST {ISSUES}", {"body": "b"}, "'title' is a required property"),
        (f"POST {ISSUES}", {"title": "t", "assignee_": "ana"}, "the body has no field assignee_"),
        (f"PATCH {ISSUES}/1", {"state": "shut"}, "state: 'shut' is not one of"),
        (f"GET {ISSUES}/1", {"title": "t"}, "it takes no body"),
        ("POST /repos/bot/shop/milestones", {"title": "t", "due_on": None}, "due_on: None"),
    ],
)
def test_what_it_does_not_describe_is_told_with_its_place(
    described: Description, request_: str, body: Any, said: str
) -> None:
    verb, target = request_.split()
    wrong = described.request(verb, target, b"" if body is None else json.dumps(body).encode())
    assert any(said in one for one in wrong), wrong


def test_what_the_agent_sends_is_read_on_its_way(shop: Shop, served: Served) -> None:
    """The emulator takes it all the same."""
    shop.hub.send("POST", shop.at("issues"), {"title": "t", "colour": "red"})
    assert served.wrong() == ["POST /repos/{owner}/{repo}/issues: the body has no field colour"]
