"""The addresses of WebAdmin."""

from collections.abc import Iterator
from typing import Final

from django.urls import URLPattern, path

from . import (
    accounts,
    adoption,
    affinity,
    consoles,
    dialogs,
    downloads,
    drawers,
    live,
    machinedisks,
    machines,
    many,
    nics,
    overview,
    places,
    preparing,
    serials,
    snapshots,
    storage,
    tasks,
    tools,
    viewing,
    webadmin,
)
from .kinds import KINDS, Kind
from .places import PLACES, PlaceKind


def _of(kind: Kind) -> Iterator[URLPattern]:
    """The addresses that every kind of machine has."""
    below = f"{kind.path}/<uuid:pk>/"
    given, name = {"kind": kind}, kind.name
    yield path(f"{kind.path}/", machines.machine_list, given, name=f"{name}_list")
    yield path(f"{kind.path}/rows", machines.machine_rows, given, name=f"{name}_rows")
    yield path(f"{kind.path}/new", dialogs.new_machine, given, name=f"new_{name}")
    yield path(f"{kind.path}/new/preview", dialogs.preview_machine, given, name=f"preview_new_{name}")
    yield path(f"{kind.path}/new/xml", dialogs.machine_xml, given, name=f"xml_new_{name}")
    yield path(below, machines.machine_detail, given, name=f"{name}_detail")
    yield path(f"{below}devices", machines.machine_devices, given, name=f"{name}_devices")
    yield path(f"{below}events", machines.machine_events, given, name=f"{name}_events")
    yield path(f"{below}edit", dialogs.edit_machine, given, name=f"edit_{name}")
    yield path(f"{below}edit/preview", dialogs.preview_machine, given, name=f"preview_{name}")
    yield path(f"{below}edit/xml", dialogs.machine_xml, given, name=f"xml_{name}")
    yield path(f"{below}remove", machines.remove_machine, given, name=f"remove_{name}")
    if "nics" in dict(kind.tabs):
        yield from _nics_of(kind)
    if "members" in dict(kind.tabs):
        yield path(f"{below}vms", machines.machine_members, given, name=f"{name}_members")


def _nics_of(kind: Kind) -> Iterator[URLPattern]:
    """The addresses of the network cards of a kind, in either portal."""
    given, name = {"kind": kind}, kind.name
    below = f"{kind.path}/<uuid:pk>/nics"
    yield path(below, nics.machine_nics, given, name=f"{name}_nics")
    yield path(f"{below}/new", nics.nic_form, given, name=f"new_{name}_nic")
    yield path(f"{below}/<uuid:card>/edit", nics.nic_form, given, name=f"edit_{name}_nic")
    yield path(f"{below}/<uuid:card>/remove", nics.remove_nic, given, name=f"remove_{name}_nic")
    yield path(f"{below}/<uuid:card>/<slug:verb>", nics.plug_nic, given, name=f"plug_{name}_nic")


def _of_places(kind: PlaceKind) -> Iterator[URLPattern]:
    """The addresses that every kind of place has."""
    below, given, name = f"{kind.path}/<uuid:pk>/", {"kind": kind}, kind.name
    yield path(f"{kind.path}/", places.place_list, given, name=f"{name}_list")
    yield path(f"{kind.path}/new", places.place_form, given, name=f"{name}_new")
    yield path(below, places.place_detail, given, name=f"{name}_detail")
    yield path(f"{below}edit", places.place_form, given, name=f"{name}_edit")
    yield path(f"{below}remove", places.remove_place, given, name=f"{name}_remove")
    if kind.verbs:
        yield path(f"{below}actions/<slug:verb>", places.place_action, given, name=f"{name}_action")


