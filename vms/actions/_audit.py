"""The audit trail: recorded in the action's own transaction, chained afterwards by the engine alone."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import msgspec
from django.db import models, transaction
from django.utils import timezone

from vms.domain.machine import MachineSpec
from vms.models import AuditEvent, User

from ._authorise import Actor
from ._changes import changed


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: the client's address and the id that joins everything it caused."""

    address: str | None = None
    correlation_id: str = ""


_NOBODY = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=_NOBODY)


@contextmanager
def coming_from(address: str | None, correlation_id: str) -> Iterator[None]:
    """Whatever is recorded inside belongs to this request; what is no IP address (a proxy's word) is not kept."""
    token = _origin.set(Origin(_ip(address), correlation_id[:50] or uuid4().hex))
    try:
        yield
    finally:
        _origin.reset(token)


def _ip(address: str | None) -> str | None:
    try:
        return str(ip_address(address or ""))
    except ValueError:
        return None


def correlation_id() -> str:
    """The id of the request at hand; empty outside one."""
    return _origin.get().correlation_id


def record(
    by: Actor,
    code: str,
    entity: models.Model,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    severity: str = "normal",
    **details: object,
) -> AuditEvent:
    """Append what happened; `before` and `after` hold the changed fields alone."""
    origin = _origin.get()
    user = by if isinstance(by, User) else None
    changed(entity)
    return AuditEvent.objects.create(
        at=timezone.now(),
        code=code,
        severity=severity,
        actor=user,
        actor_name=user.get_username() if user else str(by),
        address=origin.address,
        correlation_id=origin.correlation_id,
        entity_kind=entity._meta.model_name or "",
        entity_id=entity.pk,
        entity_name=str(entity)[:255],
        before=before or {},
        after=after or {},
        params=details,
    )


def changed_fields(before: MachineSpec, after: MachineSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields in which two machines differ, as plain data: what they were and what they are."""
    old, new = _flat(before), _flat(after)
    # A part that is gone (a watchdog) is told by what it was.
    keys = [key for key in {**new, **old} if new.get(key) != old.get(key)]
    return {key: old.get(key) for key in keys}, {key: new.get(key) for key in keys}


def chain() -> int:
    """Number and chain the events that are not yet; returns how many. Only the engine calls it: one writer."""
    with transaction.atomic():
        last = AuditEvent.objects.exclude(sequence=None).order_by("-sequence").first()
        sequence, digest = (last.sequence or 0, last.hash) if last else (0, "")
        waiting = list(AuditEvent.objects.filter(sequence=None).order_by("id")[:1000])
        for event in waiting:
            sequence += 1
            digest = _digest(event, sequence, digest)
            AuditEvent.objects.filter(pk=event.pk, sequence=None).update(sequence=sequence, hash=digest)
    return len(waiting)


def broken_link() -> int | None:
    """The first sequence number whose event was changed, or before which one was removed; None for an intact chain."""
    digest, expected = "", 1
    for event in AuditEvent.objects.exclude(sequence=None).order_by("sequence").iterator():
        digest = _digest(event, expected, digest)
        if event.sequence != expected or event.hash != digest:
            return expected
        expected += 1
    return None


def _digest(event: AuditEvent, sequence: int, previous: str) -> str:
    told = [
        *(previous, sequence, event.at.isoformat(), event.code, event.severity, event.actor_name, event.address),
        *(event.correlation_id, event.entity_kind, str(event.entity_id), event.entity_name),
        *(event.before, event.after, event.params),
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _flat(spec: MachineSpec) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(spec, order="deterministic")
    flat: dict[str, Any] = {}
    for key, value in plain.items():
        if key in {"addresses", "machine", "nics", "disks", "id", "level"}:
            continue
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": inside for inner, inside in value.items() if inner != "before"}
        else:
            flat[key] = value
    return flat
