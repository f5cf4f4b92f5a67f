"""What collections understand of oVirt's search language: conditions joined by `and`, an order, a page."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from .faults import Fault

PAGE: Final = 100  # rows of a page, where one is asked for
FARTHEST: Final = 2**31  # a row that no collection has

_WORD: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*+"|!=|>=|<=|=|>|<|[^\s"=<>!]+)')
_OPERATORS: Final = frozenset({"=", "!=", ">", "<", ">=", "<="})

# A condition: operator and value → what the rows must be; None for an operator that makes no sense there.
Condition = Callable[[str, str, bool], Q | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words of one collection: conditions and orders by oVirt's name, and where a bare word is looked for."""

    conditions: Mapping[str, Condition]
    orders: Mapping[str, str] = field(default_factory=dict)
    free: str = "name"


@dataclass(frozen=True, slots=True)
class _Query:
    conditions: list[tuple[str, str, str]]
    free: list[str]
    order: str = ""
    page: int = 0


def text(path: str) -> Condition:
    """A text: equal, or alike with `*`."""

    def condition(operator: str, value: str, exact_case: bool) -> Q | None:
        if operator not in {"=", "!="}:
            return None
        found = _alike(path, value, "" if exact_case else "i")
        if found is None:
            return None
        return ~found if operator == "!=" else found

    return condition


def _alike(path: str, value: str, case: str) -> Q | None:
    """`x`, `x*`, `*x`, `*x*` or `x*y`; what has more in it would take the database too long."""
    parts = value.split("*")
    if len(parts) == 1:
        return Q(**{f"{path}__{case}exact": value})
    if len(parts) == 3 and not parts[0] and not parts[2]:
        return Q(**{f"{path}__{case}contains": parts[1]})
    if len(parts) > 2:
        return None
    return Q(**{f"{path}__{case}startswith": parts[0], f"{path}__{case}endswith": parts[1]})


def key(path: str) -> Condition:
    """An id; what is none finds nothing."""

    def condition(operator: str, value: str, exact_case: bool) -> Q | None:
        if operator != "=":
            return None
        try:
            return Q(**{path: UUID(value)})
        except ValueError:
            return Q(pk__in=())

    return condition


def word(path: str, words: Mapping[str, Any] | None = None) -> Condition:
    """One of a few words, in any case; one that there is not finds nothing."""

    def condition(operator: str, value: str, exact_case: bool) -> Q | None:
        if operator not in {"=", "!="}:
            return None
        lowered = value.lower()
        found = Q(**{path: words.get(lowered, lowered) if words else lowered})
        return ~found if operator == "!=" else found

    return condition


def ranked(path: str, ranks: tuple[str, ...]) -> Condition:
    """One of a few words in their order."""

    def condition(operator: str, value: str, exact_case: bool) -> Q | None:
        if value.lower() not in ranks:
            return None
        at = ranks.index(value.lower())
        chosen = {
            "=": ranks[at : at + 1],
            "!=": ranks[:at] + ranks[at + 1 :],
            ">": ranks[at + 1 :],
            ">=": ranks[at:],
            "<": ranks[:at],
            "<=": ranks[: at + 1],
        }[operator]
        return Q(**{f"{path}__in": chosen})

    return condition


def search(rows: QuerySet[Any], language: Language, query: str, *, exact_case: bool, most: int | None) -> QuerySet[Any]:
    """The rows that a query finds, `most` of them at most; a `Fault` for what is not understood.

    Leaving out a condition would find too much, and clients remove what they find.
    """
    asked = _parse(query)
    for name, operator, value in asked.conditions:
        condition = language.conditions.get(name)
        found = condition(operator, value, exact_case) if condition else None
        if found is None:
            raise _not_understood(f"{name} {operator}", ", ".join(sorted(language.conditions)))
        rows = rows.filter(found)
    for value in asked.free:
        rows = rows.filter(**{f"{language.free}__icontains": value.replace("*", "")})
    if asked.order:
        rows = rows.order_by(*_order(asked.order, language), "pk")
    return _part(rows, asked.page, most)


def _part(rows: QuerySet[Any], page: int, most: int | None) -> QuerySet[Any]:
    size = PAGE if most is None or most < 0 else min(most, FARTHEST)
    if page:
        first = min((page - 1) * size, FARTHEST)
        return rows[first : first + size]
    return rows if most is None or most < 0 else rows[:size]


def _order(order: str, language: Language) -> list[str]:
    name, _space, direction = order.partition(" ")
    path = language.orders.get(name)
    if path is None:
        raise _not_understood(f"sortby {name}", ", ".join(sorted(language.orders)))
    return [f"-{path}" if direction == "desc" else path]


def _parse(query: str) -> _Query:
    words = _split(query)
    page = 0
    if len(words) >= 2 and words[-2].lower() == "page" and re.fullmatch(r"[0-9]{1,9}", words[-1]):
        page = int(words[-1])
        words = words[:-2]
    order = ""
    lowered = [each.lower() for each in words]
    if "sortby" in lowered:
        at = lowered.index("sortby")
        rest = lowered[at + 1 :]
        if not rest or len(rest) > 2 or (len(rest) == 2 and rest[1] not in {"asc", "desc"}):
            raise _not_understood("sortby", "a field, then asc or desc")
        order, words = " ".join(rest), words[:at]
    conditions, free = _conditions(words)
    return _Query(conditions, free, order, page)


def _conditions(words: list[str]) -> tuple[list[tuple[str, str, str]], list[str]]:
    conditions, free, at = [], [], 0
    while at < len(words):
        if words[at].lower() == "and":
            at += 1
        elif words[at].lower() == "or":
            raise _not_understood("or", "and")
        elif at + 2 < len(words) and words[at + 1] in _OPERATORS:
            conditions.append((words[at].lower(), words[at + 1], _unquoted(words[at + 2])))
            at += 3
        elif words[at] in _OPERATORS or (at + 1 < len(words) and words[at + 1] in _OPERATORS):
            raise _not_understood(" ".join(words[at : at + 2]), "field = value")
        else:
            free.append(_unquoted(words[at]))
            at += 1
    return conditions, free


def _split(query: str) -> list[str]:
    words, at = [], 0
    query = query.strip()
    while at < len(query):
        found = _WORD.match(query, at)
        if found is None:
            raise _not_understood(query[at : at + 20], "field = value, joined by and")
        words.append(found[1])
        at = found.end()
    return words


def _unquoted(word: str) -> str:
    if len(word) >= 2 and word[0] == word[-1] == '"':
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word


def _not_understood(what: str, allowed: str) -> Fault:
    return Fault(400, "Operation Failed", f"[The search “{what}” is not understood here; possible: {allowed}.]")
