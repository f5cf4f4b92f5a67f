"""Disks, snapshots, templates, clones and pools with real guests: the actions that people's clicks come to, an engine's
worker, a libvirt of the tests' own. What a guest reads from its disk is what counts.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.factories import headless, machine
from tests.hypervisors.conftest import SerialLine, debian, guest_files, real_libvirt, wait_until
from tests.stories.test_guest_networks import daemon
from vms.actions import create, disks, jobs, nics, power, reports, snapshots, storage, uploads
from vms.actions._cards import Card
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import VNC, Console, Offer, Video
from vms.domain.disks import MIB
from vms.domain.guest import Source
from vms.domain.lifecycle import Status
from vms.domain.parts import Boot, Topology
from vms.domain.secret import Secret
from vms.engine.worker import carry_out
from vms.hypervisors.guest import CMDLINE, GuestFiles
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.observe import observe
from vms.models import VM, Cluster, Disk, Host, Image, StorageDomain, User, VnicProfile

__all__ = ["daemon", "debian", "guest_files", "real_libvirt"]

pytestmark = [pytest.mark.guests, pytest.mark.django_db]

BOOTED_WITHIN = 180.0  # seconds; five on an idle machine
PROMPT = ":/root# "


class House:
    """A data centre with one real host, whose engine works when it is told to."""

    def __init__(self, driver: Any, daemon: PrivateDaemon, host: Host, domain: StorageDomain, by: User) -> None:
        self.driver, self.daemon, self.host, self.domain, self.by = driver, daemon, host, domain, by

    def work(self) -> None:
        """Carry out all that waits; whatever fails is a failure of the test."""
        while (job := jobs.claim("engine", [self.host.pk])) is not None:
            carry_out(job, self.driver)
            job.refresh_from_db()
            assert job.error is None, job.error

    def look(self, vm: VM) -> VM:
        """Report what the host sees of a machine, as the watcher does."""
        seen = self.driver.observe(vm.pk)
        assert seen is not None
        reports.machine_seen(self.host, seen)
        self.work()
        return VM.objects.get(pk=vm.pk)

    def start(self, vm: VM) -> SerialLine:
        power.start(VM.objects.get(pk=vm.pk), by=self.by)
        self.work()
        assert VM.objects.get(pk=vm.pk).status == Status.UP
        return SerialLine(self.domain_of(vm))

    def boot(self, vm: VM) -> SerialLine:
        """Start the tiny guest and wait for its shell."""
        line = self.start(vm)
        line.expect(PROMPT, BOOTED_WITHIN)
        return line

    def stop(self, vm: VM, line: SerialLine) -> None:
        line.close()
        power.stop(VM.objects.get(pk=vm.pk), by=self.by)
        self.work()
        assert self.look(vm).status == Status.DOWN

    def domain_of(self, vm: VM) -> Any:
        import libvirt

        return libvirt.open(self.daemon.uri).lookupByUUID(vm.pk.bytes)

    def headless(self, vm: VM) -> bool:
        """Whether a running machine really has neither graphics nor a video card."""
        return observe(self.domain_of(vm).XMLDesc()).headless

    def agrees(self) -> None:
        """Every file is a row's, every row has its file."""
        assert set(self.driver.store.names(self.domain.storage)) == {image.name for image in Image.objects.all()}


@pytest.fixture
def house(daemon: PrivateDaemon, guest_files: GuestFiles, tmp_path: Path, host: Host, admin: User) -> Iterator[House]:
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    # Screens listen on the loopback, which a network of its own begins without.
    subprocess.run(["nsenter", "-t", str(daemon.pid), "-n", "ip", "link", "set", "lo", "up"], check=True)
    files = LocalFiles(Path(guest_files.kernel).parent)
    here = Location(uri=daemon.uri, files=files, storage=tmp_path / "own", networks=True)
    driver = LibvirtHypervisor(lambda: here)
    driver.open(lambda _event: None)
    reports.host_seen(host, driver.capabilities())
    domain = storage.create(
        "disks", data_center=host.cluster.data_center, host=host, path=str(tmp_path / "disks"), by=admin
    )
    made = House(driver, daemon, host, domain, admin)
    made.work()
    domain.refresh_from_db()
    yield made
    for key in driver.glance():
        driver.stop(key)
        driver.remove(key)
    driver.store.close(domain.storage)
    driver.close()


