"""Affinity groups below their clusters with what is in them, and affinity labels on machines and hosts."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework.response import Response

from vms.actions import affinity, affinity_labels
from vms.api.document import Document
from vms.api.mapping.affinity import COLUMN_OF, LABEL
from vms.api.mapping.draft import Draft
from vms.api.mapping.fields import Ref, read_id
from vms.api.mapping.follow import items_of, tell_one
from vms.domain.affinity import Polarity
from vms.models import AffinityGroup, AffinityLabel

from .base import Door, done
from .collections import Resource
from .links import Linked, LinkedDeeper, LinkedOne
from .plain import named, removing

_COLLECTIONS: Final = {"vms": "vms", "hosts": "hosts", "vm_labels": "affinitylabels", "host_labels": "affinitylabels"}


def _members(door: Door, draft: Draft) -> dict[str, list[Any]]:
    """The rows that the lists of a body name."""
    said = draft.values.get("members", {})
    return {name: [door.named(_COLLECTIONS[name], ref, ref.path) for ref in refs] for name, refs in said.items()}


def _make_label(door: Door, draft: Draft) -> AffinityLabel:
    name = named(door, draft, "AffinityLabel")
    said: dict[str, Any] = {**draft.values.get("attribute", {}), **_members(door, draft)}
    return affinity_labels.create(name, by=door.user, **said)


def _edit_label(door: Door, draft: Draft, row: AffinityLabel) -> None:
    affinity_labels.edit(row, by=door.user, **draft.values.get("attribute", {}), **_members(door, draft))


LABELS: Final = Resource(entity=LABEL, create=_make_label, edit=_edit_label, remove=removing(affinity_labels.remove))


class Groups(Linked):
    """The affinity groups of a cluster."""

    def post(self, request: Any, key: str) -> Response:
        """Make one."""
        cluster, draft = self.owner(key), self.draft(self.link.entity)
        name = named(self, draft, "AffinityGroup")
        made = affinity.create(name, cluster=cluster, by=self.user, **_said(self, draft))
        return _made(self, self.link.entity, self.item(cluster, str(made.pk)), self.place(cluster))


class Group(LinkedOne):
    """One affinity group."""

    def put(self, request: Any, key: str, inner: str) -> Response:
        """Change it; members that are listed are all that it has."""
        group = self.item(self.owner(key), inner)
        affinity.edit(group, by=self.user, **_said(self, self.draft(self.link.entity)))
        return self.get(request, key, inner)

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Remove it."""
        affinity.remove(self.item(self.owner(key), inner), by=self.user)
        return done()


class Members(LinkedDeeper):
    """The machines, hosts or labels of an affinity group."""

    def post(self, request: Any, key: str, inner: str) -> Response:
        """Put one in, by its id or name."""
        cluster = self.owner(key)
        group, column = self.item(cluster, inner), COLUMN_OF[self.deeper.rel]
        row = _named(self, self.deeper.entity.name, _COLLECTIONS[column])
        affinity.attach(group, column, row, by=self.user)
        return _made(self, self.deeper.entity, row, f"{self.place(cluster)}/{group.pk}/{self.deeper.rel}")


class Member(LinkedDeeper):
    """A machine, host or label of an affinity group."""

    def get(self, request: Any, key: str, inner: str, member: str) -> Response:  # type: ignore[override]
        """It as it is."""
        cluster = self.owner(key)
        group = self.item(cluster, inner)
        place = f"{self.place(cluster)}/{group.pk}/{self.deeper.rel}"
        told = tell_one(self.deeper.entity, self._there(group, member), self.telling, place)
        return Response(Document(self.deeper.entity.name, told))

    def delete(self, request: Any, key: str, inner: str, member: str) -> Response:
        """Take it out."""
        group = self.item(self.owner(key), inner)
        affinity.detach(group, COLUMN_OF[self.deeper.rel], self._there(group, member), by=self.user)
        return done()

    def _there(self, group: AffinityGroup, member: str) -> Any:
        return self.among(items_of(self.deeper, group, self.telling), member)


class LabelsOn(Linked):
    """The affinity labels of a machine or host."""

    def post(self, request: Any, key: str) -> Response:
        """Put one on, by its id or name."""
        owner = self.owner(key)
        label = _named(self, "affinity_label", "affinitylabels")
        affinity_labels.attach(label, owner, by=self.user)
        return _made(self, self.link.entity, label, self.place(owner))


class LabelOn(LinkedOne):
    """An affinity label that is on a machine or host."""

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Take it off."""
        owner = self.owner(key)
        affinity_labels.detach(self.item(owner, inner), owner, by=self.user)
        return done()


class Labelled(Linked):
    """The machines or hosts that a label is on."""

    def post(self, request: Any, key: str) -> Response:
        """Put it on one, by its id or name."""
        label, entity = self.owner(key), self.link.entity
        row = _named(self, entity.name, entity.collection)
        affinity_labels.attach(label, row, by=self.user)
        return _made(self, entity, row, self.place(label))


class LabelledOne(LinkedOne):
    """A machine or host that a label is on."""

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Take it off there."""
        label = self.owner(key)
        affinity_labels.detach(label, self.item(label, inner), by=self.user)
        return done()


def _said(door: Door, draft: Draft) -> dict[str, Any]:
    """What a body says of a group, as the action takes it."""
    rules = {"vms_rule": "vms_enforcing", "hosts_rule": "hosts_enforcing"}
    said: dict[str, Any] = {**draft.values.get("attribute", {}), **_members(door, draft)}
    for rule, enforcing in rules.items():
        told = draft.values.get(rule) or (draft.values.get("legacy", {}) if rule == "vms_rule" else {})
        if (polarity := _polarity(told)) is not None:
            said[rule] = polarity
        if "enforcing" in told:
            said[enforcing] = told["enforcing"]
    return said


def _polarity(told: Mapping[str, Any]) -> Polarity | None:
    """The rule that a body wants; None where it says nothing of that (oVirt: AffinityGroupMapper)."""
    if told.get("enabled") is False:
        return Polarity.DISABLED
    if "positive" not in told:
        return None
    return Polarity.POSITIVE if told["positive"] else Polarity.NEGATIVE


def _named(door: Door, root: str, collection: str) -> Any:
    """The row that a body names by id or name."""
    tree = door.body(root)
    key = read_id(tree["id"], f"{root}.id") if tree.get("id") else None
    door.required(key or tree.get("name"), root, "id|name")
    return door.named(collection, Ref(root, id=key, name=str(tree.get("name", ""))), root)


def _made(door: Door, entity: Any, row: Any, place: str) -> Response:
    told = tell_one(entity, row, door.telling, place)
    return Response(Document(entity.name, told), 201, headers={"Location": told["href"]})
