"""The main job on real input: one tiny guest, headless, once with VNC, headless again; and whatever is killed on the
way, database and hypervisor agree within five seconds after it is up again.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from lxml import etree
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import database_in
from tests.engine.conftest import fresh
from tests.factories import headless, machine, person
from tests.hypervisors import obedient
from tests.hypervisors.conftest import SerialLine, guest_files, real_libvirt, wait_until
from vms.actions import edit, power
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.hypervisors import guest
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.observe import Seen, observe
from vms.models import VM, Host, HostStatus, Job, User
from vms.wire.client import EngineClient

__all__ = ["guest_files", "real_libvirt"]

pytestmark = pytest.mark.hypervisor

ROOT = Path(__file__).parents[2]
AGREED_WITHIN = 5.0  # seconds
BOOTED_WITHIN = 90.0  # seconds; five on an idle machine
PROMPT = ":/root# "
# Where it is, and what the guest calls it.
NETWORK_CARD = "ls -d /sys/bus/pci/devices/*/virtio*/net/* | cut -d/ -f6,9"


class Installation:
    """A DATA_DIR with a database, an engine process and a private libvirtd."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.daemon = PrivateDaemon(home / "libvirt")
        self._engine: subprocess.Popen[bytes] | None = None

    @property
    def engine_runs(self) -> bool:
        return self._engine is not None and self._engine.poll() is None

    def start_engine(self, *, crash_at: str = "") -> None:
        """Start it and wait until it answers; with `crash_at` it will die there."""
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
            "DATA_DIR": str(self.home),
            "ACCELERATOR": "tcg",
            "CRASH_AT": crash_at,
        }
        with (self.home / "engine.log").open("ab") as log:
            command = [sys.executable, "manage.py", "engine"]
            self._engine = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        answers = EngineClient(self.home / "run").alive
        wait_until(lambda: answers() or not self.engine_runs, 60, "the engine's answer")
        assert self.engine_runs, (self.home / "engine.log").read_text()[-2000:]

    def wait_for_death(self) -> None:
        assert self._engine is not None
        assert self._engine.wait(30) == 42, (self.home / "engine.log").read_text()[-2000:]

    def kill_engine(self) -> None:
        assert self._engine is not None
        self._engine.kill()
        self._engine.wait()

    def stop_engine(self) -> float:
        """End it politely; returns the seconds that it took."""
        assert self._engine is not None
        asked = time.monotonic()
        self._engine.terminate()
        self._engine.wait(30)
        return time.monotonic() - asked

    def end(self) -> None:
        if self.engine_runs:
            self.stop_engine()
        self.daemon.stop(guests=True)

    def domain(self, vm: VM) -> Any:
        import libvirt

        return libvirt.open(self.daemon.uri).lookupByUUID(vm.pk.bytes)

    def seen(self, vm: VM) -> Seen:
        """What libvirt shows of it now."""
        return observe(self.domain(vm).XMLDesc())

    def configured(self, vm: VM) -> Seen:
        """What libvirt would start it with."""
        import libvirt

        return observe(self.domain(vm).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))

    def qemu(self, vm: VM) -> int:
        return int((self.home / f"libvirt/run/qemu/{vm.name}.pid").read_text())

    def agrees(self, vm: VM) -> bool:
        """Whether the database says of the machine what libvirt says."""
        if not self.daemon.running:
            return False
        row, domain = fresh(vm), self.running().get(vm.pk)
        shown = observe(domain.XMLDesc()).graphics if domain else ()
        return (
            not any(job.active for job in Job.objects.filter(machine=vm.pk))
            and Host.objects.get().status == HostStatus.UP
            and row.status == ("up" if domain else "down")
            and row.running_graphics == "+".join(sorted(shown))
            and {endpoint["protocol"] for endpoint in row.endpoints} == set(shown)
            and (row.run is not None) == (domain is not None)
        )

    def running(self) -> dict[UUID, Any]:
        """libvirt's running domains by id."""
        import libvirt

        domains = libvirt.open(self.daemon.uri).listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        return {UUID(bytes=domain.UUID()): domain for domain in domains}

    def all_down(self) -> bool:
        """End what runs; whether nothing does, in the database too."""
        for domain in self.running().values():
            with contextlib.suppress(Exception):  # it was quicker
                domain.destroy()
        return not VM.objects.exclude(status="down").exists()


