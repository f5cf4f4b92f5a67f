"""The root of the API: what this is, where everything begins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vms.api.document import Tree
from vms.models import User
from vms.models.machines import BLANK

from . import registry
from .fields import NUMBER, TEXT, TIME, Field, Telling, tell
from .fixed import FIXED, NONE_YET

# The version of oVirt's API that clients find here; the portal wants 4.4 at least, and no zero.
VERSION: Final = (4, 5, 6)

_EMPTY: Final = tuple(entity.collection for entity in NONE_YET)
_ALWAYS: Final = tuple(entity.collection for entity, _items in FIXED)
COLLECTIONS: Final = tuple(sorted((*registry.COLLECTIONS, *_EMPTY, *_ALWAYS)))
SEARCHABLE: Final = frozenset(
    {
        *("clusters", "datacenters", "disks", "events", "groups", "hosts", "networks", "storagedomains", "templates"),
        *("users", "vmpools", "vms"),
    }
)


@dataclass(frozen=True, slots=True)
class Root:
    """What the root tells of this installation; `summary` counts for administrators, kind → (total, active)."""

    instance: str
    now: datetime
    user: User
    summary: dict[str, tuple[int, int]]


FIELDS: Final = (
    Field("product_info/name", TEXT, lambda _it: "Headless WebAdmin"),
    Field("product_info/vendor", TEXT, lambda _it: "Headless WebAdmin"),
    Field("product_info/instance_id", TEXT, lambda it: it.instance),
    Field("product_info/version/major", NUMBER, lambda _it: VERSION[0]),
    Field("product_info/version/minor", NUMBER, lambda _it: VERSION[1]),
    Field("product_info/version/build", NUMBER, lambda _it: VERSION[2]),
    Field("product_info/version/revision", NUMBER, lambda _it: 0),
    Field("product_info/version/full_version", TEXT, lambda _it: ".".join(map(str, VERSION))),
    Field("time", TIME, lambda it: it.now),
)


def tell_root(root: Root, telling: Telling) -> Tree:
    """The root as a tree."""
    tree: dict[str, Any] = tell(FIELDS, root, telling)
    blank = {"href": f"{telling.base}/templates/{BLANK}", "id": str(BLANK)}
    tag = {"href": f"{telling.base}/tags/{BLANK}", "id": str(BLANK)}
    tree["special_objects"] = {"blank_template": blank, "root_tag": tag}
    user = {"href": f"{telling.base}/users/{root.user.pk}", "id": str(root.user.pk)}
    tree |= {"authenticated_user": user, "effective_user": user}
    if root.summary:
        tree["summary"] = {kind: {"active": active, "total": total} for kind, (total, active) in root.summary.items()}
    tree["link"] = list(_links(telling.base))
    return tree


def _links(base: str) -> Any:
    for rel in COLLECTIONS:
        yield {"href": f"{base}/{rel}", "rel": rel}
        if rel in SEARCHABLE:
            yield {"href": f"{base}/{rel}?search={{query}}", "rel": f"{rel}/search"}
