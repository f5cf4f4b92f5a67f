"""The devices of a machine as domain XML.

The PCI layout is fixed here rather than left to libvirt: measured on libvirt 9.0, a video card that comes or goes makes
libvirt renumber every root port, and a moved network card can rename the guest's interface and cost its owner the way
in. So each device has its place, and what the first start chose is replayed.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from vms.domain.console import Level, Protocol, Video
from vms.domain.devices import Device, DeviceKind, devices
from vms.domain.firmware import Chipset
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec

from .disks import CDROM, DiskAt, boot_turns, scsi_controller, write_disk
from .elements import BRIDGE, Element, behind_port, e, on_root_bus, on_usb
from .nics import write_nics

BootFile = Callable[[str], str]

ROOT_PORTS: Final = 25
# The root port that each device sits behind; video, sound and watchdog sit on the root bus itself. On I440FX, which has
# no such ports, the slots of a bridge stand in for them.
# Network cards come behind those of `nics`, disks begin at `disks.SCSI_PORT`.
_USB, _SERIAL_BUS, _BALLOON, _RNG = 1, 2, 3, 4
_PORTS: Final = {DeviceKind.BALLOON: _BALLOON, DeviceKind.RNG: _RNG}
_AHCI: Final = ROOT_PORTS + 1  # I440FX has no SATA of its own
_BRIDGE_SLOT: Final = 3
_VIDEO_SLOT: Final = {Chipset.Q35: 1, Chipset.I440FX: 2}  # where each board has its first card
_WATCHDOG_SLOT: Final = 26
# Enough USB ports that libvirt never adds a hub, behind which it would move what is there already.
_USB_PORTS: Final = 8
_TABLET_PORT, _FIRST_REDIRECTION_PORT, _SMARTCARD_PORT = 1, 2, 6
_CHANNEL_PORTS: Final = {"org.qemu.guest_agent.0": "1", "com.redhat.spice.0": "2", "ovirt-guest-agent.0": "3"}


def write_devices(spec: MachineSpec, host: Capabilities, boot_file: BootFile, disk_at: DiskAt) -> Element:
    """All devices of a machine, each at its place."""
    given, boots = devices(spec), boot_turns(spec)
    element = e("devices", e("emulator", host.emulator), *_controllers(given, spec), *scsi_controller(spec))
    cards = write_nics(spec, given, host)
    count: Counter[DeviceKind] = Counter()
    for device in given:
        if device.kind == DeviceKind.INTERFACE:
            written = cards[device.alias]
        elif device.kind == DeviceKind.DISK:
            written = _drive(device, spec, boot_file, disk_at)
        else:
            written = _WRITERS[device.kind](device, spec, host)
        if turn := boots.get(device.alias):
            written.append(e("boot", {"order": str(turn)}))
        _place(written, device, count[device.kind], spec.firmware.chipset)
        count[device.kind] += 1
        if device.kind not in _NO_ALIAS:
            written.append(e("alias", {"name": device.alias}))
        element.append(written)
        if device.kind == DeviceKind.CONSOLE:
            element.append(e("console", {"type": "pty"}, e("target", {"type": "serial", "port": "0"})))
    if not spec.ballooning:
        element.append(e("memballoon", {"model": "none"}))  # libvirt adds one otherwise
    if spec.console.headless:
        # Without it libvirt adds no card either; said all the same, so that nobody's default adds one.
        element.append(e("video", e("model", {"type": "none"})))
    return element


def _place(written: Element, device: Device, index: int, chipset: Chipset) -> None:
    """Say where a device sits, if its writer has not; `index` counts those of its kind."""
    if device.kind == DeviceKind.REDIR:
        written.append(on_usb(_FIRST_REDIRECTION_PORT + index))
    if device.kind in _PORTS:
        written.append(behind_port(None, _PORTS[device.kind], chipset))


def _controllers(given: tuple[Device, ...], spec: MachineSpec) -> list[Element]:
    chipset = spec.firmware.chipset
    ports = _root_ports() if chipset == Chipset.Q35 else _bridge()
    ports.append(e("controller", {"type": "virtio-serial", "index": "0"}, behind_port(None, _SERIAL_BUS, chipset)))
    if any(device.kind == DeviceKind.SMARTCARD for device in given):
        ports.append(e("controller", {"type": "ccid", "index": "0"}, on_usb(_SMARTCARD_PORT)))
    if not any(device.kind == DeviceKind.CONTROLLER for device in given):
        ports.append(e("controller", {"type": "usb", "index": "0", "model": "none"}))
    return ports


def _bridge() -> list[Element]:
    return [
        e("controller", {"type": "pci", "index": "0", "model": "pci-root"}),
        e("controller", {"type": "pci", "index": str(BRIDGE), "model": "pci-bridge"}, on_root_bus(_BRIDGE_SLOT)),
        e("controller", {"type": "sata", "index": "0"}, behind_port(None, _AHCI, Chipset.I440FX)),
    ]


def _root_ports() -> list[Element]:
    ports = [e("controller", {"type": "pci", "index": "0", "model": "pcie-root"})]
    for index in range(1, ROOT_PORTS + 1):
        slot, function = 2 + (index - 1) // 8, (index - 1) % 8
        place = {"type": "pci", "domain": "0", "bus": "0", "slot": str(slot), "function": str(function)}
        if function == 0:
            place["multifunction"] = "on"
        ports.append(
            e("controller", {"type": "pci", "index": str(index), "model": "pcie-root-port"}, e("address", place))
        )
    return ports


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
    graphics = e("graphics", attributes, e("listen", {"type": "address", "address": "127.0.0.1"}))
    if device.model == Protocol.SPICE:
        if not spec.console.file_transfer:
            graphics.append(e("filetransfer", {"enable": "no"}))
        if not spec.console.copy_paste:
            graphics.append(e("clipboard", {"copypaste": "no"}))
    return graphics


def _video(device: Device, spec: MachineSpec, host: Capabilities) -> Element:
    model = video_model(Video(device.model), spec.level, host)
    attributes = {"type": model, "heads": str(device.params["heads"]), "primary": "yes"}
    for name in _VIDEO_MEMORY.get(model, ()):
        attributes[name] = str(device.params[name])
    return e("video", e("model", attributes), on_root_bus(_VIDEO_SLOT[spec.firmware.chipset]))


# Which memory attributes a model takes; libvirt drops or refuses the others.
_VIDEO_MEMORY: Final[Mapping[str, tuple[str, ...]]] = {
    "qxl": ("ram", "vram", "vgamem"),
    "vga": ("vram",),
    "cirrus": ("vram",),
    "bochs": ("vram",),
}


def _serial(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return e(
        "serial",
        {"type": "pty"},
        e("target", {"type": "isa-serial", "port": "0"}, e("model", {"name": "isa-serial"})),
    )


def _usb(device: Device, spec: MachineSpec, _host: Capabilities) -> Element:
    attributes = {"type": "usb", "index": "0", "model": str(device.params["model"]), "ports": str(_USB_PORTS)}
    return e("controller", attributes, behind_port(None, _USB, spec.firmware.chipset))


def _redirection(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return e("redirdev", {"bus": "usb", "type": "spicevmc"})


def _smartcard(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return e("smartcard", {"mode": "passthrough", "type": "spicevmc"})


def _sound(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return e("sound", {"model": device.model}, on_root_bus(27))


def _channel(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    name = str(device.params["name"])
    return e(
        "channel",
        {"type": device.model},
        e("target", {"type": "virtio", "name": name}),
        e("address", {"type": "virtio-serial", "controller": "0", "bus": "0", "port": _CHANNEL_PORTS[name]}),
    )


def _tablet(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return e("input", {"type": "tablet", "bus": "usb"}, on_usb(_TABLET_PORT))


def _balloon(_device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return e("memballoon", {"model": "virtio"}, e("stats", {"period": "30"}))  # else it tells no memory in use


def _drive(device: Device, spec: MachineSpec, boot_file: BootFile, disk_at: DiskAt) -> Element:
    if device.model == CDROM:
        return _cdrom(device, boot_file, spec.firmware.chipset)
    return write_disk(device, spec, disk_at)


def _cdrom(device: Device, boot_file: BootFile, chipset: Chipset) -> Element:
    """The drive is always there, so that a CD can be laid into it; the board's own controller holds it."""
    disk = e("disk", {"type": "file", "device": "cdrom"}, e("driver", {"name": "qemu", "type": "raw"}))
    if file := device.params.get("file"):
        disk.append(e("source", {"file": boot_file(str(file))}))
    at = ("sda", "sata") if chipset == Chipset.Q35 else ("hda", "ide")
    disk.append(e("target", dict(zip(("dev", "bus"), at, strict=True))))
    disk.append(e("readonly"))
    return disk


