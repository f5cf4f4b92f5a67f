"""Instance types: a size with a console, told like a template without a cluster."""

from typing import Final

from vms.models import InstanceType

from . import consoles, devices
from .entity import Entity
from .fields import TEXT, Field
from .hardware import NOT_OFFERED, OWN, PARTS, PROTECTED, light, shown

ENTITY: Final = Entity(
    name="instance_type",
    collection="instancetypes",
    plural="instance_types",
    own=(*OWN, PROTECTED, Field("status", TEXT, lambda _it: "ok")),
    parts=PARTS,
    # Sizes belong to nobody: whoever may make a machine may choose any.
    rows=lambda _user: InstanceType.objects.all(),
    subject=shown,
    not_offered=NOT_OFFERED,
    light=light(InstanceType, "delete_protected"),
    links=(
        consoles.of("instance_type", "instancetypes"),
        devices.empty("nic", "nics"),
        devices.watchdogs("instance_type", "instancetypes"),
    ),
)
FIELDS: Final = ENTITY.fields
