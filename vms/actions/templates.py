"""The versions of a template, and the machines that go over to the newest one."""

from django.db.models import Max

from vms.domain.errors import Refusal
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE, MachineSpec
from vms.models import VM, Pool, Template

from ._action import all_locked
from ._audit import record
from ._authorise import ENGINE, Actor
from ._copies import refit
from ._shape import displayable, reshape


def newest(template: Template) -> Template:
    """The newest version of the template, whichever of its versions is named."""
    return Template.objects.family(template).reverse()[0]


def next_number(base: Template) -> int:
    """The number of the version to be made of a locked template."""
    highest: int = Template.objects.family(base).aggregate(highest=Max("version_number"))["highest"]
    return highest + 1


def brought(row: VM | Pool, version: Template) -> MachineSpec:
    """The machine as a version of its template makes it: all of it, the display together with its devices.

    What it has from an instance type stays with it: its size and its console.
    """
    fields = [name for name in FROM_TEMPLATE if not row.instance_type_id or name not in FROM_INSTANCE_TYPE]
    spec = row.spec.inherit(version.spec, fields)
    return displayable(spec, row.offer(spec))


def spread(version: Template, *, by: Actor) -> None:
    """Bring a new version to all that follow the latest one; what runs has it with its next start."""
    family = Template.objects.family(version).order_by().values("pk")
    pools = Pool.objects.filter(use_latest_version=True, template__in=family)
    machines = VM.objects.following_latest().filter(template__in=family)
    for pool in all_locked(pools):
        _bring(pool, version, by=by)
    for machine in all_locked(machines):
        _bring(machine, version, by=by)


def disks_are_there(version: Template) -> None:
    """Bring machines that are off, and keep nothing of their runs, to the disks of a version that has just got them."""
    for machine in all_locked(VM.objects.following_latest().filter(template=version, stateless=True)):
        refit(machine, by=ENGINE)


def _bring(row: VM | Pool, version: Template, *, by: Actor) -> None:
    """One whose cluster cannot show the version stays as it is, and the audit trail tells why."""
    try:
        reshape(row, brought(row, version), {"template": version}, by=by)
        if isinstance(row, VM):
            refit(row, by=by)
    except Refusal as no:
        told = {"reason": no.code, "params": no.as_document()["params"], "version": str(version)}
        record(ENGINE, "VM_STAYS_WITH_TEMPLATE_VERSION", row, severity="warning", **told)
