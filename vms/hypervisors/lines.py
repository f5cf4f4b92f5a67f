"""Serial lines by libvirt's streams, in a process whose event loop is asyncio's: the serial broker's."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import libvirt
import libvirtaio

from vms.domain.errors import Refusal

KEEPALIVE: Final = (2, 3)
TYPED_LIMIT: Final = 64 * 1024  # bytes that wait for a guest which reads nothing; what comes beyond is dropped
_AT_ONCE: Final = 64 * 1024
_CREDENTIALS: Final = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
_WOULD_WAIT: Final = -2
_ALWAYS: Final = int(
    libvirt.VIR_STREAM_EVENT_READABLE | libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP
)


class Line:
    """One open serial line: `said` is called with what comes, `ended` once when it is over."""

    def __init__(self, stream: Any, said: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._stream, self._said, self._ended = stream, said, ended
        self._typed = bytearray()
        self._open = True
        self._loop = asyncio.get_running_loop()
        stream.eventAddCallback(self._interest, self._happened, None)

    def send(self, typed: bytes) -> None:
        """Type it; what the guest does not take at once waits."""
        self._typed += typed[: max(0, TYPED_LIMIT - len(self._typed))]
        self._flush()

    def close(self) -> None:
        """Hang up; `ended` is not called."""
        if self._open:
            self._open = False
            try:
                self._stream.eventRemoveCallback()
                self._stream.abort()
            except libvirt.libvirtError:
                pass

    def lost(self) -> None:
        """The host's daemon has gone: no stream tells of that by itself (measured)."""
        if self._open:
            self.close()
            self._ended()

    @property
    def _interest(self) -> int:
        return _ALWAYS | (int(libvirt.VIR_STREAM_EVENT_WRITABLE) if self._typed else 0)

    def _happened(self, _stream: Any, events: int, _opaque: Any) -> None:
        try:
            goes_on = self._open and self._handled(events)
        except libvirt.libvirtError:
            goes_on = False
        if not goes_on:
            self.lost()

    def _handled(self, events: int) -> bool:
        """Whether the line goes on."""
        if events & libvirt.VIR_STREAM_EVENT_READABLE and not self._read():
            return False
        if events & libvirt.VIR_STREAM_EVENT_WRITABLE:
            self._flush()
        return not events & (libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP)

    def _read(self) -> bool:
        """Whether the line goes on."""
        while (came := self._stream.recv(_AT_ONCE)) != _WOULD_WAIT:
            if not came:
                return False
            self._said(came)
        return True

    def _flush(self) -> None:
        waited = bool(self._typed)
        while self._typed and self._open:
            taken = self._stream.send(bytes(self._typed))
            if taken == _WOULD_WAIT:
                break
            del self._typed[:taken]
        if waited and self._open:
            self._stream.eventUpdateCallback(self._interest)


class Lines:
    """Opens serial lines; `at` says where a host's daemon is: `uri`, `username`, `password`."""

    def __init__(self) -> None:
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        libvirtaio.virEventRegisterAsyncIOImpl()
        self._connections: dict[str, Any] = {}
        self._open: dict[str, set[Line]] = {}

    async def open(
        self, at: Mapping[str, str], machine: UUID, said: Callable[[bytes], None], ended: Callable[[], None]
    ) -> Line:
        """Refused with `HYPERVISOR_REFUSED` when the machine is off, has no line, or somebody else holds it."""
        try:
            connection = await self._connection(at)
            stream = await asyncio.to_thread(_opened, connection, machine)
        except libvirt.libvirtError as error:
            raise Refusal("HYPERVISOR_REFUSED", None, message=str(error)) from error
        line = Line(stream, said, ended)
        self._open.setdefault(at["uri"], set()).add(line)
        return line

    async def _connection(self, at: Mapping[str, str]) -> Any:
        known = self._connections.get(at["uri"])
        if known is not None and known.isAlive():
            return known
        connection = await asyncio.to_thread(libvirt.openAuth, at["uri"], [_CREDENTIALS, _answers(at), None], 0)
        connection.setKeepAlive(*KEEPALIVE)
        connection.registerCloseCallback(self._closed, at["uri"])
        self._connections[at["uri"]] = connection
        return connection

    def _closed(self, _connection: Any, _reason: int, uri: str) -> None:
        self._connections.pop(uri, None)
        for line in self._open.pop(uri, set()):
            line.lost()


def _opened(connection: Any, machine: UUID) -> Any:
    stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
    connection.lookupByUUID(machine.bytes).openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
    return stream


def _answers(at: Mapping[str, str]) -> Callable[[list[Any], Any], int]:
    def answer(asked: list[Any], _: Any) -> int:
        told = {
            libvirt.VIR_CRED_AUTHNAME: at.get("username", ""),
            libvirt.VIR_CRED_PASSPHRASE: at.get("password", ""),
        }
        for credential in asked:
            credential[4] = told.get(credential[0], "")
        return 0

    return answer
