"""A machine as libvirt domain XML: one pure function for previews, tests and drivers.

The PCI layout is fixed here rather than left to libvirt: measured on libvirt 9.0, a video card that comes or goes makes
libvirt renumber every root port, and a moved network card can rename the guest's interface and cost its owner the way
in. So each device has its place, and what the first start chose is replayed.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from lxml import etree

from vms.domain.console import Firmware, Level, Protocol, Video
from vms.domain.devices import Device, DeviceKind, devices
from vms.domain.document import run_to_document
from vms.domain.hosts import Capabilities
from vms.domain.machine import Address, MachineSpec
from vms.domain.runonce import Run

NAMESPACE: Final = "urn:headless-webadmin:run:1"
PREFIX: Final = "hw"
ROOT_PORTS: Final = 16
NVRAM: Final = "/var/lib/libvirt/qemu/nvram"  # where the system's daemon keeps firmware variables

# The root port that each device sits behind; video and sound sit on the root bus itself.
_USB, _SERIAL_BUS, _BALLOON, _FIRST_NIC = 1, 2, 3, 5
# Enough USB ports that libvirt never adds a hub, behind which it would move what is there already.
_USB_PORTS: Final = 8
_TABLET_PORT, _FIRST_REDIRECTION_PORT, _SMARTCARD_PORT = 1, 2, 6

Element = etree._Element
BootFile = Callable[[str], str]


def write(
    spec: MachineSpec,
    host: Capabilities,
    *,
    boot_file: BootFile = lambda name: name,
    nvram: str = NVRAM,
    run: Run | None = None,
    cold_reboot: bool = False,
) -> str:
    """The domain XML for a machine on a host; memory in MiB.

    `boot_file` turns a name of the boot library into the path that the host's QEMU opens; in `nvram`, a directory of
    the host's, UEFI keeps its variables. With `run`, the run is carried in the metadata: the XML of a start, never of
    a definition. `cold_reboot`: a guest's reboot ends the run.
    """
    domain = _e(
        "domain",
        {"type": host.accelerator},
        _e("name", spec.name),
        _e("uuid", str(spec.id)),
        *_metadata(run),
        _e("memory", {"unit": "MiB"}, str(spec.memory)),
        _e("vcpu", str(spec.cpu.total)),
        _os(spec, host, boot_file, nvram),
        _e("features", _e("acpi"), _e("apic")),
        _cpu(spec, host),
        _e("clock", {"offset": "utc"}),
        _e("on_poweroff", "destroy"),
        _e("on_reboot", "destroy" if cold_reboot or (run is not None and run.volatile) else "restart"),
        _e("on_crash", "destroy"),
        _devices(spec, host),
    )
    etree.indent(domain)
    return etree.tostring(domain, encoding="unicode") + "\n"


def video_model(video: Video, level: Level, host: Capabilities) -> str:
    """libvirt's model for a card: vga is written as virtio from level 4.7 on (oVirt aff9d17f292), and a host without
    qxl gives virtio in its place."""
    if video == Video.VGA and level >= Level.V4_7 and "virtio" in host.videos:
        return "virtio"
    if video == Video.QXL and "qxl" not in host.videos:
        return "virtio"
    return video.value


def _e(tag: str, *parts: Element | str | Mapping[str, str]) -> Element:
    """An element with attributes (a mapping), text (a string) and children, in the order given."""
    element = etree.Element(tag)
    for part in parts:
        if isinstance(part, str):
            element.text = part
        elif isinstance(part, Mapping):
            for name, value in part.items():
                element.set(name, value)
        else:
            element.append(part)
    return element


def _metadata(run: Run | None) -> list[Element]:
    if run is None:
        return []
    carried = etree.Element(etree.QName(NAMESPACE, "run"), nsmap={PREFIX: NAMESPACE})
    carried.text = json.dumps(run_to_document(run), sort_keys=True)
    return [_e("metadata", carried)]


def _os(spec: MachineSpec, host: Capabilities, boot_file: BootFile, nvram: str) -> Element:
    uefi = spec.firmware == Firmware.UEFI
    system = _e(
        "os",
        {"firmware": "efi"} if uefi else {},
        _e("type", {"arch": "x86_64", "machine": spec.machine or host.machine}, "hvm"),
    )
    if uefi:
        # Left alone, libvirt takes the firmware with Secure Boot, which crashes without SMM (measured).
        system.append(_e("firmware", _e("feature", {"enabled": "no", "name": "secure-boot"})))
        # By id: libvirt's own choice is by name, so a rename would lose them, and the next one of that name find them.
        system.append(_e("nvram", f"{nvram}/{spec.id}_VARS.fd"))
    if spec.boot.kernel:
        system.append(_e("kernel", boot_file(spec.boot.kernel)))
        if spec.boot.initrd:
            system.append(_e("initrd", boot_file(spec.boot.initrd)))
        if spec.boot.parameters:
            system.append(_e("cmdline", spec.boot.parameters))
    else:
        system.append(_e("boot", {"dev": "hd"}))
    if spec.console.headless and spec.console.serial and not uefi:
        # Shows the firmware, and a boot loader that hangs, on the only line there is.
        system.append(_e("bios", {"useserial": "yes"}))
    return system


def _cpu(spec: MachineSpec, host: Capabilities) -> Element:
    topology = _e(
        "topology",
        {
            "sockets": str(spec.cpu.sockets),
            "dies": "1",
            "cores": str(spec.cpu.cores),
            "threads": str(spec.cpu.threads),
        },
    )
    return _e("cpu", {"mode": "host-model"} if host.accelerator == "kvm" else {}, topology)


def _devices(spec: MachineSpec, host: Capabilities) -> Element:
    given = devices(spec)
    element = _e("devices", _e("emulator", host.emulator), *_controllers(given))
    count: Counter[DeviceKind] = Counter()
    for device in given:
        written = _WRITERS[device.kind](device, spec, host)
        if device.kind == DeviceKind.INTERFACE:
            written.append(_address(spec.addresses.get(device.alias), _FIRST_NIC + count[device.kind]))
        if device.kind == DeviceKind.REDIR:
            written.append(_usb_address(_FIRST_REDIRECTION_PORT + count[device.kind]))
        if device.kind == DeviceKind.BALLOON:
            written.append(_address(None, _BALLOON))
        count[device.kind] += 1
        if device.kind not in _NO_ALIAS:
            written.append(_e("alias", {"name": device.alias}))
        element.append(written)
        if device.kind == DeviceKind.CONSOLE:
            element.append(_e("console", {"type": "pty"}, _e("target", {"type": "serial", "port": "0"})))
    if spec.console.headless:
        # Without it libvirt adds no card either; said all the same, so that nobody's default adds one.
        element.append(_e("video", _e("model", {"type": "none"})))
    return element


def _controllers(given: tuple[Device, ...]) -> list[Element]:
    ports = [_e("controller", {"type": "pci", "index": "0", "model": "pcie-root"})]
    for index in range(1, ROOT_PORTS + 1):
        slot, function = 2 + (index - 1) // 8, (index - 1) % 8
        place = {"type": "pci", "domain": "0", "bus": "0", "slot": str(slot), "function": str(function)}
        if function == 0:
            place["multifunction"] = "on"
        ports.append(
            _e("controller", {"type": "pci", "index": str(index), "model": "pcie-root-port"}, _e("address", place))
        )
    ports.append(_e("controller", {"type": "virtio-serial", "index": "0"}, _address(None, _SERIAL_BUS)))
    if any(device.kind == DeviceKind.SMARTCARD for device in given):
        ports.append(_e("controller", {"type": "ccid", "index": "0"}, _usb_address(_SMARTCARD_PORT)))
    if not any(device.kind == DeviceKind.CONTROLLER for device in given):
        ports.append(_e("controller", {"type": "usb", "index": "0", "model": "none"}))
    return ports


def _address(stored: Address | None, bus: int) -> Element:
    if stored and stored.get("type") == "pci":
        return _e("address", dict(stored))
    return _e("address", {"type": "pci", "domain": "0", "bus": str(bus), "slot": "0", "function": "0"})


def _usb_address(port: int) -> Element:
    return _e("address", {"type": "usb", "bus": "0", "port": str(port)})


def _root_address(slot: int) -> Element:
    return _e("address", {"type": "pci", "domain": "0", "bus": "0", "slot": str(slot), "function": "0"})


def _graphics(device: Device, spec: MachineSpec, _host: Capabilities) -> Element:
    # A password that nobody knows and that has expired: a ticket replaces it, and works only where there was one.
    attributes = {
        "type": device.model,
        "port": "-1",
        "autoport": "yes",
        "passwd": "*dummy*",
        "passwdValidTo": "1970-01-01T00:00:01",
    }
    if keyboard := device.params.get("keyboard"):
        attributes["keymap"] = str(keyboard)
    graphics = _e("graphics", attributes, _e("listen", {"type": "address", "address": "127.0.0.1"}))
    if device.model == Protocol.SPICE:
        if not spec.console.file_transfer:
            graphics.append(_e("filetransfer", {"enable": "no"}))
        if not spec.console.copy_paste:
            graphics.append(_e("clipboard", {"copypaste": "no"}))
    return graphics


def _video(device: Device, spec: MachineSpec, host: Capabilities) -> Element:
    model = video_model(Video(device.model), spec.level, host)
    attributes = {"type": model, "heads": str(device.params["heads"]), "primary": "yes"}
    for name in _VIDEO_MEMORY.get(model, ()):
        attributes[name] = str(device.params[name])
    return _e("video", _e("model", attributes), _root_address(1))


# Which memory attributes a model takes; libvirt drops or refuses the others.
_VIDEO_MEMORY: Final[Mapping[str, tuple[str, ...]]] = {
    "qxl": ("ram", "vram", "vgamem"),
    "vga": ("vram",),
    "cirrus": ("vram",),
    "bochs": ("vram",),
}


def _serial(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return _e(
        "serial",
        {"type": "pty"},
        _e("target", {"type": "isa-serial", "port": "0"}, _e("model", {"name": "isa-serial"})),
    )


def _usb(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    attributes = {"type": "usb", "index": "0", "model": str(device.params["model"]), "ports": str(_USB_PORTS)}
    return _e("controller", attributes, _address(None, _USB))


def _redirection(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return _e("redirdev", {"bus": "usb", "type": "spicevmc"})


def _smartcard(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return _e("smartcard", {"mode": "passthrough", "type": "spicevmc"})


def _sound(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return _e("sound", {"model": device.model}, _root_address(27))


def _channel(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    port = "1" if device.model == "unix" else "2"
    return _e(
        "channel",
        {"type": device.model},
        _e("target", {"type": "virtio", "name": str(device.params["name"])}),
        _e("address", {"type": "virtio-serial", "controller": "0", "bus": "0", "port": port}),
    )


def _tablet(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return _e("input", {"type": "tablet", "bus": "usb"}, _usb_address(_TABLET_PORT))


def _interface(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return _e(
        "interface",
        {"type": "user"},
        _e("mac", {"address": str(device.params["mac"])}),
        _e("model", {"type": "virtio"}),
    )


def _balloon(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return _e("memballoon", {"model": "virtio"})


_WRITERS: Final[Mapping[DeviceKind, Callable[[Device, MachineSpec, Capabilities], Element]]] = {
    DeviceKind.GRAPHICS: _graphics,
    DeviceKind.VIDEO: _video,
    DeviceKind.CONSOLE: _serial,
    DeviceKind.CONTROLLER: _usb,
    DeviceKind.REDIR: _redirection,
    DeviceKind.SMARTCARD: _smartcard,
    DeviceKind.SOUND: _sound,
    DeviceKind.CHANNEL: _channel,
    DeviceKind.INPUT: _tablet,
    DeviceKind.INTERFACE: _interface,
    DeviceKind.BALLOON: _balloon,
}
_NO_ALIAS: Final = frozenset({DeviceKind.GRAPHICS})
