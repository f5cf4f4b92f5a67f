"""The serial broker: many watch a line, one types, whoever comes late sees what was said, and it is written down."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from vms.domain.errors import Refusal
from vms.engine import broker, recorder
from vms.engine.broker import Broker
from vms.wire import serial

HOST, MACHINE = "a-host", uuid4()


class Guest:
    """A machine's end of the line: what it says, what was typed, and whether it is there at all."""

    def __init__(self) -> None:
        self.typed = bytearray()
        self.off = self.held = False
        self.opened = self.asked = 0
        self._says: Callable[[bytes], None] | None = None
        self._ends: Callable[[], None] | None = None

    async def open(
        self, at: Mapping[str, str], machine: UUID, said: Callable[[bytes], None], ended: Callable[[], None]
    ) -> "Guest | None":
        self.asked += 1
        if self.held or at != {"uri": "test"}:
            raise Refusal("HYPERVISOR_REFUSED", None, message="Active console session exists for this domain")
        if self.off:
            return None
        self.opened += 1
        self._says, self._ends = said, ended
        return self

    def send(self, typed: bytes) -> None:
        self.typed += typed

    async def takes(self, typed: bytes) -> None:
        """Wait until so much was typed, and nothing else."""
        async with asyncio.timeout(5):
            while len(self.typed) < len(typed):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert self.typed == typed

    def close(self) -> None:
        self._says = None

    def says(self, said: bytes) -> None:
        assert self._says is not None, "nobody listens"
        self._says(said)

    def powers_off(self) -> None:
        self.off = True
        self.drops()

    def drops(self) -> None:
        """The line ends, as when the host's daemon dies."""
        assert self._ends is not None
        self._ends()


class Watching:
    """Somebody at the line, who keeps what came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.said, self.told = bytearray(), list[dict[str, Any]]()
        self.writer = writer
        self._frames = serial.Frames()
        self._reader = reader

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                piece = await self._reader.read(65536)
                assert piece, f"hung up on after {bytes(self.said)!r} {self.told}"
                for came in self._frames.feed(piece):
                    if isinstance(came, bytes):
                        self.said += came
                    else:
                        self.told.append(came)

    async def hears(self, text: bytes) -> None:
        await self.until(lambda: text in self.said)

    async def is_told(self, **what: Any) -> None:
        await self.until(lambda: any(what.items() <= told.items() for told in self.told))
        self.told.clear()


class Table:
    """A broker, its guest, and who comes to it."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir, self.logs, self.guest = run_dir, run_dir / "logs", Guest()

    async def joins(self, name: str, **more: Any) -> Watching:
        told = {"join": str(MACHINE), "host": HOST, "name": name, "may_type": True, **more}
        return await self.comes(**told)

    async def engine(self) -> Watching:
        made = await self.comes(engine=True)
        made.writer.write(serial.control(host=HOST, at={"uri": "test"}))
        return made

    async def comes(self, **told: Any) -> Watching:
        made = Watching(*await serial.connect(self.run_dir))
        made.writer.write(serial.control(**told))
        return made

    def log(self) -> bytes:
        place = self.logs / str(MACHINE)
        return (place / f"{recorder.runs(place)[-1]}.log").read_bytes()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


Flow = Callable[[Table], Coroutine[Any, Any, None]]


@pytest.fixture
def at_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Flow], None]:
    """Run something with a broker that knows the host."""
    monkeypatch.setattr(broker, "RETRY_AFTER", 0.01)

    async def whole(flow: Flow) -> None:
        table = Table(tmp_path)
        serving = asyncio.ensure_future(Broker(tmp_path, table.logs, table.guest.open).serve())
        async with asyncio.timeout(5):
            while not (tmp_path / serial.SOCKET_NAME).exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        engine = await table.engine()
        await flow(table)
        engine.writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    return lambda flow: asyncio.run(whole(flow))


