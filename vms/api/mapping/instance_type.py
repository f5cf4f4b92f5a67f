"""Instance types: a size with a console, told like a template without a cluster."""

from typing import Final

from .fields import TEXT, Entity, Field, Link, nothing
from .hardware import HARDWARE, consoles_of, shape

FIELDS: Final = (*HARDWARE, Field("status", TEXT, lambda _it: "ok"))

ENTITY: Final = Entity(
    name="instance_type",
    collection="instancetypes",
    plural="instance_types",
    fields=FIELDS,
    subject=shape,
    links=(consoles_of("instance_type", "instancetypes"), Link("nics", "nics", "nic", nothing)),
)
