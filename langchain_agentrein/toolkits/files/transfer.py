"""Moving and copying."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from pydantic import Field

from langchain_agentrein.action import Action, Json, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Assessment, Probed
from langchain_agentrein.toolkits.files.entry import chunks, look, residue, seen, style
from langchain_agentrein.toolkits.files.operation import DIRECTORY, FileOperation, writable
from langchain_agentrein.toolkits.files.place import link, put_back, put_file, remove, rename
from langchain_agentrein.toolkits.files.root import HERE, Root


class _Transfer(FileOperation):
    source_path: str = Field(description="Path of what is there, relative to the working directory.")
    destination_path: str = Field(description="Its full new path, the name included.")

    def paths(self) -> Iterable[str]:
        return (self.source_path, self.destination_path)

    def destination(self, root: Root, *, follow: bool, keep: int | None) -> tuple[str, Json]:
        """Where it is to go, and the entry that it would replace."""
        place = root.locate(self.destination_path, follow=follow)
        there = look(root, place, keep=keep) if place != HERE else DIRECTORY
        if there is not None and there["type"] == "dir":
            raise NotDone(
                f"{self.destination_path} is a directory: name the full destination, with the file's name"
            )
        if there is not None and there["type"] == "other":
            raise NotDone(f"{self.destination_path} is not a plain file; nothing was changed")
        return place, there

    def told(self, before: Json) -> Json:
        """receipt: {"path": str, "source": str, "replaced": bool}"""
        place = before["at"]
        return {"path": place, "source": before["source"], "replaced": before["was"][place] is not None}


def _over(there: Json, destination: str) -> str:
    if there is None:
        return f"to {destination}"
    size = f"{there['size']:,} bytes" if "size" in there else "the link"
    return f"over {destination}, replacing {size}"


class Move(_Transfer):
    """Move or rename a file, a link or a directory.

    A file at the destination is replaced, and missing directories are made.
    """

    name, risk = "files.move", Risk.MEDIUM

    def _ends(
        self, root: Root, keep: int | None = None, *, deep: bool = False
    ) -> tuple[str, Json, str, Json]:
        source = root.locate(self.source_path, follow=False)
        if source == HERE:
            raise NotDone("the working directory itself cannot be moved")
        entry = look(root, source, deep=deep)
        if entry is None:
            raise NotDone(f"there is no {self.source_path}; nothing was moved")
        if entry["type"] == "other":
            raise NotDone(f"{self.source_path} is not a plain file; nothing was moved")
        to, there = self.destination(root, follow=False, keep=keep)
        if to == source:
            raise NotDone(f"{self.source_path} and {self.destination_path} are the same")
        if to.startswith(f"{source}/"):
            raise NotDone(f"{self.source_path} cannot be moved into itself")
        if there is not None and entry["type"] == "dir":
            raise NotDone(f"{self.destination_path} is a file: a directory cannot take its place")
        return source, entry, to, there

    def assess(self, api: Root) -> Assessment:
        source, _, to, there = self._ends(api)
        return self.weighed(Risk.MEDIUM, f"Moves {source} {_over(there, to)}.")

    def plan(self, root: Root) -> Json:
        source, entry, to, there = self._ends(root, self.keeps, deep=True)
        if there is not None and there["type"] == "file":
            writable(root, to)
        made = root.missing(to)
        return {
            "at": to,
            "source": source,
            "was": {source: entry, to: there, **dict.fromkeys(made)},
            "then": {to: seen(entry), source: None, **dict.fromkeys(made, DIRECTORY)},
            "made": made,
        }

    def saw(self, root: Root, place: str, before: Json) -> Json:
        if place in before["made"]:
            return super().saw(root, place, before)
        return seen(look(root, place, deep=before["was"][before["source"]]["type"] == "dir"))

    def effect(self, root: Root, action: Action) -> None:
        before = action.before
        rename(root, before["source"], before["at"], replace=before["was"][before["at"]] is not None)

    def probe(self, api: Root, action: Action) -> Probed:
        """As for the others; a file killed between its two names gets back its one, old name."""
        before = action.before
        old, new = api.stat(before["source"]), api.stat(before["at"])
        if old is not None and new is not None and (old.st_dev, old.st_ino) == (new.st_dev, new.st_ino):
            remove(api, before["at"])
        return super().probe(api, action)

    def restore(self, root: Root, action: Action) -> list[str]:
        """Moves it back, and only then puts back what it had replaced; a kill in between can go on."""
        before = action.before
        source, to = before["source"], before["at"]
        was, then = before["was"], before["then"]
        if self.saw(root, source, before) is None:
            if self.saw(root, to, before) != then[to]:
                raise Conflict(f"what was moved to {to} is not there as it was, and cannot be moved back")
            if was[to] is None or not link(root, to, source):
                rename(root, to, source, replace=False)
        elif self.saw(root, source, before) != seen(was[source]):
            raise Conflict(f"somebody put something else at {source}")
        now = self.saw(root, to, before)
        if now == seen(was[to]):
            return []
        if now not in (then[to], None):
            self.overwrite(action, to, was[to], now)
        if was[to] is None:
            remove(root, to)
            return []
        put_back(root, to, was, action.key, replace=now is not None)
        return residue(to, was[to], look(root, to))


class Copy(_Transfer):
    """Copy a file, with its mode and times.

    A file at the destination is replaced, and missing directories are made.
    """

    name, risk = "files.copy", Risk.MEDIUM

    def _ends(self, root: Root, keep: int | None = None) -> tuple[str, Json, str, Json]:
        source = root.locate(self.source_path)
        entry = look(root, source) if source != HERE else DIRECTORY
        if entry is None:
            raise NotDone(f"there is no {self.source_path}; nothing was copied")
        if entry["type"] != "file":
            what = "a directory: copy its files" if entry["type"] == "dir" else "not a plain file"
            raise NotDone(f"{self.source_path} is {what}; nothing was copied")
        to, there = self.destination(root, follow=True, keep=keep)
        if to == source:
            raise NotDone(f"{self.source_path} and {self.destination_path} are the same file")
        return source, entry, to, there

    def assess(self, api: Root) -> Assessment:
        source, entry, to, there = self._ends(api)
        risk = Risk.LOW if there is None else Risk.MEDIUM
        return self.weighed(risk, f"Copies the {entry['size']:,} bytes of {source} {_over(there, to)}.")

    def plan(self, root: Root) -> Json:
        source, entry, to, there = self._ends(root, self.keeps)
        if there is not None:
            writable(root, to)
        made = root.missing(to)
        return {
            "at": to,
            "source": source,
            "mtime_ns": entry["mtime_ns"],
            "was": {to: there, **dict.fromkeys(made)},
            "then": {to: seen(entry), **dict.fromkeys(made, DIRECTORY)},
            "made": made,
        }

    def effect(self, root: Root, action: Action) -> None:
        before = action.before
        was, then = before["was"][before["at"]], before["then"][before["at"]]
        dressed = {**style(was or {}), "mode": then["mode"], "mtime_ns": before["mtime_ns"]}
        content = _same(chunks(root, before["source"]), then["sha256"], self.source_path)
        put_file(root, before["at"], content, dressed, action.key, replace=was is not None)


def _same(content: Iterable[bytes], sha256: str, name: str) -> Iterator[bytes]:
    """Pass `content` on, if it is what the snapshot saw."""
    digest = hashlib.sha256()
    for chunk in content:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise NotDone(f"{name} changed while it was copied; nothing was changed")
