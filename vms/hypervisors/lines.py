"""Serial lines by libvirt's streams, in a process whose event loop is asyncio's: the serial broker's."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID
from weakref import WeakSet

import libvirt
import libvirtaio

from vms.domain.errors import Refusal

T = TypeVar("T")

KEEPALIVE: Final = (2, 3)
ANSWERS_WITHIN: Final = 5.0  # seconds for a daemon: no keepalive guards it while a connection is made
REST: Final = 1.0  # seconds after an attempt that came to nothing in which its daemon is left alone
HANGS: Final = (10.0, 600.0)  # the same while one hangs: at first, and at most
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
        self._daemons: dict[str, _Daemon] = {}

    async def open(
        self, at: Mapping[str, str], machine: UUID, said: Callable[[bytes], None], ended: Callable[[], None]
    ) -> Line | None:
        """None where the machine is off; refused with `HYPERVISOR_REFUSED` when it has no line, somebody else holds
        that, or its host does not answer. A host that hangs holds up no other."""
        daemon = self._daemons.setdefault(at["uri"], _Daemon(at))
        daemon.at = at
        try:
            stream = await daemon.stream(machine)
        except (libvirt.libvirtError, TimeoutError) as error:
            raise Refusal("HYPERVISOR_REFUSED", None, message=str(error)) from error
        if stream is None:
            return None
        line = Line(stream, said, ended)
        daemon.lines.add(line)
        return line


class _Daemon:
    """A host's daemon: asked one thing at a time, in a thread of its own, so that one that hangs keeps only that."""

    def __init__(self, at: Mapping[str, str]) -> None:
        self.at = at
        self.lines: WeakSet[Line] = WeakSet()
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._hanging: asyncio.Future[Any] | None = None
        self._patience = HANGS[0]
        self._hangs_until = self._rests_until = 0.0

    async def stream(self, machine: UUID) -> Any:
        """A machine's line; None where the machine is off."""
        async with self._turn:
            clock = asyncio.get_running_loop()
            if clock.time() < self._rests_until:
                raise TimeoutError("it has just not answered")
            try:
                if self._connection is None or not self._connection.isAlive():
                    self._connection = await self._answer(self._connect, lambda late: late.close())
                    self._connection.setKeepAlive(*KEEPALIVE)
                    self._connection.registerCloseCallback(self._closed, None)
            except (libvirt.libvirtError, TimeoutError):
                self._rests_until = clock.time() + REST
                raise
            connection = self._connection
            return await self._answer(lambda: _opened(connection, machine), lambda late: late and late.abort())

    async def _answer(self, call: Callable[[], T], too_late: Callable[[T], object]) -> T:
        """What a call returns in time; what it returns later is put away, and for a while no other is begun."""
        clock = asyncio.get_running_loop()
        if self._hanging is None or self._hanging.done():
            self._patience = HANGS[0]
        elif clock.time() < self._hangs_until:
            raise TimeoutError("it still hangs")
        answer = _in_a_thread(call)
        try:
            return await asyncio.wait_for(asyncio.shield(answer), ANSWERS_WITHIN)
        except (TimeoutError, asyncio.CancelledError):
            self._hanging = answer
            self._hangs_until, self._patience = clock.time() + self._patience, min(2 * self._patience, HANGS[1])
            answer.add_done_callback(lambda late: _put_away(late, too_late))
            raise

    def _connect(self) -> Any:
        return libvirt.openAuth(self.at["uri"], [_CREDENTIALS, _answers(self.at), None], 0)

    def _closed(self, connection: Any, _reason: int, _opaque: Any) -> None:
        self._connection = None
        for line in list(self.lines):
            line.lost()


def _in_a_thread(call: Callable[[], T]) -> "asyncio.Future[T]":
    """Not one of the loop's own, of which there are a few for all hosts, and which an end would wait for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(answer.set_result, call())
        except libvirt.libvirtError as error:
            settle = partial(answer.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name="libvirt-line", daemon=True).start()
    return answer


def _put_away(late: "asyncio.Future[T]", too_late: Callable[[T], object]) -> None:
    with contextlib.suppress(libvirt.libvirtError):
        too_late(late.result())


def _opened(connection: Any, machine: UUID) -> Any:
    try:
        domain = connection.lookupByUUID(machine.bytes)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
    if not domain.isActive():
        return None
    stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
    domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
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
