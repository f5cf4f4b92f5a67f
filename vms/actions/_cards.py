"""Network cards as rows of their machine: what one may be, and those of a machine that is being made."""

from collections.abc import Sequence
from dataclasses import dataclass

from vms.domain.errors import Refusal
from vms.domain.machine import NICS
from vms.domain.networks import NicModel, check_card_name, next_card_name
from vms.domain.parts import between
from vms.models import VM, ActionGroup, Hardware, Template, User, VmNic, VnicProfile

from . import _macs
from ._authorise import Actor
from ._storable import require_storable

Owner = VM | Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card that a new machine is to have; without a name it gets the next one, without an address one of the pool."""

    name: str = ""
    profile: VnicProfile | None = None
    model: str = NicModel.VIRTIO.value
    mac: str = ""
    linked: bool = True
    plugged: bool = True


def copies(owner: Hardware) -> list[Card]:
    """The cards of a machine or template as a copy of it is to have them: with addresses of their own."""
    if not isinstance(owner, VM | Template):
        return []
    return [
        Card(name=each.name, profile=each.profile, model=each.model, linked=each.linked, plugged=each.plugged)
        for each in owner.cards.select_related("profile__network")
    ]


def put(owner: Owner, cards: Sequence[Card], *, by: Actor | None) -> list[VmNic]:
    """Save cards of a machine that has just been made or is locked.

    Whoever (`by`) chose them must be able to; None for cards that are copied.
    """
    there = list(owner.cards.all())
    between("nics", len(there) + len(cards), 0, NICS)
    pool = _macs.of(owner.cluster) if cards and isinstance(owner, VM) else None
    names, position, rows = [each.name for each in there], max((each.position for each in there), default=0), []
    for number, card in enumerate(cards, start=1):
        row = VmNic(name=card.name or next_card_name(names), profile=card.profile, model=card.model)
        row.linked, row.plugged, row.position = card.linked, card.plugged, position + number
        setattr(row, "vm" if isinstance(owner, VM) else "template", owner)
        if pool:
            row.mac, row.shared = _macs.chosen(pool, card.mac)
        elif card.mac:
            raise Refusal("ILLEGAL_VALUE", "mac", value=card.mac[:40], allowed="nothing in a template")
        check(row, owner, by, profile_chosen=by is not None)
        row.save(force_insert=True)
        names.append(row.name)
        rows.append(row)
    owner.forget_cards()
    return rows


def check(row: VmNic, owner: Owner, by: Actor | None, *, profile_chosen: bool) -> None:
    """Refuse a card that cannot be, or that is on a network where its machine may not be."""
    check_card_name(row.name)
    models = list(NicModel)
    if row.model not in models:
        raise Refusal("ILLEGAL_VALUE", "model", value=str(row.model)[:40], allowed=", ".join(models))
    same = VmNic.objects.filter(name=row.name, vm=row.vm, template=row.template).exclude(pk=row.pk)
    if same.exists():
        raise Refusal("ACTION_TYPE_FAILED_NAME_ALREADY_USED", "name", name=row.name)
    if row.profile is not None and profile_chosen:
        _require_usable(row.profile, owner, by)
    require_storable(row)


def _require_usable(profile: VnicProfile, owner: Owner, by: Actor | None) -> None:
    if isinstance(by, User) and not VnicProfile.objects.visible_to(by).filter(pk=profile.pk).exists():
        permit = ActionGroup.CONFIGURE_VM_NETWORK.value
        raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", "profile", permit=permit)
    cluster = owner.cluster
    if cluster is not None and not profile.network.clusters.filter(pk=cluster.pk).exists():
        told = {"network": profile.network.name, "cluster": cluster.name}
        raise Refusal("NETWORK_NOT_IN_CLUSTER", "profile", **told)
