"""Many at once: a copy of the database that threads share and may leave changed, and the threads."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier
from typing import TypeVar

from django.db import connection, connections

from vms.domain.errors import Refusal

T = TypeVar("T")


@contextmanager
def copied_database(directory: Path) -> Iterator[None]:
    """Everybody works on a copy until the end: tests' memory cannot be shared, and nothing is rolled back."""
    kept = connection.settings_dict.copy()
    take = _take_file if connection.vendor == "sqlite" else _take_clone
    with take(str(kept["NAME"]), directory) as name:
        # A crowd larger than the pool of connections would stand in line for them.
        options = {key: value for key, value in kept["OPTIONS"].items() if key != "pool"}
        connection.settings_dict.update(NAME=name, OPTIONS=options)
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(NAME=kept["NAME"], OPTIONS=kept["OPTIONS"])


@contextmanager
def _take_file(_name: str, directory: Path) -> Iterator[str]:
    copy = str(directory / "copy.sqlite3")
    connection.ensure_connection()
    memory = connection.connection
    with closing(sqlite3.connect(copy)) as file:
        memory.backup(file)
    connection.connection = None
    yield copy
    connection.connection = memory


@contextmanager
def _take_clone(name: str, _directory: Path) -> Iterator[str]:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')
    yield f"{name}_copy"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}_copy" WITH (FORCE)')


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | str]:
    """What each call returned, or the code it was refused with; all begin together, each with its own connection."""
    start = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | str:
        start.wait()
        try:
            return call()
        except Refusal as no:
            return no.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
