"""The WebSocket door: a pass opens a console, and every end of it is told with its reason."""

import asyncio
import logging
import socket
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.conf import settings

from vms.actions import passes
from vms.actions._audit import coming_from
from vms.beside import in_thread
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.models import ConsoleKind, ConsoleSession
from vms.wire.client import EngineClient

from . import serial
from .guard import Guard
from .handshake import SPOKEN, Caller, caller_of
from .relay import LEFT, Receive, Send, relay

logger = logging.getLogger(__name__)

# In the range that is free for applications; what it means is in the reason beside it.
CLOSED: Final = 4000
FORBIDDEN: Final = 1008

_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = WeakKeyDictionary()


async def consoles(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one WebSocket."""
    await receive()
    caller = caller_of(scope)
    if caller is None:
        await send({"type": "websocket.close", "code": FORBIDDEN})
        return
    await send({"type": "websocket.accept", "subprotocol": SPOKEN})
    reason = await _serve(caller, receive, send)
    if reason != LEFT:
        await send({"type": "websocket.close", "code": CLOSED, "reason": reason})


async def _serve(caller: Caller, receive: Receive, send: Send) -> str:
    """Why it ended: a word of `passes` or `relay`, or the code of a refusal."""
    try:
        console = await in_thread(_enter, caller)
    except Refusal as no:
        return no.code
    try:
        with _guard().watching(console.pk, caller.session) as closing:
            if console.kind == ConsoleKind.SERIAL:
                return await serial.watch(console, receive, send, closing)
            line = await in_thread(_screen, console)
            return await relay(receive, send, line, closing)
    except Refusal as no:
        return no.code
    finally:
        await in_thread(_leave, caller, console)


def _enter(caller: Caller) -> ConsoleSession:
    session = passes.mark_of(caller.session)
    with coming_from(caller.address, ""):
        return passes.redeem(caller.told, caller.machine, caller.kind, session=session, address=caller.address)


def _leave(caller: Caller, console: ConsoleSession) -> None:
    with coming_from(caller.address, ""):
        passes.leave(console.pk)


def _screen(console: ConsoleSession) -> socket.socket:
    vm = console.vm
    assert vm.host_id is not None
    return EngineClient(settings.RUN_DIR).open_screen(vm.host_id, vm.pk, Protocol(console.kind))


def _guard() -> Guard:
    loop = asyncio.get_running_loop()
    return _guards.setdefault(loop, Guard())
