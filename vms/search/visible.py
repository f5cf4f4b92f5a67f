"""Who sees which rows: what a list, a search and a cross-reference of a search may tell somebody of."""

from collections.abc import Callable
from typing import Any, Final

from django.db.models import Q, QuerySet

from vms.models import (
    VM,
    AuditEvent,
    Cluster,
    Host,
    InstanceType,
    Job,
    Permission,
    Pool,
    Snapshot,
    SnapshotKind,
    Template,
    User,
    VmNic,
)
from vms.models.machines import BLANK
from vms.models.users import SYSTEM_WIDE


def visible(model: type[Any], user: User) -> QuerySet[Any]:
    """The rows of a model that somebody may see: by the roles held on or above them, where no other rule is named."""
    if found := _RULES.get(model):
        return found(user)
    rows: QuerySet[Any] = model.objects.visible_to(user)
    return rows


def is_administrator(user: Any) -> bool:
    """Whether somebody holds an administrative role anywhere, and so may use WebAdmin."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.is_superuser or Permission.objects.filter(user=user, role__administrative=True).exists()


def runs_everything(user: Any) -> bool:
    """Whether somebody holds an administrative role on the whole system."""
    if not user.is_authenticated or not user.is_active:
        return False
    held = Permission.objects.filter(user=user, role__administrative=True, **SYSTEM_WIDE)
    return user.is_superuser or held.exists()


def _templates(user: User) -> QuerySet[Template]:
    """Blank is everybody's."""
    return Template.objects.visible_to(user) | Template.objects.filter(pk=BLANK)


def _instance_types(user: User) -> QuerySet[InstanceType]:
    """Sizes belong to nobody: whoever may make a machine may choose any."""
    return InstanceType.objects.all()


def _hosts(user: User) -> QuerySet[Host]:
    """Hosts are the administrators' affair."""
    rows = Host.objects.filter(cluster__in=Cluster.objects.visible_to(user).values("pk"))
    return rows if is_administrator(user) else rows.none()


def _jobs(user: User) -> QuerySet[Job]:
    """Somebody's own, and those of machines that he sees."""
    rows = Job.objects.all()
    if runs_everything(user):
        return rows
    return rows.filter(Q(created_by=user) | Q(machine__in=VM.objects.visible_to(user).values("pk")))


def _events(user: User) -> QuerySet[AuditEvent]:
    """What somebody did himself, and what happened to what he sees."""
    rows = AuditEvent.objects.all()
    if runs_everything(user):
        return rows
    seen = Q(actor=user)
    for model in (VM, Template, Pool):
        seen |= Q(entity_id__in=model.objects.visible_to(user).values("pk"))
    return rows.filter(seen)


_RULES: Final[dict[type[Any], Callable[[User], QuerySet[Any]]]] = {
    Template: _templates,
    InstanceType: _instance_types,
    Host: _hosts,
    Job: _jobs,
    AuditEvent: _events,
    # Of machines alone that are asked about and seen.
    VmNic: lambda _user: VmNic.objects.all(),
    Snapshot: lambda _user: Snapshot.objects.filter(kind=SnapshotKind.REGULAR),
}
