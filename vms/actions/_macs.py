"""Handing out MAC addresses."""

from vms.domain.errors import Refusal
from vms.domain.networks import MacRange, read_mac
from vms.models import Cluster, MacPool, VmNic
from vms.models.networks import DEFAULT_MAC_POOL

from ._action import locked


def of(cluster: Cluster) -> MacPool:
    """The pool of a cluster, locked: whoever hands out an address is alone with it until the transaction ends."""
    return locked(cluster.mac_pool or MacPool(pk=DEFAULT_MAC_POOL))


def hand_out(pool: MacPool, count: int = 1) -> list[str]:
    """Addresses of a locked pool that no machine's card has; refused where it has not so many left."""
    found: list[str] = []
    for each in pool.mac_ranges:
        found += _from(each, count - len(found))
        if len(found) == count:
            return found
    raise Refusal("MAC_POOL_NOT_ENOUGH_MAC_ADDRESSES", "mac", pool=pool.name)


def require_free(pool: MacPool, mac: str, but: VmNic | None = None) -> bool:
    """Refuse an address that another machine's card has, unless the locked pool allows it; True where it is shared."""
    others = VmNic.objects.filter(mac=mac, vm__isnull=False)
    other = (others.exclude(pk=but.pk) if but else others).select_related("vm").first()
    if other is None:
        return False
    if pool.allow_duplicates:
        return True
    raise Refusal("NETWORK_MAC_ADDRESS_IN_USE", "mac", mac=mac, name=str(other.vm))


def chosen(pool: MacPool, mac: str, but: VmNic | None = None) -> tuple[str, bool]:
    """The address that somebody wants, checked, or one that is handed out; and whether another card has it, too."""
    if not mac:
        return hand_out(pool)[0], False
    mac = read_mac(mac)
    return mac, require_free(pool, mac, but)


def _from(range_: MacRange, count: int) -> list[str]:
    """Addresses after the highest that is taken, and those between only when there are none."""
    taken = VmNic.objects.filter(vm__isnull=False, mac__gte=range_.first, mac__lte=range_.last)
    last = taken.order_by("-mac").values_list("mac", flat=True).first() or ""
    found: list[str] = []
    while len(found) < count and (mac := range_.after(last)):
        found.append(mac)
        last = mac
    if len(found) < count:
        there = {*taken.values_list("mac", flat=True), *found}
        while len(found) < count and (gap := range_.free(there)):
            found.append(gap)
            there.add(gap)
    return found
