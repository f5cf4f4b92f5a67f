"""Roles that somebody has made up beside oVirt's; nobody puts more into one than they may do themselves."""

from collections.abc import Iterable
from typing import Any

from vms.domain.errors import Refusal
from vms.models import ActionGroup, Role, RolePermit

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._labels import storable
from ._plain import changed, removed
from .permissions import require_administrator, require_as_much

Groups = frozenset[ActionGroup]


@action
def create(name: str, groups: Iterable[ActionGroup], *, by: Actor, **columns: Any) -> Role:
    """A role that grants these action groups, and a log-in; `columns` are description and whether it administers."""
    authorise(by, ActionGroup.MANIPULATE_PERMISSIONS, None)
    role, wanted = storable(Role(name=name.strip(), **columns), "name"), frozenset(groups)
    require_as_much(wanted, role, None, by)
    role.save(force_insert=True)
    _grant(role, wanted)
    record(by, "USER_ADD_ROLE", role)
    return role


@action
def edit(role: Role, *, groups: Iterable[ActionGroup] | None = None, by: Actor, **columns: Any) -> Role:
    """Change name, description or what it grants; everybody who holds it may do so from then on. oVirt's own stay."""
    role = _changeable(role, by)
    if "name" in columns:
        storable(Role(pk=role.pk, name=columns["name"]), "name")
    before, after = changed(role, columns)
    held = role.grants
    wanted = held if groups is None else frozenset(groups) | {ActionGroup.LOGIN}
    if wanted != held:
        require_as_much(wanted, role, None, by)
        role.permits.all().delete()
        _grant(role, wanted)
        require_administrator()
        before["permits"], after["permits"] = sorted(held), sorted(wanted)
    if after:
        record(by, "USER_UPDATE_ROLE", role, before, after)
    return role


@action
def remove(role: Role, *, by: Actor) -> None:
    """Forget a role that nobody holds."""
    role = _changeable(role, by)
    record(by, "USER_REMOVE_ROLE", role)
    removed(role)


def _changeable(role: Role, by: Actor) -> Role:
    role = locked(role)
    authorise(by, ActionGroup.MANIPULATE_PERMISSIONS, None)
    if not role.mutable:
        raise Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", None, name=role.name)
    require_as_much(role.grants, role, None, by)
    return role


def _grant(role: Role, groups: Groups) -> None:
    granted = sorted(groups | {ActionGroup.LOGIN})
    RolePermit.objects.bulk_create([RolePermit(role=role, action_group=group) for group in granted])
