"""Long lists as text, made from the same tables as everything else, but prepared once and without a tree per row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from django.db.models import QuerySet

from .document import ATTRIBUTES, Long
from .languages import Language, plain
from .mapping.columns import FETCH, read
from .mapping.entity import Entity, Part
from .mapping.fields import TEXT, TIME, Field, Telling, Type, untold

# No real key holds it, and no language changes it.
_KEY: Final = "\uf8ff"
_MARKS: Final = ("\uf8fe", "\uf8fd", "\uf8fc")  # the same for values that differ within a part
_MOST_TEXTS: Final = 10_000  # kept of what many rows have in common

Write = Callable[[Any], str]


def written(entity: Entity, rows: QuerySet[Any], telling: Telling, language: Language) -> Iterator[str]:
    """The rows as a document, piece by piece; one query, whatever it finds."""
    write = _row_writer(entity, telling, language)
    return language.collection(entity.plural, entity.name, map(write, _fetched(entity, rows)))


def _fetched(entity: Entity, rows: QuerySet[Any]) -> Iterator[Any]:
    return rows.iterator(chunk_size=FETCH) if entity.light is None else read(entity.light, rows)


def _row_writer(entity: Entity, telling: Telling, language: Language) -> Write:
    """The function that writes one row."""
    place = f"{telling.base}/{entity.collection}"
    frame = entity.frame(f"{place}/{_KEY}")
    before, after = ("".join(language.member(*each) for each in tree.items()).split(_KEY) for tree in frame)
    own = _members(entity.own, telling, language)
    parts = [_part_writer(entity, part, telling, language) for part in entity.parts]

    def write(row: Any) -> str:
        key, subject = str(row.pk), entity.subject(row, telling)
        members = [key.join(before), own(subject), *[part(subject) for part in parts], key.join(after)]
        return language.row(entity.name, f"{place}/{key}", key, "".join(members))

    return write


def _part_writer(entity: Entity, part: Part, telling: Telling, language: Language) -> Write:
    """Writes the fields of a part, each of its texts once, with gaps for what differs from row to row."""
    marks = dict(zip(part.slots, _MARKS, strict=False))
    members, light = _members(part.fields, telling, language), entity.light
    gapped = [_gap(field, marks.get(field.path)) for field in part.fields]
    rarely = _members(gapped, telling, language)
    mostly = _members([field for field in gapped if field not in part.rare], telling, language)
    assert light is not None
    first = light._fields.index(part.columns[0])
    columns = slice(first, first + len(part.columns))
    assert light._fields[columns] == part.columns
    texts: dict[Any, str] = {}

    def write(row: Any) -> str:
        if not isinstance(row, light):
            return members(part.of(row))
        values, more = part.filled(row), part.more(row)
        key = row[columns], more, tuple([value is None for value in values])
        text = texts.get(key)
        if text is None:
            text = (rarely if more != "" else mostly)(part.of(row))
            if len(texts) < _MOST_TEXTS:
                texts[key] = text
        for mark, value in zip(_MARKS, values, strict=False):
            if value is not None:
                text = text.replace(mark, language.text(plain(value)))
        return text

    return write


def _gap(field: Field, mark: str | None) -> Field:
    """The field with a mark in place of its value."""
    told = field.told
    return field if mark is None else replace(field, told=lambda it: None if told(it) is None else mark)


def _members(fields: Sequence[Field], telling: Telling, language: Language) -> Write:
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
    elements = [_element(step, more, telling, language) for step, more in by_step.items()]

    def write(subject: Any) -> str:
        texts = []
        for told, member in elements:
            value = told(subject)
            if value is not None:
                texts.append(member(value))
        return "".join(texts)

    return write


def _element(
    step: str, fields: list[tuple[str, Field]], telling: Telling, language: Language
) -> tuple[Callable[[Any], Any], Write]:
    """What an element is told of, and how that is written."""
    if fields[0][0]:
        members = _inside(fields, telling, language)
        return _itself, lambda subject: language.inside(step, members(subject))
    ((_path, field),) = fields
    assert step not in ATTRIBUTES, f"{field.path}: an attribute is told by the type of its element"
    return field.told, _member(step, field, telling, language)


def _itself(subject: Any) -> Any:
    return subject


def _member(name: str, field: Field, telling: Telling, language: Language) -> Write:
    """Writes one value as an element; of kinds that are not endless each text is made once."""

    def member(value: Any) -> str:
        node = field.type.tell(value, telling)
        return "" if node is None else language.member(name, node)

    if field.type in _DIRECT:
        return _DIRECT[field.type](name, language)
    return member if field.type.endless else lru_cache(maxsize=4096)(member)


def _text_writer(name: str, language: Language) -> Write:
    """Writes a text as an element; of these a list has the most."""
    before, after = language.member(name, _KEY).split(_KEY)
    text = language.text
    return lambda value: f"{before}{text(value if type(value) is str else plain(value))}{after}"


def _time_writer(name: str, language: Language) -> Write:
    """Writes a moment as an element."""
    # Their quotes are what differs between a text and a number in JSON.
    before, after = language.member(name, Long(0)).split("0")
    moment = language.moment
    return lambda value: f"{before}{moment(value)}{after}"


_DIRECT: Final[dict[Type, Callable[[str, Language], Write]]] = {TEXT: _text_writer, TIME: _time_writer}
