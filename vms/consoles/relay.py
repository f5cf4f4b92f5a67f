"""Bytes between a WebSocket and a local socket, both ways at once, each as fast as the slower end takes them."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from vms.actions.passes import GONE

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# The most that is held of a stream whose reader is slow; whoever writes waits meanwhile.
HELD: Final = 256 * 1024

LEFT: Final = "left"  # the browser did


async def relay(receive: Receive, send: Send, line: socket.socket, closing: "asyncio.Future[str]") -> str:
    """Carry everything until one of the ends hangs up or `closing` is given a reason; returns why it ended."""
    line.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=line, limit=HELD)
    try:
        return await until_one_ends(_to_browser(reader, send), _from_browser(receive, writer), closing)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def until_one_ends(
    there: Coroutine[Any, Any, str], back: Coroutine[Any, Any, str], closing: "asyncio.Future[str]"
) -> str:
    """Run both ways until one returns or `closing` is given a reason; returns the reason."""
    tasks = [asyncio.ensure_future(there), asyncio.ensure_future(back)]
    try:
        done, _pending = await asyncio.wait([*tasks, closing], return_when=asyncio.FIRST_COMPLETED)
        return closing.result() if closing in done else next(iter(done)).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _to_browser(reader: asyncio.StreamReader, send: Send) -> str:
    try:
        while data := await reader.read(HELD):
            await send({"type": "websocket.send", "bytes": data})
    except OSError:
        pass
    return GONE


async def _from_browser(receive: Receive, writer: asyncio.StreamWriter) -> str:
    while (event := await receive())["type"] == "websocket.receive":
        if data := event.get("bytes"):
            writer.write(data)
            try:
                await writer.drain()
            except OSError:
                return GONE
    return LEFT
