"""What VM, template, pool and instance type share, display included.

A machine without a console has no `display` element at all; that is how oVirt's clients know it is headless.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from vms.api.document import Tree
from vms.domain.console import Console, Protocol
from vms.domain.devices import DeviceKind, devices
from vms.domain.machine import MachineSpec
from vms.models import VM, Hardware

from .console import first
from .fields import BOOLEAN, EMPTY, NUMBER, SIZE, TEXT, TIME, Field, Link, Telling, tell
from .types import CONSOLES, FIRMWARE, PROTOCOL, VIDEO, VM_TYPE


@dataclass(frozen=True, slots=True)
class Shape:
    """A row with the machine that is told of it: `display` is the console that people see, or None."""

    row: Any
    telling: Telling
    spec: MachineSpec
    display: Console | None
    endpoint: dict[str, Any]


def shape(row: Hardware, telling: Telling) -> Shape:
    """What runs, unless the next run was asked for; the display of a run falls back to what is configured."""
    configured = row.spec
    run = row.run if isinstance(row, VM) and not telling.next_run else None
    console = run.spec.console if run and not run.spec.console.headless else configured.console
    protocol = first(console.graphics)
    running: list[dict[str, Any]] = row.endpoints if isinstance(row, VM) and run else []
    endpoint = next((each for each in running if each["protocol"] == protocol), {})
    return Shape(row, telling, run.base if run else configured, console if protocol else None, endpoint)


def shown_console(row: Hardware, telling: Telling) -> Console:
    """The console that an edit is compared with: what is configured, with the display that a Run Once shows for now."""
    told, console = shape(row, telling), row.console
    once = isinstance(row, VM) and row.run is not None and row.run.once is not None
    if not once or told.display is None:
        return console
    shown = told.display
    return replace(
        console, graphics=shown.graphics, video=shown.video, keyboard=shown.keyboard, monitors=shown.monitors
    )


def _display(ask: Callable[[Console], Any]) -> Callable[[Shape], Any]:
    return lambda subject: ask(subject.display) if subject.display else None


def _endpoint(name: str) -> Callable[[Shape], Any]:
    """An address, or a port that listens; -1 stands for none."""

    def told(subject: Shape) -> Any:
        value = subject.endpoint.get(name)
        return None if value == -1 else value

    return told


DISPLAY: Final = (
    Field("display/type", PROTOCOL, _display(lambda console: first(console.graphics)), "console.type"),
    Field("display/video_type", VIDEO, _display(lambda console: console.video), "console.video"),
    Field("display/address", TEXT, _endpoint("address")),
    Field("display/port", NUMBER, _endpoint("port")),
    Field("display/secure_port", NUMBER, _endpoint("tls_port")),
    Field("display/monitors", NUMBER, _display(lambda console: console.monitors), "console.monitors"),
    Field("display/keyboard_layout", TEXT, _display(lambda console: console.keyboard or None), "console.keyboard"),
    Field("display/smartcard_enabled", BOOLEAN, _display(lambda console: console.wants_smartcard), "console.smartcard"),
    Field(
        *("display/file_transfer_enabled", BOOLEAN),
        *(_display(lambda console: console.wants_file_transfer), "console.file_transfer"),
    ),
    Field(
        "display/copy_paste_enabled", BOOLEAN, _display(lambda console: console.wants_copy_paste), "console.copy_paste"
    ),
)

IDENTITY: Final = (
    Field("name", TEXT, lambda it: it.row.name, "machine.name"),
    Field("description", TEXT, lambda it: it.row.description, "attribute.description"),
    Field("comment", TEXT, lambda it: it.row.comment, "attribute.comment"),
)

MACHINE: Final = (
    Field("memory", SIZE, lambda it: it.spec.memory, "machine.memory"),
    Field("memory_policy/ballooning", BOOLEAN, lambda _it: True),
    Field("cpu/architecture", TEXT, lambda _it: "x86_64"),
    Field("cpu/topology/cores", NUMBER, lambda it: it.spec.cpu.cores, "cpu.cores"),
    Field("cpu/topology/sockets", NUMBER, lambda it: it.spec.cpu.sockets, "cpu.sockets"),
    Field("cpu/topology/threads", NUMBER, lambda it: it.spec.cpu.threads, "cpu.threads"),
    Field("type", VM_TYPE, lambda it: it.spec.vm_type, "machine.vm_type"),
    Field("bios/type", FIRMWARE, lambda it: it.spec.firmware, "machine.firmware"),
    Field("os/type", TEXT, lambda _it: "other"),
    Field("os/kernel", TEXT, lambda it: it.spec.boot.kernel or None, "boot.kernel"),
    Field("os/initrd", TEXT, lambda it: it.spec.boot.initrd or None, "boot.initrd"),
    Field("os/cmdline", TEXT, lambda it: it.spec.boot.parameters or None, "boot.parameters"),
    Field("console/enabled", BOOLEAN, lambda it: it.spec.console.serial, "console.serial"),
    Field("usb/enabled", BOOLEAN, lambda it: it.spec.console.usb, "console.usb"),
    Field("soundcard_enabled", BOOLEAN, lambda it: it.spec.console.sound, "console.sound"),
    Field("start_paused", BOOLEAN, lambda it: it.spec.start_paused, "machine.start_paused"),
    Field("sso/methods", EMPTY, lambda _it: {}),
    *DISPLAY,
    Field("graphics_consoles", CONSOLES, to="console.graphics"),
)

HARDWARE: Final = (
    *IDENTITY,
    Field("creation_time", TIME, lambda it: it.row.created_at),
    Field("delete_protected", BOOLEAN, lambda it: it.row.delete_protected, "attribute.delete_protected"),
    *MACHINE,
)


# -- what hangs on a machine


def hexadecimal(protocol: Protocol) -> str:
    """The id of a console: the protocol's name in hexadecimal, as in oVirt."""
    return protocol.value.encode().hex()


