"""The statuses, and the one table of legal steps."""

from __future__ import annotations

from langchain_agentrein.action import (
    REFUSED,
    TO_UNDO,
    TRANSITIONS,
    UNDONE,
    WAITING,
    Action,
    Risk,
    Status,
)

DRAWN = """
proposed -> approved, denied, rejected, expired, held
approved -> executing, expired, rejected
held -> approved, dropped
executing -> executed, failed, in_doubt
in_doubt -> executed, failed
executed -> compensating
compensating -> restored, compensated, irreversible, conflict, stuck
conflict -> compensating
stuck -> compensating
"""


def test_the_table_is_the_one_that_is_drawn() -> None:
    drawn = {}
    for line in DRAWN.strip().splitlines():
        status, _, nexts = line.partition(" -> ")
        drawn[Status(status)] = {Status(one) for one in nexts.split(", ")}
    assert {status: set(nexts) for status, nexts in TRANSITIONS.items() if nexts} == drawn
    assert set(TRANSITIONS) == set(Status)


def test_every_status_belongs_to_one_group() -> None:
    groups = [REFUSED, UNDONE, TO_UNDO, WAITING, {Status.EXECUTING}, {Status.FAILED}]
    assert sum(map(len, groups)) == len(Status)
    assert set().union(*groups) == set(Status)


def test_what_ended_stays_as_it_is() -> None:
    for status in REFUSED | UNDONE | {Status.FAILED}:
        assert not TRANSITIONS[status]


def test_every_way_to_an_effect_leads_through_approved() -> None:
    assert {status for status in Status if Status.EXECUTING in TRANSITIONS[status]} == {Status.APPROVED}


def test_every_way_to_an_undo_leads_through_its_intent() -> None:
    for status in Status:
        if UNDONE & TRANSITIONS[status]:
            assert status is Status.COMPENSATING


def test_every_status_is_explained_where_it_is_defined() -> None:
    import ast
    import inspect

    from langchain_agentrein import action

    tree = ast.parse(inspect.getsource(action))
    for cls in (node for node in tree.body if isinstance(node, ast.ClassDef) and "Status" in node.name):
        for one, after in zip(cls.body, cls.body[1:], strict=False):
            if isinstance(one, ast.Assign):
                assert isinstance(after, ast.Expr), ast.unparse(one)


def test_the_generation_is_part_of_the_vendors_key() -> None:
    action = Action("act_1", "ses", "world.blind", 1, Status.EXECUTING, {})
    assert action.key != action.with_(generation=2).key


def test_risks_compare_and_speak() -> None:
    assert Risk.LOW < Risk.MEDIUM < Risk.HIGH < Risk.CRITICAL
    assert f"{Risk.HIGH}" == "high"
