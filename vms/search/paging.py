"""Pages that begin where another ended, in any order and at any depth alike: by the values there, never by a count."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, F, Func, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.timezone import is_naive, make_aware

from vms.domain.errors import Refusal

_LONGEST: Final = 2000  # characters of a place in an address
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True)
class Place:
    """Where a page begins: the values of a row's columns, and whether the page comes before or after it."""

    values: tuple[Any, ...]
    before: bool = False

    @classmethod
    def read(cls, text: str, order: "Sorting", *, before: bool) -> Self:
        """The place that an address names; refused for one that is none, or of another order."""
        try:
            mark, *values = json.loads(base64.urlsafe_b64decode(text[:_LONGEST].encode() + b"=="))
            if mark != order.mark or len(values) != len(order.columns):
                raise ValueError(mark)
            return cls(tuple(order.python(column, value) for column, value in zip(order.columns, values, strict=True)))
        except (
            ValueError,
            TypeError,
            KeyError,
            OverflowError,
            binascii.Error,
            ValidationError,
            RecursionError,
        ) as error:
            raise Refusal("LIST_PLACE_GONE") from error


@dataclass(frozen=True)
class Sorting:
    """The columns that rows are sorted by, the last of them unique."""

    model: type[Any]
    columns: Sequence[str]
    descending: bool = False

    @property
    def mark(self) -> str:
        return ("-" if self.descending else "") + self.columns[0]

    def page(self, rows: QuerySet[Any], after: str, before: str, size: int) -> "Page":
        """The rows after a place or before one; from the beginning when none is named."""
        place = Place.read(after or before, self, before=bool(before)) if after or before else None
        backwards = bool(before) and not after
        if place is not None:
            rows = rows.filter(self._beyond(place.values, less=self.descending != backwards))
        found = list(rows.order_by(*self._order(backwards=backwards))[: size + 1])
        more, shown = len(found) > size, found[:size]
        if backwards:
            shown.reverse()
        return Page(
            shown,
            previous=self.place(shown[0]) if shown and (more if backwards else bool(after)) else "",
            following=self.place(shown[-1]) if shown and (backwards or more) else "",
        )

    def place(self, row: Any) -> str:
        """How an address names a row's place."""
        told = json.dumps([self.mark, *(_plain(_value(row, column)) for column in self.columns)])
        return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")

    def python(self, column: str, value: Any) -> Any:
        """A value of an address as the column holds it; a `ValueError` or one of its kin for what it cannot hold."""
        text = str(value)
        text.encode()  # half a character is none
        if not isinstance(value, str | int) or "\0" in text or (isinstance(value, int) and abs(value) > _LARGEST):
            raise ValueError(value)
        field = self._field(column)
        if field is None:  # of another row, or counted
            if isinstance(value, str) != ("__" in column):
                raise ValueError(value)
            return value
        found = field.to_python(value)
        return make_aware(found) if isinstance(found, datetime) and is_naive(found) else found

    def _order(self, *, backwards: bool) -> list[Any]:
        down = self.descending != backwards
        return [_column(column).desc() if down else _column(column).asc() for column in self.columns]

    def _beyond(self, values: Sequence[Any], *, less: bool) -> Func:
        there = [
            Value(value, output_field=self._field(column)) for column, value in zip(self.columns, values, strict=True)
        ]
        return _Beyond(*[_column(column) for column in self.columns], *there, less=less)

    def _field(self, column: str) -> Any:
        found = next((field for field in self.model._meta.get_fields() if field.name == column), None)
        return getattr(found, "output_field", found)


@dataclass(frozen=True)
class Page:
    """Rows, and the places of the pages around them; empty where there is none."""

    rows: list[Any]
    previous: str
    following: str


class _Beyond(Func):
    """One row of values beside another: both databases take it as a range of an index."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, *expressions: Any, less: bool = False, **extra: Any) -> None:
        super().__init__(*expressions, **extra)
        self.less = less

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # type: ignore[override]
        compiled = [compiler.compile(expression) for expression in self.source_expressions]
        half = len(compiled) // 2
        left, right = (", ".join(sql for sql, _params in part) for part in (compiled[:half], compiled[half:]))
        params = [param for _sql, given in compiled for param in given]
        return f"({left}) {'<' if self.less else '>'} ({right})", params


def _column(column: str) -> Any:
    # What hangs on another row may have none; nothing sorts before everything.
    return Coalesce(F(column), Value("")) if "__" in column else F(column)


def _value(row: Any, column: str) -> Any:
    for step in column.split("__"):
        row = getattr(row, step, None)
    return "" if row is None else row


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value if isinstance(value, str | int) else str(value)
