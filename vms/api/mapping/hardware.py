"""What VM, template, pool and instance type share, display included.

A machine without a console has no `display` element at all; that is how oVirt's clients know it is headless.
"""

from collections import namedtuple
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

from vms.domain.console import Console, Firmware
from vms.domain.machine import VmType
from vms.models import VM, Hardware

from .console import first
from .entity import Part
from .fields import BOOLEAN, EMPTY, NUMBER, SIZE, TEXT, TIME, Field, Telling
from .types import CONSOLES, FIRMWARE, PROTOCOL, VIDEO, VM_TYPE


@dataclass(frozen=True, slots=True)
class Screen:
    """The console that people see of a machine, and where its first protocol listens."""

    console: Console
    endpoint: dict[str, Any]


def screen(row: Any) -> Screen:
    """What the columns of a row show."""
    console: Console = row.console
    protocol = first(console.graphics)
    listening = getattr(row, "endpoints", ())
    return Screen(console, next((each for each in listening if each["protocol"] == protocol), {}))


def shown(row: Any, telling: Telling) -> Any:
    """The row as people see it: what runs, unless the next run was asked for; the display of a run falls back to what
    is configured.

    What runs without anything pending is what is configured, so few rows take more than their columns.
    """
    if telling.next_run or not getattr(row, "running", None) or not (row.pending or row.run_once):
        return row
    seen: VM = copy(row) if isinstance(row, VM) else VM(**row._asdict())
    if (run := seen.run) is None:
        return row
    now = run.spec.console
    display = seen.console if now.headless else now
    seen.spec = replace(run.base, name=row.name)
    seen.console = replace(run.base.console, **{name: getattr(display, name) for name in _DISPLAYED})
    return seen


# What is told inside `display`.
_DISPLAYED: Final = (
    *("graphics", "video", "before", "keyboard", "monitors"),
    *("wants_smartcard", "wants_file_transfer", "wants_copy_paste"),
)


def shown_console(row: Hardware, telling: Telling) -> Console:
    """The console that an edit is compared with: what is configured, with the display that a Run Once shows for now."""
    told, console = shown(row, telling).console, row.console
    once = isinstance(row, VM) and row.run is not None and row.run.once is not None
    if not once or told.headless:
        return console
    return replace(console, graphics=told.graphics, video=told.video, keyboard=told.keyboard, monitors=told.monitors)


def _display(ask: Callable[[Console], Any]) -> Callable[[Screen], Any]:
    return lambda it: ask(it.console) if not it.console.headless else None


def _endpoint(name: str) -> Callable[[Screen], Any]:
    """An address, or a port that listens; -1 stands for none."""

    def told(it: Screen) -> Any:
        value = it.endpoint.get(name)
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
SOUND: Final = Field("soundcard_enabled", BOOLEAN, lambda it: it.console.sound, "console.sound")
# Told of a `Screen`.
CONSOLE: Final = (
    Field("console/enabled", BOOLEAN, lambda it: it.console.serial, "console.serial"),
    Field("usb/enabled", BOOLEAN, lambda it: it.console.usb, "console.usb"),
    SOUND,
    *DISPLAY,
    Field("graphics_consoles", CONSOLES, to="console.graphics"),
)

# Told of a row.
IDENTITY: Final = (
    Field("name", TEXT, lambda it: it.name, "machine.name"),
    Field("description", TEXT, lambda it: it.description, "attribute.description"),
    Field("comment", TEXT, lambda it: it.comment, "attribute.comment"),
)
OWN: Final = (
    *IDENTITY,
    Field("creation_time", TIME, lambda it: it.created_at),
    Field("delete_protected", BOOLEAN, lambda it: it.delete_protected, "attribute.delete_protected"),
    Field("sso/methods", EMPTY, lambda _it: True),
)
MACHINE: Final = (
    Field("memory", SIZE, lambda it: it.memory, "machine.memory"),
    Field("memory_policy/ballooning", BOOLEAN, lambda _it: True),
    Field("cpu/architecture", TEXT, lambda _it: "x86_64"),
    Field("cpu/topology/cores", NUMBER, lambda it: it.cores, "cpu.cores"),
    Field("cpu/topology/sockets", NUMBER, lambda it: it.sockets, "cpu.sockets"),
    Field("cpu/topology/threads", NUMBER, lambda it: it.threads, "cpu.threads"),
    Field("type", VM_TYPE, lambda it: VmType(it.vm_type), "machine.vm_type"),
    Field("bios/type", FIRMWARE, lambda it: Firmware(it.firmware), "machine.firmware"),
    Field("os/type", TEXT, lambda _it: "other"),
    Field("os/kernel", TEXT, lambda it: it.kernel or None, "boot.kernel"),
    Field("os/initrd", TEXT, lambda it: it.initrd or None, "boot.initrd"),
    Field("os/cmdline", TEXT, lambda it: it.parameters or None, "boot.parameters"),
    Field("start_paused", BOOLEAN, lambda it: it.start_paused, "machine.start_paused"),
)


def _listens(it: Any) -> bool:
    return bool(getattr(it, "endpoints", ()))


_NOT_SHARED: Final = frozenset({"name", *Hardware.CONSOLE_FIELDS})
PARTS: Final = (
    Part(fields=MACHINE, columns=tuple(name for name in Hardware.SPEC_FIELDS if name not in _NOT_SHARED)),
    Part(fields=CONSOLE, columns=Hardware.CONSOLE_FIELDS, of=screen, alone=_listens),
)


def light(model: type[Hardware], *left_out: str) -> type[Any]:
    """A class for rows of a long list that are told from their columns alone; those of a part stand together."""
    shared = [column for part in PARTS for column in part.columns]
    columns = [field.attname for field in model._meta.concrete_fields if field.attname not in {*shared, *left_out}]
    make: Any = namedtuple  # mypy takes literals alone
    bare = make("Columns", [*columns, *shared])
    return type(f"{model.__name__}Columns", (bare,), {"__slots__": (), "pk": bare.id, "console": Hardware.console})
