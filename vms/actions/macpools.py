"""Pools of MAC addresses: the ranges that the cards in clusters get theirs from."""

from collections.abc import Iterable
from typing import Any

from vms.domain.errors import Refusal
from vms.domain.networks import MacRange
from vms.models import ActionGroup, MacPool

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._plain import added, changed, removed


@action
def create(name: str, *, ranges: Iterable[MacRange], by: Actor, **columns: Any) -> MacPool:
    """A new pool; `columns` are description and allow_duplicates."""
    authorise(by, ActionGroup.CREATE_MAC_POOL, None)
    row = MacPool(name=_named(name), **columns)
    row.mac_ranges = _required(ranges)
    added(row)
    record(by, "MAC_POOL_ADD_SUCCESS", row)
    return row


@action
def edit(row: MacPool, *, by: Actor, ranges: Iterable[MacRange] | None = None, **columns: Any) -> MacPool:
    """Change its name, description, ranges, or whether duplicates are allowed; addresses in use stay in use."""
    row = locked(row)
    authorise(by, ActionGroup.EDIT_MAC_POOL, None)
    if "name" in columns:
        columns["name"] = _named(columns["name"])
    if ranges is not None:
        columns["ranges"] = [[each.first, each.last] for each in _required(ranges)]
    before, after = changed(row, columns)
    if after:
        record(by, "MAC_POOL_EDIT_SUCCESS", row, before, after)
    return row


@action
def remove(row: MacPool, *, by: Actor) -> None:
    """Remove a pool that no cluster uses; the default one stays."""
    row = locked(row)
    authorise(by, ActionGroup.DELETE_MAC_POOL, None)
    if row.is_default:
        raise Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", None, name=row.name)
    record(by, "MAC_POOL_REMOVE_SUCCESS", row)
    removed(row)


def _named(name: str) -> str:
    if not name.strip():
        raise Refusal("ILLEGAL_VALUE", "name", value=name, allowed="a value")
    return name.strip()


def _required(ranges: Iterable[MacRange]) -> list[MacRange]:
    found = list(ranges)
    if not found:
        raise Refusal("ILLEGAL_VALUE", "ranges", value="", allowed="a value")
    return found
