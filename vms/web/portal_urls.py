"""The addresses of UserPortal; pages that WebAdmin has too bear the same names there."""

from typing import Final

from django.urls import URLPattern, path

from . import userportal
from .pages import PORTAL

app_name = PORTAL

_OF_VMS: Final = {"kind": userportal.MINE}

urlpatterns: Final[list[URLPattern]] = [
    path("", userportal.vm_list, name="vm_list"),
    path("vms/new", userportal.new_vm, _OF_VMS, name="new_vm"),
    path("vms/new/preview", userportal.preview_vm, _OF_VMS, name="preview_new_vm"),
    path("vms/<uuid:pk>/", userportal.vm_detail, name="vm_detail"),
    path("vms/<uuid:pk>/devices", userportal.vm_devices, _OF_VMS, name="vm_devices"),
    path("vms/<uuid:pk>/nics", userportal.vm_nics, _OF_VMS, name="vm_nics"),
    path("vms/<uuid:pk>/nics/new", userportal.nic_form, _OF_VMS, name="new_vm_nic"),
    path("vms/<uuid:pk>/nics/<uuid:card>/edit", userportal.nic_form, _OF_VMS, name="edit_vm_nic"),
    path("vms/<uuid:pk>/nics/<uuid:card>/remove", userportal.remove_nic, _OF_VMS, name="remove_vm_nic"),
    path("vms/<uuid:pk>/nics/<uuid:card>/<slug:verb>", userportal.plug_nic, _OF_VMS, name="plug_vm_nic"),
    path("vms/<uuid:pk>/disks", userportal.vm_disks, _OF_VMS, name="vm_disks"),
    path("vms/<uuid:pk>/disks/new", userportal.new_disk, _OF_VMS, name="new_vm_disk"),
    path("vms/<uuid:pk>/disks/attach", userportal.attach_disk, _OF_VMS, name="attach_vm_disk"),
    path("vms/<uuid:pk>/disks/<uuid:disk>/edit", userportal.edit_disk, _OF_VMS, name="edit_vm_disk"),
    path("vms/<uuid:pk>/disks/<uuid:disk>/detach", userportal.detach_disk, _OF_VMS, name="detach_vm_disk"),
    path("vms/<uuid:pk>/disks/<uuid:disk>/<slug:verb>", userportal.switch_disk, _OF_VMS, name="switch_vm_disk"),
    path("disks/<uuid:pk>/download", userportal.download_disk, name="disk_download"),
    path("disks/<uuid:pk>/download/<uuid:transfer>/", userportal.download, name="download"),
    path("disks/<uuid:pk>/download/<uuid:transfer>/<slug:verb>", userportal.end_download, name="end_download"),
    path("vms/<uuid:pk>/snapshots", userportal.vm_snapshots, _OF_VMS, name="vm_snapshots"),
    path("vms/<uuid:pk>/snapshots/new", userportal.take_snapshot, _OF_VMS, name="take_snapshot"),
    path("vms/<uuid:pk>/snapshots/<slug:verb>", userportal.end_preview, _OF_VMS, name="end_preview"),
    *(
        path(f"vms/<uuid:pk>/snapshots/<uuid:snapshot>/{verb}", view, _OF_VMS, name=f"{verb}_snapshot")
        for verb, view in (
            ("preview", userportal.preview_snapshot),
            ("clone", userportal.clone_snapshot),
            ("remove", userportal.remove_snapshot),
        )
    ),
    path("vms/<uuid:pk>/console", userportal.vm_console, _OF_VMS, name="vm_console"),
    path("vms/<uuid:pk>/console/serial", userportal.vm_serial, _OF_VMS, name="vm_serial"),
    path("vms/<uuid:pk>/console/log", userportal.serial_log, _OF_VMS, name="serial_log"),
    path("vms/<uuid:pk>/console/log/text", userportal.serial_text, name="serial_text"),
    path("vms/<uuid:pk>/screenshot", userportal.vm_screenshot, name="vm_screenshot"),
    path("vms/<uuid:pk>/console/options", userportal.console_options, name="console_options"),
    path("vms/<uuid:pk>/console/viewer", userportal.vm_viewer, _OF_VMS, name="vm_viewer"),
    path("vms/<uuid:pk>/console/viewer/<str:protocol>", userportal.viewer_file, name="viewer_file"),
    path("vms/<uuid:pk>/console/ticket", userportal.console_ticket, name="console_ticket"),
    path("vms/<uuid:pk>/console/<str:console>/pass", userportal.give_pass, name="console_pass"),
    path("vms/<uuid:pk>/guest", userportal.vm_guest, _OF_VMS, name="vm_guest"),
    path("vms/<uuid:pk>/monitoring", userportal.vm_monitoring, _OF_VMS, name="vm_monitoring"),
    path("vms/<uuid:pk>/edit", userportal.edit_vm, _OF_VMS, name="edit_vm"),
    path("vms/<uuid:pk>/edit/preview", userportal.preview_vm, _OF_VMS, name="preview_vm"),
    path("vms/<uuid:pk>/prepare", userportal.prepare_vm, _OF_VMS, name="prepare_vm"),
    path("vms/<uuid:pk>/prepare/<slug:verb>", userportal.prepare_step, name="prepare_step"),
    path("vms/<uuid:pk>/run-once", userportal.run_vm_once, name="run_vm_once"),
    path("vms/<uuid:pk>/run-once/preview", userportal.preview_run_once, name="preview_run_once"),
    path("vms/<uuid:pk>/actions/<slug:verb>", userportal.vm_action, name="vm_action"),
    path("vms/<uuid:pk>/clone", userportal.clone_vm, name="clone_vm"),
    path("vms/<uuid:pk>/template", userportal.make_template, name="make_template"),
    path("vms/<uuid:pk>/remove", userportal.remove_vm, _OF_VMS, name="remove_vm"),
    path("vms/<uuid:pk>/give-back", userportal.give_back, name="give_back"),
    path("pools/<uuid:pk>/take", userportal.take_from_pool, name="take_from_pool"),
]
