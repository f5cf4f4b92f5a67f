"""Definitions that somebody changed behind our back, and what has to wait until that is settled."""

from vms.domain.errors import Refusal
from vms.models import VM, Domain


def require_undisputed(vm: VM) -> None:
    """Refuse what would write over a definition that somebody changed outside."""
    if not vm.drift:
        return
    there = definition_of(vm)
    if there is not None and (vm.adopted or not there.gone):
        raise Refusal("DEFINITION_CHANGED_OUTSIDE", None, name=vm.name)


def definition_of(vm: VM) -> Domain | None:
    """The definition of a machine on the host that has it."""
    return Domain.objects.filter(machine=vm.pk, host=vm.host_id).first() if vm.host_id else None
