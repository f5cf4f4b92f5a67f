"""libvirt's QEMU driver: its verbs; beside it in this room lies all else that imports libvirt."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import libvirt
import libvirt_qemu

from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.guest import Guest
from vms.domain.hosts import Capabilities, Ended, Observation
from vms.domain.lifecycle import Status
from vms.domain.runonce import Run
from vms.domain.statistics import Counters
from vms.domain.ticket import Ticket
from vms.libvirtxml.observe import observe
from vms.libvirtxml.ticket import ticketed
from vms.libvirtxml.write import NVRAM, write

from . import agent
from .base import Event, Glance, Hypervisor, Listener, Progress, Ran, heedless
from .connections import Connections, Location, is_alive
from .counters import counters
from .events import Happenings
from .migration import followed, move
from .offers import capabilities
from .plugging import give_disks
from .screens import open_screen, screenshot
from .storage import LibvirtStore

__all__ = ["LibvirtHypervisor", "Location"]

PORT_TRIES: Final = 3
SETTLED: Final = 2.0  # seconds without another reset after which a firmware is taken to be through with them

_STATUS: Final = {
    libvirt.VIR_DOMAIN_RUNNING: Status.UP,
    libvirt.VIR_DOMAIN_BLOCKED: Status.UP,
    libvirt.VIR_DOMAIN_PAUSED: Status.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: Status.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: Status.POWERING_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: Status.DOWN,
    libvirt.VIR_DOMAIN_CRASHED: Status.DOWN,
}
_ENDED: Final = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: Ended.GUEST,
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: Ended.STOPPED,
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: Ended.CRASHED,
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: Ended.CRASHED,
    libvirt.VIR_DOMAIN_SHUTOFF_SAVED: Ended.SAVED,
}
_GONE: Final = {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}


class LibvirtHypervisor:
    """One host; see `base.Hypervisor` for what each verb promises.

    `locate` is asked at each opening: it may have to start a daemon first.
    """

    def __init__(self, locate: Callable[[], Location], name: str = "") -> None:
        self._connections = Connections(locate, name)
        self._happenings = Happenings()
        self._store = LibvirtStore(self._connections)
        self._capabilities: Capabilities | None = None
        self._neighbours: bool | None = None  # whether ARP tells of addresses, once that has been tried

    # -- the contract

    def open(self, listener: Listener) -> None:
        with self._connections.refusals():
            self._happenings.follow(self._connections.open(lambda: listener(Event(None))), listener)

    def close(self) -> None:
        self._connections.close()

    @property
    def alive(self) -> bool:
        return self._connections.alive

    def capabilities(self) -> Capabilities:
        with self._connections.refusals():
            self._capabilities = capabilities(self._connections.mine(), self._connections.location)
            return self._capabilities

    def start(self, run: Run, *, paused: bool = False) -> Observation:
        with self._connections.refusals():
            connection = self._connections.mine()
            domain = self._find(run.base.id)
            if domain is not None and domain.isActive():
                return self._started_before(domain, run)
            self._happenings.rebooted.discard(run.base.id)
            host = self._capabilities or self.capabilities()
            files = self._files(run)
            at: dict[str, Any] = {
                "boot_file": files.__getitem__,
                "disk_at": lambda disk: files[disk.volume],
                "nvram": _variables(connection),
            }
            if domain is not None:
                _make_ready(domain, run.base.name)
            defined = connection.defineXML(write(run.base, host, **at))
            flags = libvirt.VIR_DOMAIN_START_PAUSED if run.spec.start_paused or paused else 0
            try:
                _create(connection, write(run.spec, host, run=run, **at), flags)
            except libvirt.libvirtError:
                if is_alive(connection):
                    if defined.isActive():  # another start was quicker
                        return self._started_before(defined, run)
                    if domain is None:
                        defined.undefineFlags(_UNDEFINE)
                raise
            return self._observation(defined)

    def resume(self, machine: UUID) -> Observation:
        with self._connections.refusals():
            domain = self._get(machine)
            state, _reason = domain.state()
            if state == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()
            elif not domain.isActive():
                if not domain.hasManagedSaveImage():
                    raise Refusal("HYPERVISOR_REFUSED", None, message="there is no saved state to go on from")
                self._happenings.rebooted.discard(machine)
                domain.create()
            return self._observation(domain)

    def shutdown(self, machine: UUID) -> None:
        with self._connections.refusals():
            self._get(machine).shutdown()

    def stop(self, machine: UUID) -> None:
        with self._connections.refusals():
            domain = self._find(machine)
            if domain is None:
                return
            with _already(_GONE):
                domain.destroy()
            with _already(_GONE):
                if domain.hasManagedSaveImage():
                    domain.managedSaveRemove()

    def reboot(self, machine: UUID) -> None:
        with self._connections.refusals():
            self._get(machine).reboot()

    def reset(self, machine: UUID) -> None:
        with self._connections.refusals():
            domain = self._get(machine)
            cold = observe(domain.XMLDesc()).cold_reboot
            if cold:  # else QEMU takes the reset for a reboot that ends the run (measured)
                _on_reboot(domain, cold=False)
            self._happenings.resets[machine] = time.monotonic()
            domain.reset()
            if cold:
                self._wait_for_firmware(machine)
                _on_reboot(domain, cold=True)

    @property
    def store(self) -> LibvirtStore:
        return self._store

    def give_disks(self, run: Run) -> None:
        with self._connections.refusals():
            give_disks(self._get(run.base.id), run, self._store.path)

    def suspend(self, machine: UUID, progress: Progress = heedless) -> None:
        def save() -> None:
            self._get(machine).managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)

        with self._connections.refusals():
            domain = self._get(machine)
            if domain.isActive() or not domain.hasManagedSaveImage():
                followed(domain, save, progress)

    def prepare(self, run: Run) -> None:
        with self._connections.refusals():
            self._files(run)

    def migrate(
        self, machine: UUID, to: Hypervisor, progress: Progress = heedless, *, address: str = "", paused: bool = False
    ) -> Observation:
        if not isinstance(to, LibvirtHypervisor):
            raise Refusal("HYPERVISOR_REFUSED", None, message="the other host is of another kind")
        with self._connections.refusals():
            domain = self._find(machine)
            run = observe(domain.XMLDesc()).run if domain is not None else None
            here, there = (self._files(run), to._files(run)) if run else ({}, {})
            moved = {path: there[name] for name, path in here.items() if path != there[name]}
            move(machine, self._connections, to._connections, moved, progress, address=address, paused=paused)
            observation = to.observe(machine)
        if observation is None:
            raise Refusal("HYPERVISOR_REFUSED", None, message="the machine has not arrived")
        return observation

    def set_cold_reboot(self, machine: UUID, cold: bool) -> None:
        with self._connections.refusals():
            domain = self._get(machine)
            if cold:
                self._wait_for_firmware(machine)
            _on_reboot(domain, cold=cold)

    def set_ticket(self, machine: UUID, ticket: Ticket) -> None:
        with self._connections.refusals():
            domain = self._get(machine)
            device = ticketed(domain.XMLDesc(), ticket, now=datetime.now(UTC)) if domain.isActive() else None
            if device is None:
                raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=ticket.protocol.upper())
            domain.updateDeviceFlags(device, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def open_screen(self, machine: UUID, screen: Protocol) -> socket.socket:
        with self._connections.refusals():
            domain = self._get(machine)
            if not domain.isActive():
                raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=screen.upper())
            return open_screen(domain, screen)

    def screenshot(self, machine: UUID) -> bytes:
        with self._connections.refusals():
            domain = self._get(machine)
            if not domain.isActive():
                raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol="")
            return screenshot(domain)

    def serial_at(self) -> Mapping[str, str] | None:
        here = self._connections.location
        return {"uri": here.uri, "username": here.username, "password": here.password.reveal()}

    def in_guest(self, machine: UUID, command: Sequence[str]) -> bool:
        program, *arguments = command
        asked = {"execute": "guest-exec", "arguments": {"path": program, "arg": arguments}}
        with self._connections.refusals():
            domain = self._get(machine)
            try:
                libvirt_qemu.qemuAgentCommand(domain, json.dumps(asked), agent.ANSWERS_WITHIN, 0)
            except libvirt.libvirtError as error:
                if error.get_error_code() in agent.SILENT:
                    return False
                raise
        return True

    def run_in_guest(self, machine: UUID, command: Sequence[str], *, within: float) -> Ran:
        with self._connections.refusals():
            return agent.run(self._get(machine), command, within)

    def ask_guest(self, machine: UUID) -> Guest:
        with self._connections.refusals():
            domain = self._get(machine)
            if not domain.isActive():
                raise Refusal("HYPERVISOR_REFUSED", None, message="domain is not running")
            if self._neighbours is None:
                self._neighbours = agent.knows_neighbours(domain)
            return agent.ask(domain, arp=self._neighbours)

    def measure(self, machine: UUID) -> Counters:
        with self._connections.refusals():
            domain = self._get(machine)
            if not domain.isActive():
                raise Refusal("HYPERVISOR_REFUSED", None, message="domain is not running")
            # Without waiting for what another call does with the machine: then it tells less.
            flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
            ((_domain, told),) = self._connections.mine().domainListGetStats([domain], _MEASURED, flags)
            return counters(told, datetime.now(UTC))

    def remove(self, machine: UUID) -> None:
        with self._connections.refusals():
            domain = self._find(machine)
            if domain is None:
                return
            if domain.isActive():
                raise Refusal("HYPERVISOR_REFUSED", None, message="domain is active")
            domain.undefineFlags(_UNDEFINE)

    def observe(self, machine: UUID) -> Observation | None:
        with self._connections.refusals():
            domain = self._find(machine)
            try:
                return self._observation(domain) if domain is not None else None
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return None
                raise

    def glance(self) -> Mapping[UUID, Glance]:
        with self._connections.refusals():
            connection = self._connections.mine()
            told = connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
            saved = {one.UUID() for one in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)}
            return {
                UUID(bytes=domain.UUID()): self._glance(
                    domain, stats["state.state"], stats["state.reason"], saved=domain.UUID() in saved
                )
                for domain, stats in told
            }

    # -- inside

    def _boot_file(self, name: str) -> str:
        """A CD of a storage domain, or a file of the boot library."""
        return self._store.cd(name) or self._connections.location.files.path(self._connections.mine(), name)

    def _find(self, machine: UUID) -> Any:
        try:
            return self._connections.mine().lookupByUUID(machine.bytes)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise

    def _get(self, machine: UUID) -> Any:
        domain = self._find(machine)
        if domain is None:
            raise Refusal("HYPERVISOR_REFUSED", None, message="the host does not know this machine")
        return domain

    def _files(self, run: Run) -> dict[str, str]:
        """Where the host has what a run boots from and its disks, by the names in the boot library and on storage."""
        files = {name: self._boot_file(name) for name in {*run.base.boot.files, *run.spec.boot.files}}
        return files | {disk.volume: self._store.path(disk) for disk in {*run.base.disks, *run.spec.disks}}

    def _wait_for_firmware(self, machine: UUID) -> None:
        """Wait until a reset is followed by no other for a while: SeaBIOS on q35 adds up to six of its own (measured),
        and the first of them would end a run that a reboot ends."""
        while (rest := self._happenings.resets.get(machine, -SETTLED) + SETTLED - time.monotonic()) > 0:
            if self._connections.wait_until_lost(rest):
                return

    def _started_before(self, domain: Any, run: Run) -> Observation:
        observation = self._observation(domain)
        if observation.run is None or observation.run.job != run.job:
            raise Refusal("HYPERVISOR_REFUSED", None, message="the machine is running already")
        return observation

    def _observation(self, domain: Any) -> Observation:
        machine = UUID(bytes=domain.UUID())
        state, reason = domain.state()
        glance = self._glance(domain, state, reason, saved=bool(domain.hasManagedSaveImage()))
        seen = observe(domain.XMLDesc())
        running = glance.status != Status.DOWN and glance.status != Status.SUSPENDED
        return Observation(
            id=machine,
            name=seen.name,
            status=glance.status,
            ended=glance.ended,
            run=seen.run if running else None,
            endpoints=seen.endpoints if running else (),
            machine=seen.machine,
            addresses=seen.addresses if running else {},
            cold_reboot=running and seen.cold_reboot,
            agent=running and seen.agent,
        )

    def _glance(self, domain: Any, state: int, reason: int, *, saved: bool) -> Glance:
        status = _STATUS.get(state, Status.UNKNOWN)
        if status != Status.DOWN:
            return Glance(status)
        if saved:  # the reason does not tell: a daemon that is started anew has forgotten it
            return Glance(Status.SUSPENDED, Ended.SAVED)
        if reason == libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN and UUID(bytes=domain.UUID()) in self._happenings.rebooted:
            return Glance(status, Ended.REBOOT)
        return Glance(status, _ENDED.get(reason, Ended.UNKNOWN))


_MEASURED: Final = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
_UNDEFINE: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def _create(connection: Any, xml: str, flags: int) -> None:
    """Start a domain; again where somebody else took the console's port between libvirt's look at it and QEMU's."""
    for left in reversed(range(PORT_TRIES)):
        try:
            connection.createXML(xml, flags)
        except libvirt.libvirtError as error:
            if not left or "Failed to find an available port" not in str(error):
                raise
        else:
            return


def _make_ready(domain: Any, name: str) -> None:
    """An inactive domain takes the machine's name and loses a saved state that a later start would go on from."""
    if domain.hasManagedSaveImage():
        domain.managedSaveRemove()
    if domain.name() != name:
        domain.rename(name)


def _on_reboot(domain: Any, *, cold: bool) -> None:
    action = libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY if cold else libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART
    domain.setLifecycleAction(libvirt.VIR_DOMAIN_LIFECYCLE_REBOOT, action, libvirt.VIR_DOMAIN_AFFECT_LIVE)


@contextlib.contextmanager
def _already(codes: set[int]) -> Iterator[None]:
    """What is done already is no error."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise


def _variables(connection: Any) -> str:
    """The directory in which the daemon at hand keeps firmware variables."""
    if not connection.getURI().endswith("/session"):
        return NVRAM
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return str(Path(configuration) / "libvirt" / "qemu" / "nvram")
