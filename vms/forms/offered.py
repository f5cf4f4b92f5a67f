"""What can be chosen of what hosts and the boot library have."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext_lazy as _

from vms.domain.machine import HOST_PASSTHROUGH
from vms.models import Disk, Host

_AS_HOST: Final = _("As the host has it")


def choices(form: Any) -> None:
    """Fill the choices of a form about a machine; what is stored stays choosable where it is not offered any more."""
    spec, fields = form.source, form.fields
    hosts = _hosts(form.row)
    told = [host.capabilities for host in hosts if host.capabilities]
    models = frozenset().union(*(capabilities.cpu_models for capabilities in told))
    machines = frozenset().union(*(capabilities.machines for capabilities in told))
    passthrough = (HOST_PASSTHROUGH, _("Pass-Through Host CPU"))
    _offer(fields, "cpu_model", sorted(models), spec.cpu_model, ("", _("Cluster default")), passthrough)
    _offer(fields, "emulated_machine", sorted(machines), spec.emulated_machine, ("", _AS_HOST))
    files = boot_files()
    for name in ("kernel", "initrd"):
        _offer(fields, name, files, getattr(spec.boot, name), ("", _("None")))
    _offer(fields, "cd", files, spec.boot.cd, ("", _("None")), *_isos(form.row))
    if "hosts" in fields:
        gone = set(spec.hosts) - {host.pk for host in hosts}
        known = [(str(host.pk), host.name) for host in hosts]
        fields["hosts"].choices = [*known, *((str(pk), _("a host that is not there any more")) for pk in sorted(gone))]
    if "priority" in fields:
        _keep(fields["priority"], spec.priority)


def boot_files() -> list[str]:
    """The names of the files in the boot library."""
    if not settings.BOOT_DIR.is_dir():
        return []
    files = (path for path in settings.BOOT_DIR.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path.name for path in files)


def _isos(row: Any) -> list[tuple[str, str]]:
    """The CDs that lie on storage, by the id that machines know them by."""
    rows, cluster = Disk.objects.isos().order_by("name"), getattr(row, "cluster", None)
    if cluster:
        rows = rows.filter(domain__data_center=cluster.data_center_id)
    return [(str(key), name) for key, name in rows.values_list("pk", "name")]


def _hosts(row: Any) -> list[Host]:
    cluster = getattr(row, "cluster", None)
    if not cluster:
        return []
    prefetch_related_objects([cluster], "hosts")  # what the cluster offers asks for them again
    return list(cluster.hosts.all())


def _offer(fields: dict[str, forms.Field], name: str, known: list[str], stored: str, *first: tuple[str, Any]) -> None:
    if name not in fields:
        return
    names = [*known, *([stored] if stored and stored not in (*known, *dict(first)) else [])]
    field: Any = fields[name]
    field.choices = [*first, *((each, each) for each in names)]


def _keep(field: Any, value: int) -> None:
    if value not in dict(field.choices):
        field.choices = [*field.choices, (value, str(value))]
