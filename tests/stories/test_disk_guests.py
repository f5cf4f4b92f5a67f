"""Real guests with real disks: what is written stays, and disks come and go while they run."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.hypervisors.conftest import SerialLine, guest_files, private_daemon, real_libvirt, wait_until
from tests.needs import need
from vms.domain.console import Console
from vms.domain.disks import MIB, Backing, Disk, DiskFormat, Interface, Storage, Volume
from vms.domain.errors import Refusal
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import Run
from vms.hypervisors.guest import CMDLINE, GuestFiles
from vms.hypervisors.private import PrivateDaemon

__all__ = ["guest_files", "private_daemon", "real_libvirt"]

pytestmark = pytest.mark.guests

BOOTED_WITHIN = 180.0  # seconds; five on an idle machine
PROMPT = ":/root# "


def opened_over(daemon: PrivateDaemon, guest_files: GuestFiles, own: Path) -> Any:
    """A driver that boots the guest and keeps its storage in a directory of its own."""
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    here = Location(uri=daemon.uri, files=LocalFiles(Path(guest_files.kernel).parent), storage=own)
    opened = LibvirtHypervisor(lambda: here)
    opened.open(lambda _event: None)
    return opened


@pytest.fixture
def driver(private_daemon: PrivateDaemon, guest_files: GuestFiles, tmp_path: Path) -> Iterator[Any]:
    opened = opened_over(private_daemon, guest_files, tmp_path / "own")
    yield opened
    for machine in opened.glance():
        opened.stop(machine)
        opened.remove(machine)
    opened.close()


@pytest.fixture
def storage(driver: Any, tmp_path: Path) -> Iterator[Storage]:
    made = Storage(id=uuid4(), path=str(tmp_path / "disks"))
    driver.store.open(made)
    yield made
    driver.store.close(made)


def line_of(daemon: PrivateDaemon, spec: MachineSpec) -> SerialLine:
    import libvirt

    line = SerialLine(libvirt.open(daemon.uri).lookupByUUID(spec.id.bytes))
    line.expect(PROMPT, BOOTED_WITHIN)
    return line


def tiny(**parts: Any) -> MachineSpec:
    """A headless machine with the tiny guest in it."""
    return MachineSpec(
        id=uuid4(),
        name="tiny",
        memory=192,
        console=replace(Console().as_headless(), serial=True),
        boot=Boot(kernel="kernel", initrd="initrd", parameters=CMDLINE),
        **parts,
    )


def made(driver: Any, storage: Storage, **how: Any) -> Disk:
    key = uuid4()
    format = how.get("format", DiskFormat.QCOW2)
    disk = Disk(id=key, storage=storage, volume=f"{key}.{format}", **how)
    driver.store.create(Volume(storage=storage, name=disk.volume, size=16 * MIB, format=format))
    return disk


def booted(driver: Any, storage: Storage, daemon: PrivateDaemon) -> tuple[Disk, Run, SerialLine]:
    """A guest that is up on a disk of its own, and its serial line."""
    root = made(driver, storage)
    run = Run(base=tiny(disks=(root,)), job=uuid4())
    driver.start(run)
    return root, run, line_of(daemon, run.spec)


def frozen(driver: Any, run: Run) -> tuple[Disk, Run]:
    """Have its guest write elsewhere than to the image of its disk: to one that begins as that."""
    (disk,) = run.base.disks
    over = layer(driver, disk.storage, disk)
    gone_on = replace(run, base=replace(run.base, disks=(over,)))
    driver.write_elsewhere(gone_on)
    return over, gone_on


def disks_in(line: SerialLine) -> set[str]:
    return set(line.ask("ls /sys/block", 30).split())


def test_a_guest_keeps_what_it_writes_and_disks_come_and_go(
    driver: Any, storage: Storage, private_daemon: PrivateDaemon
) -> None:
    root, raw = made(driver, storage), made(driver, storage, slot=1, format=DiskFormat.RAW, read_only=True)
    scsi, late = made(driver, storage, interface=Interface.VIRTIO_SCSI), made(driver, storage, slot=4)
    run = Run(base=tiny(disks=(root, raw)), job=uuid4())
    assert driver.start(run).status == Status.UP
    line = line_of(private_daemon, run.spec)
    assert {"vda", "vdb"} <= disks_in(line)
    assert line.ask("cat /sys/block/vda/serial", 30) == str(root.id)[:20]
    assert line.ask("cat /sys/block/vda/ro /sys/block/vdb/ro", 30).split() == ["0", "1"]
    line.ask("echo written | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null", 30)

    more = replace(run, base=replace(run.base, disks=(root, raw, scsi, late)))
    for _again in range(2):
        driver.give_disks(more)
    wait_until(lambda: disks_in(line) >= {"vda", "vdb", "vdc", "sda"}, 30, "all disks")
    seen = driver.observe(run.base.id)
    assert {disk.id for disk in seen.run.spec.disks} == {disk.id for disk in (root, raw, scsi, late)}

    driver.store.resize(Volume(storage=storage, name=late.volume, size=32 * MIB), run.base.id)
    assert line.ask("cat /sys/block/vdc/size", 30) == str(32 * MIB // 512)

    for _again in range(2):
        driver.give_disks(run)
    assert not {"vdc", "sda"} & disks_in(line)
    line.close()
    driver.stop(run.base.id)
    again = Run(base=run.base, job=uuid4())
    assert driver.start(again).status == Status.UP
    line = line_of(private_daemon, run.spec)
    assert line.ask("head -c 7 /dev/vda", 30) == "written"


def test_a_guest_runs_on_while_its_disk_is_frozen_and_merged_and_finds_it_as_it_was(
    driver: Any, storage: Storage, private_daemon: PrivateDaemon
) -> None:
    root, run, line = booted(driver, storage, private_daemon)
    line.ask("echo first | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null", 30)

    over, live = frozen(driver, run)
    driver.write_elsewhere(live)
    line.ask("echo later | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null", 30)
    assert [disk.volume for disk in driver.observe(run.base.id).run.spec.disks] == [over.volume]
    again, _top = frozen(driver, live)
    driver.pull(run.base.id, again, volume_of(storage, root))
    driver.store.delete(storage, over.volume)
    assert line.ask("head -c 5 /dev/vda", 30) == "later"
    line.close()
    driver.stop(run.base.id)

    # Back to what was frozen, then forward again, and the frozen image merged while nobody runs.
    back = layer(driver, storage, root)
    for disk, words in ((back, "first"), (again, "later")):
        if disk is again:
            for _again in range(2):
                driver.store.rebase(replace(volume_of(storage, again), backing=None))
            driver.store.delete(storage, root.volume)
        then = Run(base=replace(run.base, disks=(disk,)), job=uuid4())
        driver.start(then)
        line = line_of(private_daemon, then.spec)
        assert line.ask("head -c 5 /dev/vda", 30) == words
        line.close()
        driver.stop(run.base.id)


def test_a_guest_runs_on_while_an_earlier_image_goes_from_the_middle(
    driver: Any, storage: Storage, private_daemon: PrivateDaemon
) -> None:
    """Four words in four images, one of the middle ones taken out of the chain, twice over."""
    root, run, line = booted(driver, storage, private_daemon)
    images = [root]
    for number in range(4):
        line.ask(f"echo word{number} | dd of=/dev/vda bs=512 seek={number} conv=sync,fsync 2>/dev/null", 30)
        if number < 3:
            over, run = frozen(driver, run)
            images.append(over)
    top = images[-1]
    lower, upper = volume_of(storage, images[0]), volume_of(storage, images[1])
    with pytest.raises(Refusal, match="JOB_CANCELLED"):
        driver.push(run.base.id, top, volume_of(storage, images[2]), upper, lambda _percent: False)
    for _again in range(2):
        driver.push(run.base.id, top, upper, lower)
    driver.store.delete(storage, upper.name)
    assert driver.store.begins_as(volume_of(storage, images[2])) == lower.name
    for _again in range(2):
        driver.pull(run.base.id, top, lower)
    driver.store.delete(storage, images[2].volume)
    for number in range(4):
        assert line.ask(f"dd if=/dev/vda bs=512 skip={number} count=1 2>/dev/null | head -c 5", 30) == f"word{number}"
    assert set(driver.store.names(storage)) == {root.volume, top.volume}
    line.close()


def test_a_merge_that_finds_no_room_leaves_every_image_that_the_guest_needs(
    driver: Any, private_daemon: PrivateDaemon, small: Storage
) -> None:
    """And a guest that finds none is paused, tells why, and goes on as if nothing had been when there is room."""
    _root, run, line = booted(driver, small, private_daemon)
    line.ask("dd if=/dev/urandom of=/dev/vda bs=1M count=8 conv=fsync 2>/dev/null; md5sum /dev/vda >/tmp/was", 60)
    over, run = frozen(driver, run)
    with pytest.raises(Refusal, match="STORAGE_FULL"):
        driver.pull(run.base.id, over, None)
    assert "ok" in line.ask("md5sum /dev/vda | cmp - /tmp/was && echo ok", 60)

    line.send("dd if=/dev/urandom of=/dev/vda bs=1M seek=8 count=8 conv=fsync 2>/dev/null; echo WRI''TTEN")
    seen = wait_until(lambda: paused(driver, run.base.id), 60, "the pause")
    assert seen.ended == Ended.NO_SPACE
    assert driver.store.open(small).available < MIB
    larger = ["mount", "-o", "remount,size=64m", small.path]
    subprocess.run(["nsenter", "-t", str(private_daemon.pid), "-m", *larger], check=True)
    assert driver.resume(run.base.id).ended is None
    line.expect("WRITTEN", 60)
    assert driver.observe(run.base.id).status == Status.UP
    line.close()


def paused(driver: Any, machine: UUID) -> Any:
    seen = driver.observe(machine)
    return seen if seen.status == Status.PAUSED else None


@pytest.fixture
def small(driver: Any, private_daemon: PrivateDaemon, tmp_path: Path) -> Iterator[Storage]:
    """A storage with hardly any room."""
    there = tmp_path / "small"
    there.mkdir()
    inside = ["nsenter", "-t", str(private_daemon.pid), "-m"]
    mount = [*inside, "mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(there)]
    need(None if subprocess.run(mount, check=False).returncode == 0 else "no small file system can be mounted here")
    made = Storage(id=uuid4(), path=str(there))
    driver.store.open(made)
    yield made
    for machine in driver.glance():
        driver.stop(machine)
    driver.store.close(made)
    subprocess.run([*inside, "umount", str(there)], check=True)


def volume_of(storage: Storage, disk: Disk) -> Volume:
    return Volume(storage=storage, name=disk.volume, size=16 * MIB, format=disk.format)


def layer(driver: Any, storage: Storage, below: Disk) -> Disk:
    """A disk whose image begins as another one's."""
    over = replace(below, volume=f"{uuid4()}.qcow2")
    backing = Backing(name=below.volume, format=below.format)
    driver.store.create(replace(volume_of(storage, over), backing=backing))
    return over
