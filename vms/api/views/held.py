"""What is put on things and taken off them: roles on an object, tags on a machine."""

from typing import Any

from rest_framework.response import Response

from vms.actions import permissions, tags
from vms.api.document import Document
from vms.api.mapping.fields import Ref, read_id
from vms.api.mapping.follow import tell_one

from .base import done
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
