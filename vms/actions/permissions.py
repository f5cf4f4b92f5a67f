"""Who is given which role on what; nobody gives or takes more than they have."""

from typing import Any, Final

from django.db.models import Model, Q

from vms.domain.errors import Refusal
from vms.models import (
    VM,
    ActionGroup,
    Cluster,
    DataCenter,
    Disk,
    InstanceType,
    Network,
    Permission,
    Pool,
    Role,
    StorageDomain,
    Template,
    User,
    VnicProfile,
)
from vms.models.users import OBJECTS, SYSTEM_WIDE

from . import rights
from ._action import action
from ._audit import record
from ._authorise import Actor, Engine, authorise

# The kinds of object that a role is held on, by the column of `Permission`.
COLUMNS: Final[dict[type[Model], str]] = {
    VM: "vm",
    Template: "template",
    Pool: "pool",
    InstanceType: "instance_type",
    Cluster: "cluster",
    DataCenter: "data_center",
    StorageDomain: "storage_domain",
    Disk: "disk",
    Network: "network",
    VnicProfile: "vnic_profile",
}


@action
def grant(user: User, role: Role, on: Any = None, *, by: Actor) -> Permission:
    """Give somebody a role on an object, or (None) on the system; one that is held already stays the same.

    Whoever gives a role has all that it allows there, and an administrative one where it is administrative.
    """
    authorise(by, ActionGroup.MANIPULATE_PERMISSIONS, on)
    require_as_much(role.grants, role, on, by)
    column = {} if on is None else {COLUMNS[type(on)]: on}
    there = Permission.objects.filter(user=user, role=role, **(column or SYSTEM_WIDE)).first()
    if there is not None:
        return there
    permission = Permission.objects.create(user=user, role=role, **column)
    code = "USER_ADD_SYSTEM_PERMISSION" if on is None else "USER_ADD_PERMISSION"
    record(by, code, on or user, user=user.get_username(), role=role.name)
    return permission


@action
def revoke(permission: Permission, *, by: Actor) -> None:
    """Take a role away; somebody who administers the system stays."""
    on, user, role = held_on(permission), permission.user, permission.role
    authorise(by, ActionGroup.MANIPULATE_PERMISSIONS, on)
    require_as_much(role.grants, role, on, by)
    permission.delete()
    require_administrator()
    code = "USER_REMOVE_SYSTEM_PERMISSION" if on is None else "USER_REMOVE_PERMISSION"
    record(by, code, on or user, user=user.get_username(), role=role.name)


def held_on(permission: Permission) -> Any:
    """The object that the role is held on; None for the system."""
    return next((value for name in OBJECTS if (value := getattr(permission, name)) is not None), None)


def require_administrator() -> None:
    """Refuse what would leave nobody who can give rights on the system."""
    group = ActionGroup.MANIPULATE_PERMISSIONS
    held = Q(permissions__role__permits__action_group=group, **{f"permissions__{key}": True for key in SYSTEM_WIDE})
    if not User.objects.filter(held | Q(is_superuser=True), is_active=True).exists():
        raise Refusal("SYSTEM_NEEDS_AN_ADMINISTRATOR", None)


def require_as_much(allows: frozenset[ActionGroup], role: Role, on: Any, by: Actor) -> None:
    """Refuse somebody who cannot do themselves, on an object or (None) the system, what a role is to allow."""
    if isinstance(by, Engine):
        return
    lacking = sorted(allows - rights.on_object(by, on) - {ActionGroup.LOGIN})
    if lacking:
        raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", "role", permit=lacking[0].value)
    if role.administrative and not rights.administers(by, on):
        raise Refusal("PERMISSION_ADD_FAILED_ONLY_SYSTEM_SUPER_USER_CAN_GIVE_ADMIN_ROLES", "role", role=role.name)
