"""Releases.

Publishing one runs the workflows that wait for it, and tells whoever watches. So does deleting or editing it, unless it
is a draft.
Source: docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows, `release`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final
from urllib.parse import quote

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, marker, unmarked
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Patch, Reading
from langchain_agentrein.toolkits.github.reads import LONG, Limit, some

ReleaseId = Annotated[int, Field(ge=1, description="The release's id.")]
RAN: Final = "whoever watches it was told, what ran on it ran, and what was downloaded stays so"
SCOPES: Final = ("contents: write",)


def fields(release: Mapping[str, Any]) -> dict[str, Json]:
    """A release as people see and change it."""
    return {
        "tag": release["tag_name"],
        "title": release["name"] or "",
        "body": unmarked(release["body"]),
        "draft": release["draft"],
        "prerelease": release["prerelease"],
    }


def sent(values: Mapping[str, Json]) -> dict[str, Json]:
    """Fields as GitHub names them."""
    names = {"tag": "tag_name", "title": "name"}
    return {names.get(name, name): value for name, value in values.items()}


def receipt(release: Mapping[str, Any]) -> dict[str, Json]:
    """{"id": int, "url": str, "tag": str}"""
    return {"id": release["id"], "url": release["html_url"], "tag": release["tag_name"]}


class OnRelease(GitHubOperation):
    """About a release, and the tag that it is of."""

    scopes = SCOPES

    def points(self, hub: Hub, tag: str) -> str | None:
        """What a tag points to; `None`: there is none."""
        found = hub.find(self.at("git", "ref", "tags", quote(tag)))
        return None if found is None else str(found["object"]["sha"])


class CreateRelease(OnRelease):
    """Publish a release, or draft one; GitHub makes its tag, where there is none. The undo deletes it, and the tag if
    this made it and it has not moved. Not once somebody has added files or changed it.
    """

    name, risk, reversal, repeatable = "github.releases.create", Risk.HIGH, Reversal.COMPENSATING, True
    undo_effects = frozenset({UndoEffect.TRIGGERS_AUTOMATION})

    tag: str = Field(min_length=1, description="The tag's name.")
    title: str | None = Field(default=None, description="The title. (default: the tag)")
    body: str = Field(default="", description="Markdown.")
    target: str | None = Field(
        default=None, description="The branch or commit for a new tag. (default: the default branch)"
    )
    draft: bool = Field(default=False, description="Only draft it: nobody is told, and no tag is made.")
    prerelease: bool = Field(default=False, description="Whether it is not ready for production.")

    def assess(self, api: Any) -> Assessment:
        return replace(self.undo_assessment(), risk=Risk.MEDIUM if self.draft else self.risk)

    def undo_assessment(self) -> Assessment:
        return replace(self.usual(), undo_effects=frozenset() if self.draft else self.undo_effects)

    def snapshot(self, api: Any) -> Json:
        """{"points": sha | None}: of the tag"""
        hub = hub_of(api)
        if not self.draft and hub.find(self.at("releases", "tags", quote(self.tag))) is not None:
            raise NotDone(f"there is a release of {self.tag} already")
        return {"points": self.points(hub, self.tag)}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        given = sent({**self._wanted(), "body": hub.marked(self.body, action)})
        if self.target is not None:
            given["target_commitish"] = self.target
        return receipt(hub.send("POST", self.at("releases"), given))

    def observe(self, api: Any, action: Action) -> Json:
        """{"release": its fields | None, "points"?: of a tag that was not there before}"""
        hub = hub_of(api)
        there = hub.find(self.at("releases", action.receipt["id"]))
        return self._seen(hub, action, None if there is None else fields(there))

    def _seen(self, hub: Hub, action: Action, release: Json) -> dict[str, Json]:
        made = action.before["points"] is None
        return {"release": release, **({"points": self.points(hub, self.tag)} if made else {})}

    def as_before(self, action: Action) -> Json:
        return {"release": None, **({"points": None} if action.before["points"] is None else {})}

    def _wanted(self) -> dict[str, Json]:
        names = ("tag", "body", "draft", "prerelease")
        return {**{name: getattr(self, name) for name in names}, "title": self.title or self.tag}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        if not hub.markers:
            return Unknown("without markers a release of ours cannot be told from another")
        hub.wait_for(action)
        for release in hub.pages(self.at("releases")):
            if marker(action) in (release["body"] or ""):
                return Happened(receipt(release), after=self._seen(hub, action, self._wanted()))
        return NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        there = hub_of(api).find(self.at("releases", action.receipt["id"]))
        if there is None:
            return ()
        count = (there.get("reactions") or {}).get("total_count")
        return [
            *(f"the file {one['name']} was added" for one in there["assets"]),
            *([f"{count} reaction(s) to it"] if count else []),
        ]

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, at = hub_of(api), self.at("releases", action.receipt["id"])
        if hub.find(at) is not None:
            hub.send("DELETE", at)
        if self.draft:
            return ["it was drafted for a while; whoever may write could see it"]
        residue = [f"{self.tag} was released for a while; {RAN}"]
        made = (action.after or {}).get("points")
        points = self.points(hub, self.tag) if made is not None else None
        if points is not None and points != made:
            return [*residue, f"the tag {self.tag} stays: somebody has moved it to {points}"]
        if points is not None:
            hub.send("DELETE", self.at("git", "refs", "tags", quote(self.tag)))
        return residue


class UpdateRelease(Patch):
    """Change a release's title, text or state, or publish a draft: only what is given. The undo sets that back; a tag
    that publishing made stays.
    """

    name, risk, reversal = "github.releases.update", Risk.HIGH, Reversal.COMPENSATING
    settable = ("title", "body", "draft", "prerelease")
    undo_effects = frozenset({UndoEffect.TRIGGERS_AUTOMATION})
    scopes = SCOPES

    release_id: ReleaseId
    title: str | None = Field(default=None, min_length=1, description="The new title.")
    body: str | None = Field(default=None, description="Markdown; replaces the whole text.")
    draft: bool | None = Field(default=None, description="False publishes a draft; True hides a release.")
    prerelease: bool | None = Field(default=None, description="Whether it is not ready for production.")

    def assess(self, api: Any) -> Assessment:
        return self.undo_assessment()

    def undo_assessment(self) -> Assessment:
        """What was hidden is published again."""
        again = {UndoEffect.PUBLISHES, UndoEffect.REACHES_PEOPLE} if self.draft else set()
        return replace(self.usual(), undo_effects=self.undo_effects | again)

    def given(self) -> dict[str, Json]:
        return {name: value for name, value in super().given().items() if value is not None}

    def snapshot(self, api: Any) -> Json:
        """{"was": ..., "raw"?: {"body": with its marker}}"""
        before: dict[str, Json] = super().snapshot(api)
        if "body" in before["was"]:
            before["raw"] = {"body": hub_of(api).get(self._at())["body"]}
        return before

    def _at(self) -> str:
        return self.at("releases", self.release_id)

    def read(self, hub: Hub) -> dict[str, Json]:
        release = hub.get(self._at())
        return {**receipt(release), **fields(release)}

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        return receipt(hub.send("PATCH", self._at(), sent(values)))

    def told(self, there: Any) -> Json:
        return {name: there[name] for name in ("id", "url", "tag")}

    def expect(self, action: Action) -> Json:
        return self.given()

    def stays(self, hub: Hub, action: Action, back: Mapping[str, Json]) -> Sequence[str]:
        tag = action.receipt["tag"]
        if back.get("draft"):
            return (f"{tag} was released for a while, and its tag stays; {RAN}",)
        return (f"the release {tag} was another for a while; {RAN}",)


class ListReleases(Reading):
    """List a repository's releases, newest first."""

    name = "github.releases.list"
    scopes = ("contents: read",)

    limit: Limit = 30

    def do(self, api: Any, action: Action) -> Json:
        def line(one: Mapping[str, Any]) -> Json:
            return {**receipt(one), **{name: told for name, told in fields(one).items() if name != "body"}}

        return some(map(line, hub_of(api).pages(self.at("releases"))), self.limit)


class GetRelease(Reading):
    """Read one release with its text and its files, by its id or its tag; a draft goes by its id alone."""

    name = "github.releases.get"
    scopes = ("contents: read",)

    release_id: int | None = Field(default=None, ge=1, description="The release's id.")
    tag: str | None = Field(default=None, min_length=1, description="The tag's name.")

    def do(self, api: Any, action: Action) -> Json:
        if (self.release_id is None) == (self.tag is None):
            raise NotDone("give the release's id, or its tag")
        which = (self.release_id,) if self.tag is None else ("tags", quote(self.tag))
        release = hub_of(api).get(self.at("releases", *which))
        told = fields(release)
        return {
            **receipt(release),
            **told,
            "body": told["body"][:LONG],
            "by": (release["author"] or {}).get("login"),
            "published_at": release["published_at"],
            "files": [{"name": one["name"], "size": one["size"]} for one in release["assets"]],
        }
