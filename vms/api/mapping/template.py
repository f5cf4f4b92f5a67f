"""Templates and their versions."""

from typing import Any, Final

from .fields import NUMBER, TEXT, Entity, Field, Link, Reference, nothing
from .hardware import HARDWARE, Shape, consoles_of, shape


def _base(it: Shape) -> Any:
    return it.row.base_id or it.row.pk


FIELDS: Final = (
    *HARDWARE,
    Field("status", TEXT, lambda _it: "ok"),
    Field("version/version_number", NUMBER, lambda it: it.row.version_number),
    Field("version/version_name", TEXT, lambda it: it.row.version_name or None, "attribute.version_name"),
    Field("version/base_template", Reference("templates"), _base, "reference.base"),
    Field("cluster", Reference("clusters"), lambda it: it.row.cluster_id, "reference.cluster"),
    Field("vm", Reference("vms"), to="reference.vm"),
)

ENTITY: Final = Entity(
    name="template",
    collection="templates",
    plural="templates",
    fields=FIELDS,
    subject=shape,
    links=(
        consoles_of("template", "templates"),
        Link("diskattachments", "disk_attachments", "disk_attachment", nothing),
        Link("nics", "nics", "nic", nothing),
    ),
)
