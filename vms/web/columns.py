"""The columns of lists as data: headings, what they are sorted by, which are shown at first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from vms import messages
from vms.domain.access import Rating
from vms.domain.osinfo import OPERATING_SYSTEMS
from vms.messages import Text
from vms.messages.access import RATINGS
from vms.models import VM, User
from vms.models.choices import VM_TYPES

# Column → the order of the search language that sorts by it, where there is one.
ORDERS: Final = {
    **{key: key for key in ("name", "status", "host", "cluster", "graphics", "video", "memory", "type", "os", "ip")},
    **{key: key for key in ("fqdn", "access", "uptime")},
    "cpus": "vcpus",
    "serial": "serial_console",
    "assigned": "assigned_vm_count",
    "running": "running_vm_count",
}
NUMBERS: Final = frozenset({"memory", "cpus", "assigned", "running", "prestarted"})
# Always there: what a row is, and what can be done with it.
FIXED: Final = frozenset({"name", "actions"})
_HIDDEN: Final = {
    "vm": frozenset({"serial", "os", "type", "ip", "fqdn", "access", "uptime", "comment", "template", "pool"})
}


@dataclass(frozen=True)
class Heading:
    """A column as the head of a table shows it: sorted or not, and the address that sorts by it."""

    key: str
    label: Text
    url: str = ""
    sorted: str = ""

    @property
    def number(self) -> bool:
        return self.key in NUMBERS


def chosen(kind: Any, user: User) -> tuple[tuple[str, Text], ...]:
    """The columns that a person wants to see, in their order; all that are shown at first where nothing was chosen."""
    of_kinds = user.preferences.get("columns")
    kept = of_kinds.get(kind.name) if isinstance(of_kinds, dict) else None
    if not isinstance(kept, list):
        hidden = _HIDDEN.get(kind.name, frozenset())
        return tuple((key, label) for key, label in kind.columns if key not in hidden)
    return tuple((key, label) for key, label in kind.columns if key in kept or key in FIXED)


def compact(user: User) -> bool:
    """Whether a person wants narrow rows."""
    return bool(user.preferences.get("density", "compact") == "compact")


_TYPES: Final = dict(VM_TYPES)
# Columns of virtual machines that are plain text; only those are made that somebody looks at.
VM_TEXTS: Final[Mapping[str, Callable[[Any], Text]]] = {
    "host": lambda vm: vm.host_title if vm.host_name else "",
    "cluster": lambda vm: vm.cluster_title,
    "memory": lambda vm: f"{vm.memory} MiB",
    "cpus": lambda vm: str(vm.sockets * vm.cores * vm.threads),
    "description": lambda vm: vm.description,
    "comment": lambda vm: vm.comment,
    "serial": lambda vm: _("Yes") if vm.serial_console else _("No"),
    "os": lambda vm: OPERATING_SYSTEMS[vm.os].name,
    "type": lambda vm: _TYPES[vm.vm_type],
    "ip": lambda vm: vm.ip,
    "fqdn": lambda vm: vm.fqdn,
    "access": lambda vm: RATINGS[Rating(vm.access)] if vm.access else "",
    "uptime": lambda vm: timesince(vm.started_at, timezone.now(), depth=1) if vm.started_at else "",
    "template": lambda vm: vm.template_title,
    "pool": lambda vm: vm.pool_title or "",
}


def pending(vm: VM) -> str:
    """The names of what a restart would change."""
    return ", ".join(str(messages.CHANGES.get(name, name)) for name in vm.pending_names)
