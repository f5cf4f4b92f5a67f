"""The tab Network Interfaces of machines and templates, with its dialogs."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms.actions import nics, rights
from vms.domain.errors import Refusal
from vms.domain.networks import next_card_name
from vms.forms.networks import NicForm
from vms.models import VM, VmNic
from vms.routes import Access, route

from . import reasons
from .kinds import Kind, user_of
from .machines import shown
from .pages import address, complain, page, refusals_on, reply


@dataclass(frozen=True)
class CardLine:
    """A card as the tab shows it; `traffic` is empty where nothing was counted."""

    card: VmNic
    profile: str
    addresses: tuple[str, ...]
    traffic: tuple[str, ...]
    edit: str
    remove: str
    plug: str


@route(Access.ADMINISTRATOR)
@require_GET
def machine_nics(request: HttpRequest, kind: Kind, pk: UUID) -> HttpResponse:
    """The network cards with their addresses and what goes through them."""
    row = kind.row(request, pk)
    context = {
        "cards": [_line(request, kind, row, card) for card in _cards(row)],
        "new_card": address(request, f"new_{kind.name}_nic", row.pk),
        "no_cards": reasons.lacking(nics.GROUPS[kind.model], rights.on(user_of(request), row)) or _why_fixed(row),
    }
    return shown(request, kind, row, "nics", "vms/_nics.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def nic_form(request: HttpRequest, kind: Kind, pk: UUID, card: UUID | None = None) -> HttpResponse:
    """The dialog of a new card, or of one that is there."""
    row = kind.row(request, pk)
    there = get_object_or_404(row.cards, pk=card) if card else None
    name = next_card_name(each.name for each in row.cards.all())
    form = NicForm(request.POST or None, owner=row, card=there, by=user_of(request), name=name)
    if form.is_valid():
        with refusals_on(form):
            if there:
                saved = nics.edit(there, by=user_of(request), **form.columns())
            else:
                saved = nics.add(row, nics.Card(**form.columns()), by=user_of(request))
            return reply(request, _("%(name)s was saved.") % {"name": saved}, _tab(request, kind, row), stay=True)
    context = {
        "form": form,
        "title": _("Edit %(name)s") % {"name": there} if there else _("New Network Interface"),
        "action": address(request, f"edit_{kind.name}_nic", row.pk, there.pk)
        if there
        else address(request, f"new_{kind.name}_nic", row.pk),
        "back": _tab(request, kind, row),
    }
    return page(request, "places/form.html", "places/_form.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def remove_nic(request: HttpRequest, kind: Kind, pk: UUID, card: UUID) -> HttpResponse:
    """Ask whether a card is to go, and have it go."""
    row = kind.row(request, pk)
    there = get_object_or_404(row.cards, pk=card)
    named = {"name": there.name, "machine": row.name}
    if request.method == "GET":
        at = {
            "remove": address(request, f"remove_{kind.name}_nic", row.pk, there.pk),
            "detail": _tab(request, kind, row),
        }
        text = _("The network interface %(name)s is taken out of %(machine)s, which may lose its way in.") % named
        asked = {"row": there, "at": at, "why_not": "", "text": text}
        return page(request, "vms/remove.html", "vms/_remove.html", asked)
    try:
        nics.remove(there, by=user_of(request))
    except Refusal as no:
        return complain(request, no, _tab(request, kind, row))
    return reply(request, _("%(name)s was removed.") % named, _tab(request, kind, row), stay=True)


@route(Access.ADMINISTRATOR)
@require_POST
def plug_nic(request: HttpRequest, kind: Kind, pk: UUID, card: UUID, verb: str) -> HttpResponse:
    """Plug a card in, or take it out and keep it."""
    row = kind.row(request, pk)
    there = get_object_or_404(row.cards, pk=card)
    if verb not in {"plug", "unplug"}:
        raise Http404
    try:
        nics.edit(there, plugged=verb == "plug", by=user_of(request))
    except Refusal as no:
        return complain(request, no, _tab(request, kind, row))
    done = _("%(name)s is plugged in.") if verb == "plug" else _("%(name)s is unplugged.")
    return reply(request, done % {"name": there}, _tab(request, kind, row), stay=True)


def _tab(request: HttpRequest, kind: Kind, row: Any) -> str:
    return address(request, f"{kind.name}_nics", row.pk)


def _cards(row: Any) -> list[VmNic]:
    return list(row.cards.select_related("profile__network"))


def _why_fixed(row: Any) -> str:
    if isinstance(row, VM) and row.pool_id:
        return _("The virtual machine belongs to pool %(pool)s; change it there.") % {"pool": row.pool}
    return ""


def _line(request: HttpRequest, kind: Kind, row: Any, card: VmNic) -> CardLine:
    told = [one.address for one in row.addresses if one.mac == card.mac and one.reaches] if isinstance(row, VM) else []
    return CardLine(
        card=card,
        profile=str(card.profile) if card.profile else _("No network"),
        addresses=tuple(told),
        traffic=_traffic(card) if getattr(row, "running", None) else (),
        edit=address(request, f"edit_{kind.name}_nic", row.pk, card.pk),
        remove=address(request, f"remove_{kind.name}_nic", row.pk, card.pk),
        plug=address(request, f"plug_{kind.name}_nic", row.pk, card.pk, "unplug" if card.plugged else "plug"),
    )


def _traffic(card: VmNic) -> tuple[str, ...]:
    """Received and sent: how much a second, and how much in all."""
    counted = card.counted
    if not counted:
        return ()
    return tuple(
        f"{_bytes(counted[f'{way}_rate'])}/s · {_bytes(counted[total])}"
        for way, total in (("receive", "received"), ("send", "sent"))
    )


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
