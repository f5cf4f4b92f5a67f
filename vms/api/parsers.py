"""Reading bodies: XML and JSON into the same plain data, with limits that hold before anything is built."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final, NoReturn
from xml.parsers import expat

from rest_framework.parsers import BaseParser

from .document import Document, Node
from .faults import Fault

BYTES: Final = 1024 * 1024
ELEMENTS: Final = 10_000
DEPTH: Final = 32
ATTRIBUTES: Final = 64


class _XmlReader:
    """Builds a tree while expat reads, and stops at the first thing that is too much."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[tuple[str, dict[str, Node], list[str]]] = []
        self._elements = 0
        self._document: Document | None = None

    def read(self, body: bytes) -> Document:
        try:
            self._parser.Parse(body, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise _malformed("XML", str(error)) from error
        assert self._document is not None
        return self._document

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > ELEMENTS:
            raise _too_much(f"more than {ELEMENTS} elements")
        if len(self._open) >= DEPTH:
            raise _too_much(f"elements nested more than {DEPTH} deep")
        if len(attributes) > ATTRIBUTES:
            raise _too_much(f"more than {ATTRIBUTES} attributes of one element")
        self._open.append((name, dict(attributes), []))

    def _end(self, name: str) -> None:
        name, children, texts = self._open.pop()
        if not self._open:
            self._document = Document(name, children)
            return
        parent = self._open[-1][1]
        value: Node = children or "".join(texts)
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def _text(self, text: str) -> None:
        self._open[-1][2].append(text)

    def _doctype(self, *_: Any) -> NoReturn:
        raise _too_much("a DOCTYPE")


def read_xml(body: bytes) -> Document:
    """The document in an XML body; a `Fault` for one that is malformed or too large."""
    return _XmlReader().read(_limited(body))


def read_json(body: bytes) -> Document:
    """The document in a JSON body; a `Fault` for one that is malformed, too large or no object."""
    try:
        text = _limited(body).decode()
        _count(text)
        tree = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
        json.dumps(tree, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise _malformed("JSON", str(error)) from error
    if not isinstance(tree, dict):
        raise _malformed("JSON", "an object is expected")
    if any("\0" in text for text in _texts(tree)):
        raise _malformed("JSON", "a text holds the character NUL")
    return Document("", tree)


class XmlParser(BaseParser):
    """XML, which oVirt's clients send."""

    media_type = "application/xml"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return read_xml(stream.read(BYTES + 1))


class TextXmlParser(XmlParser):
    """The same under its older name."""

    media_type = "text/xml"


class JsonParser(BaseParser):
    """JSON, which oVirt's VM portal sends."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return read_json(stream.read(BYTES + 1))


def _limited(body: bytes) -> bytes:
    if len(body) > BYTES:
        raise Fault(413, "Request too large", f"[A body has {BYTES} bytes at most.]")
    return body


# A text that does not end is one token too, so that no body is scanned twice.
_TOKENS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def _count(text: str) -> None:
    depth, values = 0, 1
    for token in _TOKENS.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth, values = depth + 1, values + 1
        elif mark in "]}":
            depth -= 1
        elif mark == ",":
            values += 1
        if depth > DEPTH:
            raise _too_much(f"values nested more than {DEPTH} deep")
        if values > ELEMENTS:
            raise _too_much(f"more than {ELEMENTS} values")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    # What is null is not given.
    return {name: value for name, value in found.items() if value is not None}


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield name
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _malformed(language: str, why: str) -> Fault:
    return Fault(400, "Request syntactically incorrect", f"[The body is no {language}: {why[:200]}.]")


def _too_much(what: str) -> Fault:
    return Fault(400, "Request syntactically incorrect", f"[The body holds {what}; that is not read.]")
