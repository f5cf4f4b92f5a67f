"""What travels: a root name and plain data, the same for XML and JSON.

A tree is oVirt's JSON shape: a dict is an element, a list under a key is that element repeated, and `id`, `href` and
`rel` are XML's attributes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

ATTRIBUTES: Final = frozenset({"id", "href", "rel"})

Node = Any  # str | bool | int | Long | datetime | Tree | list[Tree | str]
Tree = Mapping[str, Node]


class Long(int):
    """A number that JSON writes as a number; the small ones are texts there, as oVirt's portal expects."""


@dataclass(frozen=True, slots=True)
class Document:
    """A root element's name and what is in it; JSON has no root, so what was read from it has an empty one."""

    root: str
    tree: Tree = field(default_factory=dict)


def milliseconds(moment: datetime) -> int:
    """oVirt's time in JSON: milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
