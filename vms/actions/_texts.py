"""The texts that machines are found by: made anew from the machine whenever one of them changes."""

from collections.abc import Iterable

from vms.models import VM, SearchText
from vms.models.texts import fold


def texts(vm: VM) -> set[tuple[str, str]]:
    """What the machine says of itself, by field; what is empty is not there, and each of its addresses is by itself."""
    told: Iterable[tuple[str, str]] = ((field, getattr(vm, field)) for field in VM.TEXT_FIELDS)
    return {(field, fold(text)) for field, text in (*told, *(("ip", each) for each in vm.ip.split())) if text}


def sync_texts(vm: VM) -> None:
    """Write the rows of what the machine says of itself."""
    wanted, there = texts(vm), SearchText.objects.filter(vm=vm)
    present = {(field, text): key for key, field, text in there.values_list("pk", "field", "text")}
    if stale := [key for told, key in present.items() if told not in wanted]:
        there.filter(pk__in=stale).delete()
    if fresh := wanted - present.keys():
        SearchText.objects.bulk_create(SearchText(vm=vm, field=field, text=text) for field, text in sorted(fresh))
