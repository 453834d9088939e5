"""Taking away a file."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from langchain_agentrein.action import Action, Json, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment
from langchain_agentrein.toolkits.files.entry import look
from langchain_agentrein.toolkits.files.operation import FileOperation
from langchain_agentrein.toolkits.files.place import remove
from langchain_agentrein.toolkits.files.root import HERE, Root


class Delete(FileOperation):
    """Delete one file. A link is deleted itself, not what it leads to; a directory is refused."""

    name, risk = "files.delete", Risk.HIGH

    path: str = Field(description="Path of the file, relative to the working directory.")

    def paths(self) -> Iterable[str]:
        return (self.path,)

    def _there(self, root: Root, keep: int | None = None) -> tuple[str, Json]:
        place = root.locate(self.path, follow=False)
        there = look(root, place, keep=keep) if place != HERE else {"type": "dir"}
        if there is None:
            raise NotDone(f"there is no {self.path}; nothing was deleted")
        if there["type"] == "dir":
            raise NotDone(f"{self.path} is a directory: use files_rmtree")
        if there["type"] == "other":
            raise NotDone(f"{self.path} is not a plain file; nothing was deleted")
        return place, there

    def assess(self, api: Root) -> Assessment:
        place, there = self._there(api)
        if there["type"] == "link":
            return self.weighed(Risk.HIGH, f"Deletes the link {place}, which leads to {there['target']}.")
        return self.weighed(Risk.HIGH, f"Deletes {place}, {there['size']:,} bytes.")

    def plan(self, root: Root) -> Json:
        place, there = self._there(root, self.keeps)
        return {"at": place, "was": {place: there}, "then": {place: None}, "made": []}

    def effect(self, root: Root, action: Action) -> None:
        remove(root, action.before["at"])

    def told(self, before: Json) -> Json:
        """receipt: {"path": str, "bytes": int}"""
        return {"path": before["at"], "bytes": before["was"][before["at"]].get("size", 0)}
