"""Adoption by programs: what a host has that nobody manages, and what somebody changed there; beside oVirt's imports
this is ours, and not linked from machines."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from rest_framework.response import Response

from vms.actions import adoption
from vms.api.document import Document
from vms.api.faults import Fault, invalid, missing, not_found
from vms.api.mapping import adoption as tables
from vms.api.mapping import vm as machines
from vms.api.mapping.draft import Draft
from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Field, Reference, Telling, tell
from vms.api.mapping.follow import tell_one
from vms.models import VM, Host, Job

from .actions import Acting
from .base import Door, done
from .infrastructure import HOSTS
from .machines import VMS

ADOPT: Final = "adopt"
SETTLING: Final[dict[str, Callable[..., VM | Job]]] = {
    "acceptdefinition": adoption.accept,
    "restoredefinition": adoption.restore,
    "normalise": adoption.normalise,
}


class Imports(Door):
    """oVirt's way to get a machine from elsewhere: here it is adopted on its host, and stays where it is."""

    entity: Entity = tables.IMPORT

    def post(self, request: Any) -> Response:
        """Adopt the domain of this name on the host that is named, or that has this address."""
        draft = self.draft(self.entity)
        said = draft.values.get("attribute", {})
        if said.get("provider", "kvm") != "kvm":
            raise invalid("external_vm_import.provider", str(said["provider"]), ["kvm"])
        name = self.required(said.get("name"), "ExternalVmImport", "name")
        host = self._host(draft, said.get("url", ""))
        if (ref := draft.take("reference", "cluster")) is not None:
            self.require_same("cluster", host.cluster, self.named("clusters", ref, "cluster"))
        domain = adoption.foreign(host).filter(name=name).first()
        if domain is None:
            raise Fault(400, "Operation Failed", f"[Entity not found: external vm: name={name[:80]}, host={host}]")
        vm = adoption.take_over(domain, name=draft.take("vm", "name", ""), by=self.user)
        told = tell(self.entity.own, {"name": name, "host": host, "vm": vm}, self.telling)
        href = f"{self.telling.base}/vms/{vm.pk}"
        return Response(Document(self.entity.name, told), 201, headers={"Location": href})

    def _host(self, draft: Draft, url: str) -> Host:
        plain = url.partition("?")[0]
        host: Host | None = HOSTS.rows(self.user).filter(uri__in=(url, plain)).first() if plain else None
        if host is None and (ref := draft.take("reference", "host")) is not None:
            host = self.named("hosts", ref, "host")
        if host is not None:
            return host
        if plain:
            raise Fault(400, "Operation Failed", f"[Entity not found: host: address={plain[:80]}. Add the host first.]")
        raise missing("ExternalVmImport", "host.id|name", "url")


class Adopt(Acting):
    """What a host has that nobody manages is managed from now on, without a change to it: one machine, or all."""

    takes: ClassVar[tuple[Field, ...]] = (Field("vm", Reference("vms"), to="action.vm"),)

    def post(self, request: Any, key: str) -> Response:
        """Adopt the machine that is named, or all that there are."""
        host = self.row(HOSTS.rows(self.user), key)
        action = self.body("action")
        ref = Reference("vms").read(action["vm"], "vm") if "vm" in action else None
        if ref is None:
            made = adoption.take_over_all(host, by=self.user)
            told = [_reference(vm, self.telling) for vm in made]
            return done(vms={"vm": told})
        rows = adoption.foreign(host)
        domain = (rows.filter(machine=ref.id) if ref.id else rows.filter(name=ref.name)).first()
        if domain is None:
            raise not_found()
        vm = adoption.take_over(domain, by=self.user)
        return done(vm=tell_one(machines.ENTITY, self.row(VMS.rows(self.user), str(vm.pk)), self.telling))


class Settle(Acting):
    """The definition of a machine that was adopted, or that somebody changed on its host: accepted as it is, written
    again as it was meant, or its graphics and video made ordinary."""

    def post(self, request: Any, key: str) -> Response:
        """Settle it."""
        vm = self.row(VMS.rows(self.user), key)
        looks_itself = self.looks_itself(self.body("action"))
        begun = SETTLING[self.verb](vm, by=self.user)
        return done() if isinstance(begun, VM) else self.begun(begun, looks_itself=looks_itself)


def _reference(vm: VM, telling: Telling) -> dict[str, str]:
    return {"href": f"{telling.base}/vms/{vm.pk}", "id": str(vm.pk)}
