"""What lists and General tabs show, as data: the same for all kinds of machine and for both portals."""

from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms import messages
from vms.actions import pools, screenshots
from vms.actions.rights import Rights, on, on_each
from vms.actions.viewing import console_of
from vms.domain import lifecycle
from vms.domain.console import Console
from vms.domain.hosts import Endpoint
from vms.domain.lifecycle import Status, Verb
from vms.messages import Text
from vms.models import VM, ActionGroup, Hardware, InstanceType, Pool, PoolType, Template, User

from . import affinityfacts, reasons
from .moving import moving
from .words import told

_LABELS: Final[dict[str, Text]] = {
    "name": gettext_lazy("Name"),
    "version": gettext_lazy("Version"),
    "status": gettext_lazy("Status"),
    "host": gettext_lazy("Host"),
    "cluster": gettext_lazy("Cluster"),
    "assigned": gettext_lazy("Assigned VMs"),
    "prestarted": gettext_lazy("Prestarted VMs"),
    "running": gettext_lazy("Running VMs"),
    "type": gettext_lazy("Type"),
    "graphics": gettext_lazy("Graphics"),
    "video": gettext_lazy("Video"),
    "serial": gettext_lazy("Serial Console"),
    "memory": gettext_lazy("Memory"),
    "cpus": gettext_lazy("CPUs"),
    "description": gettext_lazy("Description"),
    "ip": gettext_lazy("IP Addresses"),
    "fqdn": gettext_lazy("FQDN"),
    "os": gettext_lazy("Operating System"),
    "access": gettext_lazy("Access"),
    "uptime": gettext_lazy("Uptime"),
    "comment": gettext_lazy("Comment"),
    "template": gettext_lazy("Template"),
    "pool": gettext_lazy("Pool"),
    "actions": gettext_lazy("Actions"),
}
# What every list tells of a machine's shape.
SHAPE: Final = ("graphics", "video", "serial", "memory", "cpus")


def columns(*keys: str) -> tuple[tuple[str, Text], ...]:
    """Columns of a list, by key, with their headings."""
    return tuple((key, _LABELS[key]) for key in keys)


COLUMNS: Final = columns(
    *("name", "status", "host", "ip", "fqdn", "cluster", "graphics", "video", "serial", "access", "memory", "cpus"),
    *("os", "type", "uptime", "template", "pool", "description", "comment", "actions"),
)

# Status → icon and tone; whatever is not named here is under way.
_ICONS: Final[dict[Status, tuple[str, str]]] = {
    Status.UP: ("on-running", "success"),
    Status.DOWN: ("off", "muted"),
    Status.PAUSED: ("paused", "warning"),
    Status.SUSPENDED: ("asleep", "muted"),
    Status.UNKNOWN: ("unknown", "warning"),
    Status.UNASSIGNED: ("unknown", "warning"),
    Status.NOT_RESPONDING: ("error-circle-o", "danger"),
    Status.IMAGE_ILLEGAL: ("error-circle-o", "danger"),
    Status.IMAGE_LOCKED: ("locked", "muted"),
    Status.REBOOT_IN_PROGRESS: ("rebooting", "info"),
}
_UNDER_WAY: Final = ("in-progress", "info")
_NOTHING: Final = "–"


@dataclass(frozen=True)
class Display:
    """What a Graphics or Video cell says: the configured value always, a deviation of the present run beside it."""

    text: str
    headless: bool
    off: bool
    this_run: str = ""


@dataclass(frozen=True)
class Button:
    """One verb that can be asked for; with a reason it cannot be at present."""

    verb: str
    label: Text
    icon: str
    reason: str = ""


@dataclass(frozen=True)
class Pending:
    """A change that waits for a restart."""

    label: Text
    now: str
    then: str


def graphics_display(row: Hardware, running: Console | None) -> Display:
    console = row.console
    configured, shown = _shown(console.graphics_label), _shown(running.graphics_label) if running else None
    return _display(configured, shown, headless=console.headless)


def video_display(row: Hardware, running: Console | None) -> Display:
    return _display(_shown(row.console.video_label), _shown(running.video_label) if running else None)


def status_icon(status: str) -> tuple[str, str]:
    """The icon of a status and its tone."""
    return _ICONS.get(Status(status), _UNDER_WAY)


def power_buttons(vm: VM, held: Rights) -> list[Button]:
    """The verbs of a VM's tool bar, each with the reason why it is not possible now."""
    return [_button(vm, verb, icon, held) for verb, icon in ((_first(vm), "fa-play"), *_POWER)]


def first_button(vm: VM, held: Rights) -> Button:
    """The verb that a row of a list offers: to run, or to shut down where that is possible instead."""
    first, status = _first(vm), Status(vm.status)
    shuts_down = lifecycle.allowed(Verb.SHUTDOWN, status) and not lifecycle.allowed(first, status)
    button = _button(vm, Verb.SHUTDOWN if shuts_down else first, "", held)
    return replace(button, label=str(button.label))


def _first(vm: VM) -> Verb:
    return Verb.RESUME if lifecycle.allowed(Verb.RESUME, Status(vm.status)) else Verb.START


