"""Databases beside the one whose changes are rolled back: a migrated one from the run before, and files for threads
and programs that share them.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import django
from django.conf import settings
from django.db import connections

SERVER = "postgresql" in settings.DATABASES["default"]["ENGINE"]
# What the migrations are, and what they call.
_MIGRATED_BY = ("migrations", "domain", "models")


def migrated_state() -> str:
    """Another one for any change that could make another database of the migrations."""
    state = hashlib.sha256(django.get_version().encode())
    for folder in _MIGRATED_BY:
        for path in sorted((settings.BASE_DIR / "vms" / folder).rglob("*.py")):
            state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()[:20]


@contextmanager
def begun_with(path: Path) -> Iterator[None]:
    """The tests' SQLite database is what the file is, if there is one; it is there as long as somebody is connected."""
    if not path.exists():
        yield
        return
    name = connections["default"].creation._get_test_db_name()  # type: ignore[attr-defined]
    with closing(sqlite3.connect(name, uri=True)) as memory:
        with closing(sqlite3.connect(path)) as file:
            file.backup(memory)
        yield


def keep(path: Path) -> None:
    """Write the tests' SQLite database into the file, in place of those of other states."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    copy_to(aside)
    for former in path.parent.glob("*.sqlite3"):
        former.unlink(missing_ok=True)
    aside.rename(path)


def copy_to(path: Path) -> None:
    """Write the tests' SQLite database, as it is now, into a file."""
    connections["default"].ensure_connection()
    with closing(sqlite3.connect(path)) as file:
        connections["default"].connection.backup(file)


@contextmanager
def database_in(path: Path) -> Iterator[None]:
    """Every thread's connection leads to the SQLite file at `path`."""
    before, configured = connections["default"], connections.settings["default"]
    name = configured["NAME"]
    del connections["default"]
    configured["NAME"] = str(path)
    try:
        yield
    finally:
        connections["default"].close()
        configured["NAME"] = name
        connections["default"] = before
