"""What VM, template, pool and instance type share: how their rows are told, whole and in long lists."""

from copy import copy
from dataclasses import replace
from typing import Any, Final

from django.db.models import Expression

from vms.api.document import Node
from vms.domain.console import Console
from vms.domain.secret import Secret
from vms.models import VM, Hardware

from . import columns, kept, machine
from .entity import Part
from .fields import BOOLEAN, TEXT, TIME, Field, Telling, Type
from .screen import CONSOLE, ENDPOINT, listening, screen


def shown(row: Any, telling: Telling) -> Any:
    """The row as people see it: what runs, unless the next run was asked for; the display of a run falls back to what
    is configured.

    What runs without anything pending is what is configured, so few rows take more than their columns.
    """
    if telling.next_run or not getattr(row, "running", None) or not (row.pending or row.run_once):
        return row
    seen: VM = copy(row) if isinstance(row, VM) else columns.whole(row)
    if (run := seen.run) is None:
        return row
    configured, now = seen.spec, run.spec.console
    display = configured.console if now.headless else now
    seen.spec = replace(run.base, **{name: getattr(configured, name) for name in AT_ONCE})
    seen.console = replace(
        run.base.console,
        **{name: getattr(display, name) for name in _DISPLAYED},
        **{name: getattr(configured.console, name) for name in CONSOLE_AT_ONCE},
    )
    return seen


# What an edit changes without a restart (the rest is in `MachineSpec.shape`), so what is configured is what is so.
AT_ONCE: Final = ("name", "hosts", "migration", "restart", "priority", "start_paused")
CONSOLE_AT_ONCE: Final = ("disconnect_action", "disconnect_delay", "allow_reconnect", "spice_proxy")
# What is told inside `display` of a run.
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


IDENTITY: Final = (
    Field("name", TEXT, lambda it: it.name, "machine.name"),
    Field("description", TEXT, lambda it: it.description, "attribute.description"),
    Field("comment", TEXT, lambda it: it.comment, "attribute.comment"),
)
OWN: Final = (
    *IDENTITY,
    Field("creation_time", TIME, lambda it: it.created_at),
    *machine.OWN,
)


class _Password(Type):
    """A password, which is only heard and never told."""

    def read(self, node: Node, path: str) -> Any:
        return Secret(TEXT.read(node, path))


# What its guest's user logs in with from the first boot on.
PASSWORD: Final = Field("initialization/root_password", _Password(), to="attribute.initialization_password")
PROTECTED: Final = Field("delete_protected", BOOLEAN, lambda it: it.delete_protected, "attribute.delete_protected")


# What a machine may be made with in oVirt and is not here yet.
NOT_OFFERED: Final = (
    *("disk_attachments/disk_attachment", "nics/nic", "snapshots/snapshot", "payloads/payload", "floppies/floppy"),
    *("host_devices/host_device", "host_numa_nodes/vm_numa_node", "numa_nodes/vm_numa_node", "lease"),
    *("initialization/configuration", "external_host_provider"),
)


_NOT_SHARED: Final = frozenset({"name", "host_ids", "migration", "custom_properties", *Hardware.CONSOLE_FIELDS})
PARTS: Final = (
    Part(
        fields=(*machine.FIELDS, *kept.FIELDS),
        columns=tuple(name for name in Hardware.SPEC_FIELDS if name not in _NOT_SHARED),
        more=lambda it: repr(it.kept) if it.kept else "",
        rare=kept.FIELDS,
    ),
    Part(fields=CONSOLE, columns=Hardware.CONSOLE_FIELDS, of=screen, slots=tuple(ENDPOINT), filled=listening),
)


# What the fields of every kind are told of, beside the columns of the parts.
_TOLD: Final = (
    *("id", "created_at", "name", "description", "comment", "host_ids", "migration", "custom_properties", "kept"),
)


def light(model: type[Hardware], *more: str, parts: tuple[Part, ...] = PARTS, **made: Expression) -> type[Any]:
    """A class for rows of a long list that are told from these columns alone; those of a part stand together."""
    shared = [column for part in parts for column in part.columns]
    kind: type[Any] = columns.light(model, (*_TOLD, *more, *shared), {"console": Hardware.console}, **made)
    return kind
