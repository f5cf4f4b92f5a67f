"""Network cards of machines and templates: added, changed, plugged and removed; a running machine follows at once."""

from collections.abc import Mapping
from typing import Any, Final

from vms.domain import lifecycle
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.models import VM, ActionGroup, Cluster, Hardware, Template, User, VmNic, VnicProfile

from . import _macs
from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._cards import Card as Card
from ._cards import Owner, check, put
from ._cards import copies as copies
from ._jobs import PLUG_NICS, enqueue
from ._shape import follow

GROUPS: Final[dict[type[Hardware], ActionGroup]] = {
    VM: ActionGroup.CONFIGURE_VM_NETWORK,
    Template: ActionGroup.CONFIGURE_TEMPLATE_NETWORK,
}
COLUMNS: Final = ("name", "profile", "model", "mac", "linked", "plugged")


@action
def add(owner: Owner, card: Card, *, by: Actor) -> VmNic:
    """A new card; plugged into a running machine at once."""
    owner = _asked(owner, by)
    (row,) = put(owner, [card], by=by)
    _settle(owner, row, "ADD", by=by)
    return row


@action
def edit(row: VmNic, *, by: Actor, **columns: Any) -> VmNic:
    """Change name, profile, model, MAC address, link, or whether it is plugged in.

    A running machine follows at once; another model or address takes the card out of it and puts it in anew.
    """
    owner = _asked(_owner(row), by)
    row = locked(row)
    named = {name: columns[name] for name in COLUMNS if name in columns}
    told: dict[str, Any] = {name: value for name, value in named.items() if value != getattr(row, name)}
    if "mac" in told and isinstance(owner, VM):
        pool = _macs.of(owner.cluster)
        told["mac"], row.shared = _macs.chosen(pool, told["mac"], row)
    before = {name: _plain(getattr(row, name)) for name in told}
    for name, value in told.items():
        setattr(row, name, value)
    check(row, owner, by, profile_chosen="profile" in told)
    if told:
        row.save(update_fields=[*told, "shared"])
        _settle(owner, row, "UPDATE", before, {name: _plain(told[name]) for name in told}, by=by)
    return row


@action
def remove(row: VmNic, *, by: Actor) -> None:
    """Remove a card; taken out of a running machine at once."""
    owner = _asked(_owner(row), by)
    row = locked(row)
    key = row.pk
    row.delete()
    row.pk = key
    _settle(owner, row, "REMOVE", by=by)


def usable(cluster: Cluster | None, user: User) -> Any:
    """The profiles that somebody may put a machine of a cluster on."""
    rows = VnicProfile.objects.visible_to(user).select_related("network")
    return rows.filter(network__clusters=cluster) if cluster else rows


# -- inside


def _owner(row: VmNic) -> Owner:
    owner = row.vm or row.template
    assert owner is not None
    return owner


def _asked(owner: Owner, by: Actor) -> Owner:
    owner = locked(owner)
    authorise(by, GROUPS[type(owner)], owner)
    if isinstance(owner, VM):
        lifecycle.require(Verb.EDIT, Status(owner.status))
        if owner.pool_id:
            raise Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(owner.pool))
        if owner.adopted:
            raise Refusal("ADOPTED_KEEPS_ITS_DEFINITION", "nics", name=owner.name)
    return owner


def _settle(
    owner: Owner,
    row: VmNic,
    what: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    by: Actor,
) -> None:
    """Raise the owner's version, record what happened, and have a running machine follow."""
    owner.forget_cards()
    owner.version += 1
    owner.save(update_fields=["version"])
    kind = "VM" if isinstance(owner, VM) else "TEMPLATE"
    record(by, f"NETWORK_{what}_{kind}_INTERFACE", owner, before, after, card=row.name)
    if isinstance(owner, VM) and Status(owner.observed) not in NOT_RUNNING and owner.run and owner.host_id:
        enqueue(owner, PLUG_NICS, by=by, host=owner.host, exclusive=False)
    follow(owner)


def _plain(value: object) -> object:
    return value if isinstance(value, str | bool) else str(value or "")
