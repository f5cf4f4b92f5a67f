"""Databases beside the one whose changes are rolled back: files, for threads and programs that share them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

SERVER = "postgresql" in settings.DATABASES["default"]["ENGINE"]


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
