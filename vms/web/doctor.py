"""What a boot has come to, as a panel: for people who ask why a machine does not come up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.utils.translation import gettext as _

from vms.domain.doctor import Cure, Finding
from vms.messages import Text
from vms.messages.doctor import CURES, EXPLAINED, FINDINGS
from vms.models import VM

from .pages import address
from .tables import Fact

# Those that a dialog answers; the others are pages.
_DIALOGS: Final = frozenset({Cure.RUN_ONCE_WITH_VNC, Cure.BOOT_OPTIONS})
_PLACES: Final[dict[Cure, Callable[[HttpRequest, VM], str]]] = {
    Cure.PREPARE: lambda request, vm: address(request, "prepare_vm", vm.pk),
    Cure.RUN_ONCE_WITH_VNC: lambda request, vm: f"{address(request, 'run_vm_once', vm.pk)}?console=vnc",
    Cure.OPEN_SERIAL: lambda request, vm: address(request, "vm_serial", vm.pk),
    Cure.OPEN_SCREEN: lambda request, vm: f"{address(request, 'vm_console', vm.pk)}#open",
    Cure.BOOT_OPTIONS: lambda request, vm: f"{address(request, 'edit_vm', vm.pk)}?tab=boot",
    Cure.READ_LOG: lambda request, vm: address(request, "serial_log", vm.pk),
}


@dataclass(frozen=True)
class Help:
    """A button of the panel."""

    key: str
    label: Text
    url: str
    dialog: bool


@dataclass(frozen=True)
class Panel:
    """What is wrong with a boot, in the guest's own words where it gave some, and what would help."""

    title: Text
    text: Text
    tone: str
    icon: str
    words: str
    after: int
    cures: list[Help]


def panel(request: HttpRequest, vm: VM) -> Panel | None:
    """What somebody should look at; None while everything is as it should be."""
    found = vm.diagnosis
    if found is None or not found.finding.needs_attention:
        return None
    return Panel(
        title=FINDINGS[found.finding],
        text=EXPLAINED[found.finding],
        tone="danger" if found.finding.alarming else "warning",
        icon="fa-exclamation-circle" if found.finding.alarming else "fa-exclamation-triangle",
        words=found.words,
        after=found.after,
        cures=[Help(cure.value, CURES[cure], _PLACES[cure](request, vm), cure in _DIALOGS) for cure in _offered(vm)],
    )


def fact(vm: VM) -> list[Fact]:
    """The line of the General tab: what the last boot has come to, and how long that took."""
    found = vm.diagnosis
    if found is None:
        return []
    took = _("after %(seconds)d s") % {"seconds": found.after}
    return [Fact(_("Boot"), str(FINDINGS[found.finding]), () if found.finding is Finding.BOOTING else (took,))]


def _offered(vm: VM) -> list[Cure]:
    found = vm.diagnosis
    return [cure for cure in found.cures if cure in _PLACES] if found else []
