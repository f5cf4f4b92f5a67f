"""People, roles with what they permit, and permissions: who holds which role on what."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import QuerySet

from vms.api.document import Node
from vms.api.faults import invalid
from vms.models import Permission, Role, RolePermit, User
from vms.models.users import OBJECTS, SYSTEM_WIDE
from vms.search.visible import runs_everything

from .devices import empty
from .entity import Entity, Link, related
from .fields import BOOLEAN, TEXT, Field, Reference, Schema, Telling, Type, object_of

# oVirt's name for the people that it keeps itself; all of ours are.
AUTHZ: Final = "internal-authz"
DOMAIN_ID: Final = "696e7465726e616c2d617574687a"  # the name in hexadecimal, as in oVirt


def _people(user: User) -> QuerySet[User]:
    """People are the administrators' affair; everybody sees himself."""
    return User.objects.order_by("username") if runs_everything(user) else User.objects.filter(pk=user.pk)


def permissions_on(column: str) -> Link:
    """The roles that are held on one kind of object itself."""
    return Link(rel="permissions", entity=PERMISSION, items=related(_all_permissions, f"{column}_id"))


def _all_permissions(_user: User) -> QuerySet[Permission]:
    """Whoever sees an object sees who holds which role on it."""
    return Permission.objects.select_related("role", "user").order_by("role__name", "user__username", "pk")


def _on_the_system(user: User) -> QuerySet[Permission]:
    rows = _all_permissions(user).filter(**SYSTEM_WIDE)
    return rows if runs_everything(user) else rows.filter(user=user)


class _Domain(Type):
    """Where people come from; only from here."""

    def schema(self) -> Schema:
        return object_of(href=TEXT.schema(), id=TEXT.schema(), name={"type": "string", "enum": [AUTHZ]})

    def tell(self, value: str, telling: Telling) -> Node:
        return {"href": f"{telling.base}/domains/{DOMAIN_ID}", "id": DOMAIN_ID, "name": value}

    def read(self, node: Node, path: str) -> Any:
        name = node.get("name", AUTHZ) if isinstance(node, Mapping) else node
        if name not in {AUTHZ, "internal"}:
            raise invalid(path, str(name)[:40], [AUTHZ])
        return AUTHZ


PERMIT: Final = Entity(
    name="permit",
    collection="permits",
    plural="permits",
    own=(
        Field("name", TEXT, lambda it: it.action_group),
        Field("administrative", BOOLEAN, lambda _it: False),
        Field("role", Reference("roles"), lambda it: it.role_id),
    ),
)
ROLE: Final = Entity(
    name="role",
    collection="roles",
    plural="roles",
    own=(
        Field("name", TEXT, lambda it: it.name),
        Field("description", TEXT, lambda it: it.description),
        Field("administrative", BOOLEAN, lambda it: it.administrative),
        Field("mutable", BOOLEAN, lambda _it: False),
    ),
    rows=lambda _user: Role.objects.all(),
    links=(
        Link(
            rel="permits",
            entity=PERMIT,
            items=related(lambda _user: RolePermit.objects.order_by("action_group"), "role_id"),
        ),
    ),
)
_ON: Final = {
    "vm": "vms",
    "template": "templates",
    "pool": "vmpools",
    "instance_type": "instancetypes",
    "cluster": "clusters",
    "data_center": "datacenters",
}
PERMISSION: Final = Entity(
    name="permission",
    collection="permissions",
    plural="permissions",
    own=(
        Field("role", Reference("roles"), lambda it: it.role_id, "reference.role"),
        Field("user", Reference("users"), lambda it: it.user_id, "reference.user"),
        *(
            Field(
                {"pool": "vm_pool"}.get(name, name),
                Reference(_ON[name]),
                lambda it, name=name: getattr(it, f"{name}_id"),  # type: ignore[misc]
            )
            for name in OBJECTS
        ),
    ),
    rows=_on_the_system,
    not_offered=("group",),
)
USER: Final = Entity(
    name="user",
    collection="users",
    plural="users",
    own=(
        Field("name", TEXT, lambda it: it.first_name, "attribute.first_name"),
        Field("last_name", TEXT, lambda it: it.last_name, "attribute.last_name"),
        Field("email", TEXT, lambda it: it.email, "attribute.email"),
        Field("user_name", TEXT, lambda it: f"{it.username}@{AUTHZ}", "attribute.username"),
        Field("principal", TEXT, lambda it: it.username, "attribute.principal"),
        Field("password", TEXT, to="attribute.password"),
        Field("namespace", TEXT, lambda _it: "*"),
        Field("department", TEXT, lambda _it: ""),
        Field("domain_entry_id", TEXT, lambda it: str(it.pk)),
        Field("domain", _Domain(), lambda _it: AUTHZ, "attribute.domain"),
    ),
    rows=_people,
    called=lambda rows, name: rows.filter(username=plain_name(name)),
    links=(
        Link(rel="permissions", entity=PERMISSION, items=related(_all_permissions, "user_id")),
        empty("role", "roles"),
        empty("group", "groups"),
        empty("tag", "tags"),
        empty("ssh_public_key", "sshpublickeys", "ssh_public_keys"),
        empty("user_option", "options", "options"),
    ),
)


def plain_name(text: str) -> str:
    """A user's name without oVirt's profile after it."""
    return text.removesuffix(f"@{AUTHZ}").removesuffix("@internal")
