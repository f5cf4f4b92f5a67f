"""A definition that is not ours: what is recognised of it, and that a change touches nothing but what it is about."""

from dataclasses import replace
from uuid import uuid4

import pytest
from lxml import etree

from tests.libvirtxml.foreign import SHAPES, xml_of
from vms.domain.console import SPICE_AND_VNC, Console, Video
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.domain.parts import BootDevice, BootOrder, Topology
from vms.domain.runonce import Run
from vms.libvirtxml.adopt import adopt, devices_of, in_order
from vms.libvirtxml.observe import observe
from vms.libvirtxml.patch import patch

HOST = Capabilities()


def spec_of(xml: str) -> MachineSpec:
    found = adopt(xml)
    return MachineSpec(id=uuid4(), name=found.name, **found.parts)


def devices(xml: str) -> list[str]:
    return [str(device.tag) for device in etree.fromstring(xml).iterfind("devices/*")]


def test_each_shape_is_recognised_for_what_it_is() -> None:
    for name, (_devices, odd, headless) in SHAPES.items():
        found = adopt(xml_of(name))
        assert (name, {each.value for each in found.odd}, found.console.headless) == (name, odd, headless)
        assert (found.parts["memory"], found.parts["cpu"]) == (96, Topology(sockets=2))
    assert adopt(xml_of("both")).console.graphics == SPICE_AND_VNC
    assert adopt(xml_of("a name, with (signs)")).name == "a_name_with_signs_"


def test_a_definition_that_is_to_stay_is_the_very_text() -> None:
    for name in SHAPES:
        assert patch(xml_of(name), spec_of(xml_of(name)), HOST) == xml_of(name)


def test_what_is_not_told_or_not_possible_has_its_nearest() -> None:
    small = adopt("<domain type='qemu'><name>s</name><memory>1024</memory><os><type>hvm</type></os></domain>")
    assert (small.parts["memory"], {odd.value for odd in small.odd}) == (64, {"other_memory", "other_machine"})
    xml = (
        "<domain><name>efi</name><memory unit='GB'>4</memory><vcpu>8</vcpu>"
        "<os firmware='efi'><type machine='pc-q35-7.2'>hvm</type><boot dev='network'/><boot dev='hd'/>"
        "<bootmenu enable='yes'/></os><cpu><topology sockets='2' cores='2' threads='2'/></cpu>"
        "<devices><hostdev mode='subsystem' type='mdev'/></devices></domain>"
    )
    found = adopt(xml)
    assert (found.parts["firmware"], found.parts["memory"]) == (Firmware.UEFI, 3815)
    assert found.parts["cpu"] == Topology(sockets=2, cores=2, threads=2)
    assert found.parts["boot_order"] == BootOrder(devices=(BootDevice.NETWORK, BootDevice.HD), menu=True)
    assert [odd.value for odd in found.odd] == ["vgpu"]


def test_making_one_headless_takes_its_screen_and_nothing_else() -> None:
    xml = xml_of("spicy")
    spec = spec_of(xml)
    changed = patch(xml, replace(spec, console=spec.console.as_headless()), HOST)
    assert observe(changed).headless
    assert devices(changed) == ["sound", "video"], "what rides on SPICE goes with it"
    assert "Not to be touched" in changed
    assert etree.fromstring(changed).findtext("on_crash") == "preserve"


def test_giving_one_a_screen_adds_it_where_it_likes() -> None:
    xml = xml_of("on-a-bus")
    spec = spec_of(xml)
    changed = patch(xml, replace(spec, console=replace(Console(), serial=True)), HOST)
    assert observe(changed).graphics == ("vnc",)
    assert etree.fromstring(changed).find("devices/video/address") is None
    assert devices(changed)[:5] == devices(xml)


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"memory": 128}, "memory", "128"),
        ({"cpu": Topology(sockets=4)}, "vcpu", "4"),
        ({"boot_order": BootOrder(devices=(BootDevice.NETWORK,))}, "os/boot", None),
    ],
)
def test_one_change_changes_one_thing(change: dict[str, object], path: str, text: str | None) -> None:
    xml = xml_of("plain")
    changed = patch(xml, replace(spec_of(xml), **change), HOST)  # type: ignore[arg-type]
    element = etree.fromstring(changed).find(path)
    assert element is not None
    assert element.text == text
    assert devices(changed) == devices(xml)
    assert adopt(changed).parts == {**adopt(xml).parts, **change}


def test_making_it_ordinary_leaves_one_card() -> None:
    xml = xml_of("two-cards")
    ordinary = patch(xml, spec_of(xml), HOST, anew=True)
    assert (observe(ordinary).videos, adopt(ordinary).odd) == (("qxl",), ())
    assert adopt(ordinary).console.video == Video.QXL


def test_a_start_carries_its_run_in_the_live_text_alone() -> None:
    xml = xml_of("plain")
    run = Run(base=spec_of(xml), job=uuid4())
    assert observe(patch(xml, run.spec, HOST, run=run)).run == run
    assert observe(patch(xml, run.base, HOST)).run is None


def test_the_order_of_controllers_is_no_difference() -> None:
    one, other = "<controller type='usb' index='0'/>", "<controller type='pci' index='0'/>"
    around = "<domain><devices>{}<disk/>{}</devices></domain>"
    assert in_order(around.format(one + other, "")) == in_order(around.format(other, one))
    assert in_order(around.format("<disk type='file'/>", "")) != in_order(around.format("", "<disk type='file'/>"))


def test_its_devices_are_told_as_they_stand_there() -> None:
    told = {(device.kind, device.model, device.details) for device in devices_of(xml_of("on-a-bus"))}
    assert ("interface", "e1000", "52:54:00:aa:bb:cc") in told
    assert ("watchdog", "i6300esb", "") in told
