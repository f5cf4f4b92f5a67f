"""Pools; the machine that their VMs are made as is told, and may be said, inside `vm`."""

from dataclasses import replace
from typing import Final

from vms.models import PoolType

from .fields import BOOLEAN, NUMBER, Entity, Field, Reference, Words
from .hardware import DISPLAY, IDENTITY, MACHINE, Shape, shape

_TYPE: Final = Words({kind.value: kind.value for kind in PoolType})


def _size(it: Shape) -> int:
    """How many VMs it has; a collection has counted them all with one query."""
    counted: int | None = getattr(it.row, "member_count", None)
    return it.row.size if counted is None else counted


FIELDS: Final = (
    *IDENTITY,
    Field("size", NUMBER, _size, "attribute.size"),
    Field("type", _TYPE, lambda it: it.row.pool_type, "attribute.pool_type"),
    Field("stateful", BOOLEAN, lambda it: it.row.stateful, "attribute.stateful"),
    Field("max_user_vms", NUMBER, lambda it: it.row.max_user_vms, "attribute.max_user_vms"),
    Field(
        *("use_latest_template_version", BOOLEAN),
        *(lambda it: it.row.use_latest_version, "attribute.use_latest_version"),
    ),
    Field("cluster", Reference("clusters"), lambda it: it.row.cluster_id, "reference.cluster"),
    Field("template", Reference("templates"), lambda it: it.row.template_id, "reference.template"),
    Field("instance_type", Reference("instancetypes"), lambda it: it.row.instance_type_id, "reference.instance_type"),
    *(replace(field, path=f"vm/{field.path}") for field in MACHINE),
    *DISPLAY,
    *(field for field in MACHINE if field.path == "soundcard_enabled"),
)

ENTITY: Final = Entity(
    name="vm_pool",
    collection="vmpools",
    plural="vm_pools",
    fields=FIELDS,
    subject=shape,
    actions=("allocatevm",),
)
