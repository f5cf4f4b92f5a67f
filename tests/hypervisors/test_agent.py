"""What a guest's agent says, through libvirt: of a real one, and of hostile ones as libvirt would pass it on."""

import base64
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.hypervisors.conftest import SerialLine, wait_until
from vms.domain.console import Console
from vms.domain.errors import Refusal
from vms.domain.guest import MANY, TEXT, Source
from vms.domain.machine import MachineSpec
from vms.domain.networks import Nic
from vms.domain.parts import Boot
from vms.domain.runonce import Run
from vms.hypervisors import guest
from vms.hypervisors.base import HEARD, Event, Ran
from vms.hypervisors.guest import GuestFiles
from vms.hypervisors.private import PrivateDaemon

libvirt = pytest.importorskip("libvirt")

from vms.hypervisors import agent  # noqa: E402  (it needs libvirt)


class Domain:
    """A domain whose agent says what a test wants, in the form in which libvirt passes it on."""

    def __init__(self, info: dict[str, Any] | int = 0, addresses: dict[int, Any] | None = None) -> None:
        self._info = info
        self._addresses = addresses or {}

    def agentSetResponseTimeout(self, seconds: int) -> None:  # noqa: N802  (libvirt's name)
        assert 0 < seconds <= 5

    def guestInfo(self, _types: int) -> dict[str, Any]:  # noqa: N802
        if isinstance(self._info, int):
            raise error(self._info)
        return self._info

    def interfaceAddresses(self, source: int) -> Any:  # noqa: N802
        if source not in self._addresses:
            raise error(libvirt.VIR_ERR_INTERNAL_ERROR)
        return self._addresses[source]


def error(code: int, words: str = "guest agent command failed") -> Any:
    raised: Any = libvirt.libvirtError(words)
    raised.err = (code, libvirt.VIR_FROM_QEMU, words, 0, "", "", "", 0, 0)
    return raised


AGENT, LEASE = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE


def interface(*addresses: str) -> dict[str, Any]:
    return {"eth0": {"hwaddr": "52:54:00:00:00:01", "addrs": [{"addr": one, "prefix": 24} for one in addresses]}}


class TestAnswers:
    @pytest.fixture(autouse=True)
    def _version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answer = '{"return": {"version": "7.2.22"}}'
        monkeypatch.setattr("vms.hypervisors.agent.libvirt_qemu.qemuAgentCommand", lambda *_: answer)

    def test_every_part_finds_its_place(self) -> None:
        told = agent.ask(
            Domain(
                {
                    "os.pretty-name": "Debian GNU/Linux 12",
                    "os.version": "12",
                    "os.id": "debian",
                    "os.kernel-release": "6.1.0",
                    "os.machine": "x86_64",
                    "hostname": "db.example.org",
                    "timezone.name": "CET",
                    "timezone.offset": 3600,
                    "user.count": 1,
                    "user.0.name": "root",
                    "user.0.login-time": 1_700_000_000_000,
                    "fs.count": 1,
                    "fs.0.mountpoint": "/",
                    "fs.0.fstype": "ext4",
                    "fs.0.total-bytes": 9,
                },
                {AGENT: interface("192.0.2.7", "127.0.0.1")},
            ),
            arp=False,
        )
        assert (told.agent, told.fqdn, told.told.system.name) == (True, "db.example.org", "Debian GNU/Linux 12")
        assert (told.told.zone.name, told.told.zone.offset) == ("CET", 3600)
        (user,), (disk,) = told.told.users, told.told.filesystems
        assert (user.name, user.since) == ("root", datetime.fromtimestamp(1_700_000_000, UTC))
        assert (disk.path, disk.kind, disk.total, disk.used) == ("/", "ext4", 9, None)
        (address,) = told.addresses[Source.AGENT]
        assert (address.address, address.mac, address.interface) == ("192.0.2.7", "52:54:00:00:00:01", "eth0")

    @pytest.mark.parametrize("code", sorted(agent.SILENT))
    def test_an_agent_that_does_not_answer_is_none(self, code: int) -> None:
        told = agent.ask(Domain(code, {LEASE: interface("192.0.2.8")}), arp=True)
        assert not told.agent
        assert list(told.addresses) == [Source.LEASE], "what cannot tell is not taken to tell of nothing"

    def test_another_error_is_one(self) -> None:
        with pytest.raises(libvirt.libvirtError):
            agent.ask(Domain(libvirt.VIR_ERR_NO_DOMAIN), arp=False)

    def test_a_guest_that_lies_without_end_is_cut_short(self) -> None:
        many = 10_000
        told = agent.ask(
            Domain(
                {
                    "user.count": many,
                    "fs.count": many,
                    "hostname": "x\n" * many,
                    "os.pretty-name": "\0" * many,
                    **{f"user.{n}.name": "\x1b[31m" for n in range(many)},
                    **{f"user.{n}.login-time": 2**63 for n in range(many)},
                },
                {AGENT: interface(*(f"192.0.{n // 256}.{n % 256}" for n in range(many)), "no address")},
            ),
            arp=False,
        )
        assert len(told.told.users) == len(told.told.filesystems) == len(told.addresses[Source.AGENT]) == MANY
        assert len(told.fqdn) <= TEXT
        assert told.fqdn.isprintable()
        assert told.told.users[0].since is None