def tiny(house: House, name: str) -> VM:
    """A headless machine with the tiny guest in it and a disk of 16 MiB."""
    boot = Boot(kernel="kernel", initrd="initrd", parameters=CMDLINE)
    vm = machine(name, by=house.by, console=with_serial, memory=192, boot=boot)
    disks.create_in(vm, f"{name}_Disk1", domain=house.domain, size=16 * MIB, how={"bootable": True}, by=house.by)
    house.work()
    return VM.objects.get(pk=vm.pk)


def with_serial(console: Console, offer: Offer) -> Console:
    return replace(headless(console, offer), serial=True)


def with_vnc(console: Console, _offer: Offer) -> Console:
    return console.with_display(VNC, Video.VGA)


def write(line: SerialLine, words: str, disk: str = "vda") -> None:
    line.ask(f"echo {words} | dd of=/dev/{disk} bs=512 conv=sync,fsync 2>/dev/null", 30)


def read(line: SerialLine, disk: str = "vda") -> str:
    return line.ask(f"dd if=/dev/{disk} bs=512 count=1 2>/dev/null | tr -d '\\000'", 30)


def taken(house: House, vm: VM, words: str) -> Any:
    made = snapshots.take(VM.objects.get(pk=vm.pk), words, by=house.by)
    house.work()
    return made


def test_snapshots_bring_back_the_console_and_the_content_and_clones_go_their_own_way(house: House) -> None:
    """Taken headless, gone back to when it has VNC; taken with VNC, gone back to when headless; clones of both."""
    vm = tiny(house, "story")
    line = house.boot(vm)
    write(line, "headless-words")
    bare = taken(house, vm, "headless")
    write(line, "lost-words")
    assert read(line) == "lost-words", "the guest goes on"
    house.stop(vm, line)

    edit(VM.objects.get(pk=vm.pk), Changes(console=with_vnc), by=house.by)
    line = house.boot(vm)
    assert not house.headless(vm)
    write(line, "vnc-words")
    screen = taken(house, vm, "with VNC")
    house.stop(vm, line)

    snapshots.preview(bare, by=house.by)
    house.work()
    line = house.boot(vm)
    assert (house.headless(vm), read(line)) == (True, "headless-words")
    house.stop(vm, line)
    snapshots.undo(VM.objects.get(pk=vm.pk), by=house.by)
    house.work()

    edit(VM.objects.get(pk=vm.pk), Changes(console=with_serial), by=house.by)
    as_it_is = create.clone(VM.objects.get(pk=vm.pk), "clone", by=house.by)
    house.work()
    as_it_was = create.from_snapshot(bare, "as-it-was", by=house.by)
    house.work()
    snapshots.preview(screen, commit=True, by=house.by)
    house.work()
    lines = {one: house.start(one) for one in (vm, as_it_is, as_it_was)}
    for line in lines.values():
        line.expect(PROMPT, BOOTED_WITHIN)
    told = {one.name: (house.headless(one), read(lines[one])) for one in lines}
    assert told == {
        "story": (False, "vnc-words"),
        "clone": (True, "vnc-words"),
        "as-it-was": (True, "headless-words"),
    }
    macs = {nic.mac for one in lines for nic in VM.objects.get(pk=one.pk).cards.all()}
    serials = {line.ask("cat /sys/block/vda/serial /sys/class/dmi/id/product_uuid", 30) for line in lines.values()}
    assert len(serials) == 3
    write(lines[as_it_is], "clones-words")
    assert read(lines[vm]) == "vnc-words"
    assert len(macs) == sum(VM.objects.get(pk=one.pk).cards.count() for one in lines)
    for one, line in lines.items():
        house.stop(one, line)
    house.agrees()


