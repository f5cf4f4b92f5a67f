"""A serial line in a browser: what the broker says of it, and what is typed; bytes for the line, texts about it."""

import asyncio
import contextlib
import json

from django.conf import settings

from vms.actions import logs
from vms.actions.passes import GONE
from vms.beside import in_thread
from vms.models import ConsoleSession
from vms.wire import serial
from vms.wire.protocol import WireError

from .relay import HELD, LEFT, Receive, Send, until_one_ends

NO_BROKER = "ENGINE_NOT_RUNNING"


async def watch(console: ConsoleSession, receive: Receive, send: Send, closing: "asyncio.Future[str]") -> str:
    """Carry everything until one of the ends hangs up or `closing` is given a reason; returns why it ended."""
    vm, name = console.vm, console.user.get_username()
    try:
        reader, writer = await serial.connect(settings.RUN_DIR)
    except OSError:
        return NO_BROKER
    since = await in_thread(heard_since, console)
    writer.write(serial.control(join=str(vm.pk), host=str(vm.host_id), name=name, may_type=True, since=since))
    try:
        return await until_one_ends(_to_browser(reader, send), _from_browser(receive, writer), closing)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def heard_since(console: ConsoleSession) -> float:
    """From when on what the line said is for whoever opened it, in seconds of the epoch; 0 for all of it."""
    first = logs.since(console.vm, console.user)
    return first.timestamp() if first else 0


async def _to_browser(reader: asyncio.StreamReader, send: Send) -> str:
    frames = serial.Frames()
    with contextlib.suppress(OSError, WireError):
        while piece := await reader.read(HELD):
            for said in frames.feed(piece):
                told = {"bytes": said} if isinstance(said, bytes) else {"text": json.dumps(said)}
                await send({"type": "websocket.send", **told})
    return GONE


async def _from_browser(receive: Receive, writer: asyncio.StreamWriter) -> str:
    while (event := await receive())["type"] == "websocket.receive":
        if typed := event.get("bytes"):
            writer.write(serial.data(typed))
        elif event.get("text") == "take":
            writer.write(serial.control(take=True))
        try:
            await writer.drain()
        except OSError:
            return GONE
    return LEFT
