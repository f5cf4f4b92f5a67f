"""The addresses of the REST door and of oVirt's single sign-on.

Clients write them with doubled slashes, with a slash at the end and with matrix parameters (`/vms;max=5`); all of
these are answered in place, for they follow no redirect.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from django.urls import URLPattern, re_path

from .mapping.adoption import IMPORT
from .mapping.fixed import FIXED, NONE_YET, ROOT_TAG, TAG_AT_THE_TOP
from .views import (
    actions,
    adoption,
    affinity,
    consoles,
    held,
    networks,
    plain,
    preparing,
    snapshots,
    sso,
    storage,
    told,
    transfers,
)
from .views import infrastructure as looking
from .views.collections import Collection, One, Reading, ReadingOne, Removable, Resource
from .views.consoles import Console, Consoles
from .views.description import described
from .views.devices import Drive, Watchdog, Watchdogs
from .views.fixed import AlwaysThere, OneAlwaysThere
from .views.links import Linked, LinkedDeeper, LinkedOne
from .views.machines import INSTANCE_TYPES, POOLS, TEMPLATES, VMS
from .views.root import Api

View = Any


def _views() -> Iterator[tuple[str, View]]:
    yield "", Api.routed()
    for resource in (VMS, TEMPLATES, INSTANCE_TYPES, POOLS):
        yield from _collection(resource)
    # Above all tags, and no row: clients look who the parent of a tag is.
    yield f"tags/{ROOT_TAG.pk}", OneAlwaysThere.routed(entity=TAG_AT_THE_TOP, items=(ROOT_TAG,), only=str(ROOT_TAG.pk))
    for resource in (*plain.RESOURCES, *networks.RESOURCES, *storage.RESOURCES, transfers.TRANSFERS, affinity.LABELS):
        yield from _collection(resource)
    jobs = told.creating(looking.JOBS, told.make_job)
    yield from _collection(jobs)
    yield "jobs/{key}/end", told.End.routed()
    yield "jobs/{key}/clear", told.Clear.routed()
    yield "jobs/{key}/steps/{inner}/end", told.Step.routed()
    events = told.creating(looking.EVENTS, told.make_event)
    yield "events", told.Events.routed(resource=events)
    yield "events/{key}", told.Event.routed(resource=events)
    for entity, items in (*FIXED, *((entity, ()) for entity in NONE_YET)):
        yield entity.collection, AlwaysThere.routed(entity=entity, items=items)
        yield f"{entity.collection}/{{key}}", OneAlwaysThere.routed(entity=entity, items=items)
    for verb in ("activate", "deactivate"):
        yield f"hosts/{{key}}/{verb}", actions.OfHost.routed(verb=verb)
        yield f"datacenters/{{key}}/storagedomains/{{inner}}/{verb}", storage.OfAttached.routed(verb=verb)
    for verb in transfers.VERBS:
        yield f"imagetransfers/{{key}}/{verb}", transfers.OfTransfer.routed(verb=verb)
    yield "externalvmimports", adoption.Imports.routed(entity=IMPORT)
    yield f"hosts/{{key}}/{adoption.ADOPT}", adoption.Adopt.routed(verb=adoption.ADOPT)
    for verb in adoption.SETTLING:
        yield f"vms/{{key}}/{verb}", adoption.Settle.routed(verb=verb)
    yield "disks/{key}/copy", storage.CopyDisk.routed()
    yield from _vm_actions()


def _collection(resource: Resource) -> Iterator[tuple[str, View]]:
    """A collection, its entities and what hangs on them, with the methods that the resource has."""
    path = resource.entity.collection
    yield path, (Collection if resource.create else Reading).routed(resource=resource)
    one = One if resource.edit and resource.remove else Removable if resource.remove else ReadingOne
    yield f"{path}/{{key}}", one.routed(resource=resource)
    yield from _links(resource)


# Links whose views do more than look.
_LINKED: Final[dict[str, tuple[type[Linked], type[LinkedOne]]]] = {
    "affinitygroups": (affinity.Groups, affinity.Group),
    "affinitylabels": (affinity.LabelsOn, affinity.LabelOn),
    "affinitylabels/vms": (affinity.Labelled, affinity.LabelledOne),
    "affinitylabels/hosts": (affinity.Labelled, affinity.LabelledOne),
    "cdroms": (Linked, Drive),
    "clusters/networks": (networks.OfCluster, networks.OneOfCluster),
    "datacenters/networks": (networks.Made, LinkedOne),
    "diskattachments": (storage.Attachments, storage.Attachment),
    "graphicsconsoles": (Consoles, Console),
    "networks/vnicprofiles": (networks.Made, LinkedOne),
    "nics": (networks.Nics, networks.Nic),
    "permissions": (held.Permissions, held.Permission),
    "permits": (held.Permits, held.PermitOf),
    "sshpublickeys": (held.SshKeys, held.SshKey),
    "snapshots": (snapshots.Snapshots, snapshots.OneSnapshot),
    "steps": (told.Steps, LinkedOne),
    "storagedomains": (storage.Attached, storage.AttachedOne),
    "tags": (held.Tags, held.Tag),
    "watchdogs": (Watchdogs, Watchdog),
}


# What somebody holds, given and taken where it is held.
_ONLY_TOLD: Final = frozenset(
    # Templates stay as they are.
    {
        ("users", "permissions"),
        ("hosts", "permissions"),
        ("users", "tags"),
        ("hosts", "tags"),
        ("templates", "diskattachments"),
    }
)


def _links(resource: Resource) -> Iterator[tuple[str, View]]:
    for link in resource.entity.links:
        path = f"{resource.entity.collection}/{{key}}/{link.rel}"
        # What is always empty only looks like the rest.
        collection = resource.entity.collection
        plain_link = not link.entity.own or (collection, link.rel) in _ONLY_TOLD
        known = _LINKED.get(f"{collection}/{link.rel}") or _LINKED.get(link.rel, (Linked, LinkedOne))
        all_of_it, one = (Linked, LinkedOne) if plain_link else known
        yield path, all_of_it.routed(resource=resource, link=link)
        yield f"{path}/{{inner}}", one.routed(resource=resource, link=link)
        for deeper in link.entity.links:
            inside, given = f"{path}/{{inner}}/{deeper.rel}", {"resource": resource, "link": link, "deeper": deeper}
            if link.rel == "affinitygroups":
                yield inside, affinity.Members.routed(**given)
                yield f"{inside}/{{member}}", affinity.Member.routed(**given)
            else:
                yield inside, LinkedDeeper.routed(**given)


def _vm_actions() -> Iterator[tuple[str, View]]:
    for verb in actions.POWER:
        yield f"vms/{{key}}/{verb}", actions.Power.routed(verb=verb)
    yield "vms/{key}/start", actions.Start.routed()
    yield "vms/{key}/migrate", actions.Migrate.routed()
    yield "vms/{key}/cancelmigration", actions.CancelMigration.routed()
    for verb in ("start", "migrate", *actions.POWER, *adoption.SETTLING):
        yield f"vms/{{key}}/{verb}/{{job}}", actions.Begun.routed()
    for verb in ("activate", "deactivate"):
        yield f"vms/{{key}}/nics/{{inner}}/{verb}", networks.Plug.routed(resource=VMS, verb=verb)
    for verb in (preparing.PREPARE, preparing.UNDO):
        yield f"vms/{{key}}/{verb}", preparing.Prepare.routed(verb=verb)
    yield f"vms/{{key}}/{preparing.PREPARE}/{{preparation}}", preparing.Prepared.routed()
    yield "vms/{key}/clone", actions.Clone.routed()
    for verb in ("previewsnapshot", "commitsnapshot", "undosnapshot"):
        yield f"vms/{{key}}/{verb}", snapshots.Preview.routed(verb=verb)
    yield "vms/{key}/snapshots/{inner}/restore", snapshots.Restore.routed()
    yield "vms/{key}/detach", actions.Detach.routed()
    yield "vms/{key}/ticket", consoles.Ticket.routed()
    yield "vms/{key}/screenshot", consoles.Screenshot.routed()
    yield "vmpools/{key}/allocatevm", actions.Allocate.routed()
    path = "vms/{key}/graphicsconsoles/{console}"
    yield f"{path}/ticket", consoles.Ticket.routed()
    yield f"{path}/proxyticket", consoles.ProxyTicket.routed()
    yield f"{path}/remoteviewerconnectionfile", consoles.RemoteViewerFile.routed()


def _address(template: str) -> str:
    """The pattern for a path below the door, at any version of it."""
    pattern = r"^ovirt-engine/api(?:/+v4)?"
    for step in filter(None, template.split("/")):
        name = re.fullmatch(r"\{(\w+)\}", step)
        pattern += rf"/+(?P<{name[1]}>[^/;]+)" if name else f"/+{step}"
        pattern += "(?:;[^/]*)?"
    return f"{pattern}/*$" if template else rf"{pattern}(?:;[^/]*)?/*$"


# Every address below the door, as the OpenAPI document and the tests read it, too.
ROUTES: Final = tuple(_views())

urlpatterns: Final[list[URLPattern]] = [
    re_path(r"^ovirt-engine/sso/oauth/token$", sso.token, name="sso_token"),
    re_path(r"^ovirt-engine/sso/oauth/token-http-auth$", sso.token_by_header, name="sso_token_by_header"),
    re_path(r"^ovirt-engine/sso/oauth/token-info$", sso.token_info, name="sso_token_info"),
    re_path(r"^ovirt-engine/services/health$", sso.health, name="ovirt_health"),
    re_path(r"^ovirt-engine/sso/oauth/revoke$", sso.log_out, name="sso_revoke"),
    re_path(r"^ovirt-engine/services/sso-logout$", sso.log_out, name="sso_logout"),
    *(re_path(_address(path), view) for path, view in ROUTES),
    *described(ROUTES),
    re_path(r"^ovirt-engine/api(?:/.*)?$", looking.Nowhere.routed()),
]