def test_a_stateless_pool_of_three_reverts_and_a_guest_sees_what_is_plugged(house: House) -> None:
    vm = tiny(house, "model")
    line = house.boot(vm)
    write(line, "golden")

    disks.create_in(VM.objects.get(pk=vm.pk), "late", domain=house.domain, size=MIB, by=house.by)
    nics.add(VM.objects.get(pk=vm.pk), Card(name="late"), by=house.by)
    house.work()
    wait_until(lambda: "vdb" in line.ask("ls /sys/block", 30), 30, "the disk")
    cards = len(line.ask("ls /sys/class/net", 30).split())
    write(line, "plugged", "vdb")
    row = VM.objects.get(pk=vm.pk).disk_attachments.get(disk__name="late")
    disks.detach(row, by=house.by)
    nics.remove(VM.objects.get(pk=vm.pk).cards.get(name="late"), by=house.by)
    house.work()
    wait_until(lambda: "vdb" not in line.ask("ls /sys/block", 30), 30, "the end of the disk")
    wait_until(lambda: len(line.ask("ls /sys/class/net", 30).split()) == cards - 1, 30, "the end of the card")
    disks.remove(Disk.objects.get(name="late"), by=house.by)
    house.stop(vm, line)

    template = create.template("model-template", vm=VM.objects.get(pk=vm.pk), by=house.by)
    house.work()
    pool = create.pool("desk", cluster=Cluster.objects.get(name="Default"), template=template, size=3, by=house.by)
    house.work()
    before = Image.objects.count()
    for _twice in range(2):
        lines = {member: house.start(member) for member in pool.vms.all()}
        for member, line in lines.items():
            line.expect(PROMPT, BOOTED_WITHIN)
            assert read(line) == "golden"
            write(line, f"lost-{member.name}")
            assert read(line) == f"lost-{member.name}"
        assert Image.objects.count() == before + 3
        for member, line in lines.items():
            house.stop(member, line)
        assert Image.objects.count() == before
        house.agrees()


def test_a_debian_of_a_template_is_headless_from_its_first_boot(
    house: House, debian: dict[str, Path], tmp_path: Path
) -> None:
    """Uploaded, made a template, a thin machine of that with cloud-init: its address with and without agent."""
    image = tmp_path / "debian.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", debian["serial"], image], check=True)
    with image.open("rb") as content:
        disk = uploads.bring("debian", content, domain=house.domain, by=house.by)
    image.unlink()
    golden = machine("golden", by=house.by, console=with_serial, memory=512, cpu=Topology(cores=2))
    house.work()
    disks.attach(golden, Disk.objects.get(pk=disk.pk), bootable=True, by=house.by)
    template = create.template("debian", vm=VM.objects.get(pk=golden.pk), by=house.by)
    house.work()

    words = {"initialization/user_name": "alice", "initialization/host_name": "first.example.org"}
    attributes = {"kept": words, "initialization_password": Secret("s3cret-pass")}
    profile = VnicProfile.objects.get(name="ovirtmgmt")
    vm = create.vm(
        "first",
        cluster=Cluster.objects.get(name="Default"),
        template=template,
        changes=Changes(attributes=attributes),
        cards=[Card(name="nic1", profile=profile)],
        by=house.by,
    )
    house.work()
    (own,) = Image.objects.filter(disk__attachments__vm=vm)
    assert own.parent is not None
    assert own.parent.disk.attachments.get().template == template, "it is thin"
    line = house.start(vm)
    assert house.headless(vm)

    def addresses(source: Source) -> set[str]:
        told = house.driver.ask_guest(vm.pk).addresses.get(source, ())
        return {each.address for each in told if each.address.startswith("192.168.")}

    without_agent = wait_until(lambda: addresses(Source.LEASE), 400, "the lease")
    line.expect("first login: ", 400)
    assert wait_until(lambda: addresses(Source.AGENT), 120, "the agent") == without_agent
    house.stop(vm, line)
    house.agrees()
