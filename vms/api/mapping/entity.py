"""Types as a whole: their words, their tables, what hangs on them and what can be done with them."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import QuerySet

from vms.api.document import Node, Tree
from vms.models import User

from .fields import Field, Telling, tell


def _same(subject: Any, _telling: Telling) -> Any:
    return subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Fields that are told of some columns alone: many rows have the same values there, whose text is made once.

    `of` makes of a row what the fields are told of; `more` is what they depend on beside the columns; where there
    is none, the `rare` of them have nothing to tell. `slots` are those whose values differ from row to row, and
    `filled` has them of a row, as `of` would tell them.
    """

    fields: tuple[Field, ...]
    columns: tuple[str, ...]
    of: Callable[[Any], Any] = lambda row: row
    more: Callable[[Any], Hashable] = lambda _row: None
    rare: tuple[Field, ...] = ()
    slots: tuple[str, ...] = ()
    filled: Callable[[Any], tuple[Any, ...]] = lambda _row: ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One type: its words, its tables, its links and actions.

    `rows` are those that somebody may see, of a type that has an address of its own; `subject` makes of a row what is
    told of it; a document with one of `not_offered` in it is refused; `called` finds those of a name. With `light`, a
    class of columns, a long list is told without an object for each row; the columns of a part stand together there.
    """

    name: str
    collection: str
    plural: str
    own: tuple[Field, ...]
    parts: tuple[Part, ...] = ()
    links: tuple["Link", ...] = ()
    actions: tuple[str, ...] = ()
    rows: Callable[[User], QuerySet[Any]] | None = None
    subject: Callable[[Any, Telling], Any] = _same
    light: type[Any] | None = None
    not_offered: tuple[str, ...] = ()
    called: Callable[[QuerySet[Any], str], QuerySet[Any]] = lambda rows, name: rows.filter(name=name)

    @property
    def told(self) -> Iterator[tuple[tuple[Field, ...], Callable[[Any], Any]]]:
        """The fields, each group with what makes of a subject what they are told of."""
        yield self.own, lambda subject: subject
        for part in self.parts:
            yield part.fields, part.of

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields, for reading and for describing."""
        return (*self.own, *(field for part in self.parts for field in part.fields))

    def tell(self, row: Any, telling: Telling, place: str = "", contents: Mapping[str, Node] | None = None) -> Tree:
        """The row as a tree, with its address, its links and what can be done with it.

        `place` is the address of its collection; `contents` replace links and references that were followed, by the
        element that they are told in.
        """
        key = str(row.pk)
        href = f"{place or f'{telling.base}/{self.collection}'}/{key}"
        subject = self.subject(row, telling)
        tree: dict[str, Node] = {"href": href, "id": key, **self._acts(href)}
        for fields, of in self.told:
            tree |= tell(fields, of(subject), telling)
        for path, node in (contents or {}).items():
            _put(tree, path, node)
        return tree | self._links(href, contents or {})

    def frame(self, href: str) -> tuple[dict[str, Node], dict[str, Node]]:
        """What stands before and after the fields of every row."""
        return self._acts(href), self._links(href, {})

    def _acts(self, href: str) -> dict[str, Node]:
        links = [{"href": f"{href}/{verb}", "rel": verb} for verb in self.actions]
        return {"actions": {"link": links}} if links else {}

    def _links(self, href: str, followed: Mapping[str, Node]) -> dict[str, Node]:
        there = [link for link in self.links if link.element not in followed]
        return {"link": [{"href": f"{href}/{link.rel}", "rel": link.rel} for link in there]} if there else {}


def _put(tree: dict[str, Node], path: str, node: Node) -> None:
    *outer, name = path.split("/")
    for step in outer:
        tree = tree[step]
    tree[name] = node


Items = Callable[[Sequence[Any], Telling], Mapping[Hashable, Sequence[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A sub-collection: its word in the path, and what is there of many owners at once, by the owner's key.

    `element` is the word for it inside its owner; mostly the type's plural, which is that for the collection by itself.
    """

    rel: str
    entity: Entity
    items: Items = field(default=lambda _owners, _telling: {})
    element: str = ""

    def __post_init__(self) -> None:
        if not self.element:
            object.__setattr__(self, "element", self.entity.plural)


def of_each(items: Callable[[Any, Telling], Iterable[Any]]) -> Items:
    """What hangs on a row and is told of the row alone."""

    def found(owners: Sequence[Any], telling: Telling) -> Mapping[Hashable, Sequence[Any]]:
        return {owner.pk: tuple(items(owner, telling)) for owner in owners}

    return found


MOST_IDS: Final = 30_000  # of one query; SQLite takes 32,766 parameters


def related(rows: Callable[[User], QuerySet[Any]], column: str) -> Items:
    """Rows of a table of their own that name their owner in a column; one query finds those of all owners."""

    def found(owners: Sequence[Any], telling: Telling) -> Mapping[Hashable, Sequence[Any]]:
        by_owner: dict[Hashable, list[Any]] = {}
        assert telling.user is not None
        ids = [owner.pk for owner in owners]
        for start in range(0, len(ids), MOST_IDS):
            for row in rows(telling.user).filter(**{f"{column}__in": ids[start : start + MOST_IDS]}):
                by_owner.setdefault(getattr(row, column), []).append(row)
        return by_owner

    return found
