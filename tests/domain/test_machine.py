"""A machine as a value: its bounds, what it inherits, and the addresses of its cards."""

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from tests.domain.machines import DISK, ID, SPEC, SPICE_CONSOLE
from vms.domain.console import SPICE_AND_VNC, VNC, Level
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE, MachineSpec, MigrationMode, VmType, check_name
from vms.domain.networks import Nic, mac_of
from vms.domain.parts import (
    Boot,
    BootDevice,
    BootOrder,
    Rng,
    RngSource,
    SerialNumber,
    SerialPolicy,
    Topology,
    Watchdog,
    WatchdogAction,
)
from vms.domain.presets import high_performance

# -- bounds


@pytest.mark.parametrize("name", ["a", "A1", "web-1.example_org", "9", "x" * 64])
def test_an_ordinary_name_is_taken(name: str) -> None:
    assert replace(SPEC, name=name).name == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "-a", ".a", "_a", "a b", "a\n", "a/b", "../a", "a\x00", "<a>", "ä", "a;b", "x" * 65, "a'b", 'a"b', "a,b"],
)
def test_a_name_that_libvirt_or_a_file_system_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        replace(SPEC, name=name)
    assert (refusal.value.code, refusal.value.field) == ("ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME", "name")


def test_the_refusal_of_a_name_does_not_repeat_all_of_a_huge_one() -> None:
    with pytest.raises(Refusal) as refusal:
        check_name("x" * 1_000_000)
    assert len(str(refusal.value.params["name"])) == 64


def test_the_refusal_of_a_name_tells_which_field_it_was_in() -> None:
    with pytest.raises(Refusal) as refusal:
        check_name("", "template")
    assert refusal.value.field == "template"


@pytest.mark.parametrize(
    ("memory", "taken"), [(-1, False), (0, False), (63, False), (64, True), (4 << 20, True), ((4 << 20) + 1, False)]
)
def test_memory_has_bounds_in_mib(memory: int, taken: bool) -> None:
    try:
        built = replace(SPEC, memory=memory).memory == memory
    except Refusal as refusal:
        built = (refusal.code, refusal.field) != ("ILLEGAL_VALUE", "memory")
    assert built == taken


@pytest.mark.parametrize("field", ["sockets", "cores", "threads"])
@pytest.mark.parametrize(("value", "taken"), [(-1, False), (0, False), (1, True), (256, True), (257, False)])
def test_each_part_of_the_topology_has_bounds(field: str, value: int, taken: bool) -> None:
    try:
        built = Topology(**{field: value}).total == value
    except Refusal as refusal:
        built = (refusal.code, refusal.field) != ("ILLEGAL_VALUE", field)
    assert built == taken


def test_the_topology_counts_threads_of_all_cores_of_all_sockets() -> None:
    assert Topology(sockets=2, cores=3, threads=4).total == 24


def test_more_virtual_cpus_than_a_machine_can_have_are_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        Topology(sockets=16, cores=17)
    assert (refusal.value.code, refusal.value.field) == ("ILLEGAL_VALUE", "sockets")


@pytest.mark.parametrize("field", ["kernel", "initrd"])
@pytest.mark.parametrize("name", ["/etc/shadow", "../x", "..", ".", "a/b", "-x", "a\n", "a\x00", "ä", "a b"])
def test_a_boot_file_is_a_plain_name(field: str, name: str) -> None:
    names = {"kernel": "vmlinuz", field: name}
    with pytest.raises(Refusal) as refusal:
        Boot(**names)
    assert (refusal.value.code, refusal.value.field) == ("ILLEGAL_VALUE", field)


