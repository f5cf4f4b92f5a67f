"""The serial broker: one stream for each machine, many watchers, one typist, scrollback and recording.

A process of its own, so that neither an engine nor a web server that is started anew drops a console. It knows no
database: whoever connects has been let in already, and runs as the same user.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from vms.domain.errors import Refusal
from vms.domain.scrollback import Scrollback
from vms.domain.transcript import Retention
from vms.wire.protocol import WireError, peer_uid, short_address
from vms.wire.serial import LIMIT, SOCKET_NAME, Frames, connect, control, data

from . import recorder
from .recorder import Recorder

logger = logging.getLogger(__name__)

HELD: Final = 1024 * 1024  # bytes that wait for a watcher who does not read; what comes beyond is skipped for him
RETRY_AFTER: Final = 1.0  # seconds between attempts at a line that people wait for
ATTACHED_WITHIN: Final = 2.5  # seconds after which an engine is told that it was not possible yet; it waits for three
ORPHANED: Final = 60.0  # seconds without an engine after which the broker ends; polite engines say when they go
DISMISSED: Final = 6.0
TIDY_EVERY: Final = 3600.0  # seconds between two looks for logs that are too old


class OpenLine(Protocol):
    """An open serial line."""

    def send(self, typed: bytes) -> None: ...

    def close(self) -> None: ...


# Opens a line: where its host is, whose it is, what to call with what comes, and at its end. None where it is off.
Opener = Callable[
    [Mapping[str, str], UUID, Callable[[bytes], None], Callable[[], None]],
    Awaitable[OpenLine | None],
]


# What comes of one connection: bytes of the line, or objects about it.
Messages = AsyncIterator[bytes | dict[str, Any]]


class Watcher:
    """Somebody at a line; one who may type and is asked first is its typist."""

    def __init__(self, writer: asyncio.StreamWriter, name: str, *, may_type: bool) -> None:
        self.name, self.may_type = name, may_type
        self._writer = writer
        self._skipped = 0
        writer.transport.set_write_buffer_limits(high=HELD)

    def say(self, said: bytes) -> None:
        """Send what the line says; while he does not read, it is counted instead."""
        if self._writer.transport.get_write_buffer_size() > HELD:
            self._skipped += len(said)
            return
        if self._skipped:
            self._writer.write(control(skipped=self._skipped))
            self._skipped = 0
        self._writer.write(data(said))

    def tell(self, **told: Any) -> None:
        self._writer.write(control(**told))


class SerialLine:
    """One machine's line, while anybody watches or it is recorded."""

    def __init__(self, machine: UUID, hosts: Mapping[str, Mapping[str, str]], opener: Opener) -> None:
        self.machine = machine
        self.host = ""
        self.watchers: list[Watcher] = []
        self._hosts = hosts
        self.recorder: Recorder | None = None
        self._opener = opener
        self._scrollback = Scrollback()
        self._typist: Watcher | None = None
        self._open: OpenLine | None = None
        self._off = False
        self._trying: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    @property
    def needed(self) -> bool:
        return bool(self.watchers) or self._open is not None or self._written

    @property
    def _written(self) -> bool:
        """Whether what it says is written down, as long as it may say something."""
        return self.recorder is not None and not self._off

    def join(self, watcher: Watcher, *, take: bool, since: float = 0) -> None:
        """Somebody comes; what was said before `since` is not for him."""
        self.watchers.append(watcher)
        if self._scrollback.began >= since and (scrollback := self._scrollback.text):
            watcher.say(scrollback)
        if watcher.may_type and (take or self._typist is None):
            self._typist = watcher
        self.told()
        self.keep_trying()

    def leave(self, watcher: Watcher) -> None:
        self.watchers.remove(watcher)
        if self._typist is watcher:
            self._typist = None
        self.told()
        if not self.watchers and self.recorder is None:
            self.hang_up()

    def take(self, watcher: Watcher) -> None:
        """Become the typist, whoever was."""
        if watcher.may_type:
            self._typist = watcher
            self.told()

    def type(self, watcher: Watcher, typed: bytes) -> None:
        if watcher is self._typist and self._open is not None:
            self._open.send(typed)

    def told(self) -> None:
        """Tell everybody how the line stands, who types and how many watch."""
        for watcher in self.watchers:
            watcher.tell(
                open=self._open is not None,
                typist=self._typist.name if self._typist else "",
                you=watcher is self._typist,
                watchers=len(self.watchers),
            )

    def keep_trying(self) -> None:
        if self._trying is None or self._trying.done():
            self._trying = asyncio.ensure_future(self._try())

    async def attach(self) -> bool:
        """Open the line now; False where that is not possible."""
        async with self._opening:
            if self._open is not None:
                return True
            at = self._hosts.get(self.host)
            if at is None:
                return False
            try:
                self._open = await self._opener(at, self.machine, self._said, self._ended)
            except Refusal as no:
                logger.debug("%s: %s", self.machine, no.params)
                self._off = False  # for all that is known
                return False
            self._off = self._open is None
        if not self._off:
            self.told()
        return not self._off

    def begin(self) -> None:
        """A new run begins: what the one before said is in its log."""
        self.hang_up()
        self._scrollback.clear()

    def remember(self, said: bytes, began: float) -> None:
        """What was said before, from then on, for whoever joins."""
        if said:
            self._scrollback.add(said)
            self._scrollback.began = began

    def hang_up(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    async def _try(self) -> None:
        """As long as it is watched or written down: what a daemon drops, or somebody holds, is free again some time."""
        while not await self.attach() and (self.watchers or self._written):  # noqa: ASYNC110  (libvirt tells nobody)
            await asyncio.sleep(RETRY_AFTER)

    def _said(self, said: bytes) -> None:
        self._scrollback.add(said)
        if self.recorder is not None:
            self.recorder.write(said)
        for watcher in self.watchers:
            watcher.say(said)

    def _ended(self) -> None:
        self._open = None
        self._off = False
        self.told()
        self.keep_trying()


class Broker:
    """Serves the lines on the socket in `run_dir`; what is recorded lies below `logs`."""

    def __init__(self, run_dir: Path, logs: Path, opener: Opener, retention: Retention = recorder.KEPT) -> None:
        self._run_dir, self._logs, self._opener = run_dir, logs, opener
        self._retention = retention
        self._lines: dict[UUID, SerialLine] = {}
        self._hosts: dict[str, Mapping[str, str]] = {}
        self._engines = 0
        self._end = asyncio.get_running_loop().create_future()
        self._leaving: asyncio.TimerHandle | None = None

    async def serve(self) -> None:
        """Until no engine has been there for a while."""
        with contextlib.suppress(OSError):
            _reader, writer = await connect(self._run_dir)
            writer.close()
            return  # another broker serves already
        path = self._run_dir / SOCKET_NAME
        path.unlink(missing_ok=True)
        with short_address(path) as address:
            server = await asyncio.start_unix_server(self._serve, address, limit=LIMIT)
        path.chmod(0o600)
        self._leave_after(ORPHANED)
        tidying = asyncio.ensure_future(self._tidy())
        try:
            async with server:
                await self._end
        finally:
            tidying.cancel()
        path.unlink(missing_ok=True)

    async def _tidy(self) -> None:
        while True:
            await asyncio.to_thread(recorder.prune_all, self._logs, self._retention)
            await asyncio.sleep(TIDY_EVERY)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: socket.socket = writer.get_extra_info("socket")
        try:
            if peer_uid(connection) in {0, os.getuid()}:
                await self._hear(reader, writer)
        except (WireError, OSError, KeyError, ValueError, TypeError) as error:
            logger.warning("a watcher was hung up on: %r", error)
        finally:
            writer.close()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = _messages(reader)
        first: bytes | dict[str, Any] = await anext(messages, {})
        if isinstance(first, bytes):
            raise WireError("the first word is missing")
        if "join" in first:
            await self._watch(first, messages, writer)
        elif "engine" in first:
            await self._obey(messages, writer)

    # -- watchers

    async def _watch(self, told: Mapping[str, Any], messages: Messages, writer: asyncio.StreamWriter) -> None:
        line = self._line(UUID(told["join"]))
        line.host = str(told.get("host") or line.host)
        watcher = Watcher(writer, str(told.get("name", "")), may_type=bool(told.get("may_type")))
        line.join(watcher, take=bool(told.get("take")), since=float(told.get("since") or 0))
        try:
            async for said in messages:
                if isinstance(said, bytes):
                    line.type(watcher, said)
                elif said.get("take"):
                    line.take(watcher)
        finally:
            line.leave(watcher)
            if not line.needed:
                self._lines.pop(line.machine, None)

    def _line(self, machine: UUID) -> SerialLine:
        return self._lines.setdefault(machine, SerialLine(machine, self._hosts, self._opener))

    # -- the engine

    async def _obey(self, messages: Messages, writer: asyncio.StreamWriter) -> None:
        self._engines += 1
        self._leave_after(None)
        grace = ORPHANED
        try:
            async for told in messages:
                if isinstance(told, bytes):
                    raise WireError("an engine types nothing")
                if told.get("goodbye"):
                    grace = DISMISSED
                elif "host" in told:
                    self._hosts[told["host"]] = told["at"]
                elif "attach" in told:
                    writer.write(control(attached=await self._attach(told)))
                elif "record" in told:
                    self._written_line(UUID(told["record"]), told["at"], fresh=False).keep_trying()
                elif "wanted" in told:
                    writer.write(control(wanted=self._wanted(UUID(told["wanted"]))))
        finally:
            self._engines -= 1
            if not self._engines:
                self._leave_after(grace)

    def _wanted(self, machine: UUID) -> bool:
        line = self._lines.get(machine)
        return line is not None and bool(line.watchers)

    async def _attach(self, told: Mapping[str, Any]) -> bool:
        """Be at a line before its machine says its first word, or again where its run goes on."""
        machine, fresh = UUID(told["attach"]), bool(told.get("fresh"))
        if fresh:
            self._line(machine).begin()
        if told.get("written"):
            line = self._written_line(machine, told["at"], fresh=fresh)
        else:
            line = self._line_at(machine, told["at"])
            line.recorder = None
        try:
            async with asyncio.timeout(ATTACHED_WITHIN):
                attached = await line.attach()
        except TimeoutError:
            attached = False
        if not attached:
            line.keep_trying()
        return attached

    def _line_at(self, machine: UUID, host: str) -> SerialLine:
        line = self._line(machine)
        if line.host != host:
            line.hang_up()  # it has moved to another host
        line.host = host
        return line

    def _written_line(self, machine: UUID, host: str, *, fresh: bool) -> SerialLine:
        """The line, which is written down from now on, or still."""
        line = self._line_at(machine, host)
        if fresh or line.recorder is None:
            line.recorder = Recorder(self._logs, machine, fresh=fresh, retention=self._retention)
            if not fresh:  # a broker that was started anew knows what was said before it from the log alone
                line.remember(line.recorder.said(), line.recorder.began)
        return line

    def _leave_after(self, seconds: float | None) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        loop = asyncio.get_running_loop()
        self._leaving = loop.call_later(seconds, self._finish) if seconds is not None else None

    def _finish(self) -> None:
        if not self._end.done():
            self._end.set_result(None)


async def _messages(reader: asyncio.StreamReader) -> Messages:
    frames = Frames()
    while piece := await reader.read(LIMIT):
        for told in frames.feed(piece):
            yield told


async def _run(run_dir: Path, logs: Path, retention: Retention) -> None:
    from vms.hypervisors.lines import Lines  # needs libvirt, and the loop that it hooks into

    await Broker(run_dir, logs, Lines().open, retention).serve()


def main() -> None:
    """`python -m vms.engine.broker RUN_DIR LOG_DIR RUNS DAYS`"""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    run_dir, logs = (Path(word) for word in sys.argv[1:3])
    runs, days = (int(word) for word in sys.argv[3:5])
    with contextlib.suppress(ImportError):
        import uvloop  # four times as quick, where it is installed

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(_run(run_dir, logs, Retention(runs=runs, days=days)))


if __name__ == "__main__":
    main()
