"""What hangs on an entity: the same views for every link of every table; those that take more have their own."""

from collections.abc import Iterable
from typing import Any

from rest_framework.response import Response

from vms.api.document import Document
from vms.api.faults import not_found
from vms.api.mapping.entity import Link
from vms.api.mapping.follow import items_of, tell_all, tell_one

from .base import Door
from .collections import Resource


class _OnOne(Door):
    resource: Resource = None  # type: ignore[assignment]
    link: Link = None  # type: ignore[assignment]

    def owner(self, key: str) -> Any:
        """The row that it hangs on."""
        return self.row(self.resource.rows(self.user), key)

    def place(self, owner: Any) -> str:
        """The address of what hangs there."""
        entity = self.resource.entity
        return f"{self.telling.base}/{entity.collection}/{owner.pk}/{self.link.rel}"

    def item(self, owner: Any, inner: str) -> Any:
        """What has this id; refused where nothing has."""
        return self.among(items_of(self.link, owner, self.telling), inner)

    def among(self, items: Iterable[Any], key: str) -> Any:
        """What of these has this id; refused where nothing has."""
        for item in items:
            if str(item.pk) == key.lower():
                return item
        raise not_found()


class Linked(_OnOne):
    """All that hangs on an entity by one link."""

    def get(self, request: Any, key: str) -> Response:
        """All of it."""
        owner, entity = self.owner(key), self.link.entity
        items = items_of(self.link, owner, self.telling)
        most = self.number("max")
        items = items if most is None or most < 0 else items[:most]
        told = tell_all(entity, items, self.telling, [self.place(owner)] * len(items))
        return Response(Document(entity.plural, {entity.name: told} if told else {}))


class LinkedOne(_OnOne):
    """One thing that hangs on an entity."""

    def get(self, request: Any, key: str, inner: str) -> Response:
        """It as it is."""
        owner, entity = self.owner(key), self.link.entity
        return Response(
            Document(entity.name, tell_one(entity, self.item(owner, inner), self.telling, self.place(owner)))
        )


class LinkedDeeper(LinkedOne):
    """All that hangs on something that hangs on an entity."""

    deeper: Link = None  # type: ignore[assignment]

    def get(self, request: Any, key: str, inner: str) -> Response:
        """All of it."""
        owner = self.owner(key)
        item, entity = self.item(owner, inner), self.deeper.entity
        items = items_of(self.deeper, item, self.telling)
        place = f"{self.place(owner)}/{item.pk}/{self.deeper.rel}"
        told = tell_all(entity, items, self.telling, [place] * len(items))
        return Response(Document(entity.plural, {entity.name: told} if told else {}))
