"""Affinity labels: words on machines and hosts, which affinity groups name."""

from collections.abc import Iterable
from typing import Any, Final

from vms.models import VM, ActionGroup, AffinityLabel, Cluster, Host

from ._action import action, locked
from ._affinity import require_keepable
from ._audit import record
from ._authorise import Actor, authorise
from ._changes import changed as tell
from ._labels import storable
from ._plain import added, changed

_ATTACHED: Final = {VM: "AFFINITY_LABEL_ATTACHED_TO_VM", Host: "AFFINITY_LABEL_ATTACHED_TO_HOST"}
_DETACHED: Final = {VM: "AFFINITY_LABEL_DETACHED_FROM_VM", Host: "AFFINITY_LABEL_DETACHED_FROM_HOST"}


@action
def create(
    name: str, *, implicit: bool = False, vms: Iterable[VM] = (), hosts: Iterable[Host] = (), by: Actor
) -> AffinityLabel:
    """A new label, on these machines and hosts; an `implicit` one ties its machines to its hosts by itself."""
    authorise(by, ActionGroup.TAG_MANAGEMENT, None)
    label = storable(AffinityLabel(name=name.strip(), implicit=implicit), "name")
    added(label)
    record(by, "AFFINITY_LABEL_ADDED", label)
    _put(label, {"vms": vms, "hosts": hosts}, by=by)
    return label


@action
def edit(label: AffinityLabel, *, by: Actor, **said: Any) -> AffinityLabel:
    """Change name or whether it ties by itself, and what it is on where `vms` or `hosts` are named."""
    label = locked(label)
    authorise(by, ActionGroup.TAG_MANAGEMENT, None)
    members: dict[str, Iterable[Any]] = {name: said.pop(name) for name in ("vms", "hosts") if name in said}
    if "name" in said:
        said["name"] = storable(AffinityLabel(name=said["name"].strip()), "name").name
    before, after = changed(label, said)
    if after:
        record(by, "AFFINITY_LABEL_UPDATED", label, before, after)
    _put(label, members, by=by)
    if after.get("implicit"):
        require_keepable(_clusters(label))
    return label


@action
def remove(label: AffinityLabel, *, by: Actor) -> None:
    """Remove a label, also from all that it is on and from the groups that name it."""
    label = locked(label)
    authorise(by, ActionGroup.TAG_MANAGEMENT, None)
    clusters = _clusters(label)
    record(by, "AFFINITY_LABEL_REMOVED", label)
    label.delete()
    require_keepable(clusters)


@action
def attach(label: AffinityLabel, row: VM | Host, *, by: Actor) -> None:
    """Put a label on a machine or host; one that is there already stays."""
    label, row = locked(label), locked(row)
    authorise(by, ActionGroup.TAG_MANAGEMENT, row)
    if not row.affinity_labels.filter(pk=label.pk).exists():
        row.affinity_labels.add(label)
        require_keepable([row.cluster])
        record(by, _ATTACHED[type(row)], row, label=label.name)
        tell(row.cluster)


@action
def detach(label: AffinityLabel, row: VM | Host, *, by: Actor) -> None:
    """Take a label off a machine or host; one that is not there stays away."""
    row = locked(row)
    authorise(by, ActionGroup.TAG_MANAGEMENT, row)
    if row.affinity_labels.filter(pk=label.pk).exists():
        row.affinity_labels.remove(label)
        require_keepable([row.cluster])
        record(by, _DETACHED[type(row)], row, label=label.name)
        tell(row.cluster)


def _put(label: AffinityLabel, members: dict[str, Iterable[Any]], *, by: Actor) -> None:
    """Have a label be on these machines or hosts, and on no others."""
    for name, wanted in members.items():
        there, wished = set(getattr(label, name).all()), set(wanted)
        for row in sorted(wished - there, key=str):
            attach(label, row, by=by)
        for row in sorted(there - wished, key=str):
            detach(label, row, by=by)


def _clusters(label: AffinityLabel) -> list[Cluster]:
    found = set(label.vms.values_list("cluster", flat=True)) | set(label.hosts.values_list("cluster", flat=True))
    return list(Cluster.objects.filter(pk__in=found | set(label.vm_groups.values_list("cluster", flat=True))))
