"""What tags, bookmarks, roles and affinity have in common: short texts that somebody typed."""

from typing import TypeVar

from vms.domain.errors import Refusal
from vms.models import AffinityGroup, AffinityLabel, Bookmark, Role, Tag

from ._storable import require_storable

Label = TypeVar("Label", Tag, Bookmark, Role, AffinityGroup, AffinityLabel)


def storable(label: Label, *needed: str) -> Label:
    """The row, unless a text of it is missing, is no line of text, or does not fit."""
    for name in needed:
        text = getattr(label, name)
        if not text:
            raise Refusal("ILLEGAL_VALUE", name, value="", allowed="any text")
        if not text.isprintable():
            raise Refusal("ILLEGAL_VALUE", name, value=ascii(text[:40]), allowed="one line of printable text")
    require_storable(label)
    return label
