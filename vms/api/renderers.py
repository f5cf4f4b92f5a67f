"""Which language an answer is in: XML by default, JSON when it is asked for."""

from typing import Any

from rest_framework.renderers import BaseRenderer

from .document import Document
from .languages import JSON, XML, Language


def write(document: Document, language: Language) -> bytes:
    """The document as bytes; what no encoding has is replaced."""
    return language.document(document).encode(errors="replace")


class XmlRenderer(BaseRenderer):
    """XML, the default."""

    media_type = "application/xml"
    format = "xml"
    charset = "UTF-8"
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return write(data, XML) if data is not None else b""


class JsonRenderer(BaseRenderer):
    """JSON, when it is asked for."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return write(data, JSON) if data is not None else b""
