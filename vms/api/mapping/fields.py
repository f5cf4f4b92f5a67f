"""What the tables are made of: fields with a path in oVirt's document and a type, and where a new value goes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self
from uuid import UUID

from vms.api.document import Long, Node
from vms.api.faults import invalid
from vms.models import User

Follow = Mapping[str, "Follow"]
Schema = dict[str, Any]  # of a value, as OpenAPI writes it, in JSON's form


@dataclass(frozen=True, slots=True)
class Telling:
    """To whom and how a row is told: the base of addresses, and which side of it was asked for.

    `site` is what stands before addresses that are not of this door. `filtered` is the view of people who are no
    administrators; `next_run` shows what a restart brings, `current` what
    runs now; `follow` names links whose contents are wanted in place, and what is to be followed inside these.
    """

    base: str
    site: str = ""
    user: User | None = None
    filtered: bool = False
    next_run: bool = False
    current: bool = False
    follow: Follow = field(default_factory=dict)

    def into(self, step: str) -> Self:
        """The telling of what one followed link holds."""
        return replace(self, follow=self.follow.get(step, {}))


class Absent:
    """In place of a value: what was sent says nothing."""


ABSENT: Final = Absent()


class Type:
    """A kind of value: how it is told, and how what a client sent is read; this one is a text.

    Of most kinds many rows have the same values, whose text is made once; not so where they are `endless`.
    """

    endless = False

    def schema(self) -> Schema:
        """What a value looks like in JSON; it is read in that form, too."""
        return {"type": "string"}

    def tell(self, value: Any, telling: Telling) -> Node:
        return value

    def read(self, node: Node, path: str) -> Any:
        if not isinstance(node, str):
            raise invalid(path, "…", "a text")
        return node


class _Text(Type):
    endless = True


class _Time(_Text):
    def schema(self) -> Schema:
        told = "milliseconds since 1970; in XML a date with time and zone"
        return {"type": "integer", "format": "int64", "description": told}


class _Boolean(Type):
    def schema(self) -> Schema:
        return {"type": "string", "enum": ["true", "false"]}

    def tell(self, value: Any, telling: Telling) -> Node:
        return bool(value)  # SQLite has numbers for them

    def read(self, node: Node, path: str) -> Any:
        word = str(node).lower() if isinstance(node, str | bool) else ""
        if word not in _BOOLEANS:
            raise invalid(path, word or "…", "true, false")
        return _BOOLEANS[word]


class _Number(Type):
    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^-?[0-9]{1,18}$", "description": "a whole number"}

    def read(self, node: Node, path: str) -> Any:
        if isinstance(node, int) and not isinstance(node, bool):
            return node
        if not isinstance(node, str) or not _DIGITS.fullmatch(node):
            raise invalid(path, node if isinstance(node, str) else "…", "a number")
        return int(node)


class _Size(_Number):
    """MiB inside, bytes outside."""

    def schema(self) -> Schema:
        return {"type": "integer", "format": "int64", "description": "bytes"}

    def tell(self, value: Any, telling: Telling) -> Node:
        return Long(value * _MIB)

    def read(self, node: Node, path: str) -> Any:
        return super().read(node, path) // _MIB


class Words(Type):
    """One of oVirt's words for one of our values."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._words = {value: word for word, value in reversed(list(values.items()))}

    def schema(self) -> Schema:
        return {"type": "string", "enum": sorted(self._values)}

    def tell(self, value: Any, telling: Telling) -> Node:
        return self._words.get(value)

    def read(self, node: Node, path: str) -> Any:
        if not isinstance(node, str) or node.lower() not in self._values:
            raise invalid(path, node if isinstance(node, str) else "…", sorted(self._values))
        return self._values[node.lower()]


@dataclass(frozen=True, slots=True)
class Ref:
    """What a client names by id or by name."""

    path: str
    id: UUID | None = None
    name: str = ""


