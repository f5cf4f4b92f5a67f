"""The addresses of WebAdmin."""

from typing import Final

from django.urls import URLPattern, path

from . import accounts, webadmin

urlpatterns: Final[list[URLPattern]] = [
    path("", accounts.home, name="home"),
    path("healthz", accounts.healthz, name="healthz"),
    path("vms/", webadmin.vm_list, name="vm_list"),
    path("vms/rows", webadmin.vm_rows, name="vm_rows"),
    path("vms/new", webadmin.new_vm, name="new_vm"),
    path("vms/new/preview", webadmin.preview_vm, name="preview_new_vm"),
    path("vms/<uuid:pk>/", webadmin.vm_detail, name="vm_detail"),
    path("vms/<uuid:pk>/devices", webadmin.vm_devices, name="vm_devices"),
    path("vms/<uuid:pk>/console", webadmin.vm_console, name="vm_console"),
    path("vms/<uuid:pk>/events", webadmin.vm_events, name="vm_events"),
    path("vms/<uuid:pk>/edit", webadmin.edit_vm, name="edit_vm"),
    path("vms/<uuid:pk>/edit/preview", webadmin.preview_vm, name="preview_vm"),
    path("vms/<uuid:pk>/run-once", webadmin.run_vm_once, name="run_vm_once"),
    path("vms/<uuid:pk>/actions/<slug:verb>", webadmin.vm_action, name="vm_action"),
    path("vms/<uuid:pk>/remove", webadmin.remove_vm, name="remove_vm"),
]
