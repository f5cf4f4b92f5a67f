"""The rows that most tests begin with: made once in a worker, by the actions, and then written again as they were.

Making a person and a machine takes 20 ms, writing what that wrote takes one. The scripts are learnt before the first
test, where nothing is there but the built-in rows, so that no test can teach them what it did itself.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

Maker = Callable[..., Model]
Script = list[tuple[str, Any, bool]]
_WRITES = ("INSERT", "UPDATE", "DELETE")


class Cast:
    """Rows by name. A maker's parameters are the names of the rows that have to be there before it."""

    def __init__(self, makers: Mapping[str, Maker]) -> None:
        self._makers = makers
        self._learnt: dict[str, tuple[Script, bytes]] = {}
        self._keys: dict[str, Any] = {}
        with transaction.atomic():
            made: dict[str, Model] = {}
            for name, make in makers.items():
                with _written() as script:
                    made[name] = make(*(made[needed] for needed in signature(make).parameters))
                self._learnt[name] = script, pickle.dumps(made[name])
                self._keys[name] = made[name].pk
            transaction.set_rollback(True)

    def enter(self, name: str, *needed: Model) -> Any:
        """Write a row for the test at hand; where a test has other rows than the cast's, it is made of those."""
        make = self._makers[name]
        if [self._keys[key] for key in signature(make).parameters] != [row.pk for row in needed]:
            return make(*needed)
        script, row = self._learnt[name]
        with connection.cursor() as cursor:
            for statement, values, many in script:
                (cursor.executemany if many else cursor.execute)(statement, values)
        return pickle.loads(row)  # noqa: S301  # we have just written it


@contextmanager
def _written() -> Iterator[Script]:
    """Every statement that writes, with its values, in order."""
    script: Script = []

    def note(execute: Callable[..., Any], statement: str, values: Any, many: bool, context: Any) -> Any:
        if statement.startswith(_WRITES):
            script.append((statement, values, many))
        return execute(statement, values, many, context)

    with connection.execute_wrapper(note):
        yield script