@pytest.fixture(scope="module")
def home(real_libvirt: None, guest_files: guest.GuestFiles) -> Iterator[Installation]:
    # A short path: sockets below it have room for 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="hw-"))
    for folder in ("boot", "run"):
        (home / folder).mkdir()
    (home / "hypervisor").write_text("private\n")  # a system daemon that may run here is none of ours
    shutil.copy(guest_files.kernel, home / "boot/kernel")
    shutil.copy(guest_files.initrd, home / "boot/initrd")
    obedient.write_to(home / "boot")
    made = Installation(home)
    yield made
    made.end()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def _database(home: Installation, migrated_file: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    shutil.copy(migrated_file, home.home / "db.sqlite3")
    with django_db_blocker.unblock(), database_in(home.home / "db.sqlite3"):
        yield


@pytest.fixture
def installation(home: Installation, _database: None, settings: Settings) -> Iterator[Installation]:
    """The installation with its engine and host up."""
    settings.RUN_DIR, settings.BOOT_DIR = home.home / "run", home.home / "boot"
    if not home.engine_runs:
        home.start_engine()
    wait_until(lambda: Host.objects.filter(status=HostStatus.UP).exists(), 30, "the host is up")
    yield home
    if home.engine_runs:
        wait_until(home.all_down, 30, "every machine is down")


@pytest.fixture
def owner(installation: Installation) -> User:
    return person("admin", role="SuperUser")


def boot() -> Boot:
    return Boot(kernel="kernel", initrd="initrd", parameters=guest.CMDLINE)


def with_serial(console: Console, _offer: Offer) -> Console:
    return Console(serial=True) if console.graphics else console


def graphical(console: Console, offer: Offer) -> Console:
    return console.as_graphical(offer)


def with_vnc(spec: MachineSpec, offer: Offer) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, offer)


def comes_to(vm: VM, status: str, timeout: float = 30) -> VM:
    wait_until(lambda: fresh(vm).status == status, timeout, f"{vm} {status}")
    there: VM = fresh(vm)
    return there


def shell_of(installation: Installation, vm: VM) -> SerialLine:
    line = SerialLine(installation.domain(vm))
    line.expect(PROMPT, BOOTED_WITHIN)
    return line


def asked(line: SerialLine, command: str) -> str:
    """What a command prints in the guest's shell, without what the guest says by itself meanwhile."""
    return "\n".join(text for text in line.ask(command).splitlines() if not text.startswith("HEADLESS-GUEST-UP"))


# -- the story


def test_headless_then_once_with_vnc_then_headless_again(installation: Installation, owner: User) -> None:
    vm = machine("story", by=owner, console=with_serial, memory=192, boot=boot())
    edit.edit(vm, Changes(console=headless), by=owner)

    power.start(vm, by=owner)
    up = comes_to(vm, "up")
    assert (up.running_graphics, up.running_video, up.endpoints, up.run_once) == ("", "", [], False)
    domain = etree.fromstring(installation.domain(vm).XMLDesc())
    assert domain.findall("devices/graphics") == []
    assert {model.get("type") for model in domain.iterfind("devices/video/model")} <= {"none"}
    line = shell_of(installation, vm)
    assert asked(line, "ls -d /dev/fb0 /dev/dri 2>/dev/null") == ""
    assert asked(line, "cat /sys/bus/pci/devices/*/class | grep -c ^0x03") == "0"
    card = asked(line, NETWORK_CARD)

    power.shutdown(up, by=owner)
    assert comes_to(vm, "down").ended == "guest", "it heard the power button"

    power.run_once(fresh(vm), with_vnc, by=owner)
    once = comes_to(vm, "up")
    assert (once.run_once, once.running_graphics, once.running_video) == (True, "vnc", "vga")
    (endpoint,) = once.endpoints
    with socket.create_connection((endpoint["address"], endpoint["port"]), timeout=10) as screen:
        assert screen.recv(12).startswith(b"RFB 003.")
    assert installation.configured(vm).headless
    assert installation.seen(vm).run is not None
    line = shell_of(installation, vm)
    assert asked(line, "cat /sys/bus/pci/devices/*/class | grep -c ^0x03") == "1"
    assert asked(line, NETWORK_CARD) == card, "its network card has not moved"

    line.send("poweroff")
    down = comes_to(vm, "down")
    assert (down.ended, down.run_once, down.running_graphics, down.endpoints) == ("guest", False, "", [])
    assert installation.seen(vm).headless
    assert installation.seen(vm).run is None
    assert down.console.headless


def test_a_reboot_typed_in_the_guest_brings_it_back_in_the_new_configuration(
    installation: Installation, owner: User
) -> None:
    vm = machine("rebooted", by=owner, console=lambda c, o: with_serial(c, o).as_headless(), memory=192, boot=boot())
    power.start(vm, by=owner)
    first = comes_to(vm, "up")
    line = shell_of(installation, vm)
    edit.edit(first, Changes(console=graphical, machine={"memory": 224}), by=owner)
    assert fresh(vm).pending_changes == ("memory", "headless", "video_type", "graphics_protocol")
    wait_until(lambda: fresh(vm).cold_reboot, 10, "a reboot would end the run")
    assert installation.seen(vm).headless, "what runs keeps its shape"

    line.send("reboot")
    wait_until(lambda: fresh(vm).running_graphics == "vnc", 30, "it runs with a screen")
    second = comes_to(vm, "up")
    assert (second.pending, second.pending_changes, second.run_once) == (False, (), False)
    assert second.run is not None
    assert second.run != first.run
    line = shell_of(installation, vm)
    assert asked(line, "cat /sys/bus/pci/devices/*/class | grep -c ^0x03") == "1"
    assert 190_000 < int(asked(line, "awk '/MemTotal/ {print $2}' /proc/meminfo")) < 224 * 1024


# -- faults


