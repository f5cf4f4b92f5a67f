"""What people read about the ways into a machine."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vms.domain.access import Cure, Proof, Rating, Way

RATINGS: Final[dict[Rating, Promise]] = {
    Rating.OK: _("Within reach"),
    Rating.ONE_WAY: _("One way in"),
    Rating.UNKNOWN: _("Not known to be within reach"),
    Rating.LOCKED_OUT: _("Locked out"),
}

EXPLAINED: Final[dict[Rating, Promise]] = {
    Rating.OK: _("There is more than one way in, and one is known to work."),
    Rating.ONE_WAY: _("There is a single way in; if it fails, nobody gets to the machine."),
    Rating.UNKNOWN: _("There is a way in, but nobody has seen yet that the guest answers there."),
    Rating.LOCKED_OUT: _("No way in is known: nobody could reach the machine."),
}

WAYS: Final[dict[Way, Promise]] = {
    Way.GRAPHICAL: _("Graphical console"),
    Way.SERIAL: _("Serial console"),
    Way.GUEST: _("Guest agent or address"),
    Way.SSH_KEY: _("SSH key in the guest"),
}

STATES: Final[dict[tuple[Way, Proof], Promise]] = {
    (Way.GRAPHICAL, Proof.PROVEN): _("yes"),
    (Way.GRAPHICAL, Proof.MISSING): _("none: headless"),
    (Way.SERIAL, Proof.PROVEN): _("yes, and the guest writes to it"),
    (Way.SERIAL, Proof.UNPROVEN): _("yes; whether the guest offers a log-in there is not known"),
    (Way.SERIAL, Proof.MISSING): _("none"),
    (Way.GUEST, Proof.PROVEN): _("answers"),
    (Way.GUEST, Proof.UNPROVEN): _("answered before, not now"),
    (Way.GUEST, Proof.MISSING): _("none known"),
    (Way.SSH_KEY, Proof.PROVEN): _("yes, and its address is known"),
    (Way.SSH_KEY, Proof.UNPROVEN): _("yes, but no address is known"),
    (Way.SSH_KEY, Proof.MISSING): _("none known"),
}

CURES: Final[dict[Cure, Promise]] = {
    Cure.ENABLE_SERIAL: _("Enable the serial console"),
    Cure.ADD_SSH_KEY: _("Add an SSH key…"),
    Cure.PREPARE: _("Prepare for headless…"),
    Cure.RUN_ONCE_WITH_VNC: _("Run once with VNC first…"),
}
