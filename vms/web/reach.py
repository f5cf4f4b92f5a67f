"""The access panel, as data: how a machine can be reached, what changes about that, and what would help."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from vms.actions import access as ways_in
from vms.domain.access import Access, Cure, Proof, Rating, Way
from vms.domain.initialization import PREFIX
from vms.messages import SOURCES, Text
from vms.messages.access import CURES, EXPLAINED, RATINGS, STATES, WAYS
from vms.models import VM, Hardware

from .kinds import user_of
from .pages import address

LOOKS: Final[dict[Rating, tuple[str, str]]] = {
    Rating.OK: ("success", "fa-check-circle"),
    Rating.ONE_WAY: ("info", "fa-info-circle"),
    Rating.UNKNOWN: ("info", "fa-question-circle"),
    Rating.LOCKED_OUT: ("warning", "fa-lock"),
}
_MARKS: Final[dict[Proof, tuple[str, str]]] = {
    Proof.PROVEN: ("success", "fa-check-circle"),
    Proof.UNPROVEN: ("info", "fa-question-circle"),
    Proof.MISSING: ("muted", "fa-minus-circle"),
}


@dataclass(frozen=True)
class WayLine:
    """One way in: what is known of it, and whether it is about to go or to come."""

    label: Text
    state: Text
    tone: str
    icon: str
    goes: bool
    comes: bool


@dataclass(frozen=True)
class CureLine:
    """What adds a way in: a page that is opened, or (without an address) a button of the form that shows the panel.

    It `leads_away` where the page is no dialog over the machine's.
    """

    key: str
    label: Text
    url: str

    @property
    def leads_away(self) -> bool:
        return self.key in {Cure.ADD_SSH_KEY, Cure.PREPARE}


@dataclass(frozen=True)
class Terminal:
    """What to type for a terminal in the guest, and why that should work: who told the address, and when."""

    command: str
    told: str


@dataclass(frozen=True)
class Reach:
    """What the panel says."""

    title: Text
    text: Text
    tone: str
    icon: str
    locked_out: bool
    ways: list[WayLine]
    cures: list[CureLine]
    terminals: list[Terminal]


def reach(
    access: Access,
    *,
    before: Access | None = None,
    pages: Mapping[Cure, str],
    buttons: Iterable[Cure] = (),
    terminals: Iterable[Terminal] = (),
) -> Reach:
    """The panel for `access`; `before` is what it becomes from. A cure that has neither page nor button is left out."""
    tone, icon = LOOKS[access.rating]
    there = {**pages, **dict.fromkeys(buttons, "")}
    return Reach(
        title=RATINGS[access.rating],
        text=EXPLAINED[access.rating],
        tone=tone,
        icon=icon,
        locked_out=access.locked_out,
        ways=list(_ways(access, before or access)),
        cures=[CureLine(cure.value, CURES[cure], there[cure]) for cure in access.cures if cure in there],
        terminals=list(terminals),
    )


def configured(request: HttpRequest, row: Hardware, *, edit: str, no_edit: str, no_run_once: str | None) -> Reach:
    """The panel of a machine as it is configured, with the cures that are possible for whoever looks.

    `edit` is the address of its dialog; `no_run_once` is None for what cannot run.
    """
    pages = {} if no_edit else {Cure.ENABLE_SERIAL: f"{edit}?tab=console&cure={Cure.ENABLE_SERIAL}"}
    pages[Cure.ADD_SSH_KEY] = reverse("account")
    if no_run_once is not None and not no_edit:
        pages[Cure.PREPARE] = address(request, "prepare_vm", row.pk)
    if no_run_once == "":
        pages[Cure.RUN_ONCE_WITH_VNC] = f"{address(request, 'run_vm_once', row.pk)}?console=vnc"
    terminals = _terminals(row) if isinstance(row, VM) else ()
    return reach(ways_in.of(row, by=user_of(request)), pages=pages, terminals=terminals)


def _terminals(vm: VM) -> Iterable[Terminal]:
    """A command for each address that others could use; for the user of its first boot, one seen in it, or its root."""
    seen_there = next((user.name for user in vm.guest.users), "root")
    name = vm.kept.get(f"{PREFIX}user_name") or seen_there
    for one in vm.addresses:
        if one.reaches:
            ago = timesince(one.seen_at, timezone.now(), depth=1) if one.seen_at else ""
            told = {"source": SOURCES[one.source], "ago": ago}
            seen = _("%(source)s, %(ago)s ago") % told if ago else str(told["source"])
            answers = vm.ssh_seen_at is not None and one.address == vm.ip.partition(" ")[0]
            yield Terminal(f"ssh {name}@{one.address}", f"{seen}; {_('SSH answers')}" if answers else seen)


def _ways(access: Access, before: Access) -> Iterable[WayLine]:
    for way, proof in access.ways.items():
        tone, icon = _MARKS[proof]
        had, has = before.ways[way] is not Proof.MISSING, proof is not Proof.MISSING
        at = f": {', '.join(access.addresses)}" if way is Way.GUEST and access.addresses else ""
        yield WayLine(WAYS[way], f"{STATES[way, proof]}{at}", tone, icon, goes=had and not has, comes=has and not had)