@pytest.mark.parametrize("field", ["initrd", "parameters"])
def test_what_goes_with_a_kernel_is_refused_without_one(field: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Boot(**{field: "something"})
    assert refusal.value.field == field


@pytest.mark.parametrize("parameters", ["a\nb", "a\x00", "a\tb", "\x1b[2J", "a\u2028b"])
def test_kernel_parameters_are_one_printable_line(parameters: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Boot(kernel="vmlinuz", parameters=parameters)
    assert refusal.value.field == "parameters"


def test_a_kernel_with_its_companions_is_taken() -> None:
    boot = Boot(kernel="vmlinuz-6.1", initrd="demo.cpio.gz", parameters="console=ttyS0 quiet")
    assert (boot.kernel, boot.initrd, boot.parameters) == ("vmlinuz-6.1", "demo.cpio.gz", "console=ttyS0 quiet")


def test_a_tpm_needs_uefi() -> None:
    for firmware in Firmware:
        if firmware.uefi:
            assert replace(SPEC, firmware=firmware, tpm=True).tpm
            continue
        with pytest.raises(Refusal, match="TPM_DEVICE_REQUESTED_ON_NON_UEFI") as refused:
            replace(SPEC, firmware=firmware, tpm=True)
        assert refused.value.field == "tpm"


def test_what_the_first_start_chose_counts_as_long_as_the_chipset_stays() -> None:
    pinned = replace(SPEC, machine="pc-q35-7.2", addresses={"ua-1": {"type": "pci"}})
    assert (pinned.pinned_machine, pinned.pinned_addresses) == ("pc-q35-7.2", pinned.addresses)
    moved = replace(pinned, firmware=Firmware.I440FX)
    assert (moved.pinned_machine, moved.pinned_addresses) == ("", {})


# -- inheriting

SOURCE = MachineSpec(
    id=UUID(int=7),
    name="source",
    level=Level.V4_2,
    memory=2048,
    cpu=Topology(sockets=2),
    vm_type=VmType.DESKTOP,
    firmware=Firmware.UEFI,
    boot=Boot(kernel="vmlinuz"),
    console=replace(SPICE_CONSOLE, serial=True).as_headless(),
    start_paused=True,
    nics=(Nic(mac="52:54:00:00:00:01"),),
    disks=(DISK,),
    machine="pc-q35-7.2",
    addresses={"ua-1": {"type": "pci"}},
    os="windows_2022",
    maximum_memory=4096,
    guaranteed_memory=512,
    cpu_model="Haswell",
    tpm=True,
    emulated_machine="pc-q35-6.0",
    time_zone="Europe/Berlin",
    serial_number=SerialNumber(policy=SerialPolicy.CUSTOM, value="S-1"),
    boot_order=BootOrder(devices=(BootDevice.NETWORK,), menu=True),
    hosts=(UUID(int=9),),
    migration=MigrationMode.PINNED,
    restart=True,
    priority=50,
    watchdog=Watchdog(action=WatchdogAction.RESET),
    cpu_shares=512,
    ballooning=False,
    io_threads=2,
    rng=Rng(source=RngSource.HWRNG, bytes=1, period=2),
    custom_properties={"hugepages": "2048"},
)


def test_what_follows_the_memory_follows_it_until_it_is_set() -> None:
    assert (SPEC.maximum, SPEC.guaranteed) == (SPEC.memory, SPEC.memory)
    assert (SOURCE.maximum, SOURCE.guaranteed) == (4096, 512)


def test_values_that_cannot_be_are_refused_with_their_field() -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("maximum_memory", {"maximum_memory": SPEC.memory - 1}),
        ("maximum_memory", {"maximum_memory": (4 << 20) + 1}),
        ("guaranteed_memory", {"guaranteed_memory": 0}),
        ("guaranteed_memory", {"guaranteed_memory": SPEC.memory + 1}),
        ("priority", {"priority": 0}),
        ("priority", {"priority": 101}),
        ("cpu_shares", {"cpu_shares": 1}),
        ("cpu_shares", {"cpu_shares": 262_145}),
        ("io_threads", {"io_threads": -1}),
        ("io_threads", {"io_threads": 65}),
        ("os", {"os": "plan9"}),
        ("cpu_model", {"cpu_model": "<x>"}),
        ("emulated_machine", {"emulated_machine": "a b"}),
        ("emulated_machine", {"emulated_machine": "pc-i440fx-7.2"}),
        ("emulated_machine", {"emulated_machine": "pc-q35-7.2", "firmware": Firmware.I440FX}),
        ("time_zone", {"time_zone": "Europe/Atlantis"}),
        ("time_zone", {"time_zone": "../etc/passwd"}),
        ("custom_properties", {"custom_properties": {"unknown": "1"}}),
        ("custom_properties", {"custom_properties": {"hugepages": "3"}}),
        ("custom_properties", {"custom_properties": {"extra_cpu_flags": "+aes;rm"}}),
    ]
    for field, values in wrong:
        with pytest.raises(Refusal) as refusal:
            replace(SPEC, **values)
        assert (refusal.value.code, refusal.value.field) == ("ILLEGAL_VALUE", field), values


def test_parts_that_cannot_be_are_refused_with_their_field() -> None:
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("serial_value", lambda: SerialNumber(policy=SerialPolicy.CUSTOM)),
        ("serial_value", lambda: SerialNumber(policy=SerialPolicy.VM, value="x")),
        ("serial_value", lambda: SerialNumber(policy=SerialPolicy.CUSTOM, value="a\nb")),
        ("boot_devices", lambda: BootOrder(devices=())),
        ("boot_devices", lambda: BootOrder(devices=(BootDevice.HD, BootDevice.HD))),
        ("rng_period", lambda: Rng(period=1)),
        ("rng_bytes", lambda: Rng(bytes=0)),
        ("rng_period", lambda: Rng(bytes=1, period=0)),
        ("cd", lambda: Boot(cd="../x.iso")),
    ]
    for field, build in wrong:
        with pytest.raises(Refusal) as refusal:
            build()
        assert (refusal.value.code, refusal.value.field) == ("ILLEGAL_VALUE", field)


