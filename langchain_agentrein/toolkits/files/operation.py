"""What the file operations share: what was there, what will be there, and the way back.

Every snapshot has this shape, by place (see `Root`):

    {"at": place,                         # what the operation is about
     "was": {place: entry | None},        # as it was, content included: what an undo puts back
     "then": {place: seen | None},        # what an observation will say afterwards
     "made": [place]}                     # the directories made along the way, topmost first

An observation is `{place: seen | None}`. A directory that was made along the way is there for as long
as what it was made for is; after that it counts only if nothing of others is in it. So calls that run
side by side may share one, and the last of their undos takes it away.
"""

from __future__ import annotations

import os
import posixpath
import stat
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Operation, Probed, Unknown
from langchain_agentrein.toolkits.files.entry import look, residue, seen
from langchain_agentrein.toolkits.files.place import make, put_back, remove, sweep, unmake
from langchain_agentrein.toolkits.files.root import HERE, Root, above, beneath, reason, refused

DIRECTORY = {"type": "dir"}
"""What an observation says of a directory that was made along the way."""


class FileOperation(Operation):
    """Something done to files. The undo puts back content, mode, times and links, and reads them back."""

    reversal, repeatable = Reversal.EXACT, True

    keeps: ClassVar[int] = 64 * 1024 * 1024
    """Bytes of former content that one action may have the journal keep; above, it is refused."""

    # -- what each operation says ------------------------------------------------------------------

    @abstractmethod
    def plan(self, root: Root) -> Json:
        """The snapshot.

        Raises:
            NotDone: It cannot be done as things are.
        """

    @abstractmethod
    def effect(self, root: Root, action: Action) -> None:
        """The effect, once nothing has changed since the snapshot and the directories are made."""

    @abstractmethod
    def paths(self) -> Iterable[str]:
        """The paths among the arguments."""

    # -- forward -----------------------------------------------------------------------------------

    def account(self, api: Root) -> str:
        return api.account

    def touches(self) -> frozenset[str]:
        return frozenset(name for path in self.paths() for name in touching(path))

    def snapshot(self, api: Root) -> Json:
        with refusing():
            return self.plan(api)

    def do(self, api: Root, action: Action) -> Json:
        """receipt: {"path": str, "made": [str], ...}, see `told`; `made` only if it may make directories on the way"""
        before, made = action.before, list[str]()
        with refusing():
            if not self.untouched(api, action):
                raise NotDone(f"{self._named()} changed while it was looked at: nothing was done; look again")
        try:
            for place in before["made"]:
                if self._made(api, place, before):
                    made.append(place)
            self.effect(api, action)
        except (OSError, NotDone) as error:
            if isinstance(error, OSError) and (
                not refused(error) or self.observe(api, action) == self.expect(action)
            ):
                raise
            unmake(api, made)
            if isinstance(error, OSError):
                raise NotDone(f"{self._named()}: {reason(error)}; nothing was changed") from error
            raise
        receipt = self.told(before)
        return {**receipt, "made": made} if before["made"] else receipt

    def _made(self, root: Root, place: str, before: Json) -> bool:
        """Make a directory, unless a call beside this one did."""
        try:
            make(root, place, directory_mode(root, place))
        except FileExistsError:
            there = look(root, place)
            if place == before["at"] or there is None or there["type"] != "dir":
                raise
            return False
        return True

    def told(self, before: Json) -> Json:
        """The receipt, from the record alone."""
        return {"path": before["at"]}

    # -- back --------------------------------------------------------------------------------------

    def observe(self, api: Root, action: Action) -> Json:
        before = action.before
        return {place: self.saw(api, place, before) for place in before["then"]}

    def saw(self, root: Root, place: str, before: Json) -> Json:
        """What an observation says of one place."""
        if place in before["made"]:
            there = look(root, place)
            if there is None or there["type"] != "dir":
                return None
            needed = look(root, before["at"]) is not None
            beneath_it = [one for one in before["made"] if one == place or one.startswith(f"{place}/")]
            theirs = any(others(root, one, before["then"]) for one in beneath_it)
            return DIRECTORY if needed or not theirs else None
        return seen(look(root, place))

    def as_before(self, action: Action) -> Json:
        before = action.before
        return {place: seen(before["was"].get(place)) for place in before["then"]}

    def expect(self, action: Action) -> Json:
        return action.before["then"]

    def probe(self, api: Root, action: Action) -> Probed:
        """Takes away what a killed worker left unfinished, so that it cannot land later, then compares."""
        before = action.before
        sweep(api, before["then"], action.key)
        if self.observe(api, action) == self.expect(action):
            return Happened(self.told(before))
        if self.untouched(api, action):
            unmake(api, before["made"])
        if self.observe(api, action) == self.as_before(action):
            return NotHappened()
        return Unknown(f"{self._named()} is neither as it was before nor as the action would leave it")

    def untouched(self, root: Root, action: Action) -> bool:
        """Whether everything is as it was, but for directories along the way."""
        before = action.before
        return all(
            self.saw(root, place, before) == seen(before["was"].get(place))
            for place in before["then"]
            if place not in before["made"]
        )

    def undo(self, api: Root, action: Action) -> Sequence[str]:
        """Puts everything back.

        Raises:
            Conflict: Somebody changed what would be overwritten.
        """
        before = action.before
        sweep(api, before["then"], action.key)
        with conflicting():
            found = self.restore(api, action)
        unmake(api, before["made"])
        made = (action.receipt or {}).get("made", before["made"])
        for place in made:  # those that a call beside this one made are its to tell of
            if some := others(api, place, before["then"]):
                found.append(f"the directory {place} stays, since others put {listed(some)} into it")
                break
        return found

    def restore(self, root: Root, action: Action) -> list[str]:
        """Put back every place that is as the action left it; returns the residue."""
        before, restored = action.before, list[str]()
        for place in sorted(before["was"]):  # parents first
            if place in before["made"] or not (action.undo_fields is None or place in action.undo_fields):
                continue
            was, then, now = before["was"][place], before["then"][place], self.saw(root, place, before)
            restored.append(place)
            if now == seen(was):
                continue
            if now != then:
                self.overwrite(action, place, was, now)
            if was is None:
                remove(root, place)
            else:
                put_back(root, place, before["was"], action.key, replace=now is not None)
        return [
            line for place in restored for line in residue(place, before["was"][place], look(root, place))
        ]

    def overwrite(self, action: Action, place: str, was: Json, now: Json) -> None:
        """Let what somebody changed be overwritten, if a person said so. A directory never is: it may hold more.

        Raises:
            Conflict: Nobody said so.
        """
        if not action.undo_forced:
            raise Conflict(f"somebody changed {place} just now")
        if "dir" in {entry["type"] for entry in (was, now) if entry is not None}:
            raise Conflict(
                f"{place} was changed since, and a directory is never overwritten: settle it by hand"
            )

    # -- for the person who decides ----------------------------------------------------------------

    def weighed(self, risk: Risk, summary: str) -> Assessment:
        """An assessment; the undo of these operations reaches nobody."""
        return Assessment(risk, self.reversal, summary, self.undo_risk, self.undo_effects)

    def _named(self) -> str:
        return " or ".join(repr(path) for path in self.paths())


