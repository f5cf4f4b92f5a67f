"""Writing documents: the same plain data as XML and as JSON, one writer for single objects and collections."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from django.utils.timezone import localtime
from rest_framework.renderers import BaseRenderer

from .document import ATTRIBUTES, Document, Long, Node, Tree, milliseconds

# What XML 1.0 cannot say at all; old rows may hold it.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_xml(document: Document) -> bytes:
    """The document as XML, with its declaration."""
    text = "".join(('<?xml version="1.0" encoding="UTF-8"?>\n', *_element(document.root, document.tree)))
    return text.encode()


def write_json(document: Document) -> bytes:
    """The document as JSON; its root has no place there."""
    return json.dumps(_plain(document.tree), ensure_ascii=False).encode(errors="replace")


class XmlRenderer(BaseRenderer):
    """XML, the default."""

    media_type = "application/xml"
    format = "xml"
    charset = "UTF-8"
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return write_xml(data) if data is not None else b""


class JsonRenderer(BaseRenderer):
    """JSON, when it is asked for."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return write_json(data) if data is not None else b""


def _element(name: str, node: Node) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _element(name, each)
    elif isinstance(node, Mapping):
        yield from _tree(name, node)
    else:
        yield f"<{name}>{escape(_NO_XML.sub('', _text(node)))}</{name}>"


def _tree(name: str, tree: Tree) -> Iterator[str]:
    yield f"<{name}"
    inside = []
    for key, value in tree.items():
        if key in ATTRIBUTES:
            yield f" {key}={quoteattr(str(value))}"
        else:
            inside.append((key, value))
    if not inside:
        yield "/>"
        return
    yield ">"
    for key, value in inside:
        yield from _element(key, value)
    yield f"</{name}>"


def _text(value: Node) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return localtime(value).isoformat(timespec="milliseconds")
    return str(value)


def _plain(node: Node) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if isinstance(node, datetime):
        return milliseconds(node)
    return int(node) if isinstance(node, Long) else _text(node)