@pytest.fixture
def once(installation: Installation, owner: User) -> Callable[[str], VM]:
    """Make a headless machine with a guest that is up at once, and run it once with VNC."""

    def made(name: str) -> VM:
        vm = machine(name, by=owner, console=headless, memory=64, boot=Boot(kernel=obedient.NAME))
        power.run_once(vm, with_vnc, by=owner)
        there = comes_to(vm, "up")
        assert installation.agrees(there)
        return there

    return made


def agreed(installation: Installation, vm: VM, since: float) -> VM:
    """The machine, once database and hypervisor agree on it, which must not take longer than promised."""
    wait_until(lambda: installation.agrees(vm), 30, f"database and hypervisor agree on {fresh(vm).status} {vm}")
    took = time.monotonic() - since
    assert took <= AGREED_WITHIN, f"they agree only after {took:.1f} s"
    there: VM = fresh(vm)
    return there


@pytest.mark.parametrize("point", ["claimed", "called"])
@pytest.mark.parametrize("verb", ["start", "run_once"])
def test_an_engine_killed_over_a_start_leaves_one_machine_running(
    installation: Installation, owner: User, verb: str, point: str
) -> None:
    installation.stop_engine()
    installation.start_engine(crash_at=f"{verb}.{point}")
    wait_until(lambda: Host.objects.get().status == HostStatus.UP, 30, "the host is up")
    vm = machine(f"{verb}-{point}", by=owner, console=headless, memory=64, boot=Boot(kernel=obedient.NAME))
    job = power.start(vm, by=owner) if verb == "start" else power.run_once(vm, with_vnc, by=owner)
    installation.wait_for_death()
    assert fresh(job).state == "started", "recorded, and nobody is at it"
    assert fresh(vm).status == "wait_for_launch"
    qemu = installation.qemu(vm) if point == "called" else None

    installation.start_engine()
    there = agreed(installation, vm, time.monotonic())
    assert (there.status, there.run_once, fresh(job).state) == ("up", verb == "run_once", "finished")
    assert there.run is not None
    assert there.run.job == job.pk
    if qemu:
        assert installation.qemu(vm) == qemu, "it was not started a second time"


def test_a_daemon_that_is_killed_is_back_with_its_machine(
    installation: Installation, once: Callable[[str], VM]
) -> None:
    vm = once("daemon-killed")
    qemu, killed = installation.qemu(vm), time.monotonic()
    os.kill(installation.daemon.pid or 0, signal.SIGKILL)
    wait_until(lambda: Host.objects.get().status != HostStatus.UP, 10, "the loss is noticed")
    there = agreed(installation, vm, killed)
    assert (there.run_once, there.run, installation.qemu(vm)) == (True, vm.run, qemu)


def test_a_guest_whose_qemu_is_killed_is_down(installation: Installation, once: Callable[[str], VM]) -> None:
    vm = once("qemu-killed")
    killed = time.monotonic()
    os.kill(installation.qemu(vm), signal.SIGKILL)
    wait_until(lambda: fresh(vm).status == "down", 10, "the loss is noticed")
    assert agreed(installation, vm, killed).ended == "crashed"
    assert installation.seen(vm).headless


@pytest.mark.guests
def test_a_qemu_that_hangs_fails_its_job_holds_up_no_other_machine_and_can_be_powered_off(
    installation: Installation, once: Callable[[str], VM], owner: User
) -> None:
    vm, other = once("hanging"), once("beside")
    os.kill(installation.qemu(vm), signal.SIGSTOP)
    job = power.reset(vm, by=owner)
    power.stop(other, by=owner)
    comes_to(other, "down", 10)
    wait_until(lambda: fresh(job).state == "failed", 40, "the job is given up")
    assert fresh(job).error["code"] == "MACHINE_NOT_RESPONDING"
    power.stop(fresh(vm), by=owner)
    assert comes_to(vm, "down", 60).run is None


def test_a_killed_engine_finds_the_run_once_that_it_left(installation: Installation, once: Callable[[str], VM]) -> None:
    vm = once("engine-killed")
    installation.kill_engine()
    installation.start_engine()
    assert agreed(installation, vm, time.monotonic()).run == vm.run


def test_what_ends_while_nobody_looks_is_found_ended(installation: Installation, once: Callable[[str], VM]) -> None:
    vm = once("all-killed")
    qemu = installation.qemu(vm)
    installation.kill_engine()
    os.kill(installation.daemon.pid or 0, signal.SIGKILL)
    os.kill(qemu, signal.SIGKILL)
    installation.start_engine()
    wait_until(lambda: Host.objects.get().status == HostStatus.UP, 30, "the host is up")
    there = agreed(installation, vm, time.monotonic())
    assert (there.status, there.run_once, there.running_graphics) == ("down", False, "")


def test_the_engine_ends_within_seconds_and_its_machine_runs_on(
    installation: Installation, once: Callable[[str], VM]
) -> None:
    vm = once("left-alone")
    assert installation.stop_engine() < 5
    assert installation.domain(vm).isActive()
    installation.start_engine()
    assert agreed(installation, vm, time.monotonic()).run == vm.run
