"""Putting things in their place, whole or not at all.

Whatever is written is written beside its place, under a hidden name, flushed, and then given its
name in one step of the file system: a kill in between leaves the old or the new, and perhaps a
hidden rest, which `sweep` takes away.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.files.entry import dress, style
from langchain_agentrein.toolkits.files.root import HIDDEN, Root, above, beneath

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def hidden(key: str, what: str) -> str:
    """The hidden name that action `key` uses: for what is being written (`new`), or taken away (`gone`)."""
    return f"{HIDDEN}{key}.{what}"


def put_file(
    root: Root, place: str, content: Iterable[bytes], look: Mapping[str, Json], key: str, *, replace: bool
) -> None:
    """Put a file at `place`.

    Args:
        look: Its owner, mode and times, where they matter: see `entry.style`.
        replace: Whether it takes the place of a file; else that place must be free.
    Raises:
        FileExistsError: The place is not free.
        OSError: The file system refused.
    """
    with root.parent(place) as (parent, name):
        temporary = hidden(key, "new")
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=parent)
        try:
            _write(parent, temporary, content, look)
            _name(parent, temporary, name, replace=replace)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=parent)
            raise
        _flush(parent)


def put_back(root: Root, place: str, was: Mapping[str, Json], key: str, *, replace: bool) -> None:
    """Put back the entry at `place`, with everything beneath it if it was a directory.

    Args:
        was: Entries by place.
        replace: Whether it takes the place of what is there.
    Raises:
        FileExistsError: The place is not free.
        OSError: The file system refused.
    """
    entry = was[place]
    if entry["type"] == "file":
        put_file(root, place, (entry["content"],), style(entry), key, replace=replace)
        return
    with root.parent(place) as (parent, name):
        temporary = hidden(key, "new")
        if entry["type"] == "link":
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)
            _link(parent, temporary, entry)
            _name(parent, temporary, name, replace=replace)
        else:
            copy = beneath(above(place), temporary)
            clear(root, copy)
            _build(root, place, copy, was)
            if _is_there(parent, name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        _flush(parent)


def rename(root: Root, source: str, destination: str, *, replace: bool) -> None:
    """Give what is at `source` another place.

    Args:
        replace: Whether it takes the place of a file; else that place must be free.
    """
    with root.parent(source) as (old, name), root.parent(destination) as (new, other):
        if replace or stat.S_ISDIR(os.stat(name, dir_fd=old, follow_symlinks=False).st_mode):
            if not replace and _is_there(new, other):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), destination)
            os.rename(name, other, src_dir_fd=old, dst_dir_fd=new)
        else:
            _name(old, name, other, replace=False, into=new)
        _flush(new)
        _flush(old)


def link(root: Root, source: str, destination: str) -> bool:
    """Give a file or a link a second name; `False`: the file system has no hard links.

    Raises:
        FileExistsError: The place is not free.
    """
    with root.parent(source) as (old, name), root.parent(destination) as (new, other):
        try:
            os.link(name, other, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return False
        _flush(new)
    return True


def remove(root: Root, place: str) -> None:
    """Take away a file or a link, or a directory that is empty."""
    with root.parent(place) as (parent, name):
        there = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(there.st_mode):
            os.rmdir(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)
        _flush(parent)


def make(root: Root, place: str, mode: int) -> None:
    """Make one directory.

    Raises:
        FileExistsError: Something is there.
    """
    with root.parent(place) as (parent, name):
        os.mkdir(name, 0o700, dir_fd=parent)
        with root.directory(place) as fd:
            os.fchmod(fd, mode)
        _flush(parent)


def unmake(root: Root, places: Sequence[str]) -> None:
    """Take away directories, topmost first in `places`, as far as they are empty."""
    for place in reversed(places):
        with suppress(OSError):
            remove(root, place)


def clear(root: Root, place: str) -> None:
    """Take away what is at `place` and everything beneath: only for what is ours."""
    for at in reversed(list(root.walk(place))):
        with suppress(FileNotFoundError, NotADirectoryError):
            remove(root, at)


def sweep(root: Root, places: Iterable[str], key: str) -> None:
    """Take away what a killed worker was writing beside `places`, so that it cannot land any more."""
    for directory in {above(place) for place in places}:
        with suppress(OSError):
            clear(root, beneath(directory, hidden(key, "new")))


def _build(root: Root, place: str, copy: str, was: Mapping[str, Json]) -> None:
    """Build what was at `place` under a hidden name, complete."""
    inner = [at for at in sorted(was) if at == place or at.startswith(f"{place}/")]
    for at in inner:
        entry, to = was[at], copy + at[len(place) :]
        with root.parent(to) as (parent, name):
            if entry["type"] == "dir":
                os.mkdir(name, 0o700, dir_fd=parent)
            elif entry["type"] == "link":
                _link(parent, name, entry)
            else:
                _write(parent, name, (entry["content"],), style(entry))
    for at in reversed(inner):  # modes and times last: a directory may forbid, and notices, what is put in it
        if was[at]["type"] == "dir":
            with root.directory(copy + at[len(place) :]) as fd:
                os.fsync(fd)
                dress(fd, style(was[at]))


def _write(parent: int, name: str, content: Iterable[bytes], look: Mapping[str, Json]) -> None:
    fd = os.open(name, _NEW, 0o600, dir_fd=parent)
    with open(fd, "wb") as file:
        file.writelines(content)
        file.flush()
        dress(fd, look)
        os.fsync(fd)


def _link(parent: int, name: str, entry: Json) -> None:
    os.symlink(entry["target"], name, dir_fd=parent)
    times = (entry["mtime_ns"], entry["mtime_ns"])
    os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)
    there = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if (there.st_uid, there.st_gid) != (entry["uid"], entry["gid"]):
        with suppress(PermissionError):
            os.chown(name, entry["uid"], entry["gid"], dir_fd=parent, follow_symlinks=False)


def _name(parent: int, old: str, new: str, *, replace: bool, into: int | None = None) -> None:
    """Give a file or a link its name in one step, which fails where a free place is not free."""
    into = parent if into is None else into
    if replace:
        os.replace(old, new, src_dir_fd=parent, dst_dir_fd=into)
        return
    try:
        os.link(old, new, src_dir_fd=parent, dst_dir_fd=into, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if _is_there(into, new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
        os.rename(old, new, src_dir_fd=parent, dst_dir_fd=into)
        return
    os.unlink(old, dir_fd=parent)


def _is_there(parent: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _flush(fd: int) -> None:
    """Make names durable. Some file systems cannot flush a directory; they need not."""
    with suppress(OSError):
        os.fsync(fd)
