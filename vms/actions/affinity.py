"""Affinity groups of clusters: made, changed and removed; refused where no placement could keep them."""

import math
from collections.abc import Iterable
from typing import Any, Final

from vms.domain.affinity import PRIORITY, Polarity
from vms.domain.errors import Refusal
from vms.models import VM, ActionGroup, AffinityGroup, AffinityLabel, Cluster, Host

from ._action import action, locked
from ._affinity import affinity_of, has_affinity, refusal_of, require_keepable
from ._audit import record
from ._authorise import Actor, authorise
from ._changes import changed as tell
from ._labels import storable
from ._plain import added, changed
from .affinity_labels import attach as put_on
from .affinity_labels import detach as take_off

__all__ = ["affinity_of", "attach", "belong", "create", "detach", "edit", "has_affinity", "refusal_of", "remove"]

Member = VM | Host | AffinityLabel

# Members by the group's column, and the kind of row that each has.
MEMBERS: Final[dict[str, type[Any]]] = {
    "vms": VM,
    "hosts": Host,
    "vm_labels": AffinityLabel,
    "host_labels": AffinityLabel,
}


@action
def create(name: str, *, cluster: Cluster, by: Actor, **said: Any) -> AffinityGroup:
    """A new group of a cluster; `said` are description, priority, the two rules with whether each enforces, and its
    vms, hosts, vm_labels and host_labels."""
    authorise(by, ActionGroup.MANIPULATE_AFFINITY_GROUPS, cluster)
    members = {name: said.pop(name) for name in MEMBERS if name in said}
    row = AffinityGroup(cluster=cluster, **_checked({"name": name, **said}))
    added(row)
    _set(row, members)
    require_keepable([cluster])
    record(by, "USER_ADDED_AFFINITY_GROUP", row, cluster=cluster.name)
    tell(cluster)
    return row


@action
def edit(row: AffinityGroup, *, by: Actor, **said: Any) -> AffinityGroup:
    """Change a group, and its members where they are named; whoever runs against it from then on runs on."""
    row = locked(row)
    authorise(by, ActionGroup.MANIPULATE_AFFINITY_GROUPS, row)
    members = {name: said.pop(name) for name in MEMBERS if name in said}
    before, after = changed(row, _checked(said))
    were, are = _set(row, members)
    require_keepable([row.cluster])
    if after or are:
        record(by, "USER_UPDATED_AFFINITY_GROUP", row, before | were, after | are, cluster=row.cluster.name)
        tell(row.cluster)
    return row


@action
def remove(row: AffinityGroup, *, by: Actor) -> None:
    """Remove a group; its machines and hosts stay as they are."""
    row = locked(row)
    authorise(by, ActionGroup.MANIPULATE_AFFINITY_GROUPS, row)
    record(by, "USER_REMOVED_AFFINITY_GROUP", row, cluster=row.cluster.name)
    tell(row.cluster)
    row.delete()


def attach(row: AffinityGroup, name: str, member: Member, *, by: Actor) -> AffinityGroup:
    """Put a machine, host or label into a group; one that is there already stays."""
    return _with(row, name, lambda there: there | {member}, by=by)


def detach(row: AffinityGroup, name: str, member: Member, *, by: Actor) -> AffinityGroup:
    """Take a machine, host or label out of a group; one that is not there stays out."""
    return _with(row, name, lambda there: there - {member}, by=by)


@action
def belong(
    row: VM | Host,
    *,
    groups: Iterable[AffinityGroup] | None = None,
    labels: Iterable[AffinityLabel] | None = None,
    by: Actor,
) -> None:
    """Have a machine or host be in these groups of its cluster and wear these labels, and no others; what is not named
    stays."""
    row, name = locked(row), "vms" if isinstance(row, VM) else "hosts"
    for wished, there, on, off in (
        (
            groups,
            row.affinity_groups,
            lambda one: attach(one, name, row, by=by),
            lambda one: detach(one, name, row, by=by),
        ),
        (labels, row.affinity_labels, lambda one: put_on(one, row, by=by), lambda one: take_off(one, row, by=by)),
    ):
        if wished is None:
            continue
        wanted, held = set(wished), set(there.all())
        for each in sorted(held - wanted, key=str):
            off(each)
        for each in sorted(wanted - held, key=str):
            on(each)


@action
def _with(row: AffinityGroup, name: str, change: Any, *, by: Actor) -> AffinityGroup:
    row = locked(row)
    return edit(row, by=by, **{name: change(set(getattr(row, name).all()))})


def _set(row: AffinityGroup, members: dict[str, Iterable[Member]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a group these members: what those that differ were, and what they are, by name."""
    before, after = {}, {}
    for name, wanted in members.items():
        there, wished = set(getattr(row, name).all()), set(wanted)
        for member in wished:
            if name in {"vms", "hosts"} and member.cluster_id != row.cluster_id:  # type: ignore[union-attr]
                code = "ACTION_TYPE_FAILED_ENTITY_NOT_IN_AFFINITY_GROUP_CLUSTER"
                raise Refusal(code, name, name=str(member), cluster=row.cluster.name)
        if there != wished:
            getattr(row, name).set(wished)
            told = "affinity_hosts" if name == "hosts" else name  # a machine's hosts are those that it starts on
            before[told], after[told] = (", ".join(sorted(map(str, each))) for each in (there, wished))
    return before, after


def _checked(said: dict[str, Any]) -> dict[str, Any]:
    said = dict(said)
    if "name" in said:
        said["name"] = storable(AffinityGroup(name=said["name"].strip()), "name").name
    for name in ("vms_rule", "hosts_rule"):
        if said.get(name, Polarity.POSITIVE) not in list(Polarity):
            raise Refusal("ILLEGAL_VALUE", name, value=str(said[name])[:40], allowed=", ".join(Polarity))
    priority = said.get("priority", PRIORITY[0])
    if not math.isfinite(priority) or not PRIORITY[0] <= priority <= PRIORITY[1]:
        raise Refusal("ILLEGAL_VALUE", "priority", value=str(priority)[:40], allowed=f"0 … {PRIORITY[1]:.0f}")
    return said