def _button(vm: VM, verb: Verb, icon: str, held: Rights) -> Button:
    return Button(verb.value, messages.VERBS[verb], icon, reasons.why_not(vm, verb, held))


_POWER: Final = (
    (Verb.SUSPEND, "fa-pause"),
    (Verb.SHUTDOWN, "fa-power-off"),
    (Verb.STOP, "fa-plug"),
    (Verb.REBOOT, "fa-redo"),
    (Verb.RESET, "fa-bolt"),
)


def header(row: Hardware, user: User) -> dict[str, Any]:
    """What the header of a template, pool or instance type shows: what somebody may not do with it, and why."""
    held = on(user, row)
    told: dict[str, Any] = {
        "no_edit": reasons.why_not_edited(row, held),
        "no_remove": reasons.why_not_removed(row, held),
    }
    if isinstance(row, Template) and not row.built_in:
        told |= {"versions": True, "no_version": reasons.why_no_version(row, user, held)}
    return told


def vm_header(vm: VM, user: User) -> dict[str, Any]:
    """What the header of a VM shows: its status, what can be asked of it, what waits, what failed."""
    cluster, center = vm.cluster, vm.cluster.data_center
    rights = on_each(user, [vm, cluster, center])
    held = rights[vm.pk]
    icon, tone = status_icon(vm.status)
    return {
        "status": messages.STATUSES[vm.status],
        "icon": icon,
        "tone": tone,
        "buttons": power_buttons(vm, held),
        "no_run_once": reasons.why_not(vm, Verb.RUN_ONCE, held),
        "no_console": reasons.why_no_console(vm, held),
        "has_screen": not console_of(vm).headless,
        # Asked only by the page that shows them.
        "screenshot": lambda: screenshots.latest(vm),
        "no_screenshot": lambda: reasons.why_no_screenshot(vm, user),
        "no_migrate": reasons.why_not_moved(vm, held),
        "moving": moving(vm, user),
        "unsuited": affinityfacts.against(vm),
        "disputed": _("Somebody changed its definition on the host; see the tab Devices.") if vm.drift else "",
        "no_edit": reasons.why_not_edited(vm, held),
        "no_clone": reasons.lacking(ActionGroup.CREATE_VM, rights[cluster.pk]),
        "no_template": reasons.why_no_template(held, rights[center.pk]),
        "no_remove": reasons.why_not_removed(vm, held),
        "gives_back": bool(vm.pool_id) and pools.holders(vm).exists() and not reasons.why_not_given_back(vm, user),
        "pending": pending(vm),
        "failure": failure(vm),
        "busy": vm.busy,
    }


def cells(row: Any) -> dict[str, Any]:
    """What the columns of a template, pool or instance type show; a pool is counted (`PoolQuerySet.counted`)."""
    shown: dict[str, Any] = {
        "name": row.name,
        "graphics": graphics_display(row, row.console),
        "video": video_display(row, row.console),
        "serial": _("Yes") if row.console.serial else _("No"),
        "memory": told("memory", row.memory),
        "cpus": row.sockets * row.cores * row.threads,
        "description": row.description,
    }
    if not isinstance(row, InstanceType):
        shown["cluster"] = row.cluster.name if row.cluster else ""
    if isinstance(row, Template):
        shown["version"] = version_of(row)
    if isinstance(row, Pool):
        counted: Any = row
        shown |= {"assigned": counted.member_count, "running": counted.running_count, "type": pool_type(row)}
        shown["prestarted"] = f"{counted.ready_count} / {row.prestarted_vms}" if row.prestarted_vms else "0"
    return shown


def version_of(template: Template) -> str:
    """The number of a version with the name that was given to it."""
    name = f"{template.version_name} " if template.version_name else ""
    return f"{name}({template.version_number})"


def pool_type(pool: Pool) -> str:
    return str(PoolType(pool.pool_type).label)


def endpoints(vm: VM) -> list[Endpoint]:
    """Where the consoles of the present run listen."""
    return msgspec.convert(vm.endpoints, list[Endpoint])


def pending(vm: VM) -> list[Pending]:
    """What a restart would change, with its names."""
    run = vm.run
    if run is None or not vm.pending:
        return []
    now, then = run.base.shape(), vm.spec.shape()
    return [Pending(messages.CHANGES[key], told(key, now[key]), told(key, then[key])) for key in vm.pending_changes]


def failed(verb: str, error: Any) -> str:
    """How a verb failed, in a sentence."""
    return _("%(verb)s failed. %(reason)s") % {"verb": messages.verb(verb), "reason": messages.job_error(error)}


def failure(vm: VM) -> str:
    """Why its disks hold it up and what helps, or how the last verb failed; empty when all is well."""
    if vm.status == Status.PAUSED and vm.ended in messages.CURES:
        return str(messages.CURES[vm.ended])
    return failed(vm.failure["verb"], vm.failure["error"]) if vm.failure else ""


def _display(configured: str, running: str | None, *, headless: bool = False) -> Display:
    return Display(configured, headless, running is None, running if running and running != configured else "")


def _shown(label: str) -> str:
    """A label of the domain; names of protocols and cards are the same in all languages, only `None` is not."""
    return _("None") if label == "None" else label
