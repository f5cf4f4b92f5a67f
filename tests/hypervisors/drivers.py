"""Each driver on a bench, with guests that do what they are told: in a dictionary and on a real libvirt with QEMU."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from tests.consoles import rfb
from tests.hypervisors import obedient
from tests.hypervisors.conftest import SerialLine, wait_until
from vms.domain.console import SPICE_AND_VNC, Console
from vms.domain.console import Protocol as Graphics
from vms.domain.hosts import Observation
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.networks import Nic
from vms.domain.parts import Boot
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.domain.secret import Secret
from vms.hypervisors.base import Event, Hypervisor
from vms.hypervisors.memory import MemoryHypervisor
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.observe import observe


class Guests(Protocol):
    """What guests do by themselves."""

    def up(self, machine: UUID) -> None:
        """Wait until the guest can act."""

    def powers_off(self, machine: UUID) -> None: ...

    def reboots(self, machine: UUID) -> None: ...

    def crashes(self, machine: UUID) -> None: ...

    def lets_in(self, machine: UUID, password: str) -> bool:
        """Whether its VNC console takes the password."""
        ...


class MemoryGuests:
    def __init__(self, hypervisor: MemoryHypervisor) -> None:
        self.powers_off = hypervisor.guest_powers_off
        self.reboots = hypervisor.guest_reboots
        self.crashes = hypervisor.guest_crashes
        self._tickets = hypervisor.tickets

    def lets_in(self, machine: UUID, password: str) -> bool:
        return machine in self._tickets and self._tickets[machine].password == Secret(password)

    def up(self, machine: UUID) -> None:
        """They always are."""


class RealGuests:
    def __init__(self, daemon: PrivateDaemon, connection: Any) -> None:
        self._daemon = daemon
        self._connection = connection

    def up(self, machine: UUID) -> None:
        """It echoes what is typed once it runs, however often it was reset before."""
        line = self._line(machine)

        def echoes() -> bool:
            line.send(obedient.ANYTHING)
            return obedient.ANYTHING in line.text

        wait_until(echoes, what="the guest's echo")

    def lets_in(self, machine: UUID, password: str) -> bool:
        (console,) = observe(self._connection.lookupByUUID(machine.bytes).XMLDesc()).endpoints
        return rfb.lets_in(console.address, console.port, password)

    def powers_off(self, machine: UUID) -> None:
        self._type(machine, obedient.POWER_OFF)

    def reboots(self, machine: UUID) -> None:
        self._type(machine, obedient.REBOOT)

    def crashes(self, machine: UUID) -> None:
        name = self._connection.lookupByUUID(machine.bytes).name()
        os.kill(int((self._daemon.home / f"run/qemu/{name}.pid").read_text()), signal.SIGKILL)

    def _type(self, machine: UUID, letter: str) -> None:
        self.up(machine)
        self._line(machine).send(letter)

    def _line(self, machine: UUID) -> SerialLine:
        """A new line, left open until the machine ends: what is typed on one that is closed at once never arrives."""
        return SerialLine(self._connection.lookupByUUID(machine.bytes))


class Bench:
    """A driver, its guests, and the events that it has told."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor
        self.guests: Guests
        self.events: list[Event] = []
        self.machines: list[UUID] = []
        hypervisor.open(self.events.append)

    def machine(self, console: Console | None = None, **parts: Any) -> MachineSpec:
        """A headless machine with a serial line and a guest that obeys, unless something else is asked for."""
        made = MachineSpec(
            id=uuid4(),
            name=f"contract-{len(self.machines)}-{os.getpid()}",
            memory=64,
            console=console or replace(Console().as_headless(), serial=True),
            boot=Boot(kernel=obedient.NAME),
            nics=(Nic(mac="52:54:00:00:00:01"),),
        )
        self.machines.append(made.id)
        return replace(made, **parts)

    def started(self, spec: MachineSpec | None = None, once: RunOnce | None = None) -> Run:
        run = Run(base=spec or self.machine(), once=once, job=uuid4())
        self.hypervisor.start(run)
        return run

    def seen(self, machine: UUID) -> Observation:
        observation = self.hypervisor.observe(machine)
        assert observation is not None
        return observation

    def wait_for(self, machine: UUID, status: Status) -> Observation:
        wait_until(lambda: self.seen(machine).status == status, what=f"{machine} {status}")
        return self.seen(machine)

    def wait_until_not(self, machine: UUID, status: Status) -> None:
        wait_until(lambda: self.seen(machine).status != status, what=f"{machine} no more {status}")

    def wait_for_event(self, condition: Callable[[Event], bool]) -> Event:
        wait_until(lambda: any(map(condition, list(self.events))), what="an event")
        return next(filter(condition, self.events))

    def clear(self) -> None:
        for machine in self.machines:
            self.hypervisor.stop(machine)
            self.hypervisor.remove(machine)
        self.hypervisor.close()


@pytest.fixture(params=["memory", pytest.param("libvirt", marks=pytest.mark.hypervisor)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "memory":
        memory = MemoryHypervisor()
        made = Bench(memory)
        made.guests = MemoryGuests(memory)
        yield made
        made.clear()
        return
    import libvirt

    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    daemon: PrivateDaemon = request.getfixturevalue("private_daemon")
    obedient.write_to(tmp_path)
    made = Bench(LibvirtHypervisor(lambda: Location(uri=daemon.uri, files=LocalFiles(tmp_path)), "local"))
    connection = libvirt.open(daemon.uri)
    made.guests = RealGuests(daemon, connection)
    yield made
    made.clear()
    connection.close()


def with_vnc(spec: MachineSpec, **options: Any) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, spec.offer(spec.level, SPICE_AND_VNC), **options)


def protocols(observation: Observation) -> set[Graphics]:
    return {endpoint.protocol for endpoint in observation.endpoints}
