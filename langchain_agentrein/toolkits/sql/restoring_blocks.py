"""The undo of very many rows: a block of them is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import AgentReinError, Conflict
from langchain_agentrein.operation import Undone
from langchain_agentrein.toolkits.sql.attached import attached
from langchain_agentrein.toolkits.sql.blocks import Kinds, kinds_of
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import TableId
from langchain_agentrein.toolkits.sql.observation import changes, in_blocks
from langchain_agentrein.toolkits.sql.restoring import KEPT_NAMED, Restore
from langchain_agentrein.toolkits.sql.steps import Plan, Steps

LISTED = 1_000
"""How many things that stand in the way are named."""


class BlockRestore(Restore):
    """Reads all rows through to look for conflicts, then to restore them, then to read them back.

    Args:
        order: The tables, none before one that its rows refer to.
    """

    def __init__(
        self,
        database: Database,
        connection: Connection,
        before: Json,
        fields: Sequence[str] | None,
        *,
        forced: bool,
        order: Sequence[TableId],
    ) -> None:
        super().__init__(database, connection, before, fields, forced=forced)
        self.order = order
        self._checking = False
        self._more_kept = 0

    def run(self) -> Undone:
        self.database.defer(self.connection)
        try:
            with self.database.plain(self.connection):
                self._check()
                with self.connection.begin_nested():
                    self._put_back()
                    self.database.settle(self.connection)
                self._read_back()
        except IntegrityError:  # a unique value stands in the way, of a row that may be in another block
            self.kept.clear()
            self._more_kept = 0
            return super().run()
        return Undone([*self._kept(), *self._counters(), *self._sequences()])

    def _check(self) -> None:
        built: dict[str, None] = {}
        self._checking = True
        for table_id, plan in self._plans(self.order, check=True):
            if self.rows.referencing(self.rows.table(table_id)) and len(built) < LISTED:
                built |= dict.fromkeys(attached(self.rows, plan.taken_back))
        self._checking = False
        self._raise_moved()
        if built:
            raise Conflict("others have since built on it", list(built))

    def _put_back(self) -> None:
        steps = Steps(self.rows, self.order, updated=False)
        kinds = {(table["schema"], table["name"]): kinds_of(table) for table in self.before["tables"]}

        def those(which: Callable[[Kinds], object]) -> list[TableId]:
            return [table_id for table_id in self.order if which(kinds[table_id])]

        for _, plan in self._plans(those(lambda one: one.inserted)[::-1]):
            self._together(steps.of(Plan(delete=plan.delete), moves=False))
        for _, plan in self._plans(those(lambda one: one.deleted)):
            self._together(steps.of(Plan(insert=plan.insert), moves=False))
        for _, plan in self._plans(those(lambda one: one.updated)):
            self._together(steps.of(Plan(update=plan.update), moves=False))

    def _read_back(self) -> None:
        for _, plan in self._plans(self.order):
            if plan:
                raise AgentReinError(
                    f"{min(plan.names)} reads back different from what was before; nothing was undone"
                )

    def _plans(self, tables: Sequence[TableId], *, check: bool = False) -> Iterator[tuple[TableId, Plan]]:
        """What is still to be put back, block by block."""
        for table_id in tables:
            for _, some in in_blocks(changes(self.before, table_id)):
                if check:
                    for change in some:
                        self._fits(change)
                yield table_id, self._compared(self._now(table_id, some), check=check)

    def _keep(self, name: str) -> None:
        if not self._checking:
            return
        if len(self.kept) < KEPT_NAMED:
            super()._keep(name)
        else:
            self._more_kept += 1

    def _kept(self) -> list[str]:
        more = f"kept {self._more_kept:,} more fields that somebody changed since"
        return [*super()._kept(), *([more] if self._more_kept else ())]

    def _stands(self, what: str) -> None:
        if len(self.moved) < LISTED:
            super()._stands(what)
        else:
            self.moved["... and more"] = None
