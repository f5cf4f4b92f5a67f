"""People, roles with what they permit, and permissions: who holds which role on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from vms.api.document import Node
from vms.api.faults import invalid
from vms.models import ActionGroup, Permission, PublicKey, Role, RolePermit, User
from vms.models.users import OBJECTS, SYSTEM_WIDE
from vms.search.visible import runs_everything

from .devices import empty
from .entity import MOST_IDS, Entity, Link, related
from .fields import ABSENT, BOOLEAN, TEXT, Field, Reference, Schema, Telling, Type, Words, list_of, listed, object_of

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


@dataclass(frozen=True, slots=True)
class Permit:
    """One action group that a role grants; its name is its id."""

    role: UUID
    group: str

    @property
    def pk(self) -> str:
        return self.group


def _permits(owners: Sequence[Any], _telling: Telling) -> Mapping[Any, Sequence[Permit]]:
    by_role: dict[Any, list[Permit]] = {}
    ids = [role.pk for role in owners]
    for start in range(0, len(ids), MOST_IDS):
        granted = RolePermit.objects.filter(role__in=ids[start : start + MOST_IDS]).order_by("action_group")
        for role, group in granted.values_list("role_id", "action_group"):
            by_role.setdefault(role, []).append(Permit(role, group))
    return by_role


_GROUP: Final = Words({group.value: group for group in ActionGroup})


class _Groups(Type):
    """The permits of a role, named by their ids or names; a list with an address is a link that a client has read."""

    def schema(self) -> Schema:
        return list_of("permit", object_of(id=_GROUP.schema(), name=_GROUP.schema()))

    def read(self, node: Node, path: str) -> Any:
        if isinstance(node, Mapping) and "href" in node and "permit" not in node:
            return ABSENT
        return frozenset(read_permit(each, f"{path}.permit") for each in listed(node, "permit", path))


def read_permit(node: Node, path: str) -> ActionGroup:
    """The action group that a client names by id or name."""
    named = node.get("name") or node.get("id") if isinstance(node, Mapping) else None
    group: ActionGroup = _GROUP.read(named, f"{path}.id")
    return group


PERMIT: Final = Entity(
    name="permit",
    collection="permits",
    plural="permits",
    own=(
        Field("name", _GROUP, lambda it: it.group, "attribute.group"),
        Field("administrative", BOOLEAN, lambda _it: False),
        Field("role", Reference("roles"), lambda it: it.role),
    ),
)
ROLE: Final = Entity(
    name="role",
    collection="roles",
    plural="roles",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("description", TEXT, lambda it: it.description, "attribute.description"),
        Field("administrative", BOOLEAN, lambda it: it.administrative, "attribute.administrative"),
        Field("mutable", BOOLEAN, lambda it: it.mutable),
        Field("permits", _Groups(), to="attribute.groups"),
    ),
    rows=lambda _user: Role.objects.all(),
    links=(Link(rel="permits", entity=PERMIT, items=_permits),),
)
SSH_KEY: Final = Entity(
    name="ssh_public_key",
    collection="sshpublickeys",
    plural="ssh_public_keys",
    own=(
        Field("content", TEXT, lambda it: f"{it.line} {it.comment}".strip(), "attribute.line"),
        Field("user", Reference("users"), lambda it: it.user_id),
    ),
)
_ON: Final = {
    "vm": "vms",
    "template": "templates",
    "pool": "vmpools",
    "instance_type": "instancetypes",
    "cluster": "clusters",
    "data_center": "datacenters",
    "storage_domain": "storagedomains",
    "disk": "disks",
    "network": "networks",
    "vnic_profile": "vnicprofiles",
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
        Link(rel="sshpublickeys", entity=SSH_KEY, items=related(lambda _user: PublicKey.objects.all(), "user_id")),
        empty("user_option", "options", "options"),
    ),
)


def plain_name(text: str) -> str:
    """A user's name without oVirt's profile after it."""
    return text.removesuffix(f"@{AUTHZ}").removesuffix("@internal")
