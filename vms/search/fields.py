"""Kinds of fields: how each may be compared, and which rows a comparison means."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from vms.domain.search import Condition, refused
from vms.models import DiskAttachment, SearchText
from vms.models.machines import NEVER
from vms.models.texts import fold

EQUAL: Final = ("=", "!=")
ORDERED: Final = ("=", "!=", ">", ">=", "<", "<=")
_SUFFIX: Final = {"=": "exact", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a field has to know beside the condition: whether capital letters count, and whose rows may be told of."""

    exact_case: bool = False
    visible: Callable[[type[Any]], QuerySet[Any]]


class Field:
    """A field of a language; `q` is given a comparison that the field has."""

    operators: ClassVar[tuple[str, ...]] = EQUAL

    @property
    def values(self) -> tuple[str, ...]:
        """The words that it is compared with, where they are few; for completion."""
        return ()

    def q(self, condition: Condition, asked: Asked) -> Q:
        """The rows that a condition means."""
        found = self.equal(condition, asked)
        return ~found if condition.operator.text == "!=" else found

    def equal(self, condition: Condition, asked: Asked) -> Q:
        """The rows whose value is the condition's; each kind of field says it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Text(Field):
    """A text of the row, or of one that it belongs to; for tables of which no search is too long."""

    path: str

    def equal(self, condition: Condition, asked: Asked) -> Q:
        return alike(self.path, condition.value.parts, asked)


@dataclass(frozen=True)
class UserName(Text):
    """The name that somebody logs in by, with oVirt's profile after it or without."""

    def equal(self, condition: Condition, asked: Asked) -> Q:
        *first, last = condition.value.parts
        plain = last.removesuffix("@internal-authz").removesuffix("@internal")
        return alike(self.path, (*first, plain), asked)


@dataclass(frozen=True)
class Owner(Field):
    """The name of a machine or template that has a disk."""

    path: str

    def equal(self, condition: Condition, asked: Asked) -> Q:
        held = DiskAttachment.objects.filter(alike(f"{self.path}__name", condition.value.parts, asked))
        return Q(pk__in=held.values("disk"))


@dataclass(frozen=True)
class MachineText(Field):
    """A text of a virtual machine; found by the rows of `SearchText`, whichever part of it is asked for."""

    name: str
    one_of_several: bool = False

    def equal(self, condition: Condition, asked: Asked) -> Q:
        parts = condition.value.parts
        if parts == ("",):
            return Q(**{self.name: ""})
        exactly = asked.exact_case and not self.one_of_several
        return holding(parts, self.name) & (alike(self.name, parts, asked) if exactly else Q())


@dataclass(frozen=True)
class MachineName(Field):
    """A virtual machine's name: whole or by its beginning from an index of its own, else as every text."""

    def equal(self, condition: Condition, asked: Asked) -> Q:
        parts = condition.value.parts
        exactly = alike("name", parts, asked) if asked.exact_case else Q()
        if len(parts) == 1:
            return Q(name=parts[0]) if asked.exact_case else Q(folded=parts[0].upper())
        if not any(parts):
            return Q()
        begins = Q(folded__begins=parts[0].upper()) if parts[0] else Q()
        return begins & (Q() if _is_beginning(parts) else holding(parts, "name")) & exactly


@dataclass(frozen=True)
class Place(Field):
    """The cluster or host of a virtual machine, whose name it keeps folded."""

    path: str

    def equal(self, condition: Condition, asked: Asked) -> Q:
        parts = condition.value.parts
        if len(parts) == 1 and not asked.exact_case:
            return Q(**{f"{self.path}_name": fold(parts[0])})
        running = {f"{self.path}_name__gt": ""}
        return alike(f"{self.path}__name", parts, asked) & Q(**running)


