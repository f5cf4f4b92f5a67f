"""The one catalogue of sentences: what codes, keys and states of the domain are called when people read them."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from vms.domain.console import Frozen
from vms.domain.devices import DeviceKind
from vms.domain.errors import KINDS, Refusal
from vms.domain.graphicalaccess import NoConsole
from vms.domain.guest import Source
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Verb
from vms.models import StorageStatus
from vms.models.choices import DISCONNECT_ACTIONS
from vms.models.machines import AGENTS as _AGENTS
from vms.models.machines import STATUSES as _STATUSES

from .allowed import ALLOWED
from .doctor import FINDINGS
from .events import EVENTS, FAILED
from .fields import CHANGES, FIELDS
from .preparing import NO_OFFLINE
from .reach import REACH
from .refusals import IMAGES, REFUSALS
from .text import Text

__all__ = [
    "AGENTS",
    "CHANGES",
    "CONSOLES",
    "CURES",
    "DEVICES",
    "ENDED",
    "EVENTS",
    "FIELDS",
    "FROZEN",
    "NO_CONSOLE",
    "PERMITS",
    "REFUSALS",
    "SOURCES",
    "STATUSES",
    "VERBS",
    "Text",
    "audited_field",
    "event",
    "field",
    "job_error",
    "refusal",
    "sentence",
    "verb",
]

STATUSES: Final[dict[str, Text]] = dict(_STATUSES)

AGENTS: Final[dict[str, Text]] = dict(_AGENTS)
SOURCES: Final[dict[Source, Text]] = {
    Source.AGENT: _("Guest agent"),
    Source.LEASE: _("DHCP lease"),
    Source.ARP: _("ARP table of the host"),
}

VERBS: Final[dict[str, Text]] = {
    Verb.START: _("Run"),
    Verb.RUN_ONCE: _("Run Once"),
    Verb.RESUME: _("Resume"),
    Verb.SHUTDOWN: _("Shutdown"),
    Verb.STOP: _("Power Off"),
    Verb.REBOOT: _("Reboot"),
    Verb.RESET: _("Reset"),
    Verb.SUSPEND: _("Suspend"),
    Verb.MIGRATE: _("Migrate"),
    Verb.EDIT: _("Edit"),
    Verb.REMOVE: _("Remove"),
    "console": _("Console"),
    "screenshot": _("Screenshot"),
    "lock_screen": _("Lock the screen"),
    "logout": _("Log out"),
    "define": _("Write the definition"),
    "normalise": _("Normalise"),
    "prepare": _("Bring to the destination what it boots from"),
    "set_reboot": _("Prepare the next reboot"),
    "undefine": _("Remove from the host"),
    "prepare_guest": _("Prepare the guest"),
    "prepare_offline": _("Look into the disks"),
    "find_system": _("Find the system"),
    "run_offline": _("Prepare the system on the disks"),
    "write_disks": _("Write to the disks"),
    "plug": _("Change the disks"),
    "drop_layers": _("Forget what a stateless run wrote"),
    "open_storage": _("Open the storage"),
    "close_storage": _("Close the storage"),
    "create_disk": _("Create the disk"),
    "copy_disk": _("Copy the disk"),
    "take_snapshot": _("Take a snapshot"),
    "preview_snapshot": _("Preview the snapshot"),
    "commit_snapshot": _("Commit the snapshot"),
    "undo_snapshot": _("Undo the preview"),
    "remove_snapshot": _("Remove the snapshot"),
    "drop_image": _("Remove what lay there before"),
    "export_disk": _("Prepare the image for the download"),
    "import_disk": _("Lay the uploaded image on the storage"),
    "resize_disk": _("Make the disk larger"),
    "remove_disk": _("Remove the disk"),
    "plug_nics": _("Change network interfaces"),
    "headless": _("Make headless"),
    "graphical": _("Give a screen"),
    "restore": _("Undo a conversion"),
    "attach_tag": _("Add a tag"),
    "detach_tag": _("Take a tag off"),
}

PERMITS: Final[dict[str, Text]] = {
    "create_vm": _("create virtual machines"),
    "create_instance": _("create virtual machines of an instance type"),
    "delete_vm": _("remove virtual machines"),
    "edit_vm_properties": _("edit virtual machines"),
    "edit_admin_vm_properties": _("choose the hosts of virtual machines"),
    "change_vm_custom_properties": _("change custom properties"),
    "run_vm": _("run virtual machines"),
    "stop_vm": _("power off virtual machines"),
    "shut_down_vm": _("shut down virtual machines"),
    "reboot_vm": _("reboot virtual machines"),
    "reset_vm": _("reset virtual machines"),
    "hibernate_vm": _("suspend virtual machines"),
    "migrate_vm": _("migrate virtual machines"),
    "connect_to_vm": _("open consoles"),
    "reconnect_to_vm": _("take over consoles"),
    "connect_to_serial_console": _("open serial consoles"),
    "create_template": _("create templates"),
    "edit_template_properties": _("edit templates"),
    "delete_template": _("remove templates"),
    "create_vm_pool": _("create pools"),
    "edit_vm_pool_configuration": _("edit pools"),
    "delete_vm_pool": _("remove pools"),
    "vm_pool_basic_operations": _("use pools"),
    "create_storage_pool": _("create data centers"),
    "edit_storage_pool_configuration": _("edit data centers"),
    "delete_storage_pool": _("remove data centers"),
    "create_cluster": _("create clusters"),
    "edit_cluster_configuration": _("edit clusters"),
    "delete_cluster": _("remove clusters"),
    "manipulate_affinity_groups": _("change affinity groups"),
    "create_storage_domain": _("add storage domains"),
    "edit_storage_domain_configuration": _("edit storage domains"),
    "delete_storage_domain": _("remove storage domains"),
    "manipulate_storage_domain": _("put storage domains into maintenance"),
    "create_disk": _("create disks"),
    "attach_disk": _("attach disks"),
    "edit_disk_properties": _("edit disks"),
    "delete_disk": _("remove disks"),
    "configure_vm_storage": _("change the disks of virtual machines"),
    "manipulate_vm_snapshots": _("take and use snapshots"),
    "create_host": _("add hosts"),
    "edit_host_configuration": _("edit hosts"),
    "delete_host": _("remove hosts"),
    "manipulate_host": _("put hosts into maintenance"),
    "configure_vm_network": _("change network interfaces"),
    "configure_template_network": _("change network interfaces of templates"),
    "create_storage_pool_network": _("create networks"),
    "configure_storage_pool_network": _("edit networks"),
    "delete_storage_pool_network": _("remove networks"),
    "assign_cluster_network": _("attach networks to clusters"),
    "create_network_vnic_profile": _("create vNIC profiles"),
    "configure_network_vnic_profile": _("edit vNIC profiles"),
    "delete_network_vnic_profile": _("remove vNIC profiles"),
    "create_mac_pool": _("create MAC address pools"),
    "edit_mac_pool": _("edit MAC address pools"),
    "delete_mac_pool": _("remove MAC address pools"),
    "manipulate_permissions": _("change permissions"),
    "manipulate_users": _("add and remove people"),
    "inject_external_events": _("tell of events that happened elsewhere"),
    "inject_external_tasks": _("tell of jobs that are done elsewhere"),
    "tag_management": _("tag machines"),
    "bookmark_management": _("keep bookmarks"),
    "login": _("log in"),
}

FROZEN: Final[dict[Frozen, Text]] = {
    Frozen.HEADLESS: _("Not used while Headless Mode is on."),
    Frozen.NEEDS_VNC: _("Used with VNC only."),
    Frozen.NEEDS_SPICE: _("Used with SPICE only."),
    Frozen.NEEDS_SHUTDOWN: _("Used with “Shutdown virtual machine” only."),
    Frozen.NEEDS_SPICE_AND_QXL: _("More than one monitor takes SPICE alone and the video type QXL."),
}

NO_CONSOLE: Final[dict[NoConsole, Text]] = {
    NoConsole.HEADLESS: _("This virtual machine is headless: it has no graphical console."),
    NoConsole.HEADLESS_THIS_RUN: _("This virtual machine runs headless until it is shut down."),
    NoConsole.NOT_RUNNING: _("The virtual machine is not running; its graphical console opens when it is."),
    NoConsole.RESTART_NEEDED: _("The virtual machine runs headless; it gets its graphical console with a restart."),
}

ENDED: Final[dict[Ended, Text]] = {
    Ended.GUEST: _("powered off by its guest"),
    Ended.REBOOT: _("ended by a reboot"),
    Ended.STOPPED: _("powered off"),
    Ended.CRASHED: _("crashed"),
    Ended.SAVED: _("suspended"),
    Ended.UNKNOWN: _("ended, nobody saw how"),
    Ended.NO_SPACE: _("no room left on the storage"),
    Ended.IO_ERROR: _("input/output error of a disk"),
}

# What helps a machine that is paused because of its disks.
CURES: Final[dict[str, Text]] = {
    Ended.NO_SPACE: _(
        "It is paused because a write found no room left on the storage; nothing is lost. Make room there, then press "
        "Resume."
    ),
    Ended.IO_ERROR: _(
        "It is paused because a disk could not be read or written; nothing is lost. See to its storage, then press "
        "Resume."
    ),
}

DEVICES: Final[dict[DeviceKind, Text]] = {
    DeviceKind.GRAPHICS: _("Graphics"),
    DeviceKind.VIDEO: _("Video"),
    DeviceKind.CONSOLE: _("Console"),
    DeviceKind.CONTROLLER: _("Controller"),
    DeviceKind.REDIR: _("USB Redirection"),
    DeviceKind.SMARTCARD: _("Smartcard"),
    DeviceKind.SOUND: _("Sound"),
    DeviceKind.CHANNEL: _("Channel"),
    DeviceKind.TPM: "TPM",
    DeviceKind.INPUT: _("Input"),
    DeviceKind.INTERFACE: _("Interface"),
    DeviceKind.BALLOON: _("Balloon"),
    DeviceKind.DISK: _("Disk"),
    DeviceKind.WATCHDOG: _("Watchdog"),
    DeviceKind.RNG: _("Random Generator"),
}

# How a console is opened, as events tell it.
CONSOLES: Final[dict[str, Text]] = {
    "vnc": _("VNC in a browser"),
    "spice": _("SPICE in a browser"),
    "serial": _("serial line"),
    "viewer": _("a viewer"),
}

# What an audit event calls otherwise than the lists above.
_AUDITED: Final[dict[str, Text]] = {"graphics": CHANGES["graphics_protocol"], "video": CHANGES["video_type"]}


class _Params(dict[str, Any]):
    """Parameters of a sentence; one that a caller did not give shows as an ellipsis, not as an error page."""

    def __missing__(self, key: str) -> str:
        return "…"


_SPOKEN: Final[dict[str, Mapping[str, Text]]] = {
    "verb": VERBS,
    "status": STATUSES,
    "image_why": IMAGES,
    "host_why": REACH,
    "storage_status": dict(StorageStatus.choices),
    "permit": PERMITS,
    "allowed": ALLOWED,
    "ended": {ended.value: text for ended, text in ENDED.items()},
    "finding": {finding.value: text for finding, text in FINDINGS.items()},
    "done": dict(DISCONNECT_ACTIONS),
    "console": CONSOLES,
    "no_offline": NO_OFFLINE,
    "no_console": {reason.value: text for reason, text in NO_CONSOLE.items()},
}


def verb(word: str) -> Text:
    """What a verb is called, whether it is for one machine or for many."""
    return VERBS.get(word.removeprefix("many_"), word)


def refusal(no: Refusal) -> str:
    """The sentence that a refusal is told with."""
    return sentence(no.code, no.params)


def job_error(error: Mapping[str, Any] | None) -> str:
    """The sentence for what a job or a host keeps as its error, `{"code", "params"}`; empty for none."""
    return sentence(error["code"], error.get("params") or {}) if error else ""


def sentence(code: str, params: Mapping[str, Any]) -> str:
    """The sentence of a refusal code, its parameters in people's words."""
    told = _spoken(params)
    if "params" in params:  # it is refused because something else is
        told["reason"] = job_error(_error_of(params))
    if isinstance(params.get("reasons"), list):
        told["reasons"] = " ".join(job_error(each) for each in params["reasons"])
    return str(REFUSALS[code if code in KINDS else "ENGINE_FAILED"]) % told


