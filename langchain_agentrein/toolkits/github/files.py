"""Files of a repository: each change is a commit, and so is its undo."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha1
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Reading

LONG = 100_000
"""Characters of a file that a model is shown."""
Path = Annotated[
    str, Field(min_length=1, pattern=r"^[^/]", description="The file's path, from the repository's root.")
]
Branch = Annotated[str | None, Field(description="The branch. (default: the repository's default branch)")]
Sha = Annotated[
    str | None,
    Field(description="The `sha` of the file as it was read: if it is another by now, nothing is done."),
]
Content = Annotated[str, Field(description="The whole text of the file.")]


def blob(content: bytes) -> str:
    """The id under which git knows a content."""
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _InTree(GitHubOperation):
    """About one file on a branch."""

    scopes = ("contents: write",)

    path: Path
    branch: Branch = None

    def where(self) -> str:
        """The API's path of the file."""
        return self.at("contents", quote(self.path))

    def on(self, hub: Hub) -> str:
        """The branch, by name."""
        return self.branch or str(hub.get(self.at())["default_branch"])

    def there(self, hub: Hub, branch: str) -> dict[str, Any] | None:
        """The file as GitHub tells it; `None` if there is none.

        Raises:
            NotDone: It is no plain file.
        """
        found = hub.find(self.where(), ref=branch)
        if found is not None and (isinstance(found, list) or found["type"] != "file"):
            raise NotDone(f"{self.path} is no plain file")
        return None if found is None else dict(found)


class GetFile(_InTree, Reading):
    """Read a text file of a repository."""

    name = "github.files.get"
    scopes = ("contents: read",)

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        branch = self.on(hub)
        found = self.there(hub, branch)
        if found is None:
            raise NotDone(f"there is no {self.path} on {branch}")
        text = content_of(self.path, found).decode("utf-8", errors="replace")
        return {
            "path": self.path,
            "branch": branch,
            "sha": found["sha"],
            "content": text[:LONG],
            "truncated": len(text) > LONG,
        }


def content_of(path: str, found: dict[str, Any]) -> bytes:
    """The content of a file as GitHub tells it.

    Raises:
        NotDone: It is larger than GitHub gives along (1 MB).
    """
    if found.get("encoding") != "base64":
        raise NotDone(f"{path} is larger than the 1 MB that GitHub's contents API gives")
    return base64.b64decode(found["content"])


class _FileChange(_InTree):
    """Commits one change of one file.

    before: {"branch": str, "was": {"sha": str, "content": bytes} | None}; after: {"sha": str | None}, the blob's.
    """

    risk, reversal, repeatable = Risk.MEDIUM, Reversal.COMPENSATING, True

    message: str = Field(min_length=1, description="The commit's message.")

    def then(self) -> bytes | None:
        """The content that the call leaves; `None`: no file."""
        raise NotImplementedError

    def check(self, was: Json) -> None:
        """Refuse what cannot be done as things are."""

    def same(self, was: Json, sha: str | None) -> None:
        """Refuse to write over what the caller has not read."""
        if sha is not None and was["sha"] != sha:
            raise NotDone(f"{self.path} changed since it was read: it is {was['sha']} by now, not {sha}")

    def snapshot(self, api: Any) -> Json:
        hub = hub_of(api)
        branch = self.on(hub)
        found = self.there(hub, branch)
        was = None if found is None else {"sha": found["sha"], "content": content_of(self.path, found)}
        self.check(was)
        return {"branch": branch, "was": was}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"path": str, "branch": str, "sha": str | None, "commit": str | None, "url": str | None}"""
        was = action.before["was"]
        return self._commit(hub_of(api), action, self.then(), was and was["sha"], self.message)

    def _commit(
        self, hub: Hub, action: Action, content: bytes | None, over: str | None, message: str
    ) -> Json:
        body: dict[str, Json] = {"message": message, "branch": action.before["branch"]}
        if over is not None:
            body["sha"] = over  # GitHub refuses it where somebody was faster
        if content is None:
            done = hub.send("DELETE", self.where(), body)
        else:
            done = hub.send("PUT", self.where(), {**body, "content": base64.b64encode(content).decode()})
        return self._told(action, done["commit"])

    def _told(self, action: Action, commit: dict[str, Any] | None) -> Json:
        content = self.then()
        return {
            "path": self.path,
            "branch": action.before["branch"],
            "sha": None if content is None else blob(content),
            "commit": commit and commit["sha"],
            "url": commit and commit.get("html_url"),
        }

    def observe(self, api: Any, action: Action) -> Json:
        found = self.there(hub_of(api), action.before["branch"])
        return {"sha": None if found is None else found["sha"]}

    def as_before(self, action: Action) -> Json:
        was = action.before["was"]
        return {"sha": was and was["sha"]}

    def expect(self, action: Action) -> Json:
        content = self.then()
        return {"sha": None if content is None else blob(content)}

    def probe(self, api: Any, action: Action) -> Probed:
        hub_of(api).wait_for(action)
        now = self.observe(api, action)
        if now == self.expect(action):
            return Happened(self._told(action, None), after=now)
        return NotHappened() if now == self.as_before(action) else Unknown(f"{self.path} moved on meanwhile")

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, was = hub_of(api), action.before["was"]
        over = self.observe(hub, action)["sha"]
        message = f"Undo: {self.message}\n\nAn automated run was rolled back. ({action.id})"
        self._commit(hub, action, was and was["content"], over, message)
        return [f"the history of {action.before['branch']} holds both commits"]


class CreateFile(_FileChange):
    """Commit a new text file to a branch. The undo is a commit that deletes it."""

    name = "github.files.create"

    content: Content

    def then(self) -> bytes:
        return self.content.encode()

    def check(self, was: Json) -> None:
        if was is not None:
            raise NotDone(f"{self.path} is there already: use github_files_update")


class UpdateFile(_FileChange):
    """Commit another text for a file on a branch. The undo is a commit that puts the former text back."""

    name = "github.files.update"

    content: Content
    sha: Sha = None

    def then(self) -> bytes:
        return self.content.encode()

    def check(self, was: Json) -> None:
        if was is None:
            raise NotDone(f"there is no {self.path}: use github_files_create")
        self.same(was, self.sha)
        if was["content"] == self.then():
            raise NotDone(f"{self.path} has that text already")


class DeleteFile(_FileChange):
    """Commit the deletion of a file on a branch. The undo is a commit that puts it back."""

    name = "github.files.delete"

    sha: Sha = None

    def then(self) -> None:
        return None

    def check(self, was: Json) -> None:
        if was is None:
            raise NotDone(f"there is no {self.path}")
        self.same(was, self.sha)