def _watchdog(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    return e("watchdog", {"model": device.model, "action": str(device.params["action"])}, on_root_bus(_WATCHDOG_SLOT))


def _rng(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    rng = e("rng", {"model": "virtio"})
    limits: dict[str, str] = {name: str(device.params[name]) for name in ("bytes", "period") if name in device.params}
    if limits:
        rng.append(e("rate", limits))
    rng.append(e("backend", {"model": "random"}, f"/dev/{device.params['source']}"))
    return rng


def _tpm(device: Device, _spec: MachineSpec, _host: Capabilities) -> Element:
    """The host's swtpm plays the chip; what it keeps lies beside the firmware's variables."""
    version = str(device.params["version"])
    return e("tpm", {"model": device.model}, e("backend", {"type": "emulator", "version": version}))


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
    DeviceKind.BALLOON: _balloon,
    DeviceKind.WATCHDOG: _watchdog,
    DeviceKind.RNG: _rng,
    DeviceKind.TPM: _tpm,
}
_NO_ALIAS: Final = frozenset({DeviceKind.GRAPHICS, DeviceKind.INTERFACE})  # a card says it itself


def video_model(video: Video, level: Level, host: Capabilities) -> str:
    """libvirt's model for a card: vga is written as virtio from level 4.7 on (oVirt aff9d17f292), and a host without
    qxl gives virtio in its place."""
    if video == Video.VGA and level >= Level.V4_7 and "virtio" in host.videos:
        return "virtio"
    if video == Video.QXL and "qxl" not in host.videos:
        return "virtio"
    return video.value
