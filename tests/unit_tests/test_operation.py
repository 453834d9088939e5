"""What a connector declares, and how a fresh process finds it again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from langchain_agentrein import (
    ConfigError,
    NotDone,
    Operation,
    Reversal,
    Risk,
    Throttled,
    UndoEffect,
    Unknown,
    UnknownOperation,
)
from langchain_agentrein.action import Action, Status
from langchain_agentrein.registry import REGISTRY, Registry
from tests.support.world import Async, Blind, Charge, Create, Put

ACTION = Action("act_1", "ses", "world.blind", 1, Status.EXECUTED, {}, before={"x": 1}, receipt={"y": 2})


class Bare(Operation):
    """Declares nothing."""

    name = "bare.do"
    given: int
    left_out: int = 3
    renamed: str = Field(default="x", alias="from")


def test_an_operation_that_declares_nothing_promises_nothing() -> None:
    op = Bare(given=1)
    assert (op.assess(None).risk, op.assess(None).reversal) == (Risk.MEDIUM, Reversal.NONE)
    assert op.account(None) is None
    assert op.snapshot(None) is None
    assert isinstance(op.probe(None, ACTION), Unknown)
    assert op.attached(None, ACTION) == ()
    assert op.expect(ACTION) is None
    assert op.undo_until(ACTION) is None
    assert op.as_before(ACTION) == {"x": 1}
    assert op.shown({"z": 3}) == {"z": 3}
    assert op.connector == "bare"
    assert op.touches() == {"bare"}
    assert op.locks(None) == ()
    assert not op.observes
    assert not op.overrides("undo")
    for hook in (op.do, op.undo):
        with pytest.raises(NotImplementedError):
            hook(None, ACTION)


def test_it_is_rebuilt_from_the_arguments_that_were_given() -> None:
    op = Bare.model_validate({"given": 1, "from": "y"})
    assert op.args == {"given": 1, "from": "y"}, "a default may change from release to release"
    assert Bare.from_args(op.args) == op
    assert op.replaced({"given": 2}) == Bare(given=2)
    with pytest.raises(ValidationError):
        Bare.from_args({"given": 1, "unknown": 2})


def test_what_it_overrides_is_known() -> None:
    put = Put(thing="a", fields={})
    assert put.observes
    assert put.overrides("undo")
    assert not Blind(thing="a").overrides("probe")
    assert Async(thing="a").is_async
    assert not put.is_async


def test_its_undo_has_a_risk_of_its_own() -> None:
    assert Charge(thing="a").undo_assessment().undo_effects == {UndoEffect.MOVES_MONEY}
    assert Create(thing="a").undo_assessment().undo_effects == frozenset()


@pytest.mark.parametrize(
    ("error", "fate"),
    [(NotDone("no"), NotDone), (Throttled("later"), Throttled), (TimeoutError(), None), (KeyError(), None)],
)
def test_only_an_error_that_says_so_means_that_nothing_happened(error: Exception, fate: Any) -> None:
    assert Bare(given=1).fate(error) is fate


def test_a_name_of_a_tool() -> None:
    assert Put.tool_name() == "world_put"
    assert Put.source() == "tests.support.world"


# -- the registry ----------------------------------------------------------------------------------


def test_the_registry_finds_by_name_and_version() -> None:
    assert REGISTRY.get("world.put", 1) is Put
    assert REGISTRY.get("world.put", 1, "tests.support.world") is Put
    assert "world.put" in REGISTRY.names()
    with pytest.raises(UnknownOperation, match=r"'world\.put' version 2 \(installed: version 1\)"):
        REGISTRY.get("world.put", 2)
    with pytest.raises(UnknownOperation, match=r"no installed operation answers to 'nowhere\.do'"):
        REGISTRY.get("nowhere.do", 1)


def made(module: str, name: str, version: int = 1, undoes: frozenset[int] = frozenset()) -> type[Operation]:
    """A class that no registry knows yet."""
    cls: type[Operation] = type("Made", (Operation,), {"__module__": module, "__doc__": "Made."})
    cls.name, cls.version, cls.undoes = name, version, undoes
    return cls


def test_two_modules_may_use_one_name() -> None:
    registry = Registry()
    one, other = made("module_one", "same.name"), made("module_other", "same.name")
    registry.add(one)
    registry.add(other)
    assert registry.get("same.name", 1, "module_one") is one
    assert registry.get("same.name", 1, "module_other") is other
    assert registry.get("same.name", 1, "module_that_is_gone") is other, "it moved since"


MODULE = '''
from langchain_agentrein import Operation

class Found(Operation):
    """Found again."""
    name = "found.again"
'''


def test_the_module_that_defines_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "found_again_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownOperation):
        REGISTRY.get("found.again", 1)
    cls = REGISTRY.get("found.again", 1, "found_again_module")
    assert cls.source() == "found_again_module"
    monkeypatch.delitem(sys.modules, "found_again_module")


def test_a_module_that_is_gone_is_named() -> None:
    with pytest.raises(UnknownOperation, match=r"No module named 'gone_module'"):
        REGISTRY.get("gone.do", 1, "gone_module")


def test_a_later_definition_replaces_an_earlier_one_but_not_what_it_only_still_undoes() -> None:
    registry = Registry()
    old, new = made("m", "some.do"), made("m", "some.do", 2, frozenset({1}))
    registry.add(old)
    registry.add(new)
    assert registry.get("some.do", 1, "m") is old
    assert registry.get("some.do", 2, "m") is new


@pytest.mark.filterwarnings("ignore:Field name")
@pytest.mark.parametrize("taken", ["version", "risk", "undo", "release"])
def test_an_argument_must_not_be_named_as_what_an_operation_has(taken: str) -> None:
    with pytest.raises(ConfigError, match=f"an argument '{taken}'"):
        type("Deploy", (Operation,), {"__annotations__": {taken: str}, "__module__": __name__})
