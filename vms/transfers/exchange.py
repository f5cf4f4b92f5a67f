"""One request and its answer, as the server's protocol (ASGI) has them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from .spans import Wrong

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
PART: Final = 1024 * 1024  # bytes that are held in memory for a request
TICK: Final = 1.0  # seconds after which somebody looks whether a request that waits may go on
PATIENCE: Final = 60.0  # seconds that a client may send nothing while it sends
_MESSAGE: Final = 64 * 1024  # bytes of a JSON message


class Gone(Exception):
    """The client has left."""


class Exchange:
    """What a client asked, and the way back to it; whatever it sends is taken in parts."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.method: str = scope["method"]
        self._headers: dict[bytes, str] = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._query: dict[str, list[str]] = parse_qs(scope.get("query_string", b"").decode("latin-1"))

    def header(self, name: str) -> str:
        return self._headers.get(name.encode(), "")

    def word(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """A parameter of the address that has one of a few values."""
        said = self._query.get(name, [default])[-1]
        if said not in allowed:
            raise Wrong(400, f"Invalid {name}={said!r}, expected one of {', '.join(allowed)}")
        return said

    async def parts(self, still: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """The body, in parts of about a mebibyte; asks now and then whether it may still go on."""
        held, size, more = [], 0, True
        while more:
            message = await self._next(still)
            held.append(message.get("body", b""))
            size += len(held[-1])
            more = message.get("more_body", False)
            if size >= PART or not more:
                yield b"".join(held)
                held, size = [], 0

    async def message(self) -> Any:
        """The body as JSON."""
        body = b""
        async for part in self.parts(_yes):
            body += part
            if len(body) > _MESSAGE:
                raise Wrong(413, "The message is too long")
        try:
            return json.loads(body)
        except ValueError as error:
            raise Wrong(400, f"Invalid JSON message {error}") from None

    async def _next(self, still: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
        waiting = asyncio.ensure_future(self._receive())
        try:
            async with asyncio.timeout(PATIENCE):
                while not (await asyncio.wait({waiting}, timeout=TICK))[0]:
                    if not await still():
                        raise Wrong(403, "The transfer is not open any more")
        except TimeoutError:
            raise Wrong(408, "Nothing came for too long") from None
        finally:
            if not waiting.done():
                waiting.cancel()
        message = waiting.result()
        if message["type"] == "http.disconnect":
            raise Gone
        return message

    async def left(self) -> None:
        """Wait until the client leaves."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        told = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": told})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def answer(self, status: int, told: Any = None, **headers: str) -> None:
        """All of an answer: JSON, a sentence, or nothing."""
        plain = isinstance(told, str)
        data = b"" if told is None else (f"{told}\n" if plain else json.dumps(told)).encode()
        kind = {} if told is None else {"content-type": "text/plain; charset=utf-8" if plain else "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.begin(status, {**kind, "content-length": str(len(data)), **named})
        await self.body(data)


async def _yes() -> bool:
    return True
