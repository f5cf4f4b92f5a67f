"""The words of one collection: its fields, its orders, and where a bare word is looked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from vms.domain.search import Search, Word, refused

from .fields import Beyond, Field

# The columns that rows are sorted by, the last of them unique.
Columns = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Language:
    """What may be asked of the rows of a model; `about` is what stands before a search of them (`Vms:`)."""

    about: str
    model: type[Any]
    fields: Mapping[str, Field]
    orders: Mapping[str, Columns]
    free: Callable[[tuple[str, ...]], Q] = field(repr=False)

    def field(self, word: Word) -> Field:
        """The field that a word names; refused when there is none."""
        name = word.text.lower()
        found = self.fields.get(name) or self.fields.get(_singular(name))
        if found is None:
            raise refused("SEARCH_FIELD_UNKNOWN", word, possible=tuple(self.fields))
        return found

    def columns(self, search: Search) -> Columns | None:
        """What the search wants the rows sorted by; None when it does not say."""
        if search.order is None:
            return None
        found = self.orders.get(search.order.field.text.lower())
        if found is None:
            raise refused("SEARCH_ORDER_UNKNOWN", search.order.field, possible=tuple(self.orders))
        return found

    def require_about(self, search: Search) -> None:
        """Refuse a search that is about other rows."""
        if search.about and _singular(search.about) != _singular(self.about.lower()):
            raise refused("SEARCH_OBJECT_OTHER", Word(f"{search.about}:", 0, len(search.about)), possible=(self.about,))


def beyond(
    prefix: str,
    model: type[Any],
    fields: Mapping[str, Field],
    names: Iterable[str],
    *,
    path: str = "pk",
    key: str = "pk",
) -> dict[str, Field]:
    """Fields of other rows that belong to the row (`template.name`): what `path` of the row is, `key` is of those."""
    return {f"{prefix}.{name}": Beyond(fields[name], path, model, key) for name in names}


def containing(*paths: str) -> Callable[[tuple[str, ...]], Q]:
    """A bare word is looked for in these columns."""

    def free(parts: tuple[str, ...]) -> Q:
        return reduce(or_, [Q(**{f"{path}__alike": parts}) for path in paths])

    return free


def _singular(name: str) -> str:
    first, dot, rest = name.partition(".")
    return f"{first.removesuffix('s')}{dot}{rest}"
