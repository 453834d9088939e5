"""What decides allow, ask or deny."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from langchain_agentrein import ApprovalRule, Budget, ConfigError, Reversal, Risk, RuleError, Status
from langchain_agentrein.action import Action
from langchain_agentrein.operation import Assessment
from langchain_agentrein.policy import Policy
from tests.support.world import Blind, Mail

REVERSIBLE = Assessment(Risk.LOW, Reversal.EXACT)


def drafted(operation: str = "github.issues.create", risk: Risk = Risk.LOW, **facts: Any) -> Action:
    return Action("", "ses", operation, 1, Status.PROPOSED, {"n": 1}, risk=risk, **facts)


def decided(
    *rules: ApprovalRule,
    operation: str = "github.issues.create",
    risk: Risk = Risk.LOW,
    reversal: Reversal = Reversal.EXACT,
    declared: bool = True,
    unknown: Any = "ask",
    first: tuple[ApprovalRule, ...] = (),
) -> str:
    assessment = Assessment(risk, reversal, declared=declared)
    action = drafted(operation, risk, reversal=reversal)
    return Policy(rules, unknown=unknown).decide(action, assessment, first).decision


@pytest.mark.parametrize(
    ("risk", "reversal", "decision"),
    [
        (Risk.LOW, Reversal.EXACT, "allow"),
        (Risk.MEDIUM, Reversal.COMPENSATING, "allow"),
        (Risk.HIGH, Reversal.EXACT, "ask"),
        (Risk.CRITICAL, Reversal.EXACT, "ask"),
        (Risk.LOW, Reversal.NONE, "ask"),
    ],
)
def test_where_no_rule_speaks(risk: Risk, reversal: Reversal, decision: str) -> None:
    assert decided(risk=risk, reversal=reversal) == decision


@pytest.mark.parametrize("unknown", ["ask", "deny", "allow"])
def test_what_declares_nothing(unknown: str) -> None:
    assert decided(declared=False, reversal=Reversal.NONE, unknown=unknown) == unknown


@pytest.mark.parametrize(
    ("pattern", "operation", "matches"),
    [
        ("github.issues.create", "github.issues.create", True),
        ("github_issues_create", "github.issues.create", True),
        ("github.*", "github.issues.create", True),
        ("github_*", "github.issues.create", True),
        ("*", "anything", True),
        ("github.issues", "github.issues.create", False),
        ("GitHub.*", "github.issues.create", False),
        ("gmail.send", "gmail.messages.send", True),
        ("gmail.draft", "gmail.drafts.create", True),
        ("sql.[ei]*", "sql.execute", True),
        ("sql.[!e]*", "sql.execute", False),
    ],
)
def test_patterns(pattern: str, operation: str, matches: bool) -> None:
    assert (decided(ApprovalRule(pattern, "deny"), operation=operation) == "deny") is matches


def test_the_first_rule_that_matches_decides() -> None:
    rules = (ApprovalRule("github.issues.*", "deny"), ApprovalRule("github.*", "allow"))
    assert decided(*rules) == "deny"
    assert decided(*reversed(rules)) == "allow"
    assert decided(*rules, operation="github.files.write", risk=Risk.HIGH) == "allow"
    assert decided(*rules, first=(ApprovalRule("*", "ask"),)) == "ask", "the session's own come first"


@pytest.mark.parametrize(("risk", "decision"), [(Risk.MEDIUM, "allow"), (Risk.HIGH, "deny")])
def test_above(risk: Risk, decision: str) -> None:
    assert decided(ApprovalRule("*", "deny", above=Risk.MEDIUM), risk=risk) == decision


def test_only_an_exact_name_allows_what_nothing_undoes() -> None:
    for pattern in ("*", "github.*", "github.issues.creat?"):
        assert decided(ApprovalRule(pattern, "allow"), reversal=Reversal.NONE) == "ask"
    for pattern in ("github.issues.create", "github_issues_create"):
        assert decided(ApprovalRule(pattern, "allow"), reversal=Reversal.NONE) == "allow"
    alias = ApprovalRule("gmail.send", "allow")
    assert decided(alias, operation="gmail.messages.send", reversal=Reversal.NONE) == "allow"


def test_a_condition_sees_the_action_and_fails_closed() -> None:
    assert decided(ApprovalRule("*", "deny", when=lambda action: action.args["n"] == 1)) == "deny"
    assert decided(ApprovalRule("*", "deny", when=lambda action: action.args["n"] == 2)) == "allow"
    for decision, outcome in (("allow", "ask"), ("ask", "ask"), ("deny", "deny")):
        rule = ApprovalRule("*", decision, when=lambda action: action.args["no"])  # type: ignore[arg-type]
        verdict = Policy([rule]).decide(drafted(), REVERSIBLE)
        assert verdict.decision == outcome
        assert "its condition failed with KeyError" in verdict.reason


def test_a_verdict_says_why() -> None:
    assert (
        Policy([ApprovalRule("github.*", "ask")]).decide(drafted(), REVERSIBLE).reason
        == "rule 'github.*' ask"
    )
    assert (
        str(ApprovalRule("a", "ask", above=Risk.LOW, when=bool))
        == "rule 'a' ask above low when its condition holds"
    )


@pytest.mark.parametrize(
    "rule",
    [
        {"pattern": ""},
        {"pattern": "a", "decision": "maybe"},
        {"pattern": "a", "decision": "ask", "release_after": 60},
        {"pattern": "a", "decision": "hold", "release_after": -1},
        {"pattern": "a", "decision": "hold", "release_after": timedelta(days=-1)},
        {"pattern": "a", "decision": "hold", "release_after": float("nan")},
        {"pattern": "a", "decision": "hold", "release_after": timedelta.max},
        {"pattern": "a", "decision": "hold", "release_after": "tomorrow"},
    ],
    ids=str,
)
def test_a_rule_that_is_none(rule: dict[str, Any]) -> None:
    with pytest.raises(RuleError):
        ApprovalRule(**rule)


@pytest.mark.parametrize(
    "options", [{"rules": ["github.*"]}, {"budgets": [Budget("sql.*", 3)]}, {"unknown": "maybe"}]
)
def test_a_policy_that_is_none(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Policy(**options)


KNOWN = {"github.issues.create", "github_issues_create", "book"}


def test_rules_that_match_nothing() -> None:
    Policy([ApprovalRule("github.*", "ask"), ApprovalRule("book", "ask")]).check(KNOWN)
    with pytest.raises(RuleError, match=r"did you mean 'github\.issues\.create'"):
        Policy([ApprovalRule("github.issues.creat", "ask")]).check(KNOWN)
    with pytest.raises(RuleError):
        Policy([ApprovalRule("github.nothing.like.it", "ask")]).check(KNOWN)
    # What a wrapped client does is no tool.
    Policy([ApprovalRule("github.unknown", "allow")]).check(KNOWN)
    with pytest.warns(UserWarning, match="matches none of the tools"):
        Policy([ApprovalRule("stripe.charges.create", "ask")]).check(KNOWN)


@pytest.mark.parametrize("delay", [90, 90.0, timedelta(minutes=1, seconds=30)])
def test_a_rule_that_holds(delay: Any) -> None:
    verdict = Policy([ApprovalRule("a.b", "hold", release_after=delay)]).decide(drafted("a.b"), REVERSIBLE)
    assert (verdict.decision, verdict.release_after) == ("hold", 90.0)


def test_only_an_exact_name_lets_go_unasked_of_what_nothing_undoes() -> None:
    hopeless = replace(REVERSIBLE, reversal=Reversal.NONE)
    family, exact = ApprovalRule("a.*", "hold"), ApprovalRule("a.b", "hold")
    assert Policy([family]).decide(drafted("a.b"), REVERSIBLE).release_after == 0
    assert Policy([exact]).decide(drafted("a.b"), hopeless).release_after == 0
    waits = Policy([family]).decide(drafted("a.b"), hopeless)
    assert (waits.decision, waits.release_after) == ("hold", None)


def test_whether_it_may_ask() -> None:
    assert Policy().may_ask(Mail)
    assert not Policy().may_ask(Blind)
    assert Policy([ApprovalRule("world.blind", "ask", above=Risk.HIGH)]).may_ask(Blind)
    assert not Policy([ApprovalRule("world.mail", "allow")]).may_ask(Mail)
