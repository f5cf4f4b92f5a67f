"""Networks, profiles and pools of MAC addresses, and the cards of machines with what can be done with them."""

from typing import Any, Final

from rest_framework.response import Response

from vms.actions import macpools, networks, nics
from vms.api.document import Document
from vms.api.faults import Fault, not_found
from vms.api.mapping import networks as tables
from vms.api.mapping.draft import Draft
from vms.api.mapping.fields import Ref, read_id
from vms.api.mapping.follow import tell_one
from vms.models import Network, VmNic, VnicProfile
from vms.search import languages

from .actions import Acting
from .base import Door, done
from .collections import Resource
from .links import Linked, LinkedOne
from .plain import columns, named, removing


def _carried(draft: Draft, row: Any = None) -> dict[str, Any]:
    """The columns of a network; oVirt's MTU 0 is the host's own choice."""
    said = columns(draft, row)
    if "mtu" in said:
        said["mtu"] = said["mtu"] or None
    return said


def _make_network(door: Door, draft: Draft) -> Network:
    name, ref = named(door, draft, "Network"), draft.take("reference", "data_center")
    center = door.named("datacenters", door.required(ref, "Network", "dataCenter.id|name"), "data_center")
    profile = draft.take("profile", "required", True)
    return networks.create(name, data_center=center, profile=profile, by=door.user, **_carried(draft))


def _edit_network(door: Door, draft: Draft, row: Network) -> None:
    ref = draft.take("reference", "data_center")
    door.require_same("data_center", row.data_center, ref and door.named("datacenters", ref, "data_center"))
    networks.edit(row, by=door.user, **_carried(draft, row))


def _make_profile(door: Door, draft: Draft) -> VnicProfile:
    name, ref = named(door, draft, "VnicProfile"), draft.take("reference", "network")
    network = door.named("networks", door.required(ref, "VnicProfile", "network.id"), "network")
    return networks.create_profile(name, network=network, by=door.user, **columns(draft))


def _edit_profile(door: Door, draft: Draft, row: VnicProfile) -> None:
    ref = draft.take("reference", "network")
    door.require_same("network", row.network, ref and door.named("networks", ref, "network"))
    networks.edit_profile(row, by=door.user, **columns(draft, row))


def _make_pool(door: Door, draft: Draft) -> Any:
    name = named(door, draft, "MacPool")
    ranges = door.required(draft.take("attribute", "ranges"), "MacPool", "ranges")
    return macpools.create(name, ranges=ranges, by=door.user, **columns(draft))


def _edit_pool(door: Door, draft: Draft, row: Any) -> None:
    macpools.edit(row, by=door.user, **columns(draft))


NETWORKS: Final = Resource(
    entity=tables.NETWORK,
    language=languages.NETWORKS,
    create=_make_network,
    edit=_edit_network,
    remove=removing(networks.remove),
)
RESOURCES: Final = (
    NETWORKS,
    Resource(
        entity=tables.VNIC_PROFILE,
        language=languages.VNIC_PROFILES,
        create=_make_profile,
        edit=_edit_profile,
        remove=removing(networks.remove_profile),
    ),
    Resource(entity=tables.MAC_POOL, create=_make_pool, edit=_edit_pool, remove=removing(macpools.remove)),
)


class Made(Linked):
    """What hangs on an entity and is made there, too."""

    def post(self, request: Any, key: str) -> Response:
        """Make one."""
        owner = self.owner(key)
        draft = self.draft(self.link.entity)
        draft.values.setdefault("reference", {})[owner._meta.model_name.replace("datacenter", "data_center")] = Ref(
            "", id=owner.pk
        )
        made = (_make_network if self.link.entity is tables.NETWORK else _make_profile)(self, draft)
        return self.told(owner, made.pk)

    def told(self, owner: Any, key: Any) -> Response:
        """The answer with what has been made."""
        entity = self.link.entity
        items = {item.pk: item for item in self.link.items([owner], self.telling).get(owner.pk, ())}
        told = tell_one(entity, items[key], self.telling, self.place(owner))
        return Response(Document(entity.name, told), 201, headers={"Location": told["href"]})


class OfCluster(Made):
    """The networks that reach a cluster."""

    def post(self, request: Any, key: str) -> Response:
        """Have one reach it, by its id or name."""
        owner, draft = self.owner(key), self.draft(self.link.entity)
        ref = _network_named(draft)
        ref = self.required(ref, "Network", "id|name")
        there = NETWORKS.rows(self.user).filter(data_center=owner.data_center_id)
        network = there.filter(pk=ref.id).first() if ref.id else there.filter(name=ref.name).first()
        if network is None:
            raise Fault(400, "Operation Failed", f"[Entity not found: network: {str(ref.id or ref.name)[:80]}]")
        networks.attach(network, owner, by=self.user, kept=draft.values.get("kept"))
        return self.told(owner, network.pk)


class OneOfCluster(LinkedOne):
    """A network that reaches a cluster."""

    def put(self, request: Any, key: str, inner: str) -> Response:
        """Say of it what is said of a network in a cluster."""
        owner = self.owner(key)
        reach, said = self.item(owner, inner), self.draft(self.link.entity).values.get("kept", {})
        networks.attach(reach.network, owner, by=self.user, kept={**reach.kept, **said})
        return self.get(request, key, inner)

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Have it reach the cluster no more."""
        owner = self.owner(key)
        networks.detach(self.item(owner, inner).network, owner, by=self.user)
        return done()


class Nics(Made):
    """The network cards of a machine or template."""

    def post(self, request: Any, key: str) -> Response:
        """Put one in."""
        owner = self.owner(key)
        said = _card(self, self.draft(self.link.entity))
        made = nics.add(owner, nics.Card(**said), by=self.user)
        return self.told(self.owner(key), made.pk)


class Nic(LinkedOne):
    """A network card."""

    def put(self, request: Any, key: str, inner: str) -> Response:
        """Change it."""
        card = self.item(self.owner(key), inner)
        nics.edit(card, by=self.user, **_card(self, self.draft(self.link.entity)))
        return self.get(request, key, inner)

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Take it out."""
        nics.remove(self.item(self.owner(key), inner), by=self.user)
        return done()


class Plug(Acting):
    """Whether a card is plugged into its machine."""

    resource: Resource = None  # type: ignore[assignment]

    def post(self, request: Any, key: str, inner: str) -> Response:
        """Plug it in, or take it out and keep it."""
        owner = self.row(self.resource.rows(self.user), key)
        self.body("action")
        card = VmNic.objects.filter(vm=owner, pk=read_id(inner, "id")).first()
        if card is None:
            raise not_found()
        nics.edit(card, plugged=self.verb == "activate", by=self.user)
        return done()


def _network_named(draft: Draft) -> Ref | None:
    key, name = draft.take("there", "id"), draft.take("attribute", "name")
    if key:
        return Ref("network", id=read_id(key, "network.id"))
    return Ref("network", name=name) if name else None


def _card(door: Door, draft: Draft) -> dict[str, Any]:
    """What a body says of a card; a network in place of a profile is its first one, as oVirt has it."""
    said = dict(draft.values.get("card", {}))
    named_ = draft.values.get("reference", {})
    if "profile" in named_:
        ref = named_["profile"]
        said["profile"] = door.named("vnicprofiles", ref, "vnic_profile") if ref else None
    elif named_.get("network"):
        network = door.named("networks", named_["network"], "network")
        said["profile"] = network.profiles.first()
    return said
