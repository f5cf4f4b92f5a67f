"""Long lists as text, made from the same tables as everything else, but prepared once and without a tree per row."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from django.db.models import QuerySet

from .document import ATTRIBUTES
from .languages import Language
from .mapping.entity import Entity, Part
from .mapping.fields import Field, Telling, untold

# No real key holds it, and no language changes it.
_KEY: Final = "\uf8ff"
_MOST_TEXTS: Final = 10_000  # kept of what many rows have in common
FETCH: Final = 500  # rows at a time from the database

Write = Callable[[Any], str]


def written(entity: Entity, rows: QuerySet[Any], telling: Telling, language: Language) -> Iterator[str]:
    """The rows as a document, piece by piece; one query, whatever it finds."""
    write = _row_writer(entity, telling, language)
    return language.collection(entity.plural, entity.name, map(write, _fetched(entity, rows)))


def _fetched(entity: Entity, rows: QuerySet[Any]) -> Iterator[Any]:
    if entity.light is None:
        return rows.iterator(chunk_size=FETCH)
    columns = rows.select_related(None).values_list(*entity.light._fields)
    return map(entity.light._make, columns.iterator(chunk_size=FETCH))


def _row_writer(entity: Entity, telling: Telling, language: Language) -> Write:
    """The function that writes one row."""
    place = f"{telling.base}/{entity.collection}"
    frame = entity.frame(f"{place}/{_KEY}")
    before, after = ("".join(language.member(*each) for each in tree.items()) for tree in frame)
    own = _members(entity.own, telling, language)
    parts = [_part_writer(entity, part, telling, language) for part in entity.parts]

    def write(row: Any) -> str:
        key, subject = str(row.pk), entity.subject(row, telling)
        members = [before.replace(_KEY, key), own(subject)]
        members += [part(subject) for part in parts]
        members.append(after.replace(_KEY, key))
        return language.row(entity.name, f"{place}/{key}", key, "".join(members))

    return write


def _part_writer(entity: Entity, part: Part, telling: Telling, language: Language) -> Write:
    """Writes the fields of a part, each of its texts once."""
    members, light = _members(part.fields, telling, language), entity.light
    assert light is not None
    first = light._fields.index(part.columns[0])
    columns = slice(first, first + len(part.columns))
    assert light._fields[columns] == part.columns
    texts: dict[Any, str] = {}

    def write(row: Any) -> str:
        if not isinstance(row, light) or part.alone(row):
            return members(part.of(row))
        key = row[columns], part.more(row)
        text = texts.get(key)
        if text is None:
            text = members(part.of(row))
            if len(texts) < _MOST_TEXTS:
                texts[key] = text
        return text

    return write


def _members(fields: tuple[Field, ...], telling: Telling, language: Language) -> Write:
    """Writes what a subject has of these fields."""
    told = [field for field in fields if field.told is not untold]
    there = [(field.path, field) for field in told if not (field.guarded and telling.filtered)]
    return _inside(there, telling, language)


def _inside(fields: list[tuple[str, Field]], telling: Telling, language: Language) -> Write:
    """Writes fields by the paths that are left of them; those with the same first step stand in one element."""
    by_step: dict[str, list[tuple[str, Field]]] = {}
    for path, field in fields:
        step, _slash, rest = path.partition("/")
        by_step.setdefault(step, []).append((rest, field))
    writers = [_element(step, more, telling, language) for step, more in by_step.items()]
    return lambda subject: "".join([write(subject) for write in writers])


def _element(step: str, fields: list[tuple[str, Field]], telling: Telling, language: Language) -> Write:
    if fields[0][0]:
        members = _inside(fields, telling, language)
        return lambda subject: language.inside(step, members(subject))
    ((_path, field),) = fields
    assert step not in ATTRIBUTES, f"{field.path}: an attribute is told by the type of its element"
    told, member = field.told, _member(step, field, telling, language)

    def write(subject: Any) -> str:
        value = told(subject)
        return "" if value is None else member(value)

    return write


def _member(name: str, field: Field, telling: Telling, language: Language) -> Write:
    """Writes one value as an element; of kinds that are not endless each text is made once."""

    def member(value: Any) -> str:
        node = field.type.tell(value, telling)
        return "" if node is None else language.member(name, node)

    return member if field.type.endless else lru_cache(maxsize=4096)(member)
