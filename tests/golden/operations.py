"""Operations as they were when the golden journals were written. Never change one: add a version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from langchain_agentrein import Action, Operation, Reversal, Risk, UndoEffect


class Shelf:
    """A directory of JSON files, one for each thing."""

    def __init__(self, directory: Path, account: str = "acme") -> None:
        self.directory, self.account = directory, account

    def get(self, name: str) -> Any:
        file = self.directory / f"{name}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def put(self, name: str, value: Any) -> None:
        file = self.directory / f"{name}.json"
        if value is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(json.dumps(value))


class GoldenPut(Operation):
    """Put a value on the shelf."""

    name, version, risk, reversal = "golden.put", 1, Risk.LOW, Reversal.EXACT
    thing: str
    value: Any

    def account(self, api: Shelf) -> str:
        return api.account

    def snapshot(self, api: Shelf) -> Any:
        return {"value": api.get(self.thing), "raw": b"\x00\xff"}

    def do(self, api: Shelf, action: Action) -> Any:
        api.put(self.thing, self.value)
        return {"thing": self.thing, "key": action.key}

    def observe(self, api: Shelf, action: Action) -> Any:
        return {"value": api.get(self.thing)}

    def as_before(self, action: Action) -> Any:
        return {"value": action.before["value"]}

    def undo(self, api: Shelf, action: Action) -> Any:
        assert action.before["raw"] == b"\x00\xff"
        api.put(self.thing, action.before["value"])


class GoldenPay(GoldenPut):
    """The same, and its undo moves money."""

    name = "golden.pay"
    undo_effects: ClassVar[frozenset[UndoEffect]] = frozenset({UndoEffect.MOVES_MONEY})


class GoldenSend(Operation):
    """Nothing takes it back."""

    name, version, risk, reversal = "golden.send", 1, Risk.LOW, Reversal.NONE
    thing: str

    def account(self, api: Shelf) -> str:
        return api.account

    def do(self, api: Shelf, action: Action) -> Any:
        raise TimeoutError("no answer")
