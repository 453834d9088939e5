"""The one directory that the operations may touch, and the only way into it.

A path is resolved once, symlinks included, and must lie inside. From then on it is walked from the
root's own descriptor, one component at a time, and no component may be a link: a symlink that is
swapped in between is met as an error, never followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from langchain_agentrein.errors import ConfigError, NotDone

HIDDEN = ".agentrein-"
"""How the names of our own temporary files begin; no operation touches or shows them."""
HERE = "."
"""The root itself, as a place."""

_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""A component is missing, is no directory any more, or cannot exist: nothing is beneath it."""
_NEEDED = (os.open, os.stat, os.mkdir, os.unlink, os.rmdir, os.rename, os.link, os.symlink, os.readlink)

_REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "there is no such file or directory",
    errno.EEXIST: "something is there already",
    errno.EISDIR: "it is a directory",
    errno.ENOTDIR: "a part of the path is not a directory, or is a link that was put there just now",
    errno.ENOTEMPTY: "the directory is not empty",
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be too large",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "a part of the path is a link that leads in a circle, or was put there just now",
    errno.EXDEV: "it lies on another file system; copy it, then delete it",
    errno.EINVAL: "the path cannot be used for this",
    errno.EBUSY: "it is in use",
    errno.ETXTBSY: "it is being run",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
}
"""Errors by which a local file system refuses; after any of them nothing has happened."""


def refused(error: OSError) -> bool:
    """Whether the file system refused, so that nothing happened."""
    return error.errno in _REASONS


def reason(error: OSError) -> str:
    """Why, in words."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


class Root:
    """A directory, and what lies in it. Places in it are relative, with `/`, and free of links.

    Args:
        path: The directory; it must exist.
    Raises:
        ConfigError: It is no directory, or this system cannot keep links out (Windows).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().resolve()
        if not self.path.is_dir():
            raise ConfigError(f"{self.path} is not a directory: create it, or name another root")
        if not hasattr(os, "O_NOFOLLOW") or not os.supports_dir_fd.issuperset(_NEEDED):
            raise ConfigError(
                "the files toolkit needs a POSIX system: here nothing could keep links out of the root"
            )
        self.umask = _umask()

    def __repr__(self) -> str:
        return f"Root({str(self.path)!r})"

    @property
    def account(self) -> str:
        """`file://` and the resolved root."""
        return self.path.as_uri()

    def locate(self, path: str, *, follow: bool = True) -> str:
        """The place of `path`, with every link on the way resolved.

        Args:
            path: Relative to the root, or absolute inside it.
            follow: Whether a link at its end is resolved too; else the place is that of the link.
        Raises:
            NotDone: It lies outside the root, or cannot be a path.
        """
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            raise NotDone(f"{path!r} cannot be a path: it is not valid Unicode") from None
        if not path or "\0" in path:
            raise NotDone(f"{path!r} cannot be a path")
        absolute = os.path.join(self.path, path)
        head, tail = os.path.split(absolute.rstrip("/"))
        if follow or tail in ("", ".", ".."):
            real = os.path.realpath(absolute)
        else:
            real = os.path.join(os.path.realpath(head), tail)
        place = os.path.relpath(real, self.path)
        if place == os.pardir or place.startswith(os.pardir + os.sep):
            raise NotDone(f"{path!r} leads out of {self.path}: only what lies inside can be used")
        if any(part.startswith(HIDDEN) for part in place.split("/")):
            raise NotDone(f"{path!r}: names that begin with {HIDDEN!r} are reserved")
        return place

    @contextmanager
    def directory(self, place: str) -> Iterator[int]:
        """A descriptor of the directory at `place`.

        Raises:
            OSError: It is not there, or a component is no directory or a link.
        """
        fd = os.open(self.path, _DIRECTORY)
        try:
            for part in () if place == HERE else place.split("/"):
                inner = os.open(part, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def parent(self, place: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the directory that holds `place`, and the name in it.

        Raises:
            OSError: That directory is not there, or a component is no directory or a link.
        """
        with self.directory(above(place)) as fd:
            yield fd, place.rpartition("/")[2]

    def stat(self, place: str) -> os.stat_result | None:
        """What is at `place`, links not followed; `None`: nothing.

        Raises:
            OSError: It cannot be looked at.
        """
        try:
            with self.parent(place) as (fd, name):
                return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise

    def names(self, place: str) -> list[str]:
        """What a directory holds, sorted; empty where it is no directory."""
        try:
            with self.directory(place) as fd:
                return sorted(os.listdir(fd))
        except OSError as error:
            if error.errno in _GONE:
                return []
            raise

    def walk(self, place: str) -> Iterator[str]:
        """`place` and everything beneath it, parents first, links not followed."""
        ahead = [place]
        while ahead:
            at = ahead.pop()
            yield at
            ahead += [beneath(at, name) for name in reversed(self.names(at))]

    def missing(self, place: str) -> list[str]:
        """The directories above `place` that are not there, topmost first.

        Raises:
            NotDone: One of them is something else.
        """
        found: list[str] = []
        at = above(place)
        while at != HERE and (there := self.stat(at)) is None:
            found.insert(0, at)
            at = above(at)
        if at != HERE and there is not None and not stat.S_ISDIR(there.st_mode):
            raise NotDone(f"{at} is not a directory")
        return found


def above(place: str) -> str:
    """The place of the directory that holds `place`."""
    return place.rpartition("/")[0] or HERE


def beneath(place: str, name: str) -> str:
    """The place of `name` in the directory at `place`."""
    return name if place == HERE else f"{place}/{name}"


def _umask() -> int:
    """The process's umask; read without changing it where the system tells."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except (OSError, ValueError, IndexError):
        pass
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
