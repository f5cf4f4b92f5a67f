"""The two languages of the door, as far as text is put together from them: an element, a row, a collection.

The members of an element begin alike in both, so that whole runs of them can be made once and joined.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, Final, Protocol

from django.utils.timezone import get_default_timezone

from .document import ATTRIBUTES, Document, Long, Node, Tree, milliseconds

# What XML 1.0 cannot say at all is left out; old rows may hold it.
_UNSPEAKABLE: Final = (*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
_IN_TEXT: Final[dict[int, str | None]] = {
    **dict.fromkeys(_UNSPEAKABLE),
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}
_IN_ATTRIBUTE: Final = _IN_TEXT | {ord('"'): "&quot;", ord("\n"): "&#10;", ord("\t"): "&#9;", ord("\r"): "&#13;"}
# Looking whether anything has to be replaced is much quicker than replacing.
_SPECIAL: Final = re.compile('["&<>\x00-\x1f\ud800-\udfff\ufffe\uffff]').search


class Language(Protocol):
    """How a document is written; texts only, so that they can be joined in any order."""

    name: str
    content_type: str

    def text(self, text: str) -> str:
        """A text as it stands inside an element."""

    def moment(self, moment: datetime) -> str:
        """A moment as it stands there."""

    def member(self, name: str, node: Node) -> str:
        """One element inside another; a list is the element repeated."""

    def inside(self, name: str, members: str) -> str:
        """An element made of members that are written already; nothing when there are none."""

    def row(self, name: str, href: str, key: str, members: str) -> str:
        """One entity of a collection."""

    def collection(self, plural: str, name: str, rows: Iterable[str]) -> Iterator[str]:
        """The rows as a document, piece by piece."""

    def document(self, document: Document) -> str:
        """A whole document."""


class Xml:
    """XML, the default."""

    name = "xml"
    content_type = "application/xml; charset=UTF-8"
    _DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

    def text(self, text: str) -> str:
        return text.translate(_IN_TEXT) if _SPECIAL(text) else text

    def moment(self, moment: datetime) -> str:
        return _written(moment)

    def member(self, name: str, node: Node) -> str:
        if isinstance(node, dict):
            return self._element(name, node)
        if isinstance(node, list):
            return "".join([self.member(name, each) for each in node])
        return f"<{name}>{self.text(plain(node))}</{name}>"

    def inside(self, name: str, members: str) -> str:
        return f"<{name}>{members}</{name}>" if members else ""

    def row(self, name: str, href: str, key: str, members: str) -> str:
        return f'<{name} href="{href}" id="{key}">{members}</{name}>'

    def collection(self, plural: str, name: str, rows: Iterable[str]) -> Iterator[str]:
        begun = False
        for row in rows:
            yield row if begun else f"{self._DECLARATION}<{plural}>{row}"
            begun = True
        yield f"</{plural}>" if begun else f"{self._DECLARATION}<{plural}/>"

    def document(self, document: Document) -> str:
        return self._DECLARATION + self._element(document.root, document.tree)

    def _element(self, name: str, tree: Tree) -> str:
        attributes, members = "", ""
        for key, value in tree.items():
            if key in ATTRIBUTES:
                text = str(value)
                attributes += f' {key}="{text.translate(_IN_ATTRIBUTE) if _SPECIAL(text) else text}"'
            else:
                members += self.member(key, value)
        return f"<{name}{attributes}>{members}</{name}>" if members else f"<{name}{attributes}/>"


class Json:
    """JSON, as oVirt's portal expects it: small numbers and switches are texts, a collection is a list in an object.

    Every member begins with its comma; whoever opens an object drops the first one.
    """

    name = "json"
    content_type = "application/json"

    def text(self, text: str) -> str:
        return encode_basestring(text)[1:-1]

    def moment(self, moment: datetime) -> str:
        return str(milliseconds(moment))

    def member(self, name: str, node: Node) -> str:
        return f',"{name}":{self._value(node)}'

    def inside(self, name: str, members: str) -> str:
        return f',"{name}":{{{members[1:]}}}' if members else ""

    def row(self, name: str, href: str, key: str, members: str) -> str:
        return f'{{"href":"{href}","id":"{key}"{members}}}'

    def collection(self, plural: str, name: str, rows: Iterable[str]) -> Iterator[str]:
        begun = False
        for row in rows:
            yield f",{row}" if begun else f'{{"{name}":[{row}'
            begun = True
        yield "]}" if begun else "{}"

    def document(self, document: Document) -> str:
        return self._value(document.tree)

    def _value(self, node: Node) -> str:
        if isinstance(node, dict):
            return (
                "{"
                + "".join([f",{encode_basestring(key)}:{self._value(value)}" for key, value in node.items()])[1:]
                + "}"
            )
        if isinstance(node, list):
            return "[" + ",".join([self._value(each) for each in node]) + "]"
        if isinstance(node, datetime):
            return self.moment(node)
        return str(node) if isinstance(node, Long | float) else encode_basestring(plain(node))


def plain(value: Any) -> str:
    """A single value as a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _written(value)
    return str(value)


def _written(moment: datetime) -> str:
    """A moment with milliseconds and the zone; quicker than asking `isoformat` for these."""
    whole = moment.astimezone(get_default_timezone()).isoformat()
    return f"{whole[:23]}{whole[26:]}" if moment.microsecond else f"{whole[:19]}.000{whole[19:]}"


XML: Final = Xml()
JSON: Final = Json()
LANGUAGES: Final[dict[str, Language]] = {language.name: language for language in (XML, JSON)}
