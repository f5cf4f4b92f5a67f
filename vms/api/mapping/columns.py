"""Rows of long lists as the database gives them: no object for each row, and of a value only as much as is told.

Django's own conversions cost four times what the query does, and most rows have the same places, empty lists and
switches.
"""

from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db.models import (
    DateTimeField,
    Expression,
    ExpressionWrapper,
    F,
    ForeignKey,
    JSONField,
    Model,
    QuerySet,
    TextField,
    UUIDField,
)

FETCH: Final = 500  # rows at a time from the database
_SHORT: Final = 64  # characters of a document that many rows have alike

Convert = Callable[[Any], Any]


def light(model: type[Model], names: tuple[str, ...], more: dict[str, Any], **made: Expression) -> type[Any]:
    """A class for rows of these columns, each made a value when it is asked for.

    `more` is what the class knows besides, `made` what a column is read as.
    """
    make: Any = namedtuple  # mypy takes literals alone
    bare = make("Columns", names)
    values = {
        name: property(lambda row, place=place, convert=convert: _value(row[place], convert))  # type: ignore[misc]
        for place, name in enumerate(names)
        if (convert := _convert(model, name)) is not None
    }
    known = {"__slots__": (), "pk": values["id"], "model": model, "made": made, **values, **more}
    return type(f"{model.__name__}Columns", (bare,), known)


def read(kind: Any, rows: QuerySet[Any]) -> Iterator[Any]:
    """The rows, one query, some at a time."""
    told = (ExpressionWrapper(kind.made.get(name) or F(name), output_field=TextField()) for name in kind._fields)
    return map(kind._make, rows.select_related(None).values_list(*told).iterator(chunk_size=FETCH))


def _value(value: Any, convert: Convert) -> Any:
    return None if value is None else convert(value)


def whole(row: Any) -> Any:
    """The row as one of its model, for the few that take more than their columns."""
    values = {name: getattr(row, name) for name in row._fields}
    for name, value in values.items():
        field = _field(row.model, name)
        if isinstance(value, str) and isinstance(field, JSONField):
            values[name] = msgspec.json.decode(value)
        elif value is not None and isinstance(field, UUIDField):
            values[name] = UUID(value)
    return row.model(**values)


def _field(model: type[Model], name: str) -> Any:
    field: Any = model._meta.get_field(name.removesuffix("_id"))
    return field.target_field if isinstance(field, ForeignKey) else field


def _convert(model: type[Model], name: str) -> Convert | None:
    field = _field(model, name)
    if isinstance(field, UUIDField):
        return _key
    if isinstance(field, DateTimeField):
        return _moment
    # The run is read where a row is made whole, and nowhere else.
    return _document if isinstance(field, JSONField) and name != "running" else None


def _key(value: Any) -> str:
    """An id as text; SQLite keeps it as 32 digits."""
    if isinstance(value, str):
        return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
    return str(value)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(f"{value}+00:00") if isinstance(value, str) else value


def _document(text: str) -> Any:
    return _known(text) if len(text) < _SHORT else msgspec.json.decode(text)


@lru_cache(maxsize=1024)
def _known(text: str) -> Any:
    """Read once; nobody changes what a row of a list holds."""
    return msgspec.json.decode(text)
