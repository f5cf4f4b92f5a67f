"""Resources whose rows are nothing but columns: places, hosts, people, tags and bookmarks."""

from collections.abc import Callable
from typing import Any, Final

from vms.actions import bookmarks, hosts, people, permissions, places, roles, tags
from vms.api.faults import missing
from vms.api.mapping import infrastructure, kept, labels
from vms.api.mapping import people as persons
from vms.api.mapping.draft import Draft
from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Ref
from vms.domain.secret import Secret
from vms.models import Cluster, Permission, Role, Tag, User
from vms.search import languages

from .base import Door
from .collections import Resource


def columns(draft: Draft, row: Any = None) -> dict[str, Any]:
    """The columns that a body names; what is only kept is put to what is kept already."""
    said = dict(draft.values.get("attribute", {}))
    if draft.values.get("kept"):
        said["kept"] = kept.together(row.kept if row is not None else {}, draft.values["kept"])
    return said


def named(door: Door, draft: Draft, kind: str) -> str:
    """The name, without which nothing can be made."""
    name: str = door.required(draft.take("attribute", "name"), kind, "name")
    return name


def removing(act: Callable[..., None]) -> Callable[[Door, Any], None]:
    """The method that removes by an action."""
    return lambda door, row: act(row, by=door.user)


# -- places


def _make_data_center(door: Door, draft: Draft) -> Any:
    return places.create_data_center(named(door, draft, "DataCenter"), by=door.user, **columns(draft))


def _make_cluster(door: Door, draft: Draft) -> Any:
    name, ref = named(door, draft, "Cluster"), draft.take("reference", "data_center")
    center = door.named("datacenters", door.required(ref, "Cluster", "dataCenter.id|name"), "data_center")
    return places.create_cluster(name, data_center=center, by=door.user, **columns(draft), **_mac_pool(door, draft))


def _edit_cluster(door: Door, draft: Draft, row: Cluster) -> None:
    ref = draft.take("reference", "data_center")
    door.require_same("data_center", row.data_center, ref and door.named("datacenters", ref, "data_center"))
    places.edit_cluster(row, by=door.user, **columns(draft, row), **_mac_pool(door, draft))


def _mac_pool(door: Door, draft: Draft) -> dict[str, Any]:
    ref = draft.take("reference", "mac_pool")
    if ref is None:
        return {}
    pool = door.named("macpools", ref, "mac_pool")
    return {"mac_pool": None if pool.is_default else pool}


def _edit_data_center(door: Door, draft: Draft, row: Any) -> None:
    places.edit_data_center(row, by=door.user, **columns(draft, row))


def _make_host(door: Door, draft: Draft) -> Any:
    name = named(door, draft, "Host")
    door.required(draft.values.get("attribute", {}).get("uri"), "Host", "address")
    ref = draft.take("reference", "cluster", Ref("cluster", name="Default"))
    host = hosts.create(name, cluster=door.named("clusters", ref, "cluster"), by=door.user, **columns(draft))
    return host if door.flag("activate", default=True) else hosts.deactivate(host, by=door.user)


def _edit_host(door: Door, draft: Draft, row: Any) -> None:
    ref = draft.take("reference", "cluster")
    cluster = door.named("clusters", ref, "cluster") if ref else row.cluster
    hosts.edit(row, by=door.user, **{**columns(draft, row), "cluster": cluster})


# -- people


def _make_user(door: Door, draft: Draft) -> User:
    said = columns(draft)
    said.pop("domain", None)
    name = persons.plain_name(said.pop("principal", "") or said.get("username", ""))
    said.pop("username", None)
    password = said.pop("password", None)
    secret = Secret(password) if password else None
    return people.create(door.required(name, "User", "userName"), password=secret, by=door.user, **said)


def _edit_user(door: Door, draft: Draft, row: User) -> None:
    said = {name: value for name, value in columns(draft).items() if name in people.PLAIN}
    named = draft.take("attribute", "username")
    door.require_same("user_name", row.username, persons.plain_name(named) if named else row.username)
    people.edit(row, by=door.user, **said)


def _make_role(door: Door, draft: Draft) -> Role:
    name, said = named(door, draft, "Role"), columns(draft)
    groups = door.required(said.pop("groups", None), "Role", "permits.id")
    return roles.create(name, groups, by=door.user, **said)


def _edit_role(door: Door, draft: Draft, row: Role) -> None:
    roles.edit(row, by=door.user, **columns(draft, row))


def give(door: Door, draft: Draft, on: Any = None) -> Permission:
    """Give the role that a body names to the person that it names."""
    found = {}
    for name, collection in (("role", "roles"), ("user", "users")):
        ref = draft.take("reference", name)
        if ref is None:
            raise missing("Permission", f"{name}.id")
        found[name] = door.named(collection, ref, name)
    return permissions.grant(found["user"], found["role"], on, by=door.user)


# -- tags and bookmarks


def _parent(door: Door, draft: Draft) -> dict[str, Any]:
    ref = draft.take("reference", "parent")
    if ref is None:
        return {}
    if ref.id == labels.ROOT_TAG or ref.name == "root":
        return {"parent": None}
    return {"parent": door.named("tags", ref, "tag")}


def _make_tag(door: Door, draft: Draft) -> Tag:
    return tags.create(named(door, draft, "Tag"), by=door.user, **columns(draft), **_parent(door, draft))


def _edit_tag(door: Door, draft: Draft, row: Tag) -> None:
    said = {**_parent(door, draft), **columns(draft)}
    changed = {name: value for name, value in said.items() if getattr(row, name) != value}
    if changed:
        tags.edit(row, by=door.user, **changed)


def _make_bookmark(door: Door, draft: Draft) -> Any:
    name = named(door, draft, "Bookmark")
    return bookmarks.create(name, door.required(draft.take("attribute", "value"), "Bookmark", "value"), by=door.user)


def _edit_bookmark(door: Door, draft: Draft, row: Any) -> None:
    bookmarks.edit(row, by=door.user, **columns(draft))


def _resource(entity: Entity, create: Any, edit: Any, remove: Callable[..., None], language: Any = None) -> Resource:
    """A type whose rows are made, changed and removed by actions of their own."""
    return Resource(entity=entity, language=language, create=create, edit=edit, remove=removing(remove))


_CENTERS: Final = (_make_data_center, _edit_data_center, places.remove_data_center)
_CLUSTERS: Final = (_make_cluster, _edit_cluster, places.remove_cluster)
RESOURCES: Final = (
    _resource(infrastructure.DATA_CENTER, *_CENTERS, languages.DATA_CENTERS),
    _resource(infrastructure.CLUSTER, *_CLUSTERS, languages.CLUSTERS),
    _resource(infrastructure.HOST, _make_host, _edit_host, hosts.remove, languages.HOSTS),
    _resource(persons.USER, _make_user, _edit_user, people.remove, languages.USERS),
    _resource(persons.ROLE, _make_role, _edit_role, roles.remove),
    _resource(labels.TAG, _make_tag, _edit_tag, tags.remove),
    _resource(labels.BOOKMARK, _make_bookmark, _edit_bookmark, bookmarks.remove),
    Resource(entity=persons.PERMISSION, create=give, remove=removing(permissions.revoke)),
)
