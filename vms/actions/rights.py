"""What somebody may do: asked by the doors, which grey out what the actions would refuse."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import Model, Q

from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import (
    VM,
    ActionGroup,
    Cluster,
    DataCenter,
    Hardware,
    InstanceType,
    Permission,
    Pool,
    Template,
    User,
)
from vms.models.users import OBJECTS, SYSTEM_WIDE

from . import edit, power, remove
from ._authorise import OF_PARTS as OF_PARTS
from ._authorise import authorise
from .pools import HOLDER

Rights = frozenset[ActionGroup]

EVERYTHING: Final[Rights] = frozenset(ActionGroup)
# What the verbs take on a virtual machine.
NEEDED: Final[dict[Verb, ActionGroup]] = {
    **power.GROUPS,
    Verb.MIGRATE: ActionGroup.MIGRATE_VM,
    Verb.EDIT: edit.GROUPS[VM],
    Verb.REMOVE: remove.GROUPS[VM],
}
# What making a kind of machine takes, and on which kind of row (None: on the system).
MAKING: Final[dict[type[Hardware], tuple[ActionGroup, Any]]] = {
    VM: (ActionGroup.CREATE_VM, Cluster),
    Pool: (ActionGroup.CREATE_VM_POOL, Cluster),
    Template: (ActionGroup.CREATE_TEMPLATE, DataCenter),
    InstanceType: (ActionGroup.CREATE_TEMPLATE, None),
}


# What does as well where an instance type is chosen.
MAKING_SIZED: Final = (ActionGroup.CREATE_VM, ActionGroup.CREATE_INSTANCE)


def may(user: User, action_group: ActionGroup, row: Model | None) -> bool:
    """Whether the action group is granted on the row, above it, or (None) on the system."""
    try:
        authorise(user, action_group, row)
    except Refusal:
        return False
    return True


def may_somewhere(user: User, kind: Any, *action_groups: ActionGroup) -> bool:
    """Whether one of the action groups is granted on any row of a kind (a model with `visible_to`)."""
    return bool(kind.objects.visible_to(user, *action_groups).exists())


def on(user: User, row: Any) -> Rights:
    """All that somebody may do with one row."""
    return on_each(user, [row])[row.pk]


def on_each(user: User, rows: Iterable[Any]) -> dict[UUID, Rights]:
    """All that somebody may do with each row of a list, from one query; rows come with their clusters."""
    places = {row.pk: _places(row) for row in rows}
    if not user.is_active or user.is_superuser:
        return dict.fromkeys(places, EVERYTHING if user.is_active else frozenset())
    held = _held(user, places.values())
    return {pk: frozenset(group for place, group in held if place is None or place in at) for pk, at in places.items()}


def on_object(user: User, row: Any) -> Rights:
    """All that somebody may do with an object, or (None) with the whole system."""
    if row is not None:
        return on(user, row)
    if not user.is_active or user.is_superuser:
        return EVERYTHING if user.is_active else frozenset()
    return frozenset(group for _place, group in _held(user, [frozenset()]))


def administers(user: User, row: Any) -> bool:
    """Whether somebody holds an administrative role on an object or above it, or (None) on the system."""
    if user.is_superuser:
        return True
    reached = Q(**SYSTEM_WIDE)
    for column, value in _places(row) if row is not None else ():
        reached |= Q(**{column: value})
    return Permission.objects.filter(reached, user=user, role__administrative=True).exists()


def require(action_group: ActionGroup, rights: Rights) -> None:
    """Refuse what is not among the rights, as the action would."""
    if action_group not in rights:
        raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", None, permit=action_group.value)


def taken_by(user: User, machines: Iterable[VM]) -> frozenset[UUID]:
    """Which of the machines somebody has taken from their pools, and so can give back."""
    pooled = [vm.pk for vm in machines if vm.pool_id]
    if not pooled:
        return frozenset()
    held = Permission.objects.filter(user=user, vm__in=pooled, role__name=HOLDER)
    return frozenset(held.values_list("vm", flat=True))


# An object that a role can be held on: column of `Permission`, id.
_Place = tuple[str, Any]


def _places(row: Any) -> frozenset[_Place]:
    """The row and what is above it, as `permitted` looks for them."""
    return frozenset((column, _value(row, path)) for path, column in row.HELD_ON.items())


def _value(row: Any, path: str) -> Any:
    *steps, last = path.split("__")
    for step in steps:
        row = getattr(row, step, None)
    return getattr(row, f"{last}_id", None) if last != "pk" else row.pk


def _held(user: User, places: Iterable[frozenset[_Place]]) -> list[tuple[_Place | None, ActionGroup]]:
    """The action groups that are granted on any of the places, each with the place; None is the whole system."""
    ids: dict[str, set[Any]] = {}
    for column, value in frozenset().union(*places):
        ids.setdefault(column, set()).add(value)
    reached = Q(**SYSTEM_WIDE)
    for column, values in ids.items():
        reached |= Q(**{f"{column}__in": values})
    granted = Permission.objects.filter(reached, user=user, role__permits__isnull=False)
    found = []
    for group, *objects in granted.values_list("role__permits__action_group", *OBJECTS).distinct():
        place = next(((column, value) for column, value in zip(OBJECTS, objects, strict=True) if value), None)
        found.append((place, ActionGroup(group)))
    return found
