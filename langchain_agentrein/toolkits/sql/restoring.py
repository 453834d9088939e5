"""One try of an undo, within its transaction: look, restore, and read back what was restored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import AgentReinError, Conflict, NotDone
from langchain_agentrein.operation import Undone
from langchain_agentrein.toolkits.sql.attached import attached
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import TableId
from langchain_agentrein.toolkits.sql.observation import Change, changes
from langchain_agentrein.toolkits.sql.recording import Recorder
from langchain_agentrein.toolkits.sql.rows import COUNT, ROWID, Rows, Values
from langchain_agentrein.toolkits.sql.steps import Plan, Step, Steps

PASSES = 3
"""How often what triggers changed during the undo is put right."""
MOST_BY_TRIGGERS = 1_000_000
KEPT_NAMED = 20


class Restore:
    """All rows of the action at once."""

    def __init__(
        self,
        database: Database,
        connection: Connection,
        before: Json,
        fields: Sequence[str] | None,
        *,
        forced: bool,
    ) -> None:
        self.forced = forced
        self.database, self.connection, self.before = database, connection, before
        self.fields = None if fields is None else frozenset(fields)
        self.rows = Rows(database, connection)
        self.kept: dict[str, None] = {}
        """Of blocks that may not be restored as a whole: the fields that somebody changed since."""
        self.moved: dict[str, None] = {}
        """What stands in the way."""
        self.followed = False
        """Rows of others refer to one whose key is changed back: it must not be deleted on the way."""

    @cached_property
    def changes(self) -> list[Change]:
        """What the action did, row by row."""
        return list(changes(self.before))

    def run(self) -> Undone:
        """Restore, uncommitted.

        Returns:
            What stays.
        Raises:
            Conflict: Somebody changed what would be overwritten, or built on it.
            AgentReinError: It reads back different from what was before.
        """
        for change in self.changes:
            self._fits(change)
        self.database.defer(self.connection)
        steps = Steps(self.rows, _by_table(self.changes), updated=self.before["kind"] == "update")
        recorder = None
        try:
            with self.database.plain(self.connection):
                plan = self._plan(check=True)
                wanted = plan.names
                self._attached(plan)
                recorder = self._recorder()
                for _ in range(PASSES):
                    self._apply(steps, plan)
                    self.database.settle(self.connection)
                    plan = self._plan()
                    if not plan:
                        break
                    self.database.defer(self.connection)
            left = self._left(plan, wanted)
            written = [] if recorder is None else list(self._by_triggers(recorder))
        finally:
            if recorder is not None:
                recorder.close()
        residue = [*self._kept(), *self._counters(), *self._sequences(), *written, *map(_stays, left)]
        return Undone(residue, left=left)

    def _fits(self, change: Change) -> None:
        """Its table must still have the columns that are to be restored."""
        try:
            table = self.rows.table(change.table_id)
        except NotDone as error:
            raise Conflict(f"the table {change.label} is gone") from error
        known = {column.name for column in table.stored}
        if missing := {*(change.before or ()), *change.key} - known - {ROWID, COUNT}:
            raise Conflict(f"{change.label} has no column {', '.join(sorted(missing))} any more")

    def _attached(self, plan: Plan) -> None:
        """Nobody else's row may refer to one that goes, unless it only gets its old key back."""
        if not attached(self.rows, plan.taken_back):
            return
        if found := attached(self.rows, plan.taken_back, plan.insert):
            raise Conflict("others have since built on it", found)
        self.followed = True

    def _recorder(self) -> Recorder | None:
        """Whoever watches what else changes meanwhile, where something may."""
        triggers = any(self.rows.table(table_id).triggers for table_id in _by_table(self.changes))
        if not triggers and not self.followed:
            return None
        recorder = self.database.recorder(self.connection, (), None, MOST_BY_TRIGGERS)
        recorder.start()
        return recorder

    def _present(self) -> Iterator[tuple[Change, Values | None]]:
        for table_id, some in _by_table(self.changes).items():
            yield from self._now(table_id, some)

    def _now(self, table_id: TableId, some: Sequence[Change]) -> Iterator[tuple[Change, Values | None]]:
        found = self.rows.keyed(self.rows.table(table_id), (change.key for change in some), lock=True)
        return ((change, found.get(change.key_text)) for change in some)

    def _plan(self, *, check: bool = False) -> Plan:
        """What is still to be put back.

        Raises:
            Conflict: Something is not as the action left it, and that is to be checked.
        """
        plan = self._compared(self._present(), check=check)
        self._raise_moved()
        return plan

    def _raise_moved(self) -> None:
        if self.moved:
            raise Conflict("somebody changed what would be overwritten", list(self.moved))

    def _compared(self, some: Iterable[tuple[Change, Values | None]], *, check: bool) -> Plan:
        """Compare row by row; what is already as before is left alone.

        Args:
            check: Note what is not as the action left it.
        """
        plan = Plan()
        for change, row in some:
            if change.updated and row is not None:
                if _holds(row, change.before):
                    continue
                if self._whole(change) and _holds(row, change.after):
                    self._add(plan, change, list(change.before or ()), row)
                    continue
            now, was, left = change.fields(row), change.fields(change.before), change.fields(change.after)
            columns = []
            for name in was:
                if now.get(name, _GONE) == was[name] or name in self.kept:
                    continue
                if self.fields is not None and (change.block or name) not in self.fields:
                    if change.block is None:
                        continue
                    if now.get(name, _GONE) != left[name]:  # of a block, whatever nobody touched is restored
                        self._keep(name)
                        continue
                # Forced, a changed row is overwritten; what is gone altogether cannot be.
                overwritten = self.forced and name in now and (change.updated or change.before is None)
                if check and now.get(name, _GONE) != left[name] and not overwritten:
                    self._stands(
                        f"{name} was changed since" if name in now else f"{change.name} was deleted since"
                    )
                columns.append(name.removeprefix(f"{change.name}."))
            if columns:
                self._add(plan, change, columns, row)
        return plan

    def _whole(self, change: Change) -> bool:
        """Whether all fields of a row may be restored, so that none has to be looked up by its name."""
        return self.fields is None or (change.block is not None and change.block in self.fields)

    def _keep(self, name: str) -> None:
        self.kept[name] = None

    def _stands(self, what: str) -> None:
        self.moved[what] = None

    def _kept(self) -> list[str]:
        """What to say of the fields that are kept."""
        said = [f"kept {name}, which somebody changed since" for name in islice(self.kept, KEPT_NAMED)]
        if len(self.kept) > KEPT_NAMED:
            said.append(f"kept {len(self.kept) - KEPT_NAMED:,} more fields that somebody changed since")
        return said

    def _add(self, plan: Plan, change: Change, columns: list[str], row: Values | None) -> None:
        if self.rows.table(change.table_id).counted:
            plan.count.append((change, (change.before or {}).get(COUNT, 0) - (row or {}).get(COUNT, 0)))
        elif change.updated:
            plan.update.append((change, columns))
        elif change.before is None:
            plan.delete.append(change)
        elif row is None:
            plan.insert.append(change)
        else:  # a trigger made one of its own in its place
            plan.update.append((change, [name for name in change.before if name != ROWID]))

    def _apply(self, steps: Steps, plan: Plan) -> None:
        """Changed keys are changed back; if that does not fit, rows are deleted and inserted."""
        try:
            with self.connection.begin_nested():
                self._all(steps.of(plan, moves=True))
        except IntegrityError:
            if self.followed:
                raise
            with self.connection.begin_nested():
                self._all(steps.of(plan, moves=False))

    def _all(self, steps: list[Step]) -> None:
        """All in order; if a unique value is still taken by a row that moves later, row by row until all fit."""
        try:
            with self.connection.begin_nested():
                self._together(steps)
            return
        except IntegrityError:
            pass
        while steps:
            left, first = [], None
            for step in steps:
                try:
                    with self.connection.begin_nested():
                        self.connection.execute(text(step.sql), step.parameters)
                except IntegrityError as error:
                    left.append(step)
                    first = first or error
            if first is not None and len(left) == len(steps):
                raise first
            steps = left[::-1]  # a chain of rows, each in the next one's way, that stood the wrong way round

    def _together(self, steps: Iterable[Step]) -> None:
        for sql, some in groupby(steps, key=lambda step: step.sql):
            self.connection.execute(text(sql), [step.parameters for step in some])

    def _left(self, plan: Plan, wanted: set[str]) -> tuple[str, ...]:
        """The fields that triggers did not let be as before.

        Raises:
            AgentReinError: They are all that there was to restore, or there is no trigger to blame.
        """
        tables = {change.table_id for change in plan.every}
        if plan.names and (plan.names >= wanted or not all(self.rows.table(one).triggers for one in tables)):
            raise AgentReinError(
                f"{min(plan.names)} reads back different from what was before; nothing was undone"
            )
        return tuple(sorted(plan.names))

    def _by_triggers(self, recorder: Recorder) -> Iterator[str]:
        """What else was written while the rows were restored."""
        own = {(change.table_id, change.key_text) for change in self.changes}
        triggers = any(self.rows.table(table_id).triggers for table_id in _by_table(self.changes))
        for changed in recorder.changed():
            number = sum((changed.table.id, key) not in own for key in changed.key_texts())
            if number and not triggers:
                raise Conflict(
                    "it would change rows of others", [f"{number:,} rows of {changed.table.label}"]
                )
            if number:
                rows = "1 row" if number == 1 else f"{number:,} rows"
                yield f"triggers wrote {rows} of {changed.table.label} during the undo"

    def _counters(self) -> Iterator[str]:
        present = self.database.counters(self.connection)
        for counter in self.before["counters"]:
            name, now = counter["name"], present.get(counter["name"])
            if self.fields is None and now == counter["after"]:
                self.database.set_counter(self.connection, name, counter["before"])
            elif now != counter["before"]:
                yield f"the AUTOINCREMENT counter of {name} stays at {now}"

    def _sequences(self) -> Iterator[str]:
        for sequence in self.before["sequences"]:
            yield f"sequence {sequence} advanced"


_GONE: Any = object()


def _holds(row: Values, part: Values | None) -> bool:
    return all(row.get(name, _GONE) == value for name, value in (part or {}).items())


def _stays(name: str) -> str:
    return f"{name} is as a trigger made it during the undo"


def _by_table(some: Sequence[Change]) -> dict[TableId, list[Change]]:
    found: dict[TableId, list[Change]] = {}
    for change in some:
        found.setdefault(change.table_id, []).append(change)
    return found
