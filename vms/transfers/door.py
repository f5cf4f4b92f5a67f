"""oVirt's imageio protocol at `/images/<ticket>`: an image is read and written in pieces, by several at once.

Beside the pages' framework, which would keep a whole body before it looks at it.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from django.db import DatabaseError

from vms.actions import transfers, uploads
from vms.beside import in_thread
from vms.domain.errors import Refusal
from vms.models import Transfer

from .content import Content
from .exchange import PART, TICK, Exchange, Gone, Receive, Send
from .spans import Span, Wrong, sent, wanted

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PREFIX: Final = "/images/"
WORKERS: Final = 8  # connections that a client may open for one image
_PATH: Final = re.compile(r"/images/([0-9a-f-]{1,120}|\*)(/extents)?")


@dataclass(frozen=True, slots=True)
class Opened:
    """A transfer that a ticket has opened, and its file."""

    transfer: Transfer
    content: Content

    @property
    def size(self) -> int:
        """How many bytes there are, or may be."""
        return self.transfer.size

    async def went(self, end: int) -> bool:
        """Note how far it is; False when it may go no further."""
        return await in_thread(transfers.went, self.transfer, end)


async def images(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one request."""
    exchange = Exchange(scope, receive, send)
    try:
        await _serve(exchange, scope["path"])
    except Gone:
        return
    except Wrong as wrong:
        # The rest of a body that nobody reads would be taken for the next request.
        await exchange.answer(wrong.status, wrong.why, connection="close")
    except Refusal:
        await exchange.answer(403, "The ticket is not valid", connection="close")
    except DatabaseError:
        logger.exception("images: the database does not answer")
        await exchange.answer(503, "Try again later", connection="close")


async def _serve(exchange: Exchange, path: str) -> None:
    found = _PATH.fullmatch(path)
    if found is None:
        raise Wrong(404, "No such resource")
    ticket, extents = found[1], bool(found[2])
    if exchange.method == "OPTIONS" and ticket == "*":
        await exchange.answer(200, {"features": [*_FEATURES[True]]}, allow="OPTIONS,GET,PUT,PATCH")
        return
    handle = _METHODS.get((exchange.method, extents))
    if handle is None:
        raise Wrong(405, f"Invalid method {exchange.method!r}")
    transfer, content = await in_thread(_open, ticket)
    with content:
        if exchange.method in {"PUT", "PATCH"} and not transfer.uploads:
            raise Wrong(403, "The ticket is not for writing")
        await handle(exchange, Opened(transfer, content))


def _open(ticket: str) -> tuple[Transfer, Content]:
    """The transfer and its file; that it is still open is looked at when the file is held."""
    transfer = transfers.redeem(ticket)
    content = Content(uploads.path_for(transfer), writes=transfer.uploads)
    try:
        return transfers.redeem(ticket), content
    except BaseException:
        content.__exit__()
        raise


async def _options(exchange: Exchange, opened: Opened) -> None:
    uploads_ = opened.transfer.uploads
    await opened.went(0)
    told = {"features": [*_FEATURES[uploads_]], "max_readers": WORKERS, "max_writers": WORKERS}
    await exchange.answer(200, told, allow="OPTIONS,GET,HEAD,PUT,PATCH" if uploads_ else "OPTIONS,GET,HEAD")


