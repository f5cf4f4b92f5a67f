"""A machine that moves between two hosts keeps its run, its definition and its guest; whoever dies, one host has it."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.hypervisors import obedient
from tests.hypervisors.conftest import SerialLine, wait_until
from tests.hypervisors.hosts import NetworkedDaemon, two_hosts
from vms.domain.console import SPICE_AND_VNC, Console
from vms.domain.disks import MIB, Disk, Storage, StorageKind, Volume
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Observation
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.networks import Nic
from vms.domain.parts import Boot
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.libvirtxml.observe import observe

pytestmark = [pytest.mark.hypervisor, pytest.mark.guests]


class Side:
    """A host with a driver and a connection of the test's own."""

    def __init__(self, daemon: NetworkedDaemon, boot: Path) -> None:
        import libvirt

        from vms.hypervisors.bootfiles import LocalFiles
        from vms.hypervisors.libvirt import LibvirtHypervisor, Location

        self.daemon = daemon
        self.driver = LibvirtHypervisor(lambda: Location(uri=daemon.over_tcp, files=LocalFiles(boot)), daemon.name)
        self.driver.open(lambda _event: None)
        self.connection = libvirt.open(daemon.uri)

    def domain(self, machine: UUID) -> Any:
        return self.connection.lookupByUUID(machine.bytes)

    def has(self, machine: UUID) -> bool:
        return machine in self.driver.glance()

    def seen(self, machine: UUID) -> Observation:
        observation = self.driver.observe(machine)
        assert observation is not None
        return observation

    def configured(self, machine: UUID) -> Any:
        import libvirt

        return observe(self.domain(machine).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))

    def close(self) -> None:
        for machine in self.driver.glance():
            self.driver.stop(machine)
            self.driver.remove(machine)
        self.driver.close()
        self.connection.close()


@pytest.fixture(scope="module")
def daemons(real_libvirt: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, ...]]:
    home = tmp_path_factory.mktemp("two")
    obedient.write_to(home)
    with two_hosts(home) as made:
        yield (*made, home)


@pytest.fixture
def sides(daemons: tuple[Any, ...]) -> Iterator[tuple[Side, Side]]:
    first, second, boot = daemons
    made = Side(first, boot), Side(second, boot)
    yield made
    for side in made:
        side.close()


def machine() -> MachineSpec:
    return MachineSpec(
        id=uuid4(),
        name=f"moving-{os.getpid()}",
        memory=64,
        console=Console(serial=True).as_headless(),
        boot=Boot(kernel=obedient.NAME),
        nics=(Nic(mac="52:54:00:00:00:01"),),
    )


def test_what_the_firmware_has_kept_moves_along_and_nothing_of_it_stays_behind(sides: tuple[Side, Side]) -> None:
    here, there = sides
    spec = replace(machine(), firmware=Firmware.SECURE, tpm=here.driver.capabilities().tpm, memory=128)
    here.driver.start(Run(base=replace(spec, start_paused=True), job=uuid4()))
    here.driver.stop(spec.id)
    mine, its = ([side.daemon.home / "lib" / name for name in ("qemu/nvram", "swtpm")] for side in sides)
    (variables,) = mine[0].iterdir()
    with variables.open("r+b") as file:  # beyond what OVMF uses
        file.seek(-4, os.SEEK_END)
        file.write(b"kept")
    here.driver.start(Run(base=spec, job=uuid4()))
    here.driver.migrate(spec.id, there.driver)
    assert [path for folder in mine for path in folder.iterdir()] == []
    there.driver.stop(spec.id)
    assert (its[0] / variables.name).read_bytes().endswith(b"kept")
    there.driver.remove(spec.id)
    assert [path for folder in its for path in folder.iterdir()] == []


def with_vnc(spec: MachineSpec) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, spec.offer(spec.level, SPICE_AND_VNC))


