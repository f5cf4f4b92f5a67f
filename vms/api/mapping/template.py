"""Templates and their versions."""

from typing import Any, Final

from vms.models import Template
from vms.search.visible import visible

from . import consoles, devices, labels, networks, storage
from .entity import Entity
from .fields import NUMBER, TEXT, Field, Reference
from .fixed import ICONS_OF
from .hardware import NOT_OFFERED, OWN, PARTS, PASSWORD, PROTECTED, light, shown
from .people import permissions_on

# What a disk that is not whole makes of the template (oVirt: VmTemplateStatus).
_STATUS: Final = {"locked": "locked", "illegal": "illegal"}


def _rows(user: Any) -> Any:
    return visible(Template, user).select_related("cluster")


ENTITY: Final = Entity(
    name="template",
    collection="templates",
    plural="templates",
    own=(
        *OWN,
        PROTECTED,
        PASSWORD,
        Field("status", TEXT, lambda it: _STATUS.get(it.disk_state, "ok")),
        *ICONS_OF,
        Field("version/version_number", NUMBER, lambda it: it.version_number),
        Field("version/version_name", TEXT, lambda it: it.version_name or None, "attribute.version_name"),
        Field("version/base_template", Reference("templates"), lambda it: it.base_id or it.id, "reference.base"),
        Field("cluster", Reference("clusters"), lambda it: it.cluster_id, "reference.cluster"),
        Field("vm", Reference("vms"), to="reference.vm"),
    ),
    parts=PARTS,
    rows=_rows,
    subject=shown,
    not_offered=NOT_OFFERED,
    light=light(Template, "disk_state", "delete_protected", "cluster_id", "base_id", "version_number", "version_name"),
    links=(
        consoles.of("template", "templates"),
        devices.cdroms("template", "templates"),
        storage.attachments("template", "templates"),
        networks.TEMPLATE_NICS,
        labels.tags_of(Template),
        permissions_on("template"),
        devices.watchdogs("template", "templates"),
    ),
)
FIELDS: Final = ENTITY.fields
