"""A machine as libvirt domain XML: one pure function for previews, tests and drivers."""

import json
from collections.abc import Iterator
from typing import Final

from lxml import etree

from vms.domain.console import Protocol
from vms.domain.document import run_to_document
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities
from vms.domain.machine import HOST_PASSTHROUGH, MachineSpec
from vms.domain.osinfo import Family
from vms.domain.parts import SerialPolicy
from vms.domain.runonce import Run

from .devices import BootFile, write_devices
from .disks import DiskAt, named
from .elements import Element, e
from .seed import write_seed

NAMESPACE: Final = "urn:headless-webadmin:run:1"
PREFIX: Final = "hw"
OSINFO: Final = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
NVRAM: Final = "/var/lib/libvirt/qemu/nvram"  # where the system's daemon keeps firmware variables

MEMORY_SLOTS: Final = 16  # oVirt's MaxNumOfMemorySlots
MENU_MILLISECONDS: Final = 10_000  # how long the boot menu is shown


def write(
    spec: MachineSpec,
    host: Capabilities,
    *,
    boot_file: BootFile = lambda name: name,
    disk_at: DiskAt = named,
    nvram: str = NVRAM,
    run: Run | None = None,
    cold_reboot: bool = False,
    seed: str = "",
) -> str:
    """The domain XML for a machine on a host; memory in MiB.

    `boot_file` turns a name of the boot library into the path that the host's QEMU opens, `disk_at` a disk; in `nvram`,
    a directory of the host's, UEFI keeps its variables. With `run`, the run is carried in the metadata: the XML of a
    start, never of a definition. `cold_reboot`: a guest's reboot ends the run. `seed` is the path of a first boot's CD.
    """
    domain = e(
        "domain",
        {"type": host.accelerator},
        e("name", spec.name),
        e("uuid", str(spec.id)),
        *_metadata(spec, run),
        *_memory(spec),
        e("vcpu", str(spec.cpu.total)),
        *_resources(spec, host),
        *_sysinfo(spec, host),
        _os(spec, host, boot_file, nvram),
        _features(spec, host),
        _cpu(spec, host),
        _clock(spec),
        e("on_poweroff", "destroy"),
        e("on_reboot", "destroy" if cold_reboot or (run is not None and run.volatile) else "restart"),
        e("on_crash", "destroy"),
        _listening(write_devices(spec, host, boot_file, disk_at), run),
    )
    if seed:
        domain[-1].append(write_seed(spec, seed))
    etree.indent(domain)
    return etree.tostring(domain, encoding="unicode") + "\n"


def _metadata(spec: MachineSpec, run: Run | None) -> list[Element]:
    told = []
    if spec.operating_system.osinfo:
        system = etree.Element(etree.QName(OSINFO, "libosinfo"), nsmap={"libosinfo": OSINFO})
        etree.SubElement(system, etree.QName(OSINFO, "os")).set("id", spec.operating_system.osinfo)
        told.append(system)
    if run is not None:
        carried = etree.Element(etree.QName(NAMESPACE, "run"), nsmap={PREFIX: NAMESPACE})
        carried.text = json.dumps(run_to_document(run), sort_keys=True)
        told.append(carried)
    return [e("metadata", *told)] if told else []


def _listening(devices: Element, run: Run | None) -> Element:
    """The devices with screens that listen where the run says; those of a definition listen on the loopback."""
    if run is None:
        return devices
    for graphics in devices.iterfind("graphics"):
        for listen in graphics.iterfind("listen"):
            listen.set("address", run.listen)
        if run.secure and graphics.get("type") == Protocol.SPICE:
            graphics.set("defaultMode", "secure")
    return devices


def _memory(spec: MachineSpec) -> Iterator[Element]:
    if spec.maximum > spec.memory:
        yield e("maxMemory", {"slots": str(MEMORY_SLOTS), "unit": "MiB"}, str(spec.maximum))
    yield e("memory", {"unit": "MiB"}, str(spec.memory))
    if size := spec.custom_properties.get("hugepages"):
        yield e("memoryBacking", e("hugepages", e("page", {"size": size, "unit": "KiB"})))


def _resources(spec: MachineSpec, host: Capabilities) -> Iterator[Element]:
    if spec.io_threads:
        yield e("iothreads", str(spec.io_threads))
    if spec.cpu_shares and host.schedules:
        yield e("cputune", e("shares", str(spec.cpu_shares)))


def _serial_number(spec: MachineSpec, host: Capabilities) -> str:
    match spec.serial_number.policy:
        case SerialPolicy.HOST:
            return host.uuid
        case SerialPolicy.VM:
            return str(spec.id)
        case SerialPolicy.CUSTOM:
            return spec.serial_number.value
    return ""


def _sysinfo(spec: MachineSpec, host: Capabilities) -> Iterator[Element]:
    if number := _serial_number(spec, host):
        yield e("sysinfo", {"type": "smbios"}, e("system", e("entry", {"name": "serial"}, number)))