@dataclass(frozen=True)
class Among(Field):
    """Rows that refer to one with such a text: `path` holds what `key` of the rows there is."""

    path: str
    rows: Callable[[], QuerySet[Any]]
    text: str = "name"
    key: str = "pk"

    def equal(self, condition: Condition, asked: Asked) -> Q:
        meant = self.rows().filter(alike(self.text, condition.value.parts, asked)).values_list(self.key, flat=True)
        # Mostly it is one, and the machines of one are in order already; those of several have to be sorted.
        first = list(meant.order_by()[:2])
        return Q(**{self.path: first[0]}) if len(first) == 1 else Q(**{f"{self.path}__in": meant})


@dataclass(frozen=True)
class Choice(Field):
    """One of a few words; `words` maps what is typed to what the column holds, to several of that, or to rows."""

    words: Mapping[str, Any]
    path: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self.words)

    def equal(self, condition: Condition, asked: Asked) -> Q:
        held = self.words[self.word(condition)]
        if isinstance(held, Q):
            return held
        several = held if isinstance(held, tuple) else (held,)
        return Q(**{f"{self.path}__in": several}) if len(several) > 1 else Q(**{self.path: several[0]})

    def word(self, condition: Condition) -> str:
        """The word that is meant: case and underscores make no difference."""
        meant = _bare(condition.value.text)
        for word in self.words:
            if _bare(word) == meant:
                return word
        raise illegal(condition, tuple(self.words))


@dataclass(frozen=True)
class Ranked(Choice):
    """One of a few words that have an order."""

    operators: ClassVar[tuple[str, ...]] = ORDERED

    def q(self, condition: Condition, asked: Asked) -> Q:
        at, compare = list(self.words).index(self.word(condition)), _COMPARE[condition.operator.text]
        fitting = [held for place, held in enumerate(self.words.values()) if compare(place, at)]
        return Q(**{f"{self.path}__in": fitting})


@dataclass(frozen=True)
class Switch(Field):
    """Yes or no: the rows for which it is true, and those for which it is false."""

    true: Q
    false: Q

    @property
    def values(self) -> tuple[str, ...]:
        return ("true", "false")

    def equal(self, condition: Condition, asked: Asked) -> Q:
        word = condition.value.text.lower()
        if word not in self.values:
            raise illegal(condition, self.values)
        return self.true if word == "true" else self.false


def flag(path: str) -> Switch:
    """A column of yes or no; compared so that both databases look it up in an index."""
    return Switch(Q(**{f"{path}__in": (True,)}), Q(**{f"{path}__in": (False,)}))


@dataclass(frozen=True)
class Number(Field):
    """A whole number."""

    operators: ClassVar[tuple[str, ...]] = ORDERED

    path: str

    def q(self, condition: Condition, asked: Asked) -> Q:
        found = re.fullmatch(r"-?[0-9]{1,18}", condition.value.text)
        if not found:
            raise illegal(condition, ("a number",))
        return compared(self.path, condition.operator.text, int(found[0]))


@dataclass(frozen=True)
class Moment(Field):
    """A day or a moment: `2026-07-31`, `"2026-07-31 18:00"`, `today`, `yesterday`."""

    operators: ClassVar[tuple[str, ...]] = ORDERED

    path: str

    @property
    def values(self) -> tuple[str, ...]:
        return ("today", "yesterday")

    def q(self, condition: Condition, asked: Asked) -> Q:
        first, after = self._span(condition)
        inside = Q(**{f"{self.path}__gte": first, f"{self.path}__lt": after})
        return {
            "=": inside,
            "!=": ~inside,
            "<": Q(**{f"{self.path}__lt": first}),
            "<=": Q(**{f"{self.path}__lt": after}),
            ">": Q(**{f"{self.path}__gte": after}),
            ">=": Q(**{f"{self.path}__gte": first}),
        }[condition.operator.text]

    def _span(self, condition: Condition) -> tuple[datetime, datetime]:
        text = condition.value.text.lower()
        today = timezone.localdate()
        named = {"today": today, "yesterday": today - timedelta(days=1)}
        try:
            if text in named or len(text) == len("2026-07-31"):
                day = named.get(text) or date.fromisoformat(text)
                return _aware(datetime.combine(day, time())), _aware(datetime.combine(day + timedelta(days=1), time()))
            moment = _aware(datetime.fromisoformat(text))
        except (ValueError, OverflowError) as error:
            raise illegal(condition, ("today", "2026-07-31", '"2026-07-31 18:00"')) from error
        return moment, moment + timedelta(seconds=1)


