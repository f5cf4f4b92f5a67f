"""What people read about the wizard that prepares a machine for headless."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vms.domain.headless_guest import Loader
from vms.domain.hosts import NoOffline
from vms.domain.preparation import Goal, Outcome, Stage, Way

# (what it is called, what happens meanwhile); in the other direction some are called otherwise.
STAGES: Final[dict[Stage, tuple[Promise, Promise]]] = {
    Stage.START: (
        _("Run with a screen"),
        _("It is run once with VNC, for a guest that needs a screen to boot; a guest that answers already runs on."),
    ),
    Stage.AGENT: (_("Guest agent answers"), _("The guest boots. Its agent is waited for, ten minutes at most.")),
    Stage.LOOK: (_("Look at the boot configuration"), _("The guest is asked how it boots. Nothing is changed.")),
    Stage.CONFIRM: (_("Confirm the change"), _("Read what would be changed in the guest, and go on or cancel.")),
    Stage.CHANGE: (_("Change the guest"), _("The guest keeps a copy of each file and writes its boot configuration.")),
    Stage.SHUT_DOWN: (_("Shut down"), _("The guest is asked to shut down.")),
    Stage.CONFIGURE: (_("Make headless"), _("The screen is taken away; a serial console is there.")),
    Stage.BOOT: (_("Start headless"), _("It is started without a screen.")),
    Stage.LOGIN: (
        _("Log-in prompt on the serial line"),
        _("The serial line is read until a log-in prompt stands there, ten minutes at most."),
    ),
}
UNDOING: Final[dict[Stage, tuple[Promise, Promise]]] = {
    Stage.CHANGE: (_("Restore the guest"), _("Every file that nobody has edited since is put back from its copy.")),
    Stage.CONFIGURE: (_("Restore the console"), _("The console is configured as it was before.")),
    Stage.BOOT: (_("Start again"), _("What ran before the undoing is started again; what was off stays off.")),
}

OFFLINE: Final[dict[Stage, tuple[Promise, Promise]]] = {
    Stage.SHUT_DOWN: (
        _("Machine is off"),
        _("What runs is switched off first: two systems must not write to one disk."),
    ),
    Stage.LOOK: (
        _("Look into the disks"),
        _("Its disks are opened in a small system of their own, one to two minutes. Nothing is changed."),
    ),
    Stage.CHANGE: (
        _("Change the disks"),
        _("The boot configuration is written beside the disks, and onto them once it is whole; a copy is kept."),
    ),
}
UNDOING_OFFLINE: Final[dict[Stage, tuple[Promise, Promise]]] = {
    **UNDOING,
    Stage.SHUT_DOWN: OFFLINE[Stage.SHUT_DOWN],
    Stage.CHANGE: (_("Restore the disks"), UNDOING[Stage.CHANGE][1]),
}

# Undoing?, way → what is called otherwise then.
CALLED: Final[dict[tuple[bool, Way], dict[Stage, tuple[Promise, Promise]]]] = {
    (False, Way.AGENT): {},
    (True, Way.AGENT): UNDOING,
    (False, Way.OFFLINE): OFFLINE,
    (True, Way.OFFLINE): UNDOING_OFFLINE,
}

# Why the disks of a machine that is off are not looked into.
NO_OFFLINE: Final[dict[str, Promise]] = {
    NoOffline.UNTOLD: _("The host has not said that it can look into the disks of machines that are off."),
    NoOffline.REMOTE: _(
        "The host is another machine than the engine's: its disks are not reached from here. Prepare it by its guest "
        "agent, or on the host itself by virt-customize."
    ),
    NoOffline.ACCESS: _("The engine runs as a user who may not open the disks of this host's machines."),
    NoOffline.PROGRAM: _(
        "libguestfs is not installed where the engine runs: install the Debian packages guestfish and "
        "linux-image-cloud-amd64 there, and restart the engine."
    ),
    NoOffline.KERNEL: _(
        "There is no kernel for libguestfs where the engine runs: install the Debian package linux-image-cloud-amd64 "
        "there, and restart the engine."
    ),
    "host": _("No host that reaches its disks is up."),
    "disks": _("It has no disk of its own that could be written to."),
}

# State of a stage → (what is said of it, its icon, its tone).
STATES: Final[dict[str, tuple[Promise, str, str]]] = {
    "done": (_("done"), "fa-check-circle", "success"),
    "todo": (_("to do"), "fa-circle", "muted"),
    "asks": (_("waits for you"), "fa-question-circle", "warning"),
    Outcome.ACTIVE: (_("at work"), "fa-spinner", "info"),
    Outcome.FAILED: (_("failed"), "fa-times-circle", "danger"),
    Outcome.CANCELLED: (_("cancelled"), "fa-ban", "muted"),
}

ENDS: Final[dict[tuple[Goal, Outcome], Promise]] = {
    (Goal.PREPARE, Outcome.DONE): _("Prepared: it runs headless, and a log-in prompt stands on its serial line."),
    (Goal.PREPARE, Outcome.FAILED): _("It could not be prepared."),
    (Goal.PREPARE, Outcome.CANCELLED): _("The preparation was cancelled."),
    (Goal.UNDO, Outcome.UNDONE): _("Undone: guest and console are as they were before."),
    (Goal.UNDO, Outcome.FAILED): _("It could not be undone; you can try again."),
    (Goal.UNDO, Outcome.CANCELLED): _("The undoing was cancelled; you can try again."),
}

LOADERS: Final[dict[str, Promise]] = {
    Loader.DEBIAN: _("GRUB 2 of Debian or Ubuntu"),
    Loader.REDHAT: _("GRUB 2 of Fedora, RHEL or SUSE"),
    Loader.GRUB: _("GRUB 2"),
    Loader.LEGACY: _("GRUB Legacy"),
}