def test_high_performance_is_headless_with_a_serial_line_and_can_be_undone() -> None:
    tuned = high_performance(SPEC)
    assert (tuned.vm_type, tuned.console.headless, tuned.console.serial) == (VmType.HIGH_PERFORMANCE, True, True)
    assert (tuned.cpu_model, tuned.io_threads, tuned.ballooning, tuned.watchdog) == ("host-passthrough", 1, False, None)
    assert tuned.console.as_graphical(tuned.offer(Level.V4_8, SPICE_AND_VNC)).graphics == SPEC.console.graphics


SIZE = {
    *("memory", "maximum_memory", "guaranteed_memory", "cpu", "migration", "restart", "priority", "ballooning"),
    *("io_threads", "cpu_model", "emulated_machine", "console", "boot_order", "watchdog", "rng"),
}
REST = {
    *("os", "vm_type", "firmware", "tpm", "time_zone", "serial_number", "boot", "start_paused", "hosts", "cpu_shares"),
    "custom_properties",
}


@pytest.mark.parametrize(("names", "taken"), [(FROM_INSTANCE_TYPE, SIZE), (FROM_TEMPLATE, SIZE | REST)])
def test_a_machine_inherits_the_named_fields_and_nothing_else(names: tuple[str, ...], taken: set[str]) -> None:
    child = SPEC.inherit(SOURCE, names)
    for entry in fields(child):
        source = SOURCE if entry.name in taken else SPEC
        assert getattr(child, entry.name) == getattr(source, entry.name), entry.name


def test_the_source_of_that_test_differs_in_every_field() -> None:
    same = {entry.name for entry in fields(SPEC) if getattr(SPEC, entry.name) == getattr(SOURCE, entry.name)}
    assert same == set()


@pytest.mark.parametrize("names", [FROM_INSTANCE_TYPE, FROM_TEMPLATE])
def test_a_headless_source_makes_a_headless_machine_that_can_be_unticked_to_what_it_had(names: tuple[str, ...]) -> None:
    child = SPEC.inherit(SOURCE, names)
    back = child.console.as_graphical(child.offer(Level.V4_8, SPICE_AND_VNC))
    assert (child.console.headless, back) == (True, replace(SPICE_CONSOLE, serial=True))


@pytest.mark.parametrize("vm_type", VmType)
@pytest.mark.parametrize("firmware", Firmware)
def test_what_a_cluster_offers_a_machine_follows_its_firmware_and_type(vm_type: VmType, firmware: Firmware) -> None:
    offer = replace(SPEC, vm_type=vm_type, firmware=firmware).offer(Level.V4_6, VNC)
    assert (offer.level, offer.firmware, offer.server, offer.protocols) == (
        Level.V4_6,
        firmware,
        vm_type == "server",
        VNC,
    )


# -- network cards


def test_a_machine_keeps_its_mac_addresses_for_ever() -> None:
    assert [mac_of(ID, index) for index in range(2)] == ["52:54:00:a1:bc:29", "52:54:00:f9:ec:66"]


def test_mac_addresses_differ_between_cards_and_machines() -> None:
    addresses = {mac_of(UUID(int=number), index) for number, index in product(range(50), range(4))}
    assert len(addresses) == 200
