"""What a host has that nobody manages, and how a client asks for it; oVirt's imports, and ours beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from vms.actions.adoption import foreign
from vms.domain.lifecycle import Status
from vms.libvirtxml.adopt import Adopted, Odd, adopt
from vms.models import Domain, Host

from .entity import Entity, Link, of_each
from .fields import BOOLEAN, NUMBER, SIZE, TEXT, Field, Reference, Telling
from .kept import Word, listed_words
from .types import PROTOCOL, VIDEO, VM_STATUS


@dataclass(frozen=True)
class Unmanaged:
    """A domain as the machine that it would be."""

    domain: Domain

    @property
    def pk(self) -> UUID:
        """The id that the machine keeps when it is adopted."""
        key: UUID = self.domain.machine
        return key

    @cached_property
    def found(self) -> Adopted:
        return adopt(self.domain.definition)

    @property
    def display(self) -> Any:
        """The protocol that shows it; None for a headless one."""
        return min(self.found.console.graphics, default=None)


def _unmanaged(host: Host, _telling: Telling) -> Iterable[Unmanaged]:
    return [Unmanaged(domain) for domain in foreign(host)]


UNMANAGED: Final = Entity(
    name="vm",
    collection="unmanagedvms",
    plural="vms",
    own=(
        Field("name", TEXT, lambda it: it.domain.name),
        Field("status", VM_STATUS, lambda it: Status(it.domain.status)),
        Field("origin", TEXT, lambda _it: "external"),
        Field("memory", SIZE, lambda it: it.found.parts["memory"]),
        Field("cpu/topology/cores", NUMBER, lambda it: it.found.parts["cpu"].cores),
        Field("cpu/topology/sockets", NUMBER, lambda it: it.found.parts["cpu"].sockets),
        Field("cpu/topology/threads", NUMBER, lambda it: it.found.parts["cpu"].threads),
        Field("display/type", PROTOCOL, lambda it: it.display),
        Field("display/video_type", VIDEO, lambda it: it.found.console.video if it.display else None),
        # Ours: what no machine that was made here would have.
        Field(
            *("peculiarities", listed_words("peculiarity", *(odd.value for odd in Odd))),
            lambda it: [odd.value for odd in it.found.odd] or None,
        ),
        Field("host", Reference("hosts"), lambda it: it.domain.host_id),
    ),
)
LINK: Final = Link(rel="unmanagedvms", entity=UNMANAGED, items=of_each(_unmanaged))

IMPORT: Final = Entity(
    name="external_vm_import",
    collection="externalvmimports",
    plural="external_vm_imports",
    own=(
        Field("name", TEXT, lambda it: it["name"], "attribute.name"),
        Field("provider", Word("kvm", "vmware", "xen"), lambda _it: "kvm", "attribute.provider"),
        Field("url", TEXT, lambda it: it["host"].uri, "attribute.url"),
        # The host is asked as it always is, and its disks stay where they are.
        Field("username", TEXT, to="ignored.username"),
        Field("password", TEXT, to="ignored.password"),
        Field("sparse", BOOLEAN, to="ignored.sparse"),
        Field("vm/name", TEXT, to="vm.name"),
        Field("vm", Reference("vms"), lambda it: it["vm"].pk),
        Field("host", Reference("hosts"), lambda it: it["host"].pk, "reference.host"),
        Field("cluster", Reference("clusters"), lambda it: it["host"].cluster_id, "reference.cluster"),
    ),
    not_offered=("storage_domain/id", "storage_domain/name", "drivers_iso/id", "quota/id"),
)
