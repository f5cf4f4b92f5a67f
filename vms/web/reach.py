"""The access panel, as data: how a machine can be reached, what changes about that, and what would help."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse

from vms.actions import access as ways_in
from vms.domain.access import Access, Cure, Proof, Rating, Way
from vms.messages import Text
from vms.messages.access import CURES, EXPLAINED, RATINGS, STATES, WAYS
from vms.models import Hardware

from .kinds import user_of
from .pages import address

_LOOKS: Final[dict[Rating, tuple[str, str]]] = {
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

    It `leads_away` where the page is about something else than the machine, and no dialog over it.
    """

    key: str
    label: Text
    url: str

    @property
    def leads_away(self) -> bool:
        return self.key == Cure.ADD_SSH_KEY


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


def reach(
    access: Access, *, before: Access | None = None, pages: Mapping[Cure, str], buttons: Iterable[Cure] = ()
) -> Reach:
    """The panel for `access`; `before` is what it becomes from. A cure that has neither page nor button is left out."""
    tone, icon = _LOOKS[access.rating]
    there = {**pages, **dict.fromkeys(buttons, "")}
    return Reach(
        title=RATINGS[access.rating],
        text=EXPLAINED[access.rating],
        tone=tone,
        icon=icon,
        locked_out=access.locked_out,
        ways=list(_ways(access, before or access)),
        cures=[CureLine(cure.value, CURES[cure], there[cure]) for cure in access.cures if cure in there],
    )


def configured(request: HttpRequest, row: Hardware, *, edit: str, no_edit: str, no_run_once: str | None) -> Reach:
    """The panel of a machine as it is configured, with the cures that are possible for whoever looks.

    `edit` is the address of its dialog; `no_run_once` is None for what cannot run.
    """
    pages = {} if no_edit else {Cure.ENABLE_SERIAL: f"{edit}?tab=console&cure={Cure.ENABLE_SERIAL}"}
    pages[Cure.ADD_SSH_KEY] = reverse("account")
    if no_run_once == "":
        pages[Cure.RUN_ONCE_WITH_VNC] = f"{address(request, 'run_vm_once', row.pk)}?console=vnc"
    return reach(ways_in.of(row, by=user_of(request)), pages=pages)


def _ways(access: Access, before: Access) -> Iterable[WayLine]:
    for way, proof in access.ways.items():
        tone, icon = _MARKS[proof]
        had, has = before.ways[way] is not Proof.MISSING, proof is not Proof.MISSING
        at = f": {', '.join(access.addresses)}" if way is Way.GUEST and access.addresses else ""
        yield WayLine(WAYS[way], f"{STATES[way, proof]}{at}", tone, icon, goes=had and not has, comes=has and not had)