CONSOLE_ACTIONS: Final = ("proxyticket", "remoteviewerconnectionfile", "ticket")

# What an action may carry for a ticket.
TICKET: Final = (
    Field("ticket/value", TEXT, to="ticket.password"),
    Field("ticket/expiry", NUMBER, to="ticket.seconds"),
)

CONSOLE: Final = (
    Field("protocol", PROTOCOL, lambda it: Protocol(it["protocol"])),
    Field("address", TEXT, lambda it: it.get("address")),
    Field("port", NUMBER, lambda it: _port(it, "port")),
    Field("tls_port", NUMBER, lambda it: _port(it, "tls_port")),
)


def graphics_consoles(row: Hardware, telling: Telling, *, name: str, collection: str) -> list[Tree]:
    """The consoles that are configured, or with `current` those that a VM's run shows, with address and port."""
    found = _running(row) if telling.current else [{"protocol": protocol} for protocol in sorted(row.console.graphics)]
    return [_console(row, each, telling, name, collection) for each in found]


def _running(row: Hardware) -> list[dict[str, Any]]:
    return row.endpoints if isinstance(row, VM) else []


def _console(row: Hardware, console: dict[str, Any], telling: Telling, name: str, collection: str) -> Tree:
    key = hexadecimal(Protocol(console["protocol"]))
    owner = f"{telling.base}/{collection}/{row.pk}"
    href = f"{owner}/graphicsconsoles/{key}"
    actions = {"link": [{"href": f"{href}/{verb}", "rel": verb} for verb in CONSOLE_ACTIONS]}
    return {
        "href": href,
        "id": key,
        **({"actions": actions} if isinstance(row, VM) else {}),
        **tell(CONSOLE, console, telling),
        name: {"href": owner, "id": str(row.pk)},
    }


def _port(endpoint: dict[str, Any], name: str) -> int | None:
    port: int = endpoint.get(name, -1)
    return None if port == -1 else port


def nics(row: VM, telling: Telling) -> list[Tree]:
    """The cards of a VM."""
    owner = f"{telling.base}/vms/{row.pk}"
    cards = (device for device in devices(row.spec) if device.kind == DeviceKind.INTERFACE)
    return [
        {
            "href": f"{owner}/nics/{card.id}",
            "id": str(card.id),
            "interface": card.model,
            "linked": True,
            "mac": {"address": card.params["mac"]},
            "name": f"nic{number}",
            "plugged": True,
            "vm": {"href": owner, "id": str(row.pk)},
        }
        for number, card in enumerate(cards, start=1)
    ]


def consoles_of(name: str, collection: str) -> Link:
    """The link to the consoles of a type."""

    def contents(row: Hardware, telling: Telling) -> list[Tree]:
        return graphics_consoles(row, telling, name=name, collection=collection)

    return Link("graphicsconsoles", "graphics_consoles", "graphics_console", contents)
