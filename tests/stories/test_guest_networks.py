"""Real networks with a real guest: a lease from our DHCP, cards that come and go while it runs, links that go down.

The daemon has a network of its own, so that no bridge of these tests is seen on this machine.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests import distribution
from tests.hypervisors.conftest import SerialLine, debian, guest_files, real_libvirt, wait_until
from tests.needs import need
from vms.domain.console import Console
from vms.domain.disks import Disk, Storage
from vms.domain.errors import Refusal
from vms.domain.guest import Source
from vms.domain.initialization import Initialization
from vms.domain.machine import MachineSpec
from vms.domain.networks import NetworkKind, Nic, NicModel, Wire
from vms.domain.parts import Boot, Topology
from vms.domain.runonce import Run
from vms.domain.secret import Secret
from vms.hypervisors.guest import CMDLINE, GuestFiles
from vms.hypervisors.private import NAMESPACE, PrivateDaemon

__all__ = ["debian", "guest_files", "real_libvirt"]

pytestmark = pytest.mark.guests

BOOTED_WITHIN = 120.0
PROMPT = ":/root# "
AUTOMATIC = Wire(kind=NetworkKind.AUTOMATIC, network=uuid4(), mtu=1400)
ISOLATED = replace(AUTOMATIC, kind=NetworkKind.ISOLATED, network=uuid4(), subnet="10.99.7.0/24")


@pytest.fixture(scope="module")
def daemon(real_libvirt: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateDaemon]:
    need(None if shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") else "dnsmasq is not installed")
    daemon = PrivateDaemon(tmp_path_factory.mktemp("libvirt"))
    daemon.entering = (*NAMESPACE, "--net")
    daemon.start()
    yield daemon
    import libvirt

    connection = libvirt.open(daemon.uri)
    for network in connection.listAllNetworks():  # else its DHCP server would outlive the daemon
        network.destroy()
    daemon.stop(guests=True)


@pytest.fixture(scope="module")
def hypervisor(daemon: PrivateDaemon, guest_files: GuestFiles) -> Iterator[Any]:
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    files = LocalFiles(Path(guest_files.kernel).parent)
    opened = LibvirtHypervisor(lambda: Location(uri=daemon.uri, files=files, networks=True))
    opened.open(lambda _event: None)
    yield opened
    for machine in opened.glance():
        opened.stop(machine)
        opened.remove(machine)
    opened.close()


def machine(*nics: Nic) -> MachineSpec:
    return MachineSpec(
        id=uuid4(),
        name=f"net-{uuid4().hex[:8]}",
        memory=128,
        console=replace(Console().as_headless(), serial=True),
        boot=Boot(kernel="kernel", initrd="initrd", parameters=CMDLINE),
        nics=nics,
    )


def card(number: int, wire: Wire | None, **more: Any) -> Nic:
    return Nic(mac=f"56:6f:00:00:00:{number:02x}", id=uuid4(), name=f"nic{number}", wire=wire, **more)


def test_a_guest_gets_a_lease_and_cards_come_and_go_while_it_runs(hypervisor: Any, daemon: PrivateDaemon) -> None:
    import libvirt

    first, second = card(1, AUTOMATIC), card(2, ISOLATED)
    run = Run(base=machine(first), job=uuid4())
    spec = run.base
    there = hypervisor.start(run)
    line = SerialLine(libvirt.open(daemon.uri).lookupByUUID(spec.id.bytes))
    line.expect(PROMPT, BOOTED_WITHIN)

    def lease() -> str:
        told = hypervisor.ask_guest(spec.id).addresses.get(Source.LEASE, ())
        return next((each.address for each in told if each.mac == first.mac), "")

    address = wait_until(lease, 60, "the lease")
    assert address.startswith("192.168.")
    assert address in line.ask("ip -4 addr show eth0")
    assert "mtu 1400" in line.ask("ip link show eth0")

    def rewired(*nics: Nic) -> Run:
        """The same run with other cards, as the engine has it carried out."""
        pinned = {**there.addresses, **hypervisor.observe(spec.id).addresses}
        wanted = replace(run, base=replace(spec, nics=nics, addresses=pinned))
        hypervisor.rewire(wanted)
        seen = hypervisor.observe(spec.id)
        assert {nic.mac for nic in seen.run.spec.nics} == {nic.mac for nic in nics}, "it carries what it has"
        return wanted

    # The link goes down and comes back; the card stays where it is.
    rewired(replace(first, linked=False))
    assert line.ask("cat /sys/class/net/eth0/carrier") == "0"
    rewired(first)
    assert line.ask("cat /sys/class/net/eth0/carrier") == "1"

    # A second card comes, on a network that is made for it; doing it again changes nothing.
    rewired(first, second)
    rewired(first, second)
    wait_until(lambda: "eth1" in line.ask("ls /sys/class/net"), 30, "the second card")
    line.ask("ip link set eth1 up; udhcpc -q -n -t 20 -T 1 -i eth1 -s /etc/lease >/dev/null 2>&1", 40)
    assert "10.99.7." in line.ask("ip -4 addr show eth1")
    assert hypervisor.measure(spec.id).nics[second.mac].received > 0

    # The first one goes over to the other network without leaving its place.
    before = hypervisor.observe(spec.id).addresses
    rewired(replace(first, wire=ISOLATED), second)
    assert hypervisor.observe(spec.id).addresses == before
    line.ask("udhcpc -q -n -t 20 -T 1 -i eth0 -s /etc/lease >/dev/null 2>&1", 40)
    assert "10.99.7." in line.ask("ip -4 addr show eth0")

    # It is taken out, and the second one stays where it was.
    rewired(second)
    wait_until(lambda: "eth0" not in line.ask("ls /sys/class/net"), 30, "the end of the first card")
    assert hypervisor.observe(spec.id).addresses.items() <= before.items()
    # Another model is another card.
    rewired(replace(second, model=NicModel.E1000E))
    assert "0x8086" in line.ask("cat /sys/bus/pci/devices/*/vendor /dev/null | sort -u; lspci 2>/dev/null")


def test_a_card_on_no_network_has_no_carrier(hypervisor: Any, daemon: PrivateDaemon) -> None:
    import libvirt

    spec = machine(card(3, None))
    hypervisor.start(Run(base=spec, job=uuid4()))
    line = SerialLine(libvirt.open(daemon.uri).lookupByUUID(spec.id.bytes))
    line.expect(PROMPT, BOOTED_WITHIN)
    assert line.ask("cat /sys/class/net/eth0/carrier") == "0"


def test_the_host_tells_what_it_can_carry(hypervisor: Any) -> None:
    told = hypervisor.capabilities()
    assert (told.networks, told.networks_reason) == (True, "")
    assert told.libvirt_networks == frozenset()


def test_a_network_that_is_not_there_is_refused_and_nothing_is_defined(hypervisor: Any) -> None:
    before = set(hypervisor.glance())
    for wire in (Wire(kind=NetworkKind.BRIDGE, source="nobridge0"), Wire(kind=NetworkKind.LIBVIRT, source="nowhere")):
        with pytest.raises(Refusal) as no:
            hypervisor.start(Run(base=machine(card(4, wire)), job=uuid4()))
        assert no.value.code == "HYPERVISOR_REFUSED"
        assert wire.source in str(no.value.params["message"])
    assert set(hypervisor.glance()) == before


def test_a_subnet_that_is_taken_is_said_and_leaves_no_network(hypervisor: Any, daemon: PrivateDaemon) -> None:
    import libvirt

    taken = Wire(kind=NetworkKind.NAT, network=uuid4(), subnet="10.99.8.0/24")
    same = replace(taken, network=uuid4())
    hypervisor.start(Run(base=machine(card(5, taken)), job=uuid4()))
    with pytest.raises(Refusal) as no:
        hypervisor.start(Run(base=machine(card(6, same)), job=uuid4()))
    assert "in use" in str(no.value.params["message"])
    names = {network.name() for network in libvirt.open(daemon.uri).listAllNetworks()}
    assert taken.libvirt_name in names
    assert same.libvirt_name not in names


def test_a_debian_is_told_of_its_first_boot_and_the_cd_is_gone_with_the_run(
    hypervisor: Any, daemon: PrivateDaemon, debian: dict[str, Path], tmp_path: Path
) -> None:
    """User, key, host name, a static address on a card, and a script: all of it, headless, at the first boot."""
    import libvirt

    storage = Storage(id=uuid4(), path=str(tmp_path / "disks"))
    hypervisor.store.open(storage)
    disk = Disk(id=uuid4(), storage=storage, volume=f"{uuid4()}.qcow2", bootable=True)
    distribution.overlay(debian["serial"], tmp_path / "disks" / disk.volume)
    spec = replace(
        machine(card(7, ISOLATED)), name="first", memory=512, cpu=Topology(cores=2), boot=Boot(), disks=(disk,)
    )
    static = {"name": "nic7", "boot_protocol": "static", "ip": {"address": "10.99.7.77", "netmask": "24"}}
    words = {
        "user_name": "alice",
        "host_name": "first.example.org",
        "nic_configurations": [static],
        "custom_script": "#!/bin/sh\necho FIRST-BOOT $(id -un alice) $(hostname) >/dev/ttyS0\n",
    }
    told = Initialization.of({f"initialization/{word}": said for word, said in words.items()}, Secret("s3cret-pass"))
    hypervisor.start(Run(base=spec, job=uuid4()), seed=told.files(spec.id, spec.name, spec.nics))
    domain = libvirt.open(daemon.uri).lookupByUUID(spec.id.bytes)
    (seed,) = (Path(files_of(hypervisor))).glob("seed-*.iso")
    assert oct(seed.stat().st_mode)[-3:] == "600"
    assert seed.name in domain.XMLDesc()
    assert seed.name not in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), "the next run has none"
    line = SerialLine(domain)
    line.expect("FIRST-BOOT alice first", 400)
    line.send("")
    line.expect("login: ", 120)
    line.send("alice")
    line.expect("assword: ", 60)
    line.send("s3cret-pass")
    line.expect("$ ", 60)
    assert "10.99.7.77/24" in line.ask("ip -4 addr; true", 60)
    hypervisor.stop(spec.id)
    hypervisor.observe(spec.id)
    assert not seed.exists()


def files_of(hypervisor: Any) -> Path:
    """Where the engine of these tests keeps what only a run needs."""
    path: Path = hypervisor._connections.location.files._directory.parent / "seeds"
    return path
