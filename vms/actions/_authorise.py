"""Who may: the one question that every action asks before it does anything."""

from typing import Final

from django.db import models

from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec
from vms.models import ActionGroup, Hardware, Permission, User
from vms.models.machines import BLANK
from vms.models.users import SYSTEM_WIDE, permitted


class Engine:
    """The engine acting by itself: a guest rebooted, a run has ended."""

    def __str__(self) -> str:
        return "engine"


ENGINE: Final = Engine()
Actor = User | Engine


def authorise(by: Actor, action_group: ActionGroup, on: models.Model | None, *others: ActionGroup) -> None:
    """Refuse somebody who holds no role with the action group, or one of the others that do as well, on the object,
    above it, or (None) on the system."""
    if isinstance(by, Engine) or _holds(by, (action_group, *others), on):
        return
    raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", None, permit=action_group.value)


# What takes a right of its own beside that to edit or run (oVirt: UpdateVmCommand, RunVmOnceCommand).
OF_PARTS: Final = {
    "hosts": ActionGroup.EDIT_ADMIN_VM_PROPERTIES,
    "custom_properties": ActionGroup.CHANGE_VM_CUSTOM_PROPERTIES,
}


def authorise_fields(by: Actor, before: MachineSpec, after: MachineSpec, on: models.Model) -> None:
    """Refuse a change of what somebody may not choose, though the rest of a machine is his to change."""
    for name, group in OF_PARTS.items():
        if getattr(before, name) == getattr(after, name) or isinstance(by, Engine):
            continue
        if not _holds(by, (group,), on):
            raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", name, permit=group.value)


def require_visible(by: Actor, action_group: ActionGroup, source: Hardware) -> None:
    """Refuse somebody who would copy a machine or template that does not exist for him; Blank is everybody's."""
    if isinstance(by, Engine) or source.pk == BLANK:
        return
    if not permitted(type(source)._default_manager.filter(pk=source.pk), by).exists():
        raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", None, permit=action_group.value)


def _holds(user: User, action_groups: tuple[ActionGroup, ...], on: models.Model | None) -> bool:
    if on is not None:
        return permitted(type(on)._default_manager.filter(pk=on.pk), user, *action_groups).exists()
    if not user.is_active:
        return False
    held = Permission.objects.filter(user=user, role__permits__action_group__in=action_groups, **SYSTEM_WIDE)
    return user.is_superuser or held.exists()
