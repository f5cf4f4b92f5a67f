"""What is put on things and taken off them: roles on an object, tags on a machine."""

from typing import Any

from rest_framework.response import Response

from vms.actions import keys, permissions, roles, tags
from vms.api.document import Document
from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Ref, read_id
from vms.api.mapping.follow import tell_one
from vms.api.mapping.people import Permit, read_permit
from vms.models import ActionGroup

from .base import Door, done
from .links import Linked, LinkedOne
from .plain import give


class Permissions(Linked):
    """The roles that are held on one object."""

    def post(self, request: Any, key: str) -> Response:
        """Give somebody a role on it."""
        owner, entity = self.owner(key), self.link.entity
        given = give(self, self.draft(entity), owner)
        told = tell_one(entity, given, self.telling, self.place(owner))
        return Response(Document(entity.name, told), 201, headers={"Location": told["href"]})


class Permission(LinkedOne):
    """One role that is held on an object."""

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Take it away."""
        permissions.revoke(self.item(self.owner(key), inner), by=self.user)
        return done()


class Permits(Linked):
    """What a role grants."""

    def post(self, request: Any, key: str) -> Response:
        """Grant one more."""
        role, entity = self.owner(key), self.link.entity
        group = read_permit(self.body(entity.name), entity.name)
        roles.edit(role, groups=role.grants | {group}, by=self.user)
        told = tell_one(entity, Permit(role.pk, group.value), self.telling, self.place(role))
        return Response(Document(entity.name, told), 201, headers={"Location": told["href"]})


class PermitOf(LinkedOne):
    """One action group that a role grants."""

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Grant it no more."""
        role = self.owner(key)
        roles.edit(role, groups=role.grants - {ActionGroup(self.item(role, inner).group)}, by=self.user)
        return done()


class SshKeys(Linked):
    """The public keys that somebody comes to serial consoles with."""

    def post(self, request: Any, key: str) -> Response:
        """Keep one."""
        owner, entity = self.owner(key), self.link.entity
        made = keys.add(_line(self, entity), by=self.user, of=owner)
        told = tell_one(entity, made, self.telling, self.place(owner))
        return Response(Document(entity.name, told), 201, headers={"Location": told["href"]})


class SshKey(LinkedOne):
    """One public key."""

    def put(self, request: Any, key: str, inner: str) -> Response:
        """Keep another one in its place."""
        owner, entity = self.owner(key), self.link.entity
        made = keys.replace(self.item(owner, inner), _line(self, entity), by=self.user)
        return Response(Document(entity.name, tell_one(entity, made, self.telling, self.place(owner))))

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Forget it."""
        keys.remove(self.item(self.owner(key), inner), by=self.user)
        return done()


def _line(door: Door, entity: Entity) -> str:
    """The key that a body holds, in OpenSSH's form."""
    said = door.draft(entity).values.get("attribute", {})
    return str(door.required(said.get("line"), "SSHPublicKey", "content"))


class Tags(Linked):
    """The tags of a machine."""

    def post(self, request: Any, key: str) -> Response:
        """Put one on, by its id or name."""
        owner, entity = self.owner(key), self.link.entity
        tree = self.body("tag")
        key_named = read_id(tree["id"], "tag.id") if tree.get("id") else None
        self.required(key_named or tree.get("name"), "Tag", "id|name")
        tag = self.named("tags", Ref("tag", id=key_named, name=str(tree.get("name", ""))), "tag")
        tags.attach(tag, owner, by=self.user)
        told = tell_one(entity, tag, self.telling, self.place(owner))
        return Response(Document(entity.name, told), 201, headers={"Location": told["href"]})


class Tag(LinkedOne):
    """A tag that is on a machine."""

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Take it off."""
        owner = self.owner(key)
        tags.detach(self.item(owner, inner), owner, by=self.user)
        return done()