@pytest.fixture(scope="module")
def bench(private_daemon: PrivateDaemon, guest_files: GuestFiles) -> Iterator[tuple[Any, list[Event], MachineSpec]]:
    """A driver, its events, and a machine in which a real agent answers."""
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    files = LocalFiles(guest_files.kernel.parent)
    driver, events = LibvirtHypervisor(lambda: Location(uri=private_daemon.uri, files=files), "local"), list[Event]()
    driver.open(events.append)
    spec = MachineSpec(
        id=uuid4(),
        name=f"agent-{os.getpid()}",
        memory=guest.MEMORY_MIB,
        console=replace(Console().as_headless(), serial=True),
        boot=Boot(kernel="kernel", initrd="initrd", parameters=guest.CMDLINE),
        nics=(Nic(mac="52:54:00:00:00:01"),),
    )
    driver.start(Run(base=spec, job=uuid4()))
    yield driver, events, spec
    driver.stop(spec.id)
    driver.remove(spec.id)
    driver.close()


@pytest.fixture(scope="module")
def line(bench: tuple[Any, list[Event], MachineSpec], private_daemon: PrivateDaemon) -> Iterator[SerialLine]:
    with SerialLine(libvirt.open(private_daemon.uri).lookupByUUID(bench[2].id.bytes)) as shell:
        shell.expect("10.0.2.15", 120)
        yield shell