urlpatterns: Final[list[URLPattern]] = [
    path("", overview.home, name="home"),
    path("account/", accounts.account, name="account"),
    path("account/keys/<uuid:pk>/remove", accounts.remove_key, name="remove_key"),
    path("healthz", accounts.healthz, name="healthz"),
    path("live", live.live, name="live"),
    path("search/suggest/<slug:name>", tools.suggest, name="suggest"),
    path("columns/<slug:name>", tools.choose_columns, name="choose_columns"),
    path("bookmarks", tools.bookmarks, name="bookmarks"),
    path("tags", tools.tags, name="tags"),
    path("vms/many", many.many_vms, name="many"),
    path("badges", drawers.badges, name="badges"),
    path("notifications/", drawers.notifications, name="notifications"),
    path("tasks/recent", drawers.recent_tasks, name="recent_tasks"),
    path("events/", overview.events, name="events"),
    path("tasks/", tasks.task_list, name="tasks"),
    path("tasks/<uuid:pk>/", tasks.task, name="task"),
    path("tasks/<uuid:pk>/undo", tasks.undo_task, name="undo_task"),
    path("tasks/<uuid:pk>/cancel", tasks.cancel_task, name="cancel_task"),
    *(pattern for kind in KINDS for pattern in _of(kind)),
    path("disks/", storage.disk_list, name="disk_list"),
    path("disks/upload", storage.upload_disk, name="disk_upload"),
    *(pattern for kind in (*PLACES, *affinity.AFFINITY, *storage.STORED) for pattern in _of_places(kind)),
    path("disks/<uuid:pk>/copy", storage.copy_disk, name="disk_copy"),
    path("disks/<uuid:pk>/download", downloads.download_disk, name="disk_download"),
    path("disks/<uuid:pk>/download/<uuid:transfer>/", downloads.download, name="download"),
    path("disks/<uuid:pk>/download/<uuid:transfer>/<slug:verb>", downloads.end_download, name="end_download"),
    path("templates/<uuid:pk>/disks", machinedisks.template_disks, name="template_disks"),
    path("vms/<uuid:pk>/snapshots", snapshots.vm_snapshots, name="vm_snapshots"),
    path("vms/<uuid:pk>/snapshots/new", snapshots.take_snapshot, name="take_snapshot"),
    path("vms/<uuid:pk>/snapshots/<slug:verb>", snapshots.end_preview, name="end_preview"),
    path("vms/<uuid:pk>/snapshots/<uuid:snapshot>/preview", snapshots.preview_snapshot, name="preview_snapshot"),
    path("vms/<uuid:pk>/snapshots/<uuid:snapshot>/clone", snapshots.clone_snapshot, name="clone_snapshot"),
    path("vms/<uuid:pk>/snapshots/<uuid:snapshot>/remove", snapshots.remove_snapshot, name="remove_snapshot"),
    path("vms/<uuid:pk>/disks", machinedisks.vm_disks, name="vm_disks"),
    path("vms/<uuid:pk>/disks/new", machinedisks.new_disk, name="new_vm_disk"),
    path("vms/<uuid:pk>/disks/attach", machinedisks.attach_disk, name="attach_vm_disk"),
    path("vms/<uuid:pk>/disks/<uuid:disk>/edit", machinedisks.edit_disk, name="edit_vm_disk"),
    path("vms/<uuid:pk>/disks/<uuid:disk>/detach", machinedisks.detach_disk, name="detach_vm_disk"),
    path("vms/<uuid:pk>/disks/<uuid:disk>/<slug:verb>", machinedisks.switch_disk, name="switch_vm_disk"),
    path("hosts/<uuid:pk>/adopt", adoption.adopt_all, name="adopt_all"),
    path("hosts/<uuid:pk>/adopt/<int:domain>", adoption.adopt_domain, name="adopt_domain"),
    path("vms/<uuid:pk>/definition/<slug:verb>", adoption.settle_definition, name="settle_definition"),
    path("vms/<uuid:pk>/console", consoles.vm_console, name="vm_console"),
    path("vms/<uuid:pk>/console/serial", consoles.vm_serial, name="vm_serial"),
    path("vms/<uuid:pk>/console/log", serials.serial_log, name="serial_log"),
    path("vms/<uuid:pk>/console/log/text", serials.serial_text, name="serial_text"),
    path("vms/<uuid:pk>/screenshot", viewing.vm_screenshot, name="vm_screenshot"),
    path("vms/<uuid:pk>/console/options", viewing.console_options, name="console_options"),
    path("vms/<uuid:pk>/console/viewer", viewing.vm_viewer, name="vm_viewer"),
    path("vms/<uuid:pk>/console/viewer/<str:protocol>", viewing.viewer_file, name="viewer_file"),
    path("vms/<uuid:pk>/console/ticket", consoles.console_ticket, name="console_ticket"),
    path("vms/<uuid:pk>/console/<str:console>/pass", consoles.give_pass, name="console_pass"),
    path("vms/<uuid:pk>/affinity", affinity.vm_affinity, name="vm_affinity"),
    path("vms/<uuid:pk>/affinity/edit", affinity.edit_affinity, {"kind": "vm"}, name="vm_affinity_edit"),
    path("vms/<uuid:pk>/affinity/mend", affinity.mend_affinity, name="vm_affinity_mend"),
    path("hosts/<uuid:pk>/affinity/edit", affinity.edit_affinity, {"kind": "host"}, name="host_affinity_edit"),
    path("vms/<uuid:pk>/guest", webadmin.vm_guest, name="vm_guest"),
    path("vms/<uuid:pk>/monitoring", webadmin.vm_monitoring, name="vm_monitoring"),
    path("vms/<uuid:pk>/clone", webadmin.clone_vm, name="clone_vm"),
    path("vms/<uuid:pk>/template", webadmin.make_template, name="make_template"),
    path("vms/<uuid:pk>/give-back", webadmin.give_back, name="give_back"),
    path("vms/<uuid:pk>/migrate", webadmin.migrate_vm, name="migrate_vm"),
    path("vms/<uuid:pk>/prepare", preparing.prepare_vm, name="prepare_vm"),
    path("vms/<uuid:pk>/prepare/<slug:verb>", preparing.prepare_step, name="prepare_step"),
    path("vms/<uuid:pk>/run-once", webadmin.run_vm_once, name="run_vm_once"),
    path("vms/<uuid:pk>/run-once/preview", webadmin.preview_run_once, name="preview_run_once"),
    path("vms/<uuid:pk>/actions/", webadmin.vm_actions, name="vm_actions"),
    path("vms/<uuid:pk>/actions/<slug:verb>", webadmin.vm_action, name="vm_action"),
]
