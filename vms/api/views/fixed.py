"""What is always there, and what there is none of yet."""

from typing import Any

from rest_framework.response import Response

from vms.api.document import Document
from vms.api.faults import not_found
from vms.api.mapping.entity import Entity
from vms.api.mapping.fixed import Fixed
from vms.api.mapping.follow import tell_all, tell_one

from .base import Door


class AlwaysThere(Door):
    """A collection that no table holds; whatever is searched, an empty one stays empty."""

    entity: Entity = None  # type: ignore[assignment]
    items: tuple[Fixed, ...] = ()

    def get(self, request: Any) -> Response:
        """All of it."""
        most = self.number("max")
        items = self.items if most is None or most < 0 else self.items[:most]
        told = tell_all(self.entity, items, self.telling)
        return Response(Document(self.entity.plural, {self.entity.name: told} if told else {}))


class OneAlwaysThere(AlwaysThere):
    """One of it; `only` where the address names no other."""

    only = ""

    def get(self, request: Any, key: str = "") -> Response:
        """It as it is."""
        for item in self.items:
            if str(item.pk).lower() == (key or self.only).lower():
                return Response(Document(self.entity.name, tell_one(self.entity, item, self.telling)))
        raise not_found()