def event(code: str, *, entity: str, actor: str, params: Mapping[str, Any]) -> str:
    """The sentence of an audit event; one that this version does not know is told by its code."""
    told = _spoken({**params, "entity": entity, "actor": actor})
    failed = code.startswith("USER_FAILED_") and code.endswith("_VM")
    told["reason"] = job_error(_error_of(params))
    if failed:
        told["verb"] = VERBS.get(code.removeprefix("USER_FAILED_").removesuffix("_VM").lower(), code)
        return (str(FAILED) % told).strip()
    return (str(EVENTS[code]) % told).strip() if code in EVENTS else f"{code} {entity}"


def field(name: str) -> Text:
    """The label of a form's field; a custom property is called by its own name."""
    return FIELDS.get(name) or name.removeprefix("property_")


def audited_field(key: str) -> Text:
    """The name of a field in `before` and `after` of an audit event (`console.wants_usb` → USB Policy)."""
    name = key.rpartition(".")[2].removeprefix("wants_")
    return _AUDITED.get(name) or CHANGES.get(name) or FIELDS.get(name, key)


def _error_of(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    code = params.get("code") or params.get("reason")
    return {"code": code, "params": params.get("params") or {}} if code else None


def _spoken(params: Mapping[str, Any]) -> _Params:
    return _Params({key: _told(key, value) for key, value in params.items()})


def _told(key: str, value: object) -> object:
    if isinstance(value, tuple):  # what would be possible, each by itself
        return ", ".join(str(ALLOWED.get(each, each)) for each in value)
    return _SPOKEN.get(key, {}).get(str(value), value)
