"""What is there: one file, link or directory, as JSON.

An entry is one of

    {"type": "file", "sha256": str, "size": int, "mode": int, "mtime_ns": int, "uid": int, "gid": int,
     "content": bytes,           # only where it is kept
     "links": int,               # only where it has several names
     "xattrs": {name: bytes}}    # only where there are any
    {"type": "link", "target": str, "mtime_ns": int, "uid": int, "gid": int}
    {"type": "dir", "mode": int, "mtime_ns": int, "uid": int, "gid": int, "xattrs": {name: bytes},
     "tree": str}                # only where it is asked for: a digest of what lies beneath
    {"type": "other"}            # a device, a pipe, a socket
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.files.root import HERE, Root

CHUNK = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe must not block us
_KEPT = ("user.", "system.posix_acl_")
"""The extended attributes that are a person's: their own, and access lists."""
_SEEN = ("type", "sha256", "mode", "target", "tree")


def seen(entry: Json) -> Json:
    """What an observation says of an entry: enough to tell whether somebody changed it."""
    return None if entry is None else {name: entry[name] for name in _SEEN if name in entry}


def look(root: Root, place: str, *, keep: int | None = None, deep: bool = False) -> Json:
    """The entry at `place`; `None`: nothing is there.

    Args:
        keep: Keep the content of a file, up to so many bytes.
        deep: Add the digest of what lies beneath a directory.
    Raises:
        NotDone: The content is larger than `keep`.
        OSError: It cannot be looked at.
    """
    there = root.stat(place)
    if there is None:
        return None
    if stat.S_ISLNK(there.st_mode):
        with root.parent(place) as (fd, name):
            return {"type": "link", "target": os.readlink(name, dir_fd=fd), **_facts(there)}
    if stat.S_ISREG(there.st_mode):
        return _file(root, place, keep)
    if stat.S_ISDIR(there.st_mode):
        with root.directory(place) as fd:
            mode = stat.S_IMODE(there.st_mode)
            found: dict[str, Json] = {"type": "dir", "mode": mode, **_facts(there), **_xattrs(fd)}
        return {**found, "tree": _digest(root, place)} if deep else found
    return {"type": "other"}


def chunks(root: Root, place: str) -> Iterator[bytes]:
    """The content of the file at `place`, in pieces."""
    with root.parent(place) as (fd, name), open(os.open(name, _READ, dir_fd=fd), "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def style(entry: Json) -> dict[str, Json]:
    """What an entry has besides its content: owner, extended attributes, mode, times."""
    return {name: entry[name] for name in ("uid", "gid", "xattrs", "mode", "mtime_ns") if name in entry}


def dress(fd: int, look: Json) -> None:
    """Give an open file or directory its `style`, as far as this user may."""
    there = os.fstat(fd)
    if (look.get("uid", there.st_uid), look.get("gid", there.st_gid)) != (there.st_uid, there.st_gid):
        try:
            os.fchown(fd, look["uid"], look["gid"])
        except PermissionError:
            pass  # only root gives files away; `residue` says so
    for name, value in look.get("xattrs", {}).items():
        try:
            os.setxattr(fd, name, value)
        except OSError:
            pass  # as above
    if "mode" in look:
        os.fchmod(fd, look["mode"])
    if "mtime_ns" in look:
        os.utime(fd, ns=(there.st_atime_ns, look["mtime_ns"]))


def residue(place: str, was: Json, now: Json) -> list[str]:
    """What an undo could not put back of an entry, one sentence each."""
    found: list[str] = []
    if was is None or now is None:
        return found
    if (was.get("uid"), was.get("gid")) != (now.get("uid"), now.get("gid")):
        found.append(
            f"{place} belonged to user {was['uid']}, group {was['gid']}, "
            f"and now belongs to {now['uid']}, {now['gid']}"
        )
    if was.get("xattrs", {}) != now.get("xattrs", {}):
        found.append(f"{place} lost extended attributes")
    if was.get("links", 1) > 1:
        found.append(f"{place} was one of {was['links']} names of one file, and is now a file of its own")
    return found


def _file(root: Root, place: str, keep: int | None) -> Json:
    with root.parent(place) as (parent, name):
        fd = os.open(name, _READ, dir_fd=parent)
    with open(fd, "rb") as file:
        there = os.fstat(fd)
        if not stat.S_ISREG(there.st_mode):
            return {"type": "other"}
        if keep is not None and there.st_size > keep:
            raise NotDone(
                f"{place} has {there.st_size:,} bytes; an undo would have to keep them, and keeps at most {keep:,}"
            )
        digest, size, kept = hashlib.sha256(), 0, []
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if keep is not None:
                kept.append(chunk)
        found: dict[str, Json] = {"type": "file", "sha256": digest.hexdigest(), "size": size}
        found |= {"mode": stat.S_IMODE(there.st_mode), **_facts(there), **_xattrs(fd)}
    if there.st_nlink > 1:
        found["links"] = there.st_nlink
    return {**found, "content": b"".join(kept)} if keep is not None else found


def _facts(there: os.stat_result) -> dict[str, Json]:
    return {"mtime_ns": there.st_mtime_ns, "uid": there.st_uid, "gid": there.st_gid}


def _xattrs(fd: int) -> dict[str, Json]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        found = {name: os.getxattr(fd, name) for name in os.listxattr(fd) if name.startswith(_KEPT)}
    except OSError:  # the file system has none
        return {}
    return {"xattrs": found} if found else {}


def _digest(root: Root, place: str) -> str:
    """Names, kinds, modes, sizes and times beneath a directory: what changes when somebody works in it."""
    digest = hashlib.sha256()
    for at in root.walk(place):
        there = root.stat(at)
        if at == place or there is None:
            continue
        inner = at if place == HERE else at[len(place) + 1 :]
        line = [there.st_mode]
        if not stat.S_ISDIR(there.st_mode):
            line += [there.st_size, there.st_mtime_ns]
        digest.update(f"{inner!a} {line}\n".encode())
    return digest.hexdigest()