async def _get(exchange: Exchange, opened: Opened) -> None:
    size = opened.content.size
    mark = f'"{opened.transfer.pk}"'
    fresh = exchange.header("if-range") in {"", mark}
    span = wanted(exchange.header("range") if fresh else "", size)
    close = exchange.word("close", ("y", "n"), "n") == "y"
    headers = {
        "accept-ranges": "bytes",
        "content-disposition": f"attachment; filename={_file_name(opened.transfer)}",
        "content-length": str(size if span is None else span.length),
        "content-type": "application/octet-stream",
        "etag": mark,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    if span is not None:
        headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    if close:
        headers["connection"] = "close"
    await exchange.begin(200 if span is None else 206, headers)
    if exchange.method == "HEAD":
        await exchange.body(b"")
        return
    await _send(exchange, opened, span or Span(0, size))


async def _send(exchange: Exchange, opened: Opened, span: Span) -> None:
    left = asyncio.ensure_future(exchange.left())
    clock, at = asyncio.get_running_loop().time(), span.start
    try:
        while at < span.end:
            data = await _at_work(opened.content.read, Span(at, min(PART, span.end - at)))
            if left.done() or not data:
                return
            await exchange.body(data, more=True)
            at += len(data)
            if (now := asyncio.get_running_loop().time()) - clock > TICK:
                clock = now
                if not await opened.went(at):
                    return  # the client sees that less has come than it was told
        await exchange.body(b"")
        await opened.went(at)
    finally:
        left.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await left


async def _put(exchange: Exchange, opened: Opened) -> None:
    span = sent(exchange.header("content-length"), exchange.header("content-range")).within(opened.size)
    flush = exchange.word("flush", ("y", "n"), "y") == "y"
    close = exchange.word("close", ("y", "n"), "n") == "y"
    at, clock = span.start, asyncio.get_running_loop().time()

    async def still() -> bool:
        return await opened.went(at)

    async for part in exchange.parts(still):
        if at + len(part) > span.end:
            raise Wrong(400, "More came than Content-Length says")
        await _at_work(opened.content.write, at, part)
        at += len(part)
        if (now := asyncio.get_running_loop().time()) - clock > TICK:
            clock = now
            if not await still():
                raise Wrong(403, "The transfer is not open any more")
    if at != span.end:
        raise Wrong(400, f"Expected {span.length} bytes, got {at - span.start} bytes")
    if flush:
        await _at_work(opened.content.flush)
    if not await still():
        raise Wrong(403, "The transfer is not open any more")
    await exchange.answer(200, **({"connection": "close"} if close else {}))


async def _patch(exchange: Exchange, opened: Opened) -> None:
    said = await exchange.message()
    verb = said.get("op") if isinstance(said, dict) else None
    if verb not in {"zero", "flush"}:
        raise Wrong(400, "Invalid op, expected one of zero, flush")
    reached = 0
    if verb == "zero":
        span = Span(_whole(said, "offset", 0), _whole(said, "size")).within(opened.size)
        await _at_work(opened.content.zero, span)
        reached = span.end
    if verb == "flush" or said.get("flush") is True:
        await _at_work(opened.content.flush)
    if not await opened.went(reached):
        raise Wrong(403, "The transfer is not open any more")
    await exchange.answer(200)


async def _extents(exchange: Exchange, opened: Opened) -> None:
    if exchange.word("context", ("zero", "dirty"), "zero") == "dirty":
        raise Wrong(404, "Ticket does not support dirty extents")
    await opened.went(0)
    told = await _at_work(lambda: [_extent(span, gap) for span, gap in opened.content.extents()])
    await exchange.answer(200, told)


async def _at_work(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call what works on the file, and leave when that has ended: a request that is cancelled closes it, and another
    file may have its number then."""
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise


def _extent(span: Span, gap: bool) -> dict[str, Any]:
    return {"start": span.start, "length": span.length, "zero": gap, "hole": gap}


def _whole(message: dict[str, Any], name: str, default: int | None = None) -> int:
    value = message.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
        raise Wrong(400, f"Invalid {name}, expected a number from 0 on")
    return value


def _file_name(transfer: Transfer) -> str:
    """What a browser calls the file; letters that every header and file system takes."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", transfer.disk.name).strip("._") or "disk"
    ending = "iso" if transfer.disk.content == "iso" else transfer.format
    return name if name.endswith(f".{ending}") else f"{name}.{ending}"


_FEATURES: Final = {False: ("extents",), True: ("extents", "flush", "zero")}
_METHODS: Final = {
    ("OPTIONS", False): _options,
    ("GET", False): _get,
    ("HEAD", False): _get,
    ("PUT", False): _put,
    ("PATCH", False): _patch,
    ("GET", True): _extents,
}
