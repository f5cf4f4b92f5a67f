"""Writing documents: the same plain data as XML and as JSON, one writer for single objects and collections."""

import json
import re
from datetime import datetime
from typing import Any, Final

from django.utils.timezone import localtime
from rest_framework.renderers import BaseRenderer

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
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write_xml(document: Document) -> bytes:
    """The document as XML, with its declaration."""
    parts = [_DECLARATION]
    _element(document.root, document.tree, parts)
    return "".join(parts).encode()


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


# Measured: appending to one list takes half the time of generators inside generators.
def _element(name: str, node: Node, parts: list[str]) -> None:
    if isinstance(node, dict):
        _tree(name, node, parts)
    elif isinstance(node, list):
        for each in node:
            _element(name, each, parts)
    else:
        text = _text(node)
        parts.append(f"<{name}>{text.translate(_IN_TEXT) if _SPECIAL(text) else text}</{name}>")


def _tree(name: str, tree: Tree, parts: list[str]) -> None:
    parts.append(f"<{name}")
    inside = []
    for key, value in tree.items():
        if key in ATTRIBUTES:
            text = str(value)
            parts.append(f' {key}="{text.translate(_IN_ATTRIBUTE) if _SPECIAL(text) else text}"')
        else:
            inside.append((key, value))
    if not inside:
        parts.append("/>")
        return
    parts.append(">")
    for key, value in inside:
        _element(key, value, parts)
    parts.append(f"</{name}>")


def _text(value: Node) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return localtime(value).isoformat(timespec="milliseconds")
    return str(value)


def _plain(node: Node) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if isinstance(node, datetime):
        return milliseconds(node)
    return int(node) if isinstance(node, Long) else _text(node)