@dataclass(frozen=True)
class Since(Field):
    """How long something has been so: `90s`, `15m`, `2h`, `1d`, or seconds."""

    operators: ClassVar[tuple[str, ...]] = (">", ">=", "<", "<=")

    path: str

    def q(self, condition: Condition, asked: Asked) -> Q:
        found = re.fullmatch(r"([0-9]{1,9})\s*([smhd]?)", condition.value.text.lower())
        if not found:
            raise illegal(condition, ("90s", "15m", "2h", "1d"))
        span = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
        then = timezone.now() - min(span, _LONGEST)
        # It has been so for longer when it began earlier.
        turned = {">": "<", ">=": "<=", "<": ">", "<=": ">="}[condition.operator.text]
        return compared(self.path, turned, then) & Q(**{f"{self.path}__lt": NEVER})


_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST: Final = timedelta(days=36_500)


@dataclass(frozen=True)
class Key(Field):
    """An id; what is none finds nothing."""

    path: str = "pk"
    read: Callable[[str], object] = UUID

    def equal(self, condition: Condition, asked: Asked) -> Q:
        try:
            return Q(**{self.path: self.read(condition.value.text)})
        except ValueError:
            return Q(pk__in=())


@dataclass(frozen=True)
class Same(Field):
    """What is the same for all rows, and asked for all the same."""

    text: str

    @property
    def values(self) -> tuple[str, ...]:
        return (self.text,)

    def equal(self, condition: Condition, asked: Asked) -> Q:
        return Q() if condition.value.text.lower() == self.text else Q(pk__in=())


@dataclass(frozen=True)
class Beyond(Field):
    """A field of rows that belong to the row (`Events.severity` of virtual machines): any of them may fit.

    Only of rows that may be seen: what is found must not tell of others.
    """

    inner: Field
    path: str
    model: type[Model]
    key: str = "pk"

    @property
    def operators(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.inner.operators

    @property
    def values(self) -> tuple[str, ...]:
        return self.inner.values

    def q(self, condition: Condition, asked: Asked) -> Q:
        meant = asked.visible(self.model).filter(self.inner.q(condition, asked))
        return Q(**{f"{self.path}__in": meant.values(self.key)})


def alike(path: str, parts: Sequence[str], asked: Asked) -> Q:
    """The rows whose text is that, with anything where stars are."""
    return Q(**{f"{path}__{'same' if asked.exact_case else 'alike'}": parts})


def holding(parts: Sequence[str], name: str | None = None) -> Q:
    """The machines with such a text, in a field or in any."""
    found = SearchText.objects.filter(text__holds=[fold(part) for part in parts])
    return Q(pk__in=(found.filter(field=name) if name else found).values("vm"))


def compared(path: str, operator_: str, value: object) -> Q:
    """The rows whose column compares so."""
    if operator_ == "!=":
        return ~Q(**{path: value})
    return Q(**{f"{path}__{_SUFFIX[operator_]}": value})


def illegal(condition: Condition, possible: tuple[str, ...]) -> Exception:
    """The refusal of a value that the field cannot have."""
    return refused("SEARCH_VALUE_ILLEGAL", condition.value, of=condition.field.text, possible=possible)


_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def _is_beginning(parts: Sequence[str]) -> bool:
    return len(parts) == 2 and not parts[1]


def _bare(word: str) -> str:
    return word.lower().replace("_", "").replace(" ", "")


def _aware(moment: datetime) -> datetime:
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
