"""Deleting a release. Its tag stays; its undo publishes it again, with those of its files that are small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import Conflict, NotDone, Throttled
from langchain_agentrein.operation import Happened, NotHappened, Probed, Undone
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, unmarked
from langchain_agentrein.toolkits.github.issues import NOTIFIED
from langchain_agentrein.toolkits.github.releases import OnRelease, ReleaseId, sent

KEPT: Final = 1_000_000
"""Bytes of a file that are kept with the record, to be uploaded again."""
KEPT_TOGETHER: Final = 8_000_000
"""Bytes of all of them."""


class DeleteRelease(OnRelease):
    """Delete a release and its files; the tag stays. The undo publishes it again at that tag: with a new id and date,
    by another author, and workflows run again. Files up to 1 MB each, 8 MB together, are kept and uploaded again;
    larger ones are lost, and named.
    """

    name, risk, reversal, repeatable = "github.releases.delete", Risk.HIGH, Reversal.COMPENSATING, True
    undo_risk = Risk.HIGH
    undo_effects = frozenset(
        {UndoEffect.PUBLISHES, UndoEffect.REACHES_PEOPLE, UndoEffect.TRIGGERS_AUTOMATION}
    )

    release_id: ReleaseId

    def snapshot(self, api: Any) -> Json:
        """{"release": its fields, "latest": bool, "points": sha | None, "files": [...], "twins": [id]}

        Of a file: {"name", "label", "content_type", "size", "content": bytes | None}. A twin is another draft that
        looks the same.
        """
        hub = hub_of(api)
        there = hub.get(self.at("releases", self.release_id))
        latest = hub.find(self.at("releases", "latest"))
        release = {
            "tag": there["tag_name"],
            "title": there["name"],
            "body": there["body"],
            "draft": there["draft"],
            "prerelease": there["prerelease"],
            "target": there["target_commitish"],
        }
        return {
            "release": release,
            "latest": latest is not None and latest["id"] == there["id"],
            "points": self.points(hub, there["tag_name"]),
            "files": list(_kept(hub, there["assets"])),
            "twins": [
                one["id"]
                for one in hub.pages(self.at("releases"))
                if one["id"] != self.release_id and _same(one, release)
            ],
        }

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"id": int, "tag": str}"""
        hub_of(api).send("DELETE", self.at("releases", self.release_id))
        return self._told(action)

    def _told(self, action: Action) -> Json:
        return {"id": self.release_id, "tag": action.before["release"]["tag"]}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool, "file NAME"...: bool}: as it was, or published again"""
        found = self._present(hub_of(api), action)
        return self._seen(action, found)

    def _seen(self, action: Action, found: Mapping[str, Any] | None) -> dict[str, Json]:
        names = _uploaded(found) if found else {}
        is_back = found is not None and found["draft"] == action.before["release"]["draft"]
        return {"there": is_back, **{f"file {name}": name in names for name in _names(action)}}

    def as_before(self, action: Action) -> Json:
        return {"there": True, **{f"file {name}": True for name in _names(action)}}

    def expect(self, action: Action) -> Json:
        return self._seen(action, None)

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        if hub.find(self.at("releases", self.release_id)) is not None:
            return NotHappened()
        return Happened(self._told(action), after=self.expect(action))

    def undo(self, api: Any, action: Action) -> Undone:
        """As a draft first: nobody sees it before its files are there, and where releases are immutable none can be
        added later. Source: docs.github.com/en/code-security/concepts/supply-chain-security/immutable-releases.
        """
        hub, release = hub_of(api), action.before["release"]
        found = self._present(hub, action) or self._draft(hub, action)
        present = _uploaded(found)
        for one in action.before["files"]:
            if one["content"] is not None and one["name"] not in present:
                self._upload(hub, found, one)
        if not release["draft"] and found["draft"]:
            given = {"draft": False, "make_latest": "true" if action.before["latest"] else "false"}
            hub.send("PATCH", self.at("releases", found["id"]), given)
        lost = [one for one in action.before["files"] if one["content"] is None]
        residue = [
            f"{release['tag']} is another release, {found['id']}, by another author; {NOTIFIED}",
            *(f"its file {one['name']} ({one['size']:,} bytes) was not kept, and is lost" for one in lost),
        ]
        return Undone(residue, left=[f"file {one['name']}" for one in lost])

    def _present(self, hub: Hub, action: Action) -> Mapping[str, Any] | None:
        """The release itself, or the one that an undo made of it."""
        there = hub.find(self.at("releases", self.release_id))
        was, twins = action.before["release"], action.before["twins"]
        alike = (one for one in hub.pages(self.at("releases")) if _same(one, was) and one["id"] not in twins)
        return there or next(alike, None)

    def _draft(self, hub: Hub, action: Action) -> Mapping[str, Any]:
        release, points = action.before["release"], action.before["points"]
        if not release["draft"]:
            taken = hub.find(self.at("releases", "tags", quote(release["tag"])))
            if taken is not None:
                raise Conflict(f"there is another release of {release['tag']}", [taken["html_url"]])
            now = self.points(hub, release["tag"])
            if now not in (None, points):
                raise Conflict(f"the tag {release['tag']} points to {now} by now, not to {points}")
        given = sent({name: value for name, value in release.items() if name not in ("draft", "target")})
        given |= {"draft": True, "target_commitish": points or release["target"]}
        return dict(hub.send("POST", self.at("releases"), given))

    def _upload(self, hub: Hub, release: Mapping[str, Any], file: Mapping[str, Any]) -> None:
        """One whose upload failed may be left empty, and stands in the way. Source: docs.github.com/en/rest/releases/
        assets, "Upload a release asset".
        """
        for one in hub.pages(self.at("releases", release["id"], "assets")):
            if one["name"] == file["name"] and one["state"] != "uploaded":
                hub.send("DELETE", self.at("releases", "assets", one["id"]))
        named = {"name": file["name"], **({"label": file["label"]} if file["label"] else {})}
        where = release["upload_url"].partition("{")[0]
        hub.upload(where, file["content"], file["content_type"], **named)


def _same(one: Mapping[str, Any], was: Mapping[str, Json]) -> bool:
    """Whether a release looks like the one that is deleted, draft or not."""
    told = (one["tag_name"], one["name"], unmarked(one["body"]), one["prerelease"])
    return told == (was["tag"], was["title"], unmarked(was["body"]), was["prerelease"])


def _names(action: Action) -> Sequence[str]:
    """The files that can be uploaded again."""
    return [one["name"] for one in action.before["files"] if one["content"] is not None]


def _uploaded(release: Mapping[str, Any]) -> set[str]:
    return {one["name"] for one in release["assets"] if one["state"] == "uploaded"}


def _kept(hub: Hub, assets: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Json]]:
    """The files of a release, with the content of those that are small."""
    left = KEPT_TOGETHER
    for one in assets:
        content = None
        if one["size"] <= min(KEPT, left):
            content = _content(hub, one)
            left -= len(content or b"")
        names = ("name", "label", "content_type", "size")
        yield {**{name: one[name] for name in names}, "content": content}


def _content(hub: Hub, asset: Mapping[str, Any]) -> bytes | None:
    """A file's content; `None`: it is not given, or not in full."""
    try:
        content = hub.download(asset["url"], asset["size"])
    except Throttled:
        raise
    except NotDone:
        return None
    return content if len(content) == asset["size"] else None
