"""What clients search collections with: oVirt's language, `case_sensitive`, `max`, and the pages of `page N`."""

from typing import Any, Final

from django.db.models import QuerySet

from vms.domain.search import parse
from vms.models import User
from vms.search.find import find, ordered
from vms.search.language import Language

PAGE: Final = 100  # rows of a page, where one is asked for
FARTHEST: Final = 2**31  # a row that no collection has


def search(
    rows: QuerySet[Any], language: Language, query: str, *, by: User, exact_case: bool, most: int | None
) -> QuerySet[Any]:
    """The rows that a query finds, `most` of them at most."""
    asked = parse(query)
    found = ordered(find(rows, language, asked, by=by, exact_case=exact_case), language, asked)
    return _part(found, asked.page, most)


def _part(rows: QuerySet[Any], page: int, most: int | None) -> QuerySet[Any]:
    size = PAGE if most is None or most < 0 else min(most, FARTHEST)
    if page:
        first = min((page - 1) * size, FARTHEST)
        return rows[first : first + size]
    return rows if most is None or most < 0 else rows[:size]
