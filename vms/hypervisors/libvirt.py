"""libvirt's QEMU driver: its verbs; beside it in this room lies all else that imports libvirt."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import libvirt

from vms.domain.console import Protocol
from vms.domain.disks import Disk, Volume
from vms.domain.errors import Refusal
from vms.domain.guest import Guest
from vms.domain.hosts import Capabilities, Observation
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.runonce import Run
from vms.domain.statistics import Counters
from vms.domain.ticket import Ticket
from vms.libvirtxml.observe import observe
from vms.libvirtxml.patch import patch
from vms.libvirtxml.ticket import ticketed
from vms.libvirtxml.write import write

from . import agent, networks
from .base import NOTHING, Event, Glance, Hypervisor, Listener, Progress, Ran, heedless
from .connections import Connections, Location, is_alive
from .counters import measured
from .domains import UNDEFINE, already, change_board, create, definition_of, make_ready, on_reboot, variables
from .events import Happenings
from .glances import Glances
from .layers import pull, push, write_elsewhere
from .migration import Arrival, followed, move
from .offers import capabilities
from .plugging import give_disks
from .reach import dialled
from .screens import open_screen, screenshot
from .seed import Seeds
from .storage import LibvirtStore

__all__ = ["LibvirtHypervisor", "Location"]

SETTLED: Final = 2.0  # seconds without another reset after which a firmware is taken to be through with them

_GONE: Final = {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}


class LibvirtHypervisor:
    """One host; see `base.Hypervisor` for what each verb promises.

    `locate` is asked at each opening: it may have to start a daemon first.
    """

    def __init__(self, locate: Callable[[], Location], name: str = "") -> None:
        self._connections = Connections(locate, name)
        self._happenings = Happenings()
        self._glances = Glances(self._happenings.rebooted)
        self._seeds = Seeds(self._connections)
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

    def start(self, run: Run, *, paused: bool = False, seed: Mapping[str, bytes] = NOTHING) -> Observation:
        return self._start(run, partial(self._ours, seed=seed), paused=paused)

    def start_own(self, run: Run, *, paused: bool = False) -> Observation:
        return self._start(run, self._theirs, paused=paused)

    def define(self, spec: MachineSpec, own: str = "") -> Observation:
        with self._connections.refusals():
            text = own or self._ours(Run(base=spec), None)[0]
            if (domain := self._find(spec.id)) is not None and not own and not domain.isActive():
                change_board(domain, text)
            return self._observation(self._connections.mine().defineXML(text))

    def normalise(self, spec: MachineSpec) -> Observation:
        with self._connections.refusals():
            own = definition_of(self._get(spec.id), secrets=True)
            text = patch(own, spec, self._capabilities or self.capabilities(), anew=True)
            return self._observation(self._connections.mine().defineXML(text))

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
            with already(_GONE):
                domain.destroy()
            with already(_GONE):
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
                on_reboot(domain, cold=False)
            self._happenings.resets[machine] = time.monotonic()
            domain.reset()
            if cold:
                self._wait_for_firmware(machine)
                on_reboot(domain, cold=True)

    @property
    def store(self) -> LibvirtStore:
        return self._store

    def give_disks(self, run: Run) -> None:
        with self._connections.refusals():
            give_disks(self._get(run.base.id), run, self._store.path)

    def write_elsewhere(self, run: Run) -> None:
        with self._connections.refusals():
            write_elsewhere(self._get(run.base.id), run, self._store.path)

    def pull(self, machine: UUID, disk: Disk, base: Volume | None, progress: Progress = heedless) -> None:
        with self._connections.refusals(), self._store.full_is_said(disk.storage):
            pull(self._get(machine), disk, self._store.place(base) if base else None, progress)

    def push(self, machine: UUID, disk: Disk, upper: Volume, lower: Volume, progress: Progress = heedless) -> None:
        with self._connections.refusals(), self._store.full_is_said(disk.storage):
            upper_at, lower_at = self._store.place(upper), self._store.place(lower)
            push(self._get(machine), disk, upper_at, lower_at, progress)

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
            networks.ensure(self._connections.mine(), run.spec, self._capabilities or self.capabilities())

    def migrate(
        self,
        machine: UUID,
        to: Hypervisor,
        progress: Progress = heedless,
        *,
        address: str = "",
        listen: str = "",
        paused: bool = False,
    ) -> Observation:
        if not isinstance(to, LibvirtHypervisor):
            raise Refusal("HYPERVISOR_REFUSED", None, message="the other host is of another kind")
        with self._connections.refusals():
            domain = self._find(machine)
            run = observe(domain.XMLDesc()).run if domain is not None else None
            if domain is not None and domain.isActive():
                self._seeds.eject(domain)
            here, there = (self._files(run), to._files(run)) if run else ({}, {})
            shared = run is not None and bool(run.spec.disks)
            moved = {path: there[name] for name, path in here.items() if path != there[name]}
            move(
                machine,
                self._connections,
                to._connections,
                Arrival(address, listen, moved, shared),
                progress,
                paused=paused,
            )
            observation = to.observe(machine)
        if observation is None:
            raise Refusal("HYPERVISOR_REFUSED", None, message="the machine has not arrived")
        return observation

    def set_cold_reboot(self, machine: UUID, cold: bool) -> None:
        with self._connections.refusals():
            domain = self._get(machine)
            if cold:
                self._wait_for_firmware(machine)
            on_reboot(domain, cold=cold)

    def rewire(self, run: Run) -> None:
        with self._connections.refusals():
            domain = self._get(run.base.id)
            if domain.isActive():
                networks.rewire(self._connections.mine(), domain, run, self._capabilities or self.capabilities())

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
        return {"uri": dialled(here.uri), "username": here.username, "password": here.password.reveal()}

    def in_guest(self, machine: UUID, command: Sequence[str]) -> bool:
        with self._connections.refusals():
            return agent.begin(self._get(machine), command)

    def run_in_guest(self, machine: UUID, command: Sequence[str], *, within: float) -> Ran:
        with self._connections.refusals():
            return agent.run(self._get(machine), command, within)

    def ask_guest(self, machine: UUID) -> Guest:
        with self._connections.refusals():
            domain = self._running(machine)
            if self._neighbours is None:
                self._neighbours = agent.knows_neighbours(domain)
            return agent.ask(domain, arp=self._neighbours)

    def measure(self, machine: UUID) -> Counters:
        with self._connections.refusals():
            return measured(self._connections.mine(), self._running(machine))

    def remove(self, machine: UUID) -> None:
        with self._connections.refusals():
            domain = self._find(machine)
            if domain is None:
                return
            if domain.isActive():
                raise Refusal("HYPERVISOR_REFUSED", None, message="domain is active")
            domain.undefineFlags(UNDEFINE)
            self._seeds.forget(machine)

    def observe(self, machine: UUID) -> Observation | None:
        with self._connections.refusals():
            domain = self._find(machine)
            try:
                return self._observation(domain) if domain is not None else None
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return None
                raise

    def definitions(self) -> Mapping[UUID, str]:
        with self._connections.refusals():
            domains = self._connections.mine().listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)
            told = {}
            for domain in domains:
                with already(_GONE):
                    told[UUID(bytes=domain.UUID())] = definition_of(domain)
            return told

    def glance(self) -> Mapping[UUID, Glance]:
        with self._connections.refusals():
            return self._glances.look(self._connections.mine())

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

    def _start(self, run: Run, texts: Callable[[Run, Any], tuple[str, str]], *, paused: bool) -> Observation:
        """Define (unless it is empty) and start what `texts` makes of the run and of the domain that is there."""
        with self._connections.refusals():
            connection = self._connections.mine()
            domain = self._find(run.base.id)
            if domain is not None and domain.isActive():
                return self._started_before(domain, run)
            self._happenings.rebooted.discard(run.base.id)
            definition, started = texts(run, domain)
            if domain is not None:
                make_ready(domain, run.base.name)
                if definition:
                    change_board(domain, definition)
            defined = connection.defineXML(definition) if definition else domain
            flags = libvirt.VIR_DOMAIN_START_PAUSED if run.spec.start_paused or paused else 0
            try:
                create(connection, started, flags)
            except libvirt.libvirtError:
                if is_alive(connection):
                    if defined.isActive():  # another start was quicker
                        return self._started_before(defined, run)
                    if domain is None:
                        defined.undefineFlags(UNDEFINE)
                raise
            return self._observation(defined)

    def _ours(self, run: Run, _domain: Any, seed: Mapping[str, bytes] = NOTHING) -> tuple[str, str]:
        host, files = self._capabilities or self.capabilities(), self._files(run)
        networks.ensure(self._connections.mine(), run.spec, host)
        at: dict[str, Any] = {
            "boot_file": files.__getitem__,
            "disk_at": lambda disk: files[disk.volume],
            "nvram": variables(self._connections.mine()),
        }
        drive = self._seeds.hold(run.base.id, seed)
        return write(run.base, host, **at), write(run.spec, host, run=run, seed=drive, **at)

    def _theirs(self, run: Run, domain: Any) -> tuple[str, str]:
        if domain is None:
            raise Refusal("HYPERVISOR_REFUSED", None, message="the host does not know this machine")
        host, own = self._capabilities or self.capabilities(), definition_of(domain, secrets=True)
        base = patch(own, run.base, host)
        return ("" if base == own else base), patch(base, run.spec, host, run=run)

    def _files(self, run: Run) -> dict[str, str]:
        """Where the host has what a run boots from and its disks, by the names in the boot library and on storage."""
        files = {name: self._boot_file(name) for name in {*run.base.boot.files, *run.spec.boot.files}}
        return files | {disk.volume: self._store.path(disk) for disk in {*run.base.disks, *run.spec.disks}}

    def _running(self, machine: UUID) -> Any:
        domain = self._get(machine)
        if not domain.isActive():
            raise Refusal("HYPERVISOR_REFUSED", None, message="domain is not running")
        return domain

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
        seen = self._glances.whole(domain)
        if seen.status == Status.DOWN:
            self._seeds.forget(seen.id)
        return seen
