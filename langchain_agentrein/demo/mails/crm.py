"""A connector of the story's own: the CRM, which knows how many leads there were last week."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.demo.mails.mailbox import NEW
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Toolkit


class TooMany(Exception):
    """More leads than there are. Nothing was logged."""


class LogFollowUps(Operation):
    """Log in the CRM how many of last week's leads were followed up."""

    name, risk, reversal = "crm.log", Risk.LOW, Reversal.EXACT
    repeatable = True

    leads: int = Field(ge=0, description="How many.")

    def fate(self, error: BaseException) -> type[NotDone] | None:
        return NotDone if isinstance(error, TooMany) else super().fate(error)

    def do(self, api: Path, action: Action) -> Json:
        """receipt: {"logged": int}

        Raises:
            TooMany: Last week had fewer.
        """
        if self.leads > NEW:
            raise TooMany(f"{self.leads} leads were followed up, and last week had {NEW}")
        api.write_text(json.dumps(self.leads))
        return {"logged": self.leads}

    def observe(self, api: Path, action: Action) -> Json:
        return {"logged": json.loads(api.read_text()) if api.exists() else None}

    def snapshot(self, api: Path) -> Json:
        return {"logged": json.loads(api.read_text()) if api.exists() else None}

    def undo(self, api: Path, action: Action) -> None:
        was = action.before["logged"]
        if was is None:
            api.unlink(missing_ok=True)
        else:
            api.write_text(json.dumps(was))


class CrmToolkit(Toolkit):
    """The story's CRM; its client is the file that it keeps."""

    connector: ClassVar[str] = "crm"
    operations: ClassVar[tuple[type[Operation], ...]] = (LogFollowUps,)

    def __init__(self, file: Path, **options: Any) -> None:
        super().__init__(client=file, **options)