class Reference(Type):
    """Another entity, told by id and address, read by id or name; an empty element is read as None."""

    def __init__(self, collection: str) -> None:
        self.collection = collection

    def schema(self) -> Schema:
        href = {"type": "string", "readOnly": True}
        return object_of(href=href, id=_WORD, name=_WORD)

    def tell(self, value: Any, telling: Telling) -> Node:
        return {"href": f"{telling.base}/{self.collection}/{value}", "id": str(value)}

    def read(self, node: Node, path: str) -> Any:
        if node == "" or node == {}:
            return None
        if not isinstance(node, Mapping):
            raise invalid(path, "…", "an element with id or name")
        if "id" in node:
            return Ref(path, id=read_id(node["id"], f"{path}.id"))
        return Ref(path, name=TEXT.read(node["name"], f"{path}.name")) if node.get("name") else None


class References(Reference):
    """Several other entities, told and read in a list."""

    endless = True

    def __init__(self, collection: str, name: str) -> None:
        super().__init__(collection)
        self.name = name

    def schema(self) -> Schema:
        return list_of(self.name, super().schema())

    def tell(self, value: Any, telling: Telling) -> Node:
        return {self.name: [super(References, self).tell(each, telling) for each in value]}

    def read(self, node: Node, path: str) -> Any:
        refs = (super(References, self).read(each, f"{path}.{self.name}") for each in listed(node, self.name, path))
        return [ref for ref in refs if ref is not None]


def listed(node: Node, name: str, path: str) -> list[Node]:
    """The elements of a list; one alone stands for itself, and an empty element for none."""
    if node == "":
        return []
    if not isinstance(node, Mapping):
        raise invalid(path, "…", f"a list of {name}")
    inside = node.get(name, [])
    return inside if isinstance(inside, list) else [inside]


def read_id(node: Node, path: str) -> UUID:
    """An id as a client sent it."""
    if not isinstance(node, str) or not _ID.fullmatch(node):
        raise invalid(path, node if isinstance(node, str) else "…", "a UUID")
    return UUID(node)


def object_of(**properties: Schema) -> Schema:
    """The schema of an element with these members."""
    return {"type": "object", "properties": properties}


def list_of(name: str, item: Schema) -> Schema:
    """The schema of an element in which another one is repeated."""
    return object_of(**{name: {"type": "array", "items": item}})


_MIB: Final = 1024 * 1024
_WORD: Final[Schema] = {"type": "string"}
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_DIGITS: Final = re.compile(r"-?[0-9]{1,18}")
_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

TEXT: Final = _Text()
TIME: Final = _Time()
BOOLEAN: Final = _Boolean()
NUMBER: Final = _Number()
SIZE: Final = _Size()


def untold(_subject: Any) -> None:
    """Of what is only read."""


@dataclass(frozen=True, slots=True)
class Field:
    """One element: its path, its type, where its value comes from, and where a new one goes.

    `told` gives None for an element that is left out. `to` is `group.name`: an attribute or reference of the row, a
    field of the machine, its CPU or boot, or a wish for its console; empty for what clients only read. What is
    `guarded` is told to administrators alone.
    """

    path: str
    type: Type
    told: Callable[[Any], Any] = untold
    to: str = ""
    guarded: bool = False

    @property
    def step(self) -> str:
        """The word that `follow` calls it by."""
        return self.path.rpartition("/")[2].replace("_", "")


def tell(fields: tuple[Field, ...], subject: Any, telling: Telling) -> dict[str, Node]:
    """The subject as a tree; an element without a value is not there."""
    tree: dict[str, Node] = {}
    for each in fields:
        value = None if each.guarded and telling.filtered else each.told(subject)
        if value is None:
            continue
        *outer, name = each.path.split("/")
        place = tree
        for step in outer:
            place = place.setdefault(step, {})
        if (told := each.type.tell(value, telling)) is not None:
            place[name] = told
    return tree