def test_a_headless_guest_moves_there_and_back_and_stays_headless(sides: tuple[Side, Side]) -> None:
    here, there = sides
    run = Run(base=machine(), job=uuid4())
    key = run.base.id
    before = here.driver.start(run)
    told: list[int] = []

    def tell(percent: int) -> bool:
        told.append(percent)
        return True

    arrived = here.driver.migrate(key, there.driver, tell)
    assert (arrived.status, arrived.run, arrived.endpoints) == (Status.UP, run, ())
    assert arrived.addresses == before.addresses, "no device has moved"
    assert not here.has(key), "neither the run nor the definition is left behind"
    assert observe(there.domain(key).XMLDesc()).headless
    assert there.configured(key).headless
    with SerialLine(there.domain(key)) as line:
        line.send(obedient.ANYTHING)
        line.expect(obedient.ANYTHING)
    assert there.driver.migrate(key, here.driver).status == Status.UP
    assert (here.seen(key).run, there.has(key)) == (run, False)
    with SerialLine(here.domain(key)) as line:
        line.send(obedient.POWER_OFF)
        wait_until(lambda: here.seen(key).status == Status.DOWN, what="its guest obeys")


def test_a_run_once_moves_with_what_it_lies_on(sides: tuple[Side, Side]) -> None:
    here, there = sides
    spec = machine()
    run = Run(base=spec, once=with_vnc(spec), job=uuid4())
    here.driver.start(run)
    arrived = here.driver.migrate(spec.id, there.driver, listen=there.daemon.address)
    (console,) = arrived.endpoints
    assert (arrived.run, console.protocol, console.address) == (run, "vnc", there.daemon.address)
    assert there.configured(spec.id).headless
    there.driver.stop(spec.id)
    assert there.driver.start(Run(base=spec, job=uuid4())).endpoints == ()


def test_what_has_moved_already_is_only_observed(sides: tuple[Side, Side]) -> None:
    here, there = sides
    run = Run(base=machine(), job=uuid4())
    here.driver.start(run)
    first = here.driver.migrate(run.base.id, there.driver, paused=True)
    assert first.status == Status.PAUSED
    again = here.driver.migrate(run.base.id, there.driver)
    assert (again.status, again.run) == (Status.PAUSED, run)
    assert there.driver.resume(run.base.id).status == Status.UP


def test_one_that_is_called_off_stays(sides: tuple[Side, Side]) -> None:
    here, there = sides
    run = Run(base=machine(), job=uuid4())
    here.driver.start(run)
    import libvirt

    here.domain(run.base.id).migrateSetMaxSpeed(1)
    with pytest.raises(Refusal, match="JOB_CANCELLED"):
        here.driver.migrate(run.base.id, there.driver, lambda _percent: False)
    assert (here.seen(run.base.id).status, there.has(run.base.id)) == (Status.UP, False)
    assert here.domain(run.base.id).jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE


def test_one_that_cannot_arrive_stays_and_says_why(sides: tuple[Side, Side]) -> None:
    here, there = sides
    run = Run(base=machine(), job=uuid4())
    here.driver.start(run)
    with pytest.raises(Refusal) as no:
        here.driver.migrate(run.base.id, there.driver, address="192.0.2.1.invalid")
    assert (no.value.code, here.seen(run.base.id).status) == ("HYPERVISOR_REFUSED", Status.UP)
    os.kill(there.daemon.pid or 0, signal.SIGKILL)
    with pytest.raises(Refusal):
        here.driver.migrate(run.base.id, there.driver)
    assert here.seen(run.base.id).status == Status.UP
    there.daemon.start()
    there.driver.open(lambda _event: None)
    assert here.driver.migrate(run.base.id, there.driver).status == Status.UP


def test_a_disk_on_shared_storage_goes_along(sides: tuple[Side, Side], tmp_path: Path) -> None:
    here, there = sides
    shared = Storage(id=uuid4(), kind=StorageKind.DIRECTORY, path=str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    here.driver.store.create(Volume(storage=shared, name="disk", size=MIB))
    spec = replace(machine(), disks=(Disk(id=uuid4(), storage=shared, volume="disk"),))
    run = Run(base=spec, job=uuid4())
    here.driver.start(run)
    arrived = here.driver.migrate(spec.id, there.driver)
    assert (arrived.status, arrived.run, here.has(spec.id)) == (Status.UP, run, False)
    there.driver.stop(spec.id)
    for side in sides:
        side.driver.store.close(shared)
