"""What pages tell of definitions that are not ours: those of adopted machines, and those that nobody manages."""

from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms import messages
from vms.actions import adoption, rights
from vms.libvirtxml.adopt import ForeignDevice, Odd, adopt, devices_of
from vms.messages import Text
from vms.models import VM, ActionGroup, Domain, Host, User

from . import reasons
from .preview import XmlLine, text_lines

ODD: Final[dict[Odd, Text]] = {
    Odd.VIDEO_WITHOUT_GRAPHICS: gettext_lazy("a video card without graphics: nobody sees its screen"),
    Odd.GRAPHICS_WITHOUT_VIDEO: gettext_lazy("graphics without a video card: the screen stays empty"),
    Odd.SEVERAL_VIDEOS: gettext_lazy("more than one video card"),
    Odd.SEVERAL_GRAPHICS: gettext_lazy("a graphics protocol more than once"),
    Odd.OTHER_GRAPHICS: gettext_lazy("graphics other than VNC and SPICE"),
    Odd.OTHER_VIDEO: gettext_lazy("a video card that is not offered here"),
    Odd.VGPU: gettext_lazy("a virtual GPU"),
    Odd.OTHER_MACHINE: gettext_lazy("a machine type other than q35"),
    Odd.OTHER_ARCHITECTURE: gettext_lazy("another architecture than x86_64"),
    Odd.OTHER_NAME: gettext_lazy("a name on its host that is not possible here"),
    Odd.OTHER_MEMORY: gettext_lazy("less memory than is possible here"),
}
# What making ordinary cures.
_CURED: Final = frozenset(
    {
        *(Odd.VIDEO_WITHOUT_GRAPHICS, Odd.GRAPHICS_WITHOUT_VIDEO, Odd.SEVERAL_VIDEOS, Odd.SEVERAL_GRAPHICS),
        *(Odd.OTHER_GRAPHICS, Odd.OTHER_VIDEO),
    }
)
SHOWN: Final = 200


@dataclass(frozen=True)
class Definition:
    """A machine's definition on its host, as its page shows it."""

    adopted: bool
    host: str
    odd: list[Text]
    curable: bool
    drift: bool
    gone: bool
    lines: list[XmlLine]
    devices: list[ForeignDevice]
    why_not: str


def definition(vm: VM, user: User) -> Definition | None:
    """What is to be said of a machine's definition; None for an ordinary one."""
    if not vm.adopted and not vm.drift:
        return None
    there = adoption.definition_of(vm)
    text = there.definition if there else ""
    odd = [Odd(each) for each in vm.odd]
    return Definition(
        adopted=vm.adopted,
        host=vm.host.name if vm.host else "",
        odd=[ODD[each] for each in odd],
        curable=any(each in _CURED for each in odd),
        drift=vm.drift,
        gone=vm.drift and not text,
        lines=text_lines(there.accepted, text) if there and vm.drift else [],
        devices=devices_of(text) if text and vm.adopted else [],
        why_not=reasons.why_not_edited(vm, rights.on(user, vm)),
    )


def foreign(host: Host, held: rights.Rights) -> dict[str, Any]:
    """What the page of a host shows of the domains that nobody manages."""
    found = list(adoption.foreign(host)[: SHOWN + 1])
    return {
        "rows": [_row(host, domain) for domain in found[:SHOWN]],
        "more": len(found) > SHOWN,
        "all": reverse("adopt_all", args=[host.pk]),
        "why_not": reasons.lacking(ActionGroup.CREATE_VM, held),
    }


def _row(host: Host, domain: Domain) -> dict[str, Any]:
    found = adopt(domain.definition)
    return {
        "name": domain.name,
        "status": messages.STATUSES[domain.status],
        "graphics": found.console.graphics_label if not found.console.headless else _("None (headless)"),
        "memory": found.parts["memory"],
        "odd": [ODD[each] for each in found.odd],
        "url": reverse("adopt_domain", args=[host.pk, domain.pk]),
        "mark": f"adopt-{domain.pk}",
    }