def _os(spec: MachineSpec, host: Capabilities, boot_file: BootFile, nvram: str) -> Element:
    uefi = spec.firmware.uefi
    machine = spec.emulated_machine or spec.pinned_machine or host.machine_for(spec.firmware)
    system = e("os", {"firmware": "efi"} if uefi else {}, e("type", {"arch": "x86_64", "machine": machine}, "hvm"))
    if uefi:
        # Left alone, libvirt takes the firmware with Secure Boot, which crashes without SMM (measured).
        secure = "yes" if spec.firmware == Firmware.SECURE else "no"
        features = ("secure-boot", "enrolled-keys") if spec.firmware == Firmware.SECURE else ("secure-boot",)
        system.append(e("firmware", *(e("feature", {"enabled": secure, "name": name}) for name in features)))
        # By id: libvirt's own choice is by name, so a rename would lose them, and the next one of that name find them.
        system.append(e("nvram", f"{nvram}/{spec.id}_VARS.fd"))
    if spec.boot.kernel:
        system.append(e("kernel", boot_file(spec.boot.kernel)))
        if spec.boot.initrd:
            system.append(e("initrd", boot_file(spec.boot.initrd)))
        if spec.boot.parameters:
            system.append(e("cmdline", spec.boot.parameters))
    elif not spec.disks:  # with disks each device says its turn: libvirt's word for all of them is the first alone
        system.extend(e("boot", {"dev": device.value}) for device in spec.boot_order.devices)
    if spec.boot_order.menu:
        system.append(e("bootmenu", {"enable": "yes", "timeout": str(MENU_MILLISECONDS)}))
    if _serial_number(spec, host):
        system.append(e("smbios", {"mode": "sysinfo"}))
    if spec.console.headless and spec.console.serial and not uefi:
        # Shows the firmware, and a boot loader that hangs, on the only line there is.
        system.append(e("bios", {"useserial": "yes"}))
    return system


def _features(spec: MachineSpec, host: Capabilities) -> Element:
    features = e("features", e("acpi"), e("apic"))
    if spec.firmware == Firmware.SECURE:  # what guards the variables, so that a guest cannot switch it off
        features.append(e("smm", {"state": "on"}))
    if host.accelerator != "kvm":  # what follows only KVM can do
        return features
    if spec.operating_system.family == Family.WINDOWS:
        spinlocks = e("spinlocks", {"state": "on", "retries": "8191"})
        features.append(e("hyperv", e("relaxed", {"state": "on"}), e("vapic", {"state": "on"}), spinlocks))
    if spec.custom_properties.get("kvm_hidden") == "true":
        features.append(e("kvm", e("hidden", {"state": "on"})))
    return features


def _cpu(spec: MachineSpec, host: Capabilities) -> Element:
    cpu = _cpu_model(spec, host)
    topology = {name: str(getattr(spec.cpu, name)) for name in ("cores", "threads")}
    cpu.append(e("topology", {"sockets": str(spec.cpu.sockets), "dies": "1", **topology}))
    for flag in filter(None, spec.custom_properties.get("extra_cpu_flags", "").split(",")):
        policy = "disable" if flag.startswith("-") else "require"
        cpu.append(e("feature", {"policy": policy, "name": flag.lstrip("+-")}))
    if spec.maximum > spec.memory:  # memory is plugged into a NUMA node, so there has to be one
        last = spec.cpu.total - 1
        cell = {"id": "0", "cpus": f"0-{last}" if last else "0", "memory": str(spec.memory), "unit": "MiB"}
        cpu.append(e("numa", e("cell", cell)))
    return cpu


def _cpu_model(spec: MachineSpec, host: Capabilities) -> Element:
    if spec.cpu_model == HOST_PASSTHROUGH:
        # Emulation has no host to pass through; its own utmost is the nearest to it.
        return e("cpu", {"mode": HOST_PASSTHROUGH if host.accelerator == "kvm" else "maximum"})
    if spec.cpu_model:
        # Unchecked: a model's features that the accelerator lacks are left out rather than the start refused.
        return e(
            "cpu",
            {"mode": "custom", "match": "exact", "check": "none"},
            e("model", {"fallback": "forbid"}, spec.cpu_model),
        )
    if host.accelerator == "kvm":
        return e("cpu", {"mode": "host-model"})
    if spec.custom_properties.get("extra_cpu_flags"):
        return e("cpu", _EXACTLY, e("model", "qemu64"))
    return e("cpu")


_EXACTLY: Final = {"mode": "custom", "match": "exact", "check": "none"}


def _clock(spec: MachineSpec) -> Element:
    if spec.time_zone:
        return e("clock", {"offset": "timezone", "timezone": spec.time_zone})
    return e("clock", {"offset": "localtime" if spec.operating_system.keeps_local_time else "utc"})
