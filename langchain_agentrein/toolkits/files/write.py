"""Writing: a new file, a new content, more content."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable

from pydantic import Field, field_validator

from langchain_agentrein.action import Action, Json, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment
from langchain_agentrein.toolkits.files.entry import chunks, look, style
from langchain_agentrein.toolkits.files.operation import DIRECTORY, FileOperation, writable
from langchain_agentrein.toolkits.files.place import put_file
from langchain_agentrein.toolkits.files.root import HERE, Root

PATH = "Path of the file, relative to the working directory."


class _Written(FileOperation):
    path: str = Field(description=PATH)
    content: str = Field(description="The text to write.")
    encoding: str = Field(default="utf-8", description="The encoding of the text.")

    @field_validator("encoding")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            raise ValueError(f"no encoding is called {name!r}: use 'utf-8'") from None
        return name

    def paths(self) -> Iterable[str]:
        return (self.path,)

    def data(self) -> bytes:
        """The text as bytes, line ends untouched."""
        try:
            return self.content.encode(self.encoding)
        except (UnicodeError, LookupError) as error:
            raise NotDone(f"the text cannot be written as {self.encoding}: {error}; use 'utf-8'") from error

    def file(self, root: Root, *, keep: int | None) -> tuple[str, Json]:
        """Where the file is, and its entry, if it is there."""
        place = root.locate(self.path)
        there = look(root, place, keep=keep) if place != HERE else DIRECTORY
        if there is not None and there["type"] != "file":
            what = "a directory" if there["type"] == "dir" else "not a plain file"
            raise NotDone(f"{self.path} is {what}; nothing was written")
        return place, there

    def planned(self, root: Root, place: str, was: Json, content: bytes) -> Json:
        """The snapshot, if `content` is what will be there."""
        made = root.missing(place)
        if was is not None:
            writable(root, place)
        mode = was["mode"] if was is not None else 0o666 & ~root.umask
        then = {"type": "file", "sha256": hashlib.sha256(content).hexdigest(), "mode": mode}
        return {
            "at": place,
            "was": {**dict.fromkeys(made), place: was},
            "then": {place: then, **dict.fromkeys(made, DIRECTORY)},
            "made": made,
        }

    def put(self, root: Root, action: Action, content: bytes) -> None:
        """Write `content`, unless it is there already."""
        place = action.before["at"]
        was, then = action.before["was"][place], action.before["then"][place]
        if hashlib.sha256(content).hexdigest() != then["sha256"]:
            raise NotDone(f"{self.path} changed while it was looked at: nothing was done; look again")
        if was is not None and was["sha256"] == then["sha256"]:
            return
        look = {**style(was or {}), "mode": then["mode"]}
        look.pop("mtime_ns", None)
        put_file(root, place, (content,), look, action.key, replace=was is not None)

    def told(self, before: Json) -> Json:
        """receipt: {"path": str, "bytes": int, "created": bool}"""
        place = before["at"]
        return {"path": place, "bytes": len(self.data()), "created": before["was"][place] is None}


class Write(_Written):
    """Write a text file, and the directories it needs. What the file held before is replaced."""

    name, risk = "files.write", Risk.MEDIUM

    def assess(self, api: Root) -> Assessment:
        place, there = self.file(api, keep=None)
        if there is None:
            return self.weighed(Risk.LOW, f"Writes a new file {place} with {len(self.data()):,} bytes.")
        others = (
            f" It has {there['links']} names; the others keep the old content." if "links" in there else ""
        )
        return self.weighed(
            Risk.MEDIUM, f"Replaces the {there['size']:,} bytes of {place} by {len(self.data()):,}.{others}"
        )

    def plan(self, root: Root) -> Json:
        place, was = self.file(root, keep=self.keeps)
        return self.planned(root, place, was, self.data())

    def effect(self, root: Root, action: Action) -> None:
        self.put(root, action, self.data())


class Append(_Written):
    """Add text at the end of a file; a file that is not there is made, with the directories it needs."""

    name, risk = "files.append", Risk.MEDIUM

    content: str = Field(description="The text to add.")

    def assess(self, api: Root) -> Assessment:
        place, there = self.file(api, keep=None)
        size = there["size"] if there is not None else 0
        return self.weighed(Risk.MEDIUM, f"Adds {len(self.data()):,} bytes to the {size:,} of {place}.")

    def plan(self, root: Root) -> Json:
        place, was = self.file(root, keep=self.keeps)
        return self.planned(root, place, was, (was["content"] if was is not None else b"") + self.data())

    def effect(self, root: Root, action: Action) -> None:
        # Read again, not taken from the record, in which a secret may be sealed.
        place = action.before["at"]
        old = b"".join(chunks(root, place)) if action.before["was"][place] is not None else b""
        self.put(root, action, old + self.data())
