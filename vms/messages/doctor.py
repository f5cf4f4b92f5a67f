"""What people read about a boot: what it has come to, what that means, and what would help."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vms.domain.doctor import Cure, Finding

FINDINGS: Final[dict[Finding, Promise]] = {
    Finding.BOOTING: _("Booting"),
    Finding.LOG_IN: _("Log-in prompt on the serial line"),
    Finding.ANSWERS: _("Running, without a word on the serial line"),
    Finding.NOTHING_HEARD: _("Nothing heard on the serial line"),
    Finding.NO_BOOT_DEVICE: _("Nothing to boot from"),
    Finding.FIRMWARE_SHELL: _("In the firmware's own shell"),
    Finding.MENU_WAITS: _("The boot menu waits for somebody"),
    Finding.ON_SCREEN: _("The boot goes on where only the screen shows it"),
    Finding.GRUB_SILENT: _("GRUB has gone silent"),
    Finding.GRUB_HANGS: _("GRUB hangs in graphics mode"),
    Finding.GRUB_SHELL: _("GRUB does not know what to boot"),
    Finding.KERNEL_SILENT: _("Running, but the kernel says nothing on the serial line"),
    Finding.PANIC: _("The kernel has panicked"),
    Finding.NO_ROOT: _("The guest does not find its root file system"),
    Finding.EMERGENCY: _("The guest is in its emergency shell"),
    Finding.BOOT_LOOP: _("The guest boots again and again"),
    Finding.STANDS_STILL: _("The boot stands still"),
}

EXPLAINED: Final[dict[Finding, Promise]] = {
    Finding.BOOTING: _("Nothing is out of the ordinary so far."),
    Finding.LOG_IN: _("The guest has come up; the serial console leads to its log-in."),
    Finding.ANSWERS: _("Its agent or its address answers. Its serial console shows nothing: it was not told to."),
    Finding.NOTHING_HEARD: _(
        "Neither firmware nor guest has said a word. A system that does not use the line may be up all the same."
    ),
    Finding.NO_BOOT_DEVICE: _("The firmware has found no disk, CD or network that it could boot from."),
    Finding.FIRMWARE_SHELL: _("The firmware has found no system to boot and waits for commands on the serial line."),
    Finding.MENU_WAITS: _("It has no time-out. Open the serial console and choose an entry with Enter."),
    Finding.ON_SCREEN: _("The serial line is silent and no disk is read; look at the graphical console."),
    Finding.GRUB_SILENT: _(
        "Since its welcome it has said and read nothing. A hidden menu ends within half a minute, a hang does not."
    ),
    Finding.GRUB_HANGS: _(
        "It looks for a video card that a headless machine lacks: it uses a whole processor, reads and says nothing. "
        "With GRUB set to text mode the guest boots."
    ),
    Finding.GRUB_SHELL: _("Its configuration is missing or damaged; it waits for commands on the serial line."),
    Finding.KERNEL_SILENT: _(
        "The guest has come up. Its kernel was started without “console=ttyS0”: no log-in is on the serial line."
    ),
    Finding.PANIC: _("The guest will not go on by itself. What it said last is in the serial log."),
    Finding.NO_ROOT: _("It waits for commands in its initial RAM disk. Often a disk has another name than before."),
    Finding.EMERGENCY: _("Something that it needs has failed; it asks for root's password on the serial line."),
    Finding.BOOT_LOOP: _("It has begun several times without coming to a log-in. What it says is in the serial log."),
    Finding.STANDS_STILL: _(
        "For a minute and a half it has said and read nothing. What it said last is in the serial log."
    ),
}

CURES: Final[dict[Cure, Promise]] = {
    Cure.PREPARE: _("Prepare for headless…"),
    Cure.RUN_ONCE_WITH_VNC: _("Run once with VNC…"),
    Cure.OPEN_SERIAL: _("Open the serial console"),
    Cure.OPEN_SCREEN: _("Open the graphical console"),
    Cure.BOOT_OPTIONS: _("Change the boot options…"),
    Cure.READ_LOG: _("Read the serial log"),
}
