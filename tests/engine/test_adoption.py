"""Ten domains of every odd shape on a real libvirt: adopted without a change, patched and never rebuilt; and whatever
somebody does behind our back is noticed, told and never written over."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.core.management import CommandError, call_command
from lxml import etree

from tests.engine.conftest import Running, comes_to, ended, eventually, fresh
from tests.factories import headless
from tests.hypervisors import obedient
from tests.hypervisors.conftest import private_daemon, real_libvirt
from tests.libvirtxml.foreign import SHAPES, SPACE, xml_of
from vms.actions import adoption, edit, power
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.errors import Refusal
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.adopt import in_order
from vms.libvirtxml.observe import observe
from vms.models import VM, AuditEvent, Domain, Host, User

__all__ = ["private_daemon", "real_libvirt"]

pytestmark = [pytest.mark.hypervisor, pytest.mark.guests]


class Metal:
    """A real libvirt, and somebody who has its virsh."""

    def __init__(self, daemon: PrivateDaemon, boot: Path) -> None:
        import libvirt

        self._libvirt = libvirt
        self.connection = libvirt.open(daemon.uri)
        self._kernel = str(boot / obedient.NAME)

    def define_all(self) -> None:
        for name in SHAPES:
            self.connection.defineXML(xml_of(name, kernel=self._kernel))

    def domain(self, key: UUID) -> Any:
        return self.connection.lookupByUUID(key.bytes)

    def definition(self, key: UUID) -> str:
        """What it would be started with; libvirt itself turns the order of controllers round."""
        return in_order(self.domain(key).XMLDesc(self._libvirt.VIR_DOMAIN_XML_INACTIVE))

    def definitions(self) -> dict[UUID, str]:
        return {uuid5(SPACE, name): self.definition(uuid5(SPACE, name)) for name in SHAPES}

    def edit(self, key: UUID, before: str, after: str) -> None:
        self.connection.defineXML(self.definition(key).replace(before, after))

    def clear(self) -> None:
        for domain in self.connection.listAllDomains():
            if domain.isActive():
                domain.destroy()
            if domain.isPersistent():
                domain.undefine()
        self.connection.close()


@pytest.fixture
def metal(private_daemon: PrivateDaemon, tmp_path: Path) -> Iterator[Metal]:
    obedient.write_to(tmp_path)
    made = Metal(private_daemon, tmp_path)
    made.define_all()
    yield made
    made.clear()


@pytest.fixture
def adopted(
    metal: Metal,
    private_daemon: PrivateDaemon,
    tmp_path: Path,
    start_engine: Callable[..., Running],
    host: Host,
    admin: User,
) -> dict[str, VM]:
    """All ten, by their names on the host."""
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    start_engine(LibvirtHypervisor(lambda: Location(uri=private_daemon.uri, files=LocalFiles(tmp_path)), "local"))
    eventually(lambda: adoption.foreign(host).count() == len(SHAPES), "all ten are seen")
    adoption.take_over_all(host, by=admin)
    return {name: VM.objects.get(pk=uuid5(SPACE, name)) for name in SHAPES}


def graphical(console: Console, offer: Offer) -> Console:
    return console.as_graphical(offer)


def addresses(xml: str) -> dict[str, str]:
    """Where each device is that is no part of a screen, by what it is."""
    found: dict[str, str] = {}
    for number, device in enumerate(etree.fromstring(xml).iterfind("devices/*")):
        address = device.find("address")
        if device.tag not in {"graphics", "video"} and address is not None:
            kind = f"{device.tag} {device.get('type')} {device.get('model')} {device.get('index') or ''}"
            found[kind if kind not in found else f"{kind} {number}"] = str(sorted(address.attrib.items()))
    return found


def test_ten_domains_are_adopted_and_run_without_a_change(metal: Metal, adopted: dict[str, VM], admin: User) -> None:
    before = metal.definitions()
    for name, (_devices, odd, is_headless) in SHAPES.items():
        vm = adopted[name]
        assert (vm.adopted, set(vm.odd), vm.console.headless) == (True, odd, is_headless)
    assert adopted["a name, with (signs)"].name == "a_name_with_signs_"
    for name in ("two-cards", "card-alone", "a name, with (signs)"):
        ended(power.start(fresh(adopted[name]), by=admin))
        up = comes_to(adopted[name], "up")
        live = observe(metal.domain(up.pk).XMLDesc())
        assert (live.run is not None, live.headless or name == "card-alone") == (True, up.running_graphics == "")
        ended(power.stop(up, by=admin))
        comes_to(up, "down")
    assert metal.definitions() == before, "not one letter of them has changed"
    assert not VM.objects.filter(drift=True).exists()


def test_making_one_headless_and_back_moves_no_other_device(metal: Metal, adopted: dict[str, VM], admin: User) -> None:
    vm = adopted["plain"]
    before = addresses(metal.definition(vm.pk))
    edit.edit(vm, Changes(console=headless), by=admin)
    with pytest.raises(Refusal, match="ADOPTED_KEEPS_ITS_DEFINITION"):
        edit.edit(fresh(vm), Changes(machine={"io_threads": 2}), by=admin)
    ended(power.start(fresh(vm), by=admin))
    up = comes_to(vm, "up")
    definition = metal.definition(vm.pk)
    assert observe(definition).headless
    assert addresses(definition) == before
    assert "Not to be touched" in definition
    assert not fresh(vm).drift, "what we patch is meant"
    ended(power.stop(up, by=admin))
    edit.edit(comes_to(vm, "down"), Changes(console=graphical), by=admin)
    ended(power.start(fresh(vm), by=admin))
    assert (comes_to(vm, "up").running_graphics, addresses(metal.definition(vm.pk))) == ("vnc", before)


def test_an_odd_one_is_made_ordinary(metal: Metal, adopted: dict[str, VM], admin: User) -> None:
    vm = adopted["two-cards"]
    before = addresses(metal.definition(vm.pk))
    assert ended(adoption.normalise(vm, by=admin)).state == "finished"
    assert observe(metal.definition(vm.pk)).videos == ("qxl",)
    assert addresses(metal.definition(vm.pk)) == before
    assert (fresh(vm).odd, fresh(vm).drift) == ([], False)


def test_what_somebody_changes_is_told_and_never_written_over(
    metal: Metal, adopted: dict[str, VM], admin: User, host: Host
) -> None:
    vm = adopted["bare"]
    meant = metal.definition(vm.pk)
    metal.edit(vm.pk, "Not to be touched", "Touched")
    eventually(lambda: fresh(vm).drift, "the change is noticed")
    there = Domain.objects.get(machine=vm.pk, host=host)
    assert ("Touched" in there.definition, "Not to be touched" in there.accepted) == (True, True)
    assert AuditEvent.objects.filter(code="VM_CHANGED_OUTSIDE", entity_id=vm.pk).count() == 1
    with pytest.raises(Refusal, match="DEFINITION_CHANGED_OUTSIDE"):
        power.start(fresh(vm), by=admin)
    assert ended(adoption.restore(fresh(vm), by=admin)).state == "finished"
    assert (metal.definition(vm.pk), fresh(vm).drift) == (meant, False)

    metal.edit(vm.pk, '<vcpu placement="static">2</vcpu>', '<vcpu placement="static">3</vcpu>')
    eventually(lambda: fresh(vm).drift, "the next change is noticed")
    adoption.accept(fresh(vm), by=admin)
    assert (fresh(vm).vcpus, fresh(vm).drift) == (3, False)

    metal.domain(vm.pk).undefine()
    eventually(lambda: fresh(vm).drift, "its removal is noticed")
    with pytest.raises(Refusal, match="DEFINITION_IS_GONE"):
        adoption.accept(fresh(vm), by=admin)
    assert ended(adoption.restore(fresh(vm), by=admin)).state == "finished"
    assert '<vcpu placement="static">3</vcpu>' in metal.definition(vm.pk)
    assert not fresh(vm).drift


def test_what_somebody_starts_and_destroys_shows(metal: Metal, adopted: dict[str, VM]) -> None:
    vm = adopted["plain"]
    metal.domain(vm.pk).create()
    up = comes_to(vm, "up")
    assert not fresh(vm).drift
    assert (up.running_graphics, up.pending, up.endpoints[0]["protocol"]) == ("vnc", False, "vnc")
    metal.domain(vm.pk).destroy()
    assert comes_to(vm, "down").ended == "stopped"


def test_ours_is_not_written_over_either(metal: Metal, adopted: dict[str, VM], vm: VM, admin: User) -> None:
    edit.edit(vm, Changes(console=headless, machine={"memory": 64, "hosts": ()}), by=admin)
    ended(power.start(fresh(vm), by=admin))
    ended(power.stop(comes_to(vm, "up"), by=admin))
    comes_to(vm, "down")
    assert not fresh(vm).drift
    metal.edit(vm.pk, "<on_crash>destroy</on_crash>", "<on_crash>preserve</on_crash>")
    eventually(lambda: fresh(vm).drift, "the change is noticed")
    with pytest.raises(Refusal, match="DEFINITION_CHANGED_OUTSIDE"):
        power.start(fresh(vm), by=admin)
    adoption.accept(fresh(vm), by=admin)
    ended(power.start(fresh(vm), by=admin))
    comes_to(vm, "up")
    assert "<on_crash>preserve</on_crash>" in metal.definition(vm.pk)


def test_a_host_is_imported_by_a_command(
    metal: Metal, private_daemon: PrivateDaemon, db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    before = metal.definitions()
    call_command("import-libvirt", private_daemon.uri, "--name", "imported", "--dry-run")
    assert not VM.objects.exists()
    metal.domain(uuid5(SPACE, "spicy")).create()
    call_command("import-libvirt", private_daemon.uri)
    told = capsys.readouterr().out
    assert "card-alone: down, None (video_without_graphics)" in told
    assert "10 domains of host imported are managed from now on." in told
    assert {vm.pk for vm in VM.objects.filter(adopted=True, host__name="imported")} == set(before)
    assert VM.objects.get(name="spicy").running_graphics == "spice"
    assert metal.definitions() == before
    with pytest.raises(CommandError, match="is not possible here"):
        call_command("import-libvirt", "http://nowhere/")