class TestPrograms:
    """What an agent says when it is to run a program, and when it lies, hangs or refuses."""

    @pytest.fixture
    def says(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Have the agent say these things, one after the other; the last one for ever."""
        monkeypatch.setattr(agent, "LOOKS_EVERY", 0.001)

        def say(*answers: Any) -> None:
            left = list(answers)

            def command(*_: object) -> Any:
                answer = left.pop(0) if len(left) > 1 else left[0]
                if isinstance(answer, Exception):
                    raise answer
                return answer

            monkeypatch.setattr("vms.hypervisors.agent.libvirt_qemu.qemuAgentCommand", command)

        return say

    def test_what_it_said_and_how_it_ended_is_told_once_it_has(self, says: Callable[..., None]) -> None:
        silent = error(libvirt.VIR_ERR_AGENT_UNRESPONSIVE)
        ended = '{"return": {"exited": true, "exitcode": 3, "out-data": "aGVsbG8="}}'
        says('{"return": {"pid": 7}}', '{"return": {"exited": false}}', silent, ended)
        assert agent.run(Domain(), ("/bin/true",), 5) == Ran(3, "hello")

    def test_a_long_speech_is_cut(self, says: Callable[..., None]) -> None:
        said = base64.b64encode(b"x" * 10 * HEARD).decode()
        says('{"return": {"pid": 7}}', f'{{"return": {{"exited": true, "out-data": "{said}"}}}}')
        assert agent.run(Domain(), ("/bin/yes",), 5).said == "x" * HEARD

    def test_nonsense_is_refused(self, says: Callable[..., None]) -> None:
        begun = '{"return": {"pid": 7}}'
        for answers in (
            ("hello",),
            ("[]",),
            ('{"return": {"pid": "seven"}}',),
            ('{"return": [1]}',),
            (begun, '{"return": {"exited": true, "out-data": "?"}}'),
            (begun, '{"return": {"exited": true, "exitcode": "none"}}'),
        ):
            says(*answers)
            with pytest.raises(Refusal, match="GUEST_AGENT_ANSWER_ILLEGAL"):
                agent.run(Domain(), ("/bin/true",), 1)

    def test_an_agent_that_is_silent_forbids_or_has_no_shell_says_so(self, says: Callable[..., None]) -> None:
        says(error(libvirt.VIR_ERR_AGENT_UNRESPONSIVE))
        with pytest.raises(Refusal, match="GUEST_AGENT_SILENT"):
            agent.run(Domain(), ("/bin/true",), 1)
        says(error(libvirt.VIR_ERR_INTERNAL_ERROR, "error was 'Command guest-exec has been disabled'"))
        with pytest.raises(Refusal, match="GUEST_AGENT_FORBIDS"):
            agent.run(Domain(), ("/bin/true",), 1)
        says(error(libvirt.VIR_ERR_INTERNAL_ERROR, "Guest agent command failed, error was 'Failed to execute'"))
        assert agent.run(Domain(), ("/bin/sh",), 1).code == 127

    def test_a_program_without_an_end_is_given_up(self, says: Callable[..., None]) -> None:
        says('{"return": {"pid": 7}}', '{"return": {"exited": false}}')
        with pytest.raises(Refusal, match="GUEST_PROGRAM_HANGS"):
            agent.run(Domain(), ("/bin/cat",), 0.05)


@pytest.mark.hypervisor
class TestRealAgent:
    def test_it_tells_what_it_is(self, bench: tuple[Any, list[Event], MachineSpec], line: SerialLine) -> None:
        driver, events, spec = bench
        wait_until(lambda: driver.observe(spec.id).agent, 30, "the agent is connected")
        assert events.count(Event(spec.id)) > 1, "and that is told"
        told = wait_until(lambda: (answer := driver.ask_guest(spec.id)).agent and answer, 10, "its answer")
        assert (told.fqdn, told.told.system.distribution) == ("headless-guest", "headless-guest")
        assert told.told.system.kernel == line.ask("uname -r")
        assert told.told.agent_version.startswith(("5.", "6.", "7.", "8.", "9.", "1"))
        (card,) = [one for one in told.addresses[Source.AGENT] if one.reaches]
        assert (card.address, card.mac, card.interface) == ("10.0.2.15", "52:54:00:00:00:01", "eth0")

    def test_it_runs_a_program_and_tells_what_it_said(
        self, bench: tuple[Any, list[Event], MachineSpec], line: SerialLine
    ) -> None:
        driver, _events, spec = bench
        wait_until(lambda: driver.ask_guest(spec.id).agent, 30, "the agent answers")
        ran = driver.run_in_guest(spec.id, ("/bin/sh", "-c", "echo here; exit 5"), within=20)
        assert (ran.code, ran.said) == (5, "here\n")
        assert driver.run_in_guest(spec.id, ("/no/such/program",), within=20).code == 127

    def test_one_that_is_stopped_does_not_answer_in_time(
        self, bench: tuple[Any, list[Event], MachineSpec], line: SerialLine
    ) -> None:
        driver, _events, spec = bench
        line.ask("killall -STOP qemu-ga")
        asked = time.monotonic()
        assert not driver.ask_guest(spec.id).agent
        assert time.monotonic() - asked < 2 * agent.ANSWERS_WITHIN + 2
        line.ask("killall -CONT qemu-ga")
        wait_until(lambda: driver.ask_guest(spec.id).agent, 20, "it answers again")

    def test_a_qemu_that_hangs_keeps_nobody_from_the_others(
        self,
        bench: tuple[Any, list[Event], MachineSpec],
        line: SerialLine,
        private_daemon: PrivateDaemon,
        tmp_path: Path,
        serving: Callable[[Callable[[], object]], list[float]],
    ) -> None:
        driver, _events, spec = bench
        pid = int((private_daemon.home / f"run/qemu/{spec.name}.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            asked = serving(lambda: driver.ask_guest(spec.id))
            took = [_timed(driver.glance) for _ in range(20)] + [_timed(lambda: driver.observe(spec.id))]
            assert max(took) < 1.0
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: asked, 30, "the call has come back")


@pytest.fixture
def serving() -> Callable[[Callable[[], object]], list[float]]:
    """Call something in a thread; the list gets an entry when it has come back."""
    import threading

    def serve(call: Callable[[], object]) -> list[float]:
        done: list[float] = []

        def run() -> None:
            call()
            done.append(time.monotonic())

        threading.Thread(target=run, daemon=True).start()
        return done

    return serve


def _timed(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun
