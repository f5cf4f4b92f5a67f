"""What people read about the wizard that prepares a machine for headless."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vms.domain.headless_guest import Loader
from vms.domain.preparation import Goal, Outcome, Stage

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
