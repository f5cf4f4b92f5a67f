"""A hypervisor in a dictionary: the same contract without a host, for tests and for trying the interface."""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from vms.domain.console import Protocol
from vms.domain.devices import DeviceKind, devices
from vms.domain.disks import Backing, Disk, Volume
from vms.domain.errors import Refusal
from vms.domain.guest import Guest
from vms.domain.hosts import Capabilities, Ended, Endpoint, Observation
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.picture import png
from vms.domain.runonce import Run
from vms.domain.statistics import Counters
from vms.domain.ticket import Ticket
from vms.libvirtxml.patch import patch
from vms.libvirtxml.write import write

from .base import NOTHING, Event, Glance, Hypervisor, Listener, Progress, Ran, Screen, heedless
from .memorymachine import SPACIOUS, Machine
from .memorystore import MemoryStore, take_time

_PORTS = {Protocol.VNC: 5900, Protocol.SPICE: 6000}
_SCREEN: Final = (720, 400)  # black, as before a firmware speaks


class MemoryHypervisor:
    """Machines that exist in this process only; guests obey at once.

    `guest_powers_off`, `guest_reboots`, `guest_crashes` and `agent_tells` are what a guest does by itself; `unplug`
    takes the host away and `plug` brings it back. `tickets` are the passwords that consoles take at present;
    `programs` are what guests answer when their agents are to run something.
    """

    def __init__(self, capabilities: Capabilities | None = None, *, forgetful: bool = False) -> None:
        self._capabilities = capabilities or SPACIOUS
        self._machines: dict[UUID, Machine] = {}
        self._listener: Listener | None = None
        self._lock = threading.RLock()
        self._plugged = True
        self.starts = 0
        self.tickets: dict[UUID, Ticket] = {}
        self.seeds: dict[UUID, dict[str, bytes]] = {}
        self.guests: dict[UUID, Guest] = {}
        self.counters: dict[UUID, Counters] = {}
        self.ran: list[tuple[UUID, tuple[str, ...]]] = []
        self.programs: Callable[[UUID, tuple[str, ...]], Ran] = lambda _machine, _command: Ran(127, "")
        self._store = MemoryStore(forgetful=forgetful)

    def somebody_enters(self, machine: UUID) -> None:
        """A person opens a graphical console."""
        self._tell(Event(machine, screen=Screen.ENTERED))

    def everybody_leaves(self, machine: UUID) -> None:
        """The last graphical console is closed."""
        self._tell(Event(machine, screen=Screen.LEFT))

    # -- the contract

    def open(self, listener: Listener) -> None:
        if not self._plugged:
            raise Refusal("HOST_NOT_RESPONDING", None, host="memory")
        self._listener = listener

    def close(self) -> None:
        self._listener = None

    @property
    def alive(self) -> bool:
        return self._plugged and self._listener is not None

    def capabilities(self) -> Capabilities:
        return self._capabilities

    def start(self, run: Run, *, paused: bool = False, seed: Mapping[str, bytes] = NOTHING) -> Observation:
        with self._lock:
            self._require_plugged()
            machine = self._machines.setdefault(run.base.id, Machine(run.base))
            if machine.status not in {Status.DOWN, Status.SUSPENDED}:
                if machine.run is not None and machine.run.job == run.job:
                    return self._observation(run.base.id, machine)
                raise Refusal("HYPERVISOR_REFUSED", None, message="domain is already active")
            for disk in run.spec.disks:
                self._store.require(disk)
            self.starts += 1
            self.seeds[run.base.id] = dict(seed)
            machine.spec, machine.run = run.base, run
            machine.definition = write(run.base, self._capabilities)
            machine.status = Status.PAUSED if run.spec.start_paused or paused else Status.UP
            machine.ended, machine.cold_reboot, machine.ports = None, run.volatile, self.starts
            return self._told(run.base.id, machine)

    def start_own(self, run: Run, *, paused: bool = False) -> Observation:
        own = self._get(run.base.id, *Status).definition
        there = self.start(run, paused=paused)
        self._machines[run.base.id].definition = patch(own, run.base, self._capabilities)
        return replace(there, definition=self._machines[run.base.id].definition)

    def define(self, spec: MachineSpec, own: str = "") -> Observation:
        with self._lock:
            self._require_plugged()
            machine = self._machines.setdefault(spec.id, Machine(spec))
            machine.definition = own or write(spec, self._capabilities)
            return self._told(spec.id, machine)

    def normalise(self, spec: MachineSpec) -> Observation:
        return self.define(spec, patch(self._get(spec.id, *Status).definition, spec, self._capabilities, anew=True))

    def definitions(self) -> Mapping[UUID, str]:
        with self._lock:
            self._require_plugged()
            return {key: machine.definition for key, machine in self._machines.items()}

    def resume(self, machine: UUID) -> Observation:
        with self._lock:
            there = self._get(machine, Status.PAUSED, Status.SUSPENDED, Status.UP)
            there.status, there.ended = Status.UP, None
            return self._told(machine, there)

    def shutdown(self, machine: UUID) -> None:
        with self._lock:
            self._end(machine, self._get(machine, Status.UP, Status.PAUSED), Ended.GUEST)

    def stop(self, machine: UUID) -> None:
        with self._lock:
            self._require_plugged()
            there = self._machines.get(machine)
            if there and there.status != Status.DOWN:
                self._end(machine, there, Ended.STOPPED)

    def reboot(self, machine: UUID) -> None:
        with self._lock:
            self._get(machine, Status.UP)
            self.guest_reboots(machine)

    def reset(self, machine: UUID) -> None:
        with self._lock:
            self._get(machine, Status.UP)
            self._tell(Event(machine, rebooted=True))

    @property
    def store(self) -> MemoryStore:
        return self._store

    def give_disks(self, run: Run) -> None:
        with self._lock:
            there = self._get(run.base.id, Status.UP, Status.PAUSED)
            for disk in run.spec.disks:
                self._store.require(disk)
            there.run = run
            self._tell(Event(run.base.id))

    def write_elsewhere(self, run: Run) -> None:
        self.give_disks(run)

    def pull(self, machine: UUID, disk: Disk, base: Volume | None, progress: Progress = heedless) -> None:
        take_time(progress)
        with self._lock:
            self._get(machine, Status.UP, Status.PAUSED)
            backing = Backing(name=base.name, format=base.format) if base else None
            self._store.rebase(Volume(storage=disk.storage, name=disk.volume, size=0, backing=backing))

    def push(self, machine: UUID, disk: Disk, upper: Volume, lower: Volume, progress: Progress = heedless) -> None:
        take_time(progress)
        with self._lock:
            self._get(machine, Status.UP, Status.PAUSED)
            self._store.push(upper, lower)

    def suspend(self, machine: UUID, progress: Progress = heedless) -> None:
        take_time(progress)
        with self._lock:
            there = self._get(machine, Status.UP, Status.SUSPENDED)
            there.status, there.ended = Status.SUSPENDED, Ended.SAVED
            self._tell(Event(machine))

    def prepare(self, run: Run) -> None:
        self._require_plugged()

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
        if not isinstance(to, MemoryHypervisor):
            raise Refusal("HYPERVISOR_REFUSED", None, message="the other host is of another kind")
        arrived = to.observe(machine)
        if arrived is not None and arrived.run is not None and machine not in self._machines:
            return arrived
        self._get(machine, Status.UP, Status.PAUSED)
        take_time(progress)
        with self._lock:
            there = self._get(machine, Status.UP, Status.PAUSED)
            to._arrive(machine, replace(there, status=Status.PAUSED if paused else there.status))
            del self._machines[machine]
            self._tell(Event(machine))
        return to._observation(machine, to._machines[machine])

    def _arrive(self, key: UUID, machine: Machine) -> None:
        with self._lock:
            self._require_plugged()
            self._machines[key] = machine
            self._tell(Event(key))

    def set_cold_reboot(self, machine: UUID, cold: bool) -> None:
        with self._lock:
            self._get(machine, Status.UP, Status.PAUSED).cold_reboot = cold
            self._tell(Event(machine))

    def rewire(self, run: Run) -> None:
        with self._lock:
            self._require_plugged()
            there = self._machines.get(run.base.id)
            if there and there.run is not None:
                there.spec, there.run = run.base, replace(run, job=there.run.job)
                self._tell(Event(run.base.id))

    def set_ticket(self, machine: UUID, ticket: Ticket) -> None:
        with self._lock:
            there = self._get(machine, Status.UP, Status.PAUSED)
            if there.run is None or ticket.protocol not in there.run.spec.console.graphics:
                raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=ticket.protocol.upper())
            self.tickets[machine] = ticket

    def open_screen(self, machine: UUID, screen: Protocol) -> socket.socket:
        with self._lock:
            there = self._get(machine, Status.UP, Status.PAUSED)
            if there.run is None or screen not in there.run.spec.console.graphics:
                raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=screen.upper())
            raise Refusal("CONSOLE_OUT_OF_REACH", None, host="memory")

    def screenshot(self, machine: UUID) -> bytes:
        with self._lock:
            there = self._get(machine, Status.UP, Status.PAUSED)
            if there.run is None or there.run.spec.console.headless:
                raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol="")
            return png(*_SCREEN, bytes(3 * _SCREEN[0] * _SCREEN[1]))

    def serial_at(self) -> Mapping[str, str] | None:
        return None

    def in_guest(self, machine: UUID, command: Sequence[str]) -> bool:
        with self._lock:
            self._get(machine, Status.UP)
            self.ran.append((machine, tuple(command)))
            return True

    def run_in_guest(self, machine: UUID, command: Sequence[str], *, within: float) -> Ran:
        with self._lock:
            self._get(machine, Status.UP)
            if not self.guests.get(machine, Guest()).agent:
                raise Refusal("GUEST_AGENT_SILENT")
            self.ran.append((machine, tuple(command)))
            answers = self.programs
        return answers(machine, tuple(command))

    def ask_guest(self, machine: UUID) -> Guest:
        with self._lock:
            self._get(machine, Status.UP, Status.PAUSED)
            return self.guests.get(machine, Guest())

    def measure(self, machine: UUID) -> Counters:
        with self._lock:
            self._get(machine, Status.UP, Status.PAUSED)
            return self.counters.get(machine, Counters(at=datetime.now(UTC)))

    def remove(self, machine: UUID) -> None:
        with self._lock:
            self._require_plugged()
            there = self._machines.get(machine)
            if there and there.status not in {Status.DOWN, Status.SUSPENDED}:
                raise Refusal("HYPERVISOR_REFUSED", None, message="domain is active")
            self._machines.pop(machine, None)

    def observe(self, machine: UUID) -> Observation | None:
        with self._lock:
            self._require_plugged()
            there = self._machines.get(machine)
            return self._observation(machine, there) if there else None

    def glance(self) -> Mapping[UUID, Glance]:
        with self._lock:
            self._require_plugged()
            return {key: Glance(there.status, there.ended) for key, there in self._machines.items()}

    # -- what guests and hosts do by themselves

    def somebody_defines(self, spec: MachineSpec, text: str) -> None:
        """Somebody else defines a machine, or another text for one that is there."""
        self.define(spec, text)

    def somebody_undefines(self, machine: UUID) -> None:
        """Somebody else removes a definition."""
        with self._lock:
            del self._machines[machine]
            self._tell(Event(machine))

    def guest_powers_off(self, machine: UUID) -> None:
        with self._lock:
            self._end(machine, self._get(machine, Status.UP), Ended.GUEST)

    def guest_reboots(self, machine: UUID) -> None:
        with self._lock:
            there = self._get(machine, Status.UP)
            if there.cold_reboot:
                self._end(machine, there, Ended.REBOOT)
            else:
                self._tell(Event(machine, rebooted=True))

    def guest_crashes(self, machine: UUID) -> None:
        with self._lock:
            self._end(machine, self._get(machine, Status.UP, Status.PAUSED), Ended.CRASHED)

    def unplug(self) -> None:
        self._plugged = False

    def plug(self) -> None:
        self._plugged = True

    def agent_tells(self, machine: UUID, guest: Guest) -> None:
        """The guest's agent comes, changes its mind, or (one without `agent`) goes."""
        with self._lock:
            self._get(machine, Status.UP)
            self.guests[machine] = guest
            self._tell(Event(machine))

    # -- inside

    def _get(self, machine: UUID, *statuses: Status) -> Machine:
        self._require_plugged()
        there = self._machines.get(machine)
        if there is None or there.status not in statuses:
            raise Refusal("HYPERVISOR_REFUSED", None, message=f"domain is {there.status if there else 'not there'}")
        return there

    def _require_plugged(self) -> None:
        if not self._plugged:
            raise Refusal("HOST_NOT_RESPONDING", None, host="memory")

    def _end(self, key: UUID, machine: Machine, ended: Ended) -> None:
        machine.status, machine.ended, machine.run, machine.cold_reboot = Status.DOWN, ended, None, False
        self.tickets.pop(key, None)
        self.guests.pop(key, None)
        self._tell(Event(key))

    def _told(self, key: UUID, machine: Machine) -> Observation:
        self._tell(Event(key))
        return self._observation(key, machine)

    def _tell(self, event: Event) -> None:
        if self._listener:
            self._listener(event)

    def _observation(self, key: UUID, machine: Machine) -> Observation:
        there = Observation(
            id=key,
            name=machine.spec.name,
            status=machine.status,
            ended=machine.ended,
            # It is pinned: a name that no real host knows would be in the way of a later one.
            machine=machine.spec.machine or self._capabilities.machine,
            definition=machine.definition,
        )
        if machine.run is None or machine.status == Status.SUSPENDED:
            return there
        spec = machine.run.spec
        return replace(
            there,
            run=machine.run,
            console=spec.console,
            cold_reboot=machine.cold_reboot,
            agent=self.guests.get(key, Guest()).agent,
            endpoints=tuple(
                Endpoint(protocol=protocol, address="127.0.0.1", port=_PORTS[protocol] + machine.ports)
                for protocol in sorted(spec.console.graphics)
            ),
            addresses={
                device.alias: {"type": "memory", "slot": str(number)}
                for number, device in enumerate(devices(spec))
                if device.kind in {DeviceKind.INTERFACE, DeviceKind.BALLOON}
            },
        )
