"""Answers that are written while they are sent; short ones are sent whole."""

from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Final

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

_FIRST: Final = 16 * 1024  # characters; the first byte leaves soon
_CHUNK: Final = 256 * 1024


class _Streamed(StreamingHttpResponse):
    """Takes one piece after the other from its rows under ASGI too, where Django would gather all of them first."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self)
        following = sync_to_async(lambda: next(pieces, None))
        while (piece := await following()) is not None:
            yield piece


def answer(texts: Iterator[str], content_type: str) -> HttpResponseBase:
    """The texts as one answer. What goes wrong before the first piece is ready can still be told with a status."""
    pieces = _pieces(texts)
    first = next(pieces, b"")
    if len(first) < _FIRST:
        return HttpResponse(first, content_type=content_type)
    return _Streamed(chain((first,), pieces), content_type=content_type)


def _pieces(texts: Iterator[str]) -> Iterator[bytes]:
    gathered: list[str] = []
    size, enough = 0, _FIRST
    for text in texts:
        gathered.append(text)
        size += len(text)
        if size >= enough:
            yield "".join(gathered).encode(errors="replace")
            gathered, size, enough = [], 0, _CHUNK
    if gathered:
        yield "".join(gathered).encode(errors="replace")
