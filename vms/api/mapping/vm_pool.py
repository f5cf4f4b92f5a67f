"""Pools; the machine that their VMs are made as is told, and may be said, inside `vm`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from vms.models import Pool, PoolType

from . import kept, machine
from .entity import Entity
from .fields import BOOLEAN, NUMBER, Field, Reference, Words
from .hardware import IDENTITY
from .people import permissions_on
from .screen import CONSOLE, DISPLAY, SOUND, screen

_TYPE: Final = Words({kind.value: kind.value for kind in PoolType})


def _size(it: Any) -> int:
    """How many VMs it has; a collection has counted them all with one query."""
    counted: int | None = getattr(it, "member_count", None)
    return it.size if counted is None else counted


def _of_screen(field: Field, path: str = "") -> Field:
    """A field of a console, told of a whole row."""
    told: Callable[[Any], Any] = field.told
    return replace(field, path=f"{path}{field.path}", told=lambda it: told(screen(it)))


ENTITY: Final = Entity(
    name="vm_pool",
    collection="vmpools",
    plural="vm_pools",
    own=(
        *IDENTITY,
        Field("size", NUMBER, _size, "attribute.size"),
        Field("type", _TYPE, lambda it: it.pool_type, "attribute.pool_type"),
        Field("stateful", BOOLEAN, lambda it: it.stateful, "attribute.stateful"),
        Field("prestarted_vms", NUMBER, lambda it: it.prestarted_vms, "attribute.prestarted_vms"),
        Field("max_user_vms", NUMBER, lambda it: it.max_user_vms, "attribute.max_user_vms"),
        Field(
            *("use_latest_template_version", BOOLEAN),
            *(lambda it: it.use_latest_version, "attribute.use_latest_version"),
        ),
        Field("cluster", Reference("clusters"), lambda it: it.cluster_id, "reference.cluster"),
        Field("template", Reference("templates"), lambda it: it.template_id, "reference.template"),
        Field("instance_type", Reference("instancetypes"), lambda it: it.instance_type_id, "reference.instance_type"),
        *(replace(field, path=f"vm/{field.path}") for field in (*machine.FIELDS, *machine.OWN, *kept.FIELDS)),
        *(_of_screen(field, "vm/") for field in CONSOLE),
        *(_of_screen(field) for field in (SOUND, *DISPLAY)),
    ),
    rows=lambda user: Pool.objects.visible_to(user).select_related("cluster").counted(),
    actions=("allocatevm",),
    links=(permissions_on("pool"),),
)
FIELDS: Final = ENTITY.fields
