"""Telling rows together with what their links and references lead to: one query for each step, however many rows."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from vms.api.document import Node, Tree

from .entity import MOST_IDS, Entity, Link
from .fields import Field, Follow, Reference, References, Telling
from .registry import COLLECTIONS

# A client that follows everything from everything would read the whole database.
STEPS: Final = 32
DEPTH: Final = 4


def parse(text: str) -> Follow:
    """What `follow=nics.reported_devices,cluster` asks for; words that no type has are not heard, as in oVirt."""
    tree: dict[str, Any] = {}
    for path in text.split(",")[:STEPS]:
        place = tree
        for step in path.split(".")[:DEPTH]:
            if word := step.strip().replace("_", "").lower():
                place = place.setdefault(word, {})
    return tree


def tell_one(entity: Entity, row: Any, telling: Telling, place: str = "") -> Tree:
    """One row with what is followed from it."""
    (tree,) = tell_all(entity, [row], telling, [place])
    return tree


def tell_all(entity: Entity, rows: Sequence[Any], telling: Telling, places: Sequence[str] = ()) -> list[Tree]:
    """The rows as trees; `places` are the addresses of their collections, where these are not the type's own."""
    at = list(places) or [""] * len(rows)
    contents: list[dict[str, Node]] = [{} for _row in rows]
    if telling.follow and rows:
        hrefs = [
            f"{place or f'{telling.base}/{entity.collection}'}/{row.pk}" for row, place in zip(rows, at, strict=True)
        ]
        for link in entity.links:
            if link.rel in telling.follow:
                _follow_link(link, rows, hrefs, telling, contents)
        subjects = [entity.subject(row, telling) for row in rows]
        for fields, of in entity.told:
            told = [of(subject) for subject in subjects]
            for field in fields:
                if isinstance(field.type, Reference) and field.step in telling.follow:
                    _follow_reference(field, field.type.collection, told, telling, contents)
    return [entity.tell(row, telling, place, inside) for row, place, inside in zip(rows, at, contents, strict=True)]


def items_of(link: Link, owner: Any, telling: Telling) -> Sequence[Any]:
    """What hangs on one row."""
    return link.items([owner], telling).get(owner.pk, ())


def _follow_link(
    link: Link, rows: Sequence[Any], hrefs: Sequence[str], telling: Telling, contents: list[dict[str, Node]]
) -> None:
    found = link.items(rows, telling)
    items = [found.get(row.pk, ()) for row in rows]
    flat = [item for each in items for item in each]
    places = [f"{href}/{link.rel}" for href, each in zip(hrefs, items, strict=True) for _item in each]
    trees = iter(tell_all(link.entity, flat, telling.into(link.rel), places))
    for href, each, inside in zip(hrefs, items, contents, strict=True):
        told = list(islice(trees, len(each)))
        # With the address, which tells a client's wish from what it has read.
        inside[link.element] = {"href": f"{href}/{link.rel}", **({link.entity.name: told} if told else {})}


def _follow_reference(
    field: Field, collection: str, subjects: Sequence[Any], telling: Telling, contents: list[dict[str, Node]]
) -> None:
    entity = COLLECTIONS.get(collection)
    if entity is None or entity.rows is None or (field.guarded and telling.filtered):
        return
    assert telling.user is not None
    named = [_keys(field.told(subject)) for subject in subjects]
    wanted = list({key for keys in named for key in keys})
    trees: dict[str, Tree] = {}
    for start in range(0, len(wanted), MOST_IDS):
        rows = list(entity.rows(telling.user).filter(pk__in=wanted[start : start + MOST_IDS]))
        told = tell_all(entity, rows, telling.into(field.step))
        trees |= {tree["id"]: tree for tree in told}
    for keys, inside in zip(named, contents, strict=True):
        found = [trees[str(key)] for key in keys if str(key) in trees]
        if isinstance(field.type, References):
            inside[field.path] = {field.type.name: found} if found else {}
        elif found:
            inside[field.path] = found[0]


def _keys(told: Any) -> Sequence[Any]:
    return told if isinstance(told, list | tuple) else () if told is None else (told,)
