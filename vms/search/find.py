"""From a search to the rows that it means."""

from functools import reduce
from operator import and_, or_
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from vms.domain.search import Condition, Either, Every, Free, Search, Term, refused
from vms.models import User

from .fields import Asked
from .language import Language
from .visible import visible

Rows = TypeVar("Rows", bound=QuerySet[Any])


def find(rows: Rows, language: Language, search: Search, *, by: User, exact_case: bool = False) -> Rows:
    """The rows that a search means, in no order yet; refused for a word that the language has not.

    Leaving out a condition would find too much, and clients remove what they find.
    """
    language.require_about(search)
    if search.term is None:
        return rows
    asked = Asked(exact_case=exact_case, visible=lambda model: visible(model, by))
    return rows.filter(_meaning(search.term, language, asked))


def ordered(rows: Rows, language: Language, search: Search) -> Rows:
    """The rows in the order that the search wants; as they are when it wants none."""
    columns = language.columns(search)
    if columns is None or search.order is None:
        return rows
    return rows.order_by(*(f"-{column}" if search.order.descending else column for column in columns))


def _meaning(term: Term, language: Language, asked: Asked) -> Q:
    if isinstance(term, Every | Either):
        join = and_ if isinstance(term, Every) else or_
        return reduce(join, [_meaning(each, language, asked) for each in term.terms])
    if isinstance(term, Free):
        # Wherever it stands in a text; its own stars stay.
        return language.free(("", *term.value.parts, ""))
    return _compared(term, language, asked)


def _compared(condition: Condition, language: Language, asked: Asked) -> Q:
    field = language.field(condition.field)
    if condition.operator.text not in field.operators:
        name = condition.field.text
        raise refused("SEARCH_OPERATOR_ILLEGAL", condition.operator, of=name, possible=field.operators)
    return field.q(condition, asked)