def others(root: Root, place: str, ours: Mapping[str, Json]) -> list[str]:
    """What is in the directory at `place` that is not ours."""
    return [name for name in root.names(place) if beneath(place, name) not in ours]


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def writable(root: Root, place: str) -> None:
    """Check that this user may replace what is at `place`.

    Raises:
        NotDone: It is read-only, or its directory is.
    """
    with root.parent(place) as (fd, name):
        effective = os.access in os.supports_effective_ids
        for at in (name, HERE):
            if not os.access(at, os.W_OK, dir_fd=fd, effective_ids=effective):
                which = place if at == name else above(place)
                raise NotDone(f"{which} is read-only; nothing was changed")


def directory_mode(root: Root, place: str) -> int:
    """The mode of a new directory at `place`: by the umask, and handing on the group as its parent does."""
    while place != HERE:
        place = above(place)
        if (there := root.stat(place)) is not None:
            return 0o777 & ~root.umask | there.st_mode & stat.S_ISGID
    return 0o777 & ~root.umask


def touching(path: str) -> Iterator[str]:
    """Names of a path and the directories above it, without a look at the disk.

    An absolute path may begin anywhere in the root, so every part of it may be the first.
    """
    parts = [part for part in posixpath.normpath(path).split("/") if part not in ("", ".")]
    for first in range(len(parts) if path.startswith("/") else 1):
        for last in range(first + 1, len(parts) + 1):
            yield "files:/" + "/".join(parts[first:last])


@contextmanager
def refusing() -> Iterator[None]:
    """Errors of a mere look say that nothing was done."""
    try:
        yield
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise NotDone(f"{name}{reason(error)}; nothing was changed") from error


@contextmanager
def conflicting() -> Iterator[None]:
    """A place that is suddenly not free, or not there, was changed by somebody."""
    try:
        yield
    except (FileExistsError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise Conflict(f"somebody changed {error.filename or 'it'} just now: {reason(error)}") from error
