"""Data centers and clusters: where machines may run."""

import re
from typing import Any, Final

from vms.domain.console import Level
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.models import VM, ActionGroup, Cluster, DataCenter, Pool, Template
from vms.models.networks import MANAGEMENT

from . import networks
from ._action import action, all_locked, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._plain import added, changed, removed
from ._shape import displayable, reshape
from ._status import renamed

NAME_LENGTH: Final = 40
_NAME: Final = re.compile(rf"\w[\w .-]{{0,{NAME_LENGTH - 1}}}")


@action
def create_data_center(name: str, *, by: Actor, **columns: Any) -> DataCenter:
    """A new data center without clusters, with one network; `columns` are description and comment."""
    authorise(by, ActionGroup.CREATE_STORAGE_POOL, None)
    row = DataCenter(name=_named(name), **columns)
    added(row)
    networks.begin(row)
    record(by, "USER_ADD_STORAGE_POOL", row)
    return row


@action
def edit_data_center(row: DataCenter, *, by: Actor, **columns: Any) -> DataCenter:
    """Change name, description or comment."""
    row = locked(row)
    authorise(by, ActionGroup.EDIT_STORAGE_POOL_CONFIGURATION, row)
    before, after = changed(row, _checked(columns))
    if after:
        record(by, "USER_UPDATE_STORAGE_POOL", row, before, after)
    return row


@action
def remove_data_center(row: DataCenter, *, by: Actor) -> None:
    """Remove a data center that has no clusters."""
    row = locked(row)
    authorise(by, ActionGroup.DELETE_STORAGE_POOL, row)
    record(by, "USER_REMOVE_STORAGE_POOL", row)
    removed(row)


@action
def create_cluster(name: str, *, data_center: DataCenter, by: Actor, **columns: Any) -> Cluster:
    """A new cluster without hosts, with its data center's own network; `columns` are description, comment, level,
    firmware and mac_pool."""
    authorise(by, ActionGroup.CREATE_CLUSTER, data_center)
    row = Cluster(data_center=data_center, **_checked({"name": name, **columns}))
    added(row)
    row.networks.set(data_center.networks.filter(name=MANAGEMENT))
    record(by, "USER_ADD_CLUSTER", row)
    return row


@action
def edit_cluster(row: Cluster, *, by: Actor, **columns: Any) -> Cluster:
    """Change name, description, comment, level, firmware of new machines or MAC pool; what the level does not show gets
    a card that it does (oVirt: UpdateClusterCommand)."""
    row = locked(row)
    authorise(by, ActionGroup.EDIT_CLUSTER_CONFIGURATION, row)
    before, after = changed(row, _checked(columns))
    if after:
        record(by, "USER_UPDATE_CLUSTER", row, before, after)
    if "name" in after:
        renamed(row)
    if "level" in after:
        _fit(row, by=by)
    return row


@action
def remove_cluster(row: Cluster, *, by: Actor) -> None:
    """Remove a cluster without hosts and machines."""
    row = locked(row)
    authorise(by, ActionGroup.DELETE_CLUSTER, row)
    record(by, "USER_REMOVE_CLUSTER", row)
    removed(row)


def _fit(cluster: Cluster, *, by: Actor) -> None:
    for model in (Pool, VM, Template):
        for machine in all_locked(model.objects.filter(cluster=cluster)):
            spec = machine.spec
            if (fitting := displayable(spec, machine.offer(spec))) != spec:
                reshape(machine, fitting, {}, by=by, cluster=cluster.name)


def _checked(columns: dict[str, Any]) -> dict[str, Any]:
    if "name" in columns:
        columns = {**columns, "name": _named(columns["name"])}
    for name, kind in (("level", Level), ("firmware", Firmware)):
        if name in columns and columns[name] not in list(kind):
            raise Refusal("ILLEGAL_VALUE", name, value=str(columns[name])[:8], allowed=", ".join(kind))
    return columns


def _named(name: str) -> str:
    """A name that lists, searches and files can carry; oVirt takes blanks in it, too."""
    if not _NAME.fullmatch(name):
        code = "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME"
        raise Refusal(code, "name", name=name[:NAME_LENGTH], length=NAME_LENGTH)
    return name
