"""The affinity of a cluster as a value: its groups with what labels stand for, and where their machines are."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists

from vms.domain.affinity import Affinity, Breach, Broken, Group, Polarity, Rule, contradiction
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Verb
from vms.models import ACTIVE, VM, AffinityGroup, AffinityLabel, Cluster, Host, Job

Members = dict[UUID, frozenset[UUID]]

SHOWN: Final = 3  # names in one sentence
_AT_ONCE: Final = 10_000  # ids in one query; SQLite takes 32,766


def affinity_of(cluster: Cluster, *, lock: bool = False) -> Affinity:
    """The cluster's groups, and where their machines run or are about to.

    Whoever chooses a place by it locks: two that choose at once would give away the same memory, or put side by side
    what has to keep apart.
    """
    if lock:
        _alone(cluster)
    groups = _groups(list(cluster.affinity_groups.order_by("pk")), cluster.pk)
    return Affinity(groups, whereabouts({vm for group in groups for vm in group.vms}))


def _alone(cluster: Cluster) -> None:
    """Have nobody else choose a place in the cluster until the transaction ends; with SQLite nobody does anyway.

    A lock on no row: those who edit the cluster lock it before its machines, and those who choose have locked theirs.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            key = int.from_bytes(cluster.pk.bytes[:8], signed=True)
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def whereabouts(machines: set[UUID]) -> dict[UUID, UUID]:
    """The host of each of these machines that runs, or is about to start or to move there."""
    keys, found = sorted(machines), dict[UUID, UUID]()
    for start in range(0, len(keys), _AT_ONCE):
        rows = VM.objects.filter(pk__in=keys[start : start + _AT_ONCE], host__isnull=False)
        found |= rows.exclude(observed__in=NOT_RUNNING).order_by().values_list("pk", "host")
    about_to = coming(Job.objects.all()) if machines else {}
    return found | {machine: host for machine, host in about_to.items() if machine in machines}


def coming(jobs: Any) -> dict[UUID, UUID]:
    """The machines that are about to start or to move by such jobs, each with the host that it comes to."""
    verbs = (Verb.START, Verb.RUN_ONCE, Verb.MIGRATE)
    rows = jobs.filter(state__in=ACTIVE, exclusive=True, verb__in=verbs).order_by()
    found = {
        machine: UUID(params["to"]) if verb == Verb.MIGRATE else host
        for machine, host, verb, params in rows.values_list("machine", "host", "verb", "params")
    }
    return {machine: host for machine, host in found.items() if host is not None}


def require_keepable(clusters: Iterable[Cluster]) -> None:
    """Refuse enforcing rules that no placement could keep."""
    for cluster in clusters:
        found = contradiction(_groups(list(cluster.affinity_groups.order_by("name")), cluster.pk))
        if found is not None:
            code = "AFFINITY_RULES_LEAVE_NO_HOST" if found.hosts else "AFFINITY_RULES_TEAR_APART"
            raise Refusal(code, None, groups=", ".join(found.groups), vms=_names(VM, found.vms))


def refusal_of(breach: Breach, host: Host) -> Refusal:
    """The refusal of a host that a rule forbids: which rule, and what it wants."""
    told = {"host": host.name, "group": breach.group.name}
    if breach.what in _ABOUT_MACHINES:
        told["vms"] = _names(VM, breach.others)
    if breach.what == Broken.APART:
        told["there"] = _names(Host, frozenset(whereabouts(set(breach.others)).values()))
    if breach.what in {Broken.ELSEWHERE, Broken.UNLABELLED}:
        told["hosts"] = _names(Host, breach.group.hosts) or "–"
    return Refusal(breach.what.value, None, **told)


_ABOUT_MACHINES: Final = {Broken.APART, Broken.TOGETHER, Broken.COMPANION}


def has_affinity(cluster: Cluster) -> bool:
    """Whether there is anything to ask about, from one query."""
    groups = AffinityGroup.objects.filter(cluster=cluster)
    labels = AffinityLabel.objects.filter(implicit__in=(True,), vms__cluster=cluster)
    return Cluster.objects.filter(Exists(groups) | Exists(labels), pk=cluster.pk).exists()


def _groups(rows: list[AffinityGroup], cluster: UUID) -> tuple[Group, ...]:
    """The rows as values, with labels that are a group by themselves."""
    labels = list(AffinityLabel.objects.all())
    if not rows and not any(label.implicit for label in labels):
        return ()
    vms_of = _members(AffinityLabel.vms.through, "affinitylabel", "vm", vm__cluster=cluster) if labels else {}
    hosts_of = _members(AffinityLabel.hosts.through, "affinitylabel", "host", host__cluster=cluster) if labels else {}
    found = {
        name: _members(getattr(AffinityGroup, name).through, "affinitygroup", column, affinitygroup__cluster=cluster)
        for name, column in _COLUMNS.items()
        if rows
    }
    groups = [
        Group(
            name=row.name,
            vms=_all(found["vms"].get(row.pk), found["vm_labels"].get(row.pk), vms_of),
            hosts=_all(found["hosts"].get(row.pk), found["host_labels"].get(row.pk), hosts_of),
            vms_rule=row.among_vms,
            hosts_rule=row.with_hosts,
            priority=row.priority,
        )
        for row in rows
    ]
    none: frozenset[UUID] = frozenset()
    for label in labels:
        if label.implicit and label.pk in vms_of:
            hosts = hosts_of.get(label.pk, none)
            groups.append(Group(label.name, vms_of[label.pk], hosts, hosts_rule=_TIED, label=True))
    return tuple(groups)


_COLUMNS: Final = {"vms": "vm", "hosts": "host", "vm_labels": "affinitylabel", "host_labels": "affinitylabel"}
_TIED: Final = Rule(Polarity.POSITIVE)


def _members(through: Any, owner: str, column: str, **only: Any) -> Members:
    found: dict[UUID, set[UUID]] = {}
    for key, member in through.objects.filter(**only).order_by().values_list(owner, column):
        found.setdefault(key, set()).add(member)
    return {key: frozenset(members) for key, members in found.items()}


def _all(own: frozenset[UUID] | None, labels: frozenset[UUID] | None, labelled: Members) -> frozenset[UUID]:
    return (own or frozenset()).union(*(labelled.get(label, frozenset()) for label in labels or ()))


def _names(model: Any, keys: Iterable[UUID]) -> str:
    """Some of the names, in their order."""
    names = list(
        model.objects.filter(pk__in=sorted(keys)[:_AT_ONCE])
        .order_by("name")
        .values_list("name", flat=True)[: SHOWN + 1]
    )
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
