"""Hosts that machines run on."""

import re
from typing import Any, Final

from cryptography.x509 import load_pem_x509_certificates

from vms.domain.addresses import Way
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.runonce import LOOPBACK
from vms.models import ActionGroup, Cluster, Host

from . import migration
from ._action import action, locked
from ._audit import record
from ._authorise import ENGINE, Actor, authorise
from ._plain import added, changed, removed
from ._status import renamed

AUTO: Final = "auto"  # the engine's settings choose the hypervisor
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
# What libvirt connects by, as far as an engine may: no commands for a shell in it.
_URI: Final = re.compile(
    r"qemu:///(system|session)"
    r"|qemu\+(ssh|tls|tcp)://[A-Za-z0-9._@\[\]:-]{1,200}/(system|session)(\?(keyfile|pkipath)=/[A-Za-z0-9._/%-]{1,200})?"
    r"|qemu\+unix:///(system|session)(\?socket=/[A-Za-z0-9._/%-]{1,200})?"
)
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.:-]{0,255}")


@action
def ensure_one() -> None:
    """Where no host is known yet, this machine becomes one, in the first cluster."""
    if Host.objects.exists():
        return
    host = Host.objects.create(name="local", cluster=Cluster.objects.order_by("pk").select_for_update()[0])
    record(ENGINE, "USER_ADD_VDS", host)


@action
def create(name: str, *, cluster: Cluster, uri: str = AUTO, by: Actor, **columns: Any) -> Host:
    """A new host; the engine connects to it by itself. `columns` is a comment."""
    authorise(by, ActionGroup.CREATE_HOST, cluster)
    host = Host(cluster=cluster, **_checked({"name": name, "uri": uri, **columns}))
    _ = host.doorway  # refused where it makes no sense
    _require_other_address(host)
    added(host)
    record(by, "USER_ADD_VDS", host)
    return host


@action
def edit(host: Host, *, by: Actor, **columns: Any) -> Host:
    """Change name or comment; in maintenance also the cluster and the address, to which the engine connects anew. A
    host that the engine's settings choose stays that."""
    host = locked(host)
    authorise(by, ActionGroup.EDIT_HOST_CONFIGURATION, host)
    _require_same_machine(host, columns)
    if (cluster := columns.get("cluster", host.cluster)) != host.cluster:
        authorise(by, ActionGroup.EDIT_HOST_CONFIGURATION, cluster)
        if not host.maintenance:
            raise Refusal("ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL", "cluster", name=host.name)
    before, after = changed(host, _checked(columns))
    if "uri" in after:
        _require_other_address(host)
    _ = host.doorway  # refused where it makes no sense
    if after:
        record(by, "USER_UPDATE_VDS", host, before, after)
    if "name" in after:
        renamed(host)
    if "cluster" in after:
        host.affinity_groups.clear()  # they are its former cluster's
    return host


@action
def deactivate(host: Host, *, by: Actor) -> Host:
    """Start nothing there any more, and have what runs there go on elsewhere; refused where that is not possible."""
    host = locked(host)
    authorise(by, ActionGroup.MANIPULATE_HOST, host)
    migration.away_from(host, by=by)
    if changed(host, {"maintenance": True})[1]:
        record(by, "USER_VDS_MAINTENANCE", host)
    return host


@action
def activate(host: Host, *, by: Actor) -> Host:
    """End the maintenance."""
    host = locked(host)
    authorise(by, ActionGroup.MANIPULATE_HOST, host)
    if changed(host, {"maintenance": False})[1]:
        record(by, "USER_VDS_ACTIVATE", host)
    return host


@action
def remove(host: Host, *, by: Actor) -> None:
    """Forget a host; a machine whose host has gone would stay up for ever, so it is refused while any runs there."""
    host = locked(host)
    authorise(by, ActionGroup.DELETE_HOST, host)
    _require_unused(host)
    record(by, "USER_REMOVE_VDS", host)
    removed(host)


def _require_unused(host: Host) -> None:
    running = [str(vm) for vm in host.vms.exclude(observed__in=NOT_RUNNING)[:3]]
    if running:
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=host.name, users=", ".join(running))


def _require_same_machine(host: Host, columns: dict[str, Any]) -> None:
    for name in ("uri", "username"):
        if columns.get(name, there := getattr(host, name)) == there:
            continue
        if host.uri == AUTO or columns.get("uri") == AUTO:
            raise Refusal("ILLEGAL_VALUE", name, value=str(columns[name])[:80], allowed=there or "…")
        if not host.maintenance:
            raise Refusal("ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL", name, name=host.name)
        _require_unused(host)


def _require_other_address(host: Host) -> None:
    """Two rows of one daemon would each have its machines; by another way it is known by its own id once it answers."""
    if host.uri == AUTO:
        return
    end = Way.of(host.uri).end
    for other in Host.objects.exclude(pk=host.pk).exclude(uri=AUTO):
        if Way.of(other.uri).end == end:
            raise Refusal("ACTION_TYPE_FAILED_VDS_WITH_SAME_HOST_EXIST", "uri", name=other.name)


def _checked(columns: dict[str, Any]) -> dict[str, Any]:
    name, uri = columns.get("name", "local"), columns.get("uri", AUTO)
    if not _NAME.fullmatch(name):
        raise Refusal("ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME", "name", name=name[:64], length=255)
    if uri != AUTO and not _URI.fullmatch(uri):
        raise Refusal("ILLEGAL_VALUE", "uri", value=uri[:80], allowed="an address that libvirt connects by")
    if not _ADDRESS.fullmatch(address := columns.get("migration_address", "")):
        raise Refusal("ILLEGAL_VALUE", "migration_address", value=address[:80], allowed="a name or an IP address")
    return columns | _doorway(columns)


def _doorway(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns about consoles, tidied; refused where the authority is none."""
    authority = str(columns.get("console_authority", "")).strip()
    if authority:
        try:
            load_pem_x509_certificates(authority.encode())
        except ValueError as error:
            allowed = "certificates as PEM: -----BEGIN CERTIFICATE----- …"
            raise Refusal("ILLEGAL_VALUE", "console_authority", value=authority[:40], allowed=allowed) from error
    tidied = {"console_listen": columns.get("console_listen") or LOOPBACK, "console_authority": authority}
    return {name: value for name, value in tidied.items() if name in columns}
