"""What a guest tells of itself, for its page: with who says so and since when."""

from datetime import datetime
from typing import Final

from django.template.defaultfilters import filesizeformat
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from vms import messages
from vms.domain.access import Seen
from vms.domain.guest import FileSystem
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.models import VM

from .tables import Cell, Fact, Table

_NOTHING: Final = "–"


def facts(vm: VM) -> list[tuple[str, list[Fact]]]:
    """Agent and operating system, with their headings."""
    told, seen = vm.guest, _when(vm.agent_seen_at)
    agent = [
        Fact(_("Guest Agent"), str(messages.AGENTS[vm.agent])),
        Fact(_("Last Answer"), seen or _NOTHING),
        Fact(_("FQDN"), vm.fqdn or _NOTHING),
        *([Fact(_("Agent Version"), told.agent_version)] if told.agent_version else []),
    ]
    system = told.system
    named = {
        _("Name"): system.name,
        _("Version"): system.version,
        _("Kernel"): system.kernel,
        _("Architecture"): system.architecture,
        _("Time Zone"): f"{told.zone.name} (UTC{told.zone.offset / 3600:+.4g})" if told.zone.name else "",
    }
    return [
        (_("Guest"), agent),
        (_("Operating System"), [Fact(label, text or _NOTHING) for label, text in named.items()]),
    ]


def summary(vm: VM) -> list[Fact]:
    """The little of it that the General tab has."""
    return [
        Fact(_("Guest Agent"), str(messages.AGENTS[vm.agent])),
        Fact(_("FQDN"), vm.fqdn or _NOTHING),
        Fact(_("IP Addresses"), vm.ip.replace(" ", ", ") or _NOTHING),
    ]


def why_nothing(vm: VM) -> str:
    """Why there is little to see; empty where the guest answers."""
    if vm.agent == Seen.NOW:
        return ""
    if Status(vm.observed) in NOT_RUNNING:
        return _("The virtual machine is not running: it tells what it is once it does.")
    if vm.agent == Seen.BEFORE:
        return _("The guest agent has answered before, but does not now. What it said last is shown with its age.")
    return _("No guest agent has answered. With the package qemu-guest-agent installed, the guest tells what it is.")


def tables(vm: VM) -> list[Table]:
    """Addresses, file systems and the people who have logged in."""
    told = vm.guest
    return [
        Table(
            _("IP Addresses"),
            (_("Address"), _("MAC Address"), _("Interface"), _("Told by"), _("Last Seen")),
            [
                (
                    Cell(one.address, "" if one.reaches else _("(only on its own link)")),
                    Cell(one.mac or _NOTHING),
                    Cell(one.interface or _NOTHING),
                    Cell(messages.SOURCES[one.source]),
                    Cell(_when(one.seen_at)),
                )
                for one in vm.addresses
            ],
            _("No address is known."),
        ),
        Table(
            _("File Systems"),
            (_("Mounted at"), _("Type"), _("Used"), _("Size")),
            [
                (Cell(one.path), Cell(one.kind or _NOTHING), Cell(*_used(one)), Cell(_size(one.total)))
                for one in told.filesystems
            ],
            _("No file system is known."),
        ),
        Table(
            _("Logged-in Users"),
            (_("User"), _("Since")),
            [(Cell(one.name, one.domain), Cell(_when(one.since) or _NOTHING)) for one in told.users],
            _("Nobody is known to have logged in inside the guest."),
        ),
    ]


def _used(one: FileSystem) -> tuple[str, str]:
    if one.used is None:
        return _NOTHING, ""
    return _size(one.used), f"({one.used / one.total:.0%})" if one.total else ""


def _size(number: int | None) -> str:
    return _NOTHING if number is None else filesizeformat(number)


def _when(moment: datetime | None) -> str:
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return f"{formats.date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S}"