def test_many_watch_one_types_and_another_takes_over(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        alice = await table.joins("alice")
        await alice.is_told(open=True, you=True)
        bob = await table.joins("bob")
        await bob.is_told(typist="alice", you=False, watchers=2)
        table.guest.says(b"login: ")
        await alice.hears(b"login: ")
        await bob.hears(b"login: ")
        bob.writer.write(serial.data(b"stolen\r"))
        alice.writer.write(serial.data(b"root\r"))
        await table.guest.takes(b"root\r")
        bob.writer.write(serial.control(take=True))
        await alice.is_told(typist="bob", you=False)
        alice.writer.write(serial.data(b"late"))
        bob.writer.write(serial.data(b"!"))
        await bob.is_told(you=True)
        await table.guest.takes(b"root\r!")
        bob.writer.close()
        await alice.is_told(typist="", watchers=1)

    at_table(flow)


def test_whoever_may_only_watch_never_types(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        carol = await table.joins("carol", may_type=False, take=True)
        carol.writer.write(serial.control(take=True) + serial.data(b"x"))
        await carol.is_told(open=True, you=False, typist="")
        await asyncio.sleep(0.05)
        assert table.guest.typed == b""

    at_table(flow)


def test_whoever_comes_late_sees_what_was_said(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        alice = await table.joins("alice")
        await alice.is_told(open=True)
        table.guest.says(b"first\r\n")
        await alice.hears(b"first")
        bob = await table.joins("bob")
        await bob.hears(b"first\r\n")

    at_table(flow)


def test_a_line_comes_back_by_itself_when_its_machine_does(
    at_table: Callable[[Flow], None],
) -> None:
    async def flow(table: Table) -> None:
        table.guest.off = True
        alice = await table.joins("alice")
        await alice.is_told(open=False)
        table.guest.off = False
        await alice.is_told(open=True)
        table.guest.powers_off()
        await alice.is_told(open=False)
        table.guest.off = False
        await alice.is_told(open=True, you=True)
        table.guest.says(b"again")
        await alice.hears(b"again")

    at_table(flow)


def test_the_first_word_of_a_run_is_written_down_and_each_run_begins_anew(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        engine = await table.engine()

        async def started(*, fresh: bool) -> None:
            told = {"attach": str(MACHINE), "at": HOST, "written": True, "fresh": fresh}
            engine.writer.write(serial.control(**told))
            await engine.is_told(attached=True)

        await started(fresh=True)
        table.guest.says(b"SeaBIOS\r\n")
        alice = await table.joins("alice")
        await alice.hears(b"SeaBIOS")
        assert table.log() == b"SeaBIOS\r\n"
        await started(fresh=False)
        table.guest.says(b"Linux\r\n")
        assert table.log() == b"SeaBIOS\r\nLinux\r\n"
        table.guest.powers_off()
        table.guest.off = False
        await started(fresh=True)
        table.guest.says(b"SeaBIOS again\r\n")
        assert table.log() == b"SeaBIOS again\r\n"
        assert len(recorder.runs(table.logs / str(MACHINE))) == 2
        bob = await table.joins("bob")
        await bob.hears(b"again")
        assert b"Linux" not in bob.said, "what another run said is in its log"

    at_table(flow)


def test_a_line_that_is_written_down_comes_back_though_nobody_watches_until_its_machine_is_off(
    at_table: Callable[[Flow], None],
) -> None:
    async def flow(table: Table) -> None:
        table.guest.held = True  # by the broker of an engine that has died, say
        engine = await table.engine()
        engine.writer.write(serial.control(record=str(MACHINE), at=HOST))
        await until(lambda: table.guest.asked == 3)
        table.guest.held = False
        await until(lambda: table.guest.opened == 1)
        table.guest.says(b"heard\r\n")
        table.guest.drops()
        await until(lambda: table.guest.opened == 2)
        table.guest.says(b"again\r\n")
        assert table.log() == b"heard\r\nagain\r\n"
        asked = table.guest.asked
        table.guest.powers_off()
        await until(lambda: table.guest.asked == asked + 1)
        await asyncio.sleep(10 * broker.RETRY_AFTER)
        assert table.guest.asked == asked + 1, "a machine that is off is not asked for again and again"

    at_table(flow)


def test_a_broker_that_was_started_anew_shows_what_was_written_down(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        recorder.Recorder(table.logs, MACHINE, fresh=True).write(b"said before\r\n")
        engine = await table.engine()
        engine.writer.write(serial.control(attach=str(MACHINE), at=HOST, written=True, fresh=False))
        await engine.is_told(attached=True)
        await (await table.joins("alice")).hears(b"said before\r\n")

    at_table(flow)


def test_what_was_said_before_somebodys_time_is_not_told_to_him(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        alice = await table.joins("alice")
        await alice.is_told(open=True)
        table.guest.says(b"her secret\r\n")
        await alice.hears(b"her secret")
        bob = await table.joins("bob", since=time.time())
        await bob.is_told(open=True)
        carol = await table.joins("carol", since=time.time() - 60)
        await carol.hears(b"her secret")
        table.guest.says(b"login: ")
        await bob.hears(b"login: ")
        assert b"secret" not in bob.said

    at_table(flow)


def test_a_broker_that_was_started_anew_hides_it_as_well(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        place = table.logs / str(MACHINE)
        place.mkdir(parents=True)
        (place / "20261101T000000000000.log").write_bytes(b"long ago\r\n")
        engine = await table.engine()
        engine.writer.write(serial.control(attach=str(MACHINE), at=HOST, written=True, fresh=False))
        await engine.is_told(attached=True)
        bob = await table.joins("bob", since=time.time())
        await bob.is_told(open=True)
        assert bob.said == b""
        await (await table.joins("alice")).hears(b"long ago")

    at_table(flow)


def test_who_waits_for_a_machine_has_its_start_wait_for_him(at_table: Callable[[Flow], None]) -> None:
    async def flow(table: Table) -> None:
        engine = await table.engine()
        engine.writer.write(serial.control(wanted=str(MACHINE)))
        await engine.is_told(wanted=False)
        table.guest.off = True
        await (await table.joins("alice")).is_told(open=False)
        engine.writer.write(serial.control(wanted=str(MACHINE)))
        await engine.is_told(wanted=True)

    at_table(flow)


def test_one_that_does_not_read_is_told_what_he_missed_and_holds_up_nobody(
    at_table: Callable[[Flow], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "HELD", 64 * 1024)

    async def flow(table: Table) -> None:
        slow = await table.joins("slow")
        await slow.is_told(open=True)
        for _ in range(400):
            table.guest.says(b"x" * 16 * 1024)
        quick = await table.joins("quick")
        await quick.hears(b"x")
        await slow.until(lambda: len(slow.said) > 100_000)
        table.guest.says(b"the end")
        await slow.until(lambda: b"the end" in slow.said)
        missed = sum(told.get("skipped", 0) for told in slow.told)
        assert missed + len(slow.said) == 400 * 16 * 1024 + len(b"the end")
        assert missed > 0

    at_table(flow)


def test_rubbish_and_strangers_are_hung_up_on(
    at_table: Callable[[Flow], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flow(table: Table) -> None:
        rubbish = (b"GET / HTTP/1.1\r\n\r\n", serial.data(b"x"), b"c\xff\xff\xff\xff", serial.control(join="nobody"))
        for said in (*rubbish, serial.control(join=str(MACHINE)) + b"zzzzzz"):
            reader, writer = await serial.connect(table.run_dir)
            writer.write(said)
            async with asyncio.timeout(5):
                while await reader.read(4096):
                    pass
        monkeypatch.setattr(broker, "peer_uid", lambda _connection: os.getuid() + 4711)
        reader, _writer = await serial.connect(table.run_dir)
        assert await reader.read(1) == b""
        monkeypatch.undo()
        await (await table.joins("alice")).is_told(open=True)

    at_table(flow)


def test_a_broker_that_no_engine_needs_any_more_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "DISMISSED", 0.05)

    async def flow() -> None:
        table = Table(tmp_path)
        serving = asyncio.ensure_future(Broker(tmp_path, table.logs, table.guest.open).serve())
        async with asyncio.timeout(5):
            while not (tmp_path / serial.SOCKET_NAME).exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            engine = await table.engine()
            await asyncio.sleep(0.1)
            assert not serving.done(), "one is there"
            engine.writer.write(serial.control(goodbye=True))
            engine.writer.close()
            await serving

    asyncio.run(flow())
    assert not (tmp_path / serial.SOCKET_NAME).exists()
