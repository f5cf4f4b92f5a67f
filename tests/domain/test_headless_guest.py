"""What the script does to a guest's files: each boot loader in its own way, all of it or nothing, and back again."""

import os
import subprocess
from pathlib import Path

import pytest

from vms.domain.errors import Refusal
from vms.domain.headless_guest import KEPT, KERNEL, SERIAL, Answer, Loader, Task, read, script

# What the guest's own programs do, as far as anybody sees it from outside.
MKCONFIG = """#!/bin/sh
[ -e "$ROOT/broken" ] && { echo "cannot find a device for /" >&2; exit 1; }
GRUB_CMDLINE_LINUX= GRUB_CMDLINE_LINUX_DEFAULT= GRUB_TERMINAL=
. "$ROOT/etc/default/grub"
for each in "$ROOT"/etc/default/grub.d/*.cfg; do [ -e "$each" ] && . "$each"; done
echo "terminal=$GRUB_TERMINAL linux=$GRUB_CMDLINE_LINUX" >"$ROOT/boot/%s/grub.cfg"
"""
SYSTEMCTL = """#!/bin/sh
mark=$ROOT/etc/systemd/$2
case $1 in
is-enabled) [ -e "$mark" ] ;;
enable) : >"$mark" ;;
disable) rm "$mark" ;;
esac
"""
GRUBBY = """#!/bin/sh
entry=$ROOT/boot/loader/entries/one.conf
case "$*" in
*--info*) cat "$entry" ;;
*--remove-args*console=ttyS0*) sed -i 's/ console=.*//' "$entry" ;;
*--args*console=ttyS0*) sed -i "s/$/ console=ttyS0/" "$entry" ;;
esac
"""
MENU_LST = """# menu.lst
default 0
timeout 5
splashimage=(hd0,0)/grub/splash.xpm.gz
hiddenmenu
# kopt=root=/dev/sda1 ro

title Debian GNU/Linux, kernel 2.6.26
root (hd0,0)
kernel /boot/vmlinuz-2.6.26 root=/dev/sda1 ro quiet
initrd /boot/initrd.img-2.6.26

title Xen
kernel /boot/xen.gz
module /boot/vmlinuz-2.6.26-xen root=/dev/sda1
"""
SERIAL_MENU = """serial --unit=1 --speed=9600
terminal serial
title A
\tkernel /vmlinuz root=/dev/sda1 console=ttyS0,9600
"""


class Guest:
    """The files of a guest, and programs that stand for its own."""

    def __init__(self, place: Path) -> None:
        self.root = place / "root"
        self.programs = place / "bin"
        self.programs.mkdir()
        (self.root / "var/lib").mkdir(parents=True)

    def file(self, path: str, content: str) -> None:
        at = self.root / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(content)

    def program(self, name: str, content: str) -> None:
        (self.programs / name).write_text(content)
        (self.programs / name).chmod(0o755)

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    def said(self, task: Task) -> str:
        surroundings = {"ROOT": str(self.root), "PATH": f"{self.programs}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["/bin/sh", "-c", script(task)], env=surroundings, capture_output=True, text=True, check=True
        )
        assert not done.stderr, done.stderr
        return done.stdout

    def run(self, task: Task) -> Answer:
        return read(self.said(task))

    def files(self) -> dict[str, bytes]:
        """Everything there is, to be compared."""
        there = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in there}


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


@pytest.fixture
def debian(guest: Guest) -> Guest:
    guest.file("etc/default/grub", 'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="mine"\n')
    guest.file("boot/grub/grub.cfg", "terminal= linux=mine\n")
    guest.file("etc/systemd/system.conf", "")
    guest.program("update-grub", MKCONFIG % "grub")
    guest.program("systemctl", SYSTEMCTL)
    return guest


@pytest.fixture
def redhat(guest: Guest) -> Guest:
    guest.file("etc/default/grub", 'GRUB_TERMINAL_OUTPUT="gfxterm"\nGRUB_CMDLINE_LINUX="rhgb quiet"\n')
    guest.file("boot/grub2/grub.cfg", "terminal= linux=rhgb quiet\n")
    guest.program("grub2-mkconfig", MKCONFIG % "grub2")
    return guest


@pytest.fixture
def legacy(guest: Guest) -> Guest:
    guest.file("boot/grub/menu.lst", MENU_LST)
    guest.file("etc/inittab", "1:2345:respawn:/sbin/mingetty tty1\n")
    guest.file("etc/securetty", "tty1\n")
    return guest


def test_looking_shows_the_change_and_makes_none(debian: Guest) -> None:
    before = debian.files()
    answer = debian.run(Task.LOOK)
    assert debian.files() == before
    assert (answer.loader, answer.changed, answer.kept) == (Loader.DEBIAN, True, False)
    for line in ("+++ /etc/default/grub.d/90-headless.cfg", '+GRUB_TERMINAL="serial console"', "# systemctl enable"):
        assert line in answer.changes, answer.changes


def test_a_debian_speaks_on_the_serial_line_afterwards_and_as_before_when_it_is_undone(debian: Guest) -> None:
    before = debian.files()
    assert debian.run(Task.CHANGE).kept
    assert debian.text("boot/grub/grub.cfg") == f"terminal=serial console linux=mine {KERNEL}\n"
    assert (debian.root / "etc/systemd/serial-getty@ttyS0.service").exists()
    again = debian.run(Task.CHANGE)
    assert (again.changed, again.kept) == (False, True), "a second time changes nothing, and the copy is still there"
    undone = debian.run(Task.UNDO)
    assert "-GRUB_TERMINAL" in undone.changes
    assert debian.files() == before
    with pytest.raises(Refusal, match="PREPARE_NOTHING_KEPT"):
        debian.run(Task.UNDO)


def test_a_kernel_that_speaks_already_is_not_told_twice(debian: Guest) -> None:
    debian.file("etc/default/grub", f'GRUB_CMDLINE_LINUX="{KERNEL}"\n')
    debian.run(Task.CHANGE)
    assert debian.text("boot/grub/grub.cfg") == f"terminal=serial console linux={KERNEL}\n"


def test_a_red_hat_has_it_in_its_one_file(redhat: Guest) -> None:
    before = redhat.files()
    assert redhat.run(Task.CHANGE).loader == Loader.REDHAT
    assert redhat.text("boot/grub2/grub.cfg") == f"terminal=serial console linux=rhgb quiet {KERNEL}\n"
    assert redhat.run(Task.LOOK).changed is False
    redhat.run(Task.UNDO)
    assert redhat.files() == before


def test_boot_loader_entries_are_changed_by_their_own_program(redhat: Guest) -> None:
    redhat.file("boot/loader/entries/one.conf", "options root=/dev/vda1\n")
    redhat.program("grubby", GRUBBY)
    before = redhat.files()
    assert "# grubby --update-kernel=ALL --args=" in redhat.run(Task.LOOK).changes
    redhat.run(Task.CHANGE)
    assert "console=ttyS0" in redhat.text("boot/loader/entries/one.conf")
    redhat.run(Task.UNDO)
    assert redhat.files() == before


def test_the_configuration_of_an_efi_partition_that_leads_to_another_stays(redhat: Guest) -> None:
    redhat.file("boot/efi/EFI/fedora/grub.cfg", "search --fs-uuid\nconfigfile $prefix/grub.cfg\n")
    redhat.run(Task.CHANGE)
    assert redhat.text("boot/efi/EFI/fedora/grub.cfg").endswith("configfile $prefix/grub.cfg\n")


def test_the_splash_image_of_legacy_grub_goes_and_its_menu_speaks(legacy: Guest) -> None:
    before = legacy.files()
    assert legacy.run(Task.CHANGE).loader == Loader.LEGACY
    menu = legacy.text("boot/grub/menu.lst").splitlines()
    assert "#splashimage=(hd0,0)/grub/splash.xpm.gz" in menu
    first = menu.index("title Debian GNU/Linux, kernel 2.6.26")
    assert menu[first - 2 : first] == [SERIAL, "terminal --timeout=5 serial console"]
    assert f"kernel /boot/vmlinuz-2.6.26 root=/dev/sda1 ro quiet {KERNEL}" in menu
    assert f"# kopt=root=/dev/sda1 ro {KERNEL}" in menu, "and kernels that come later"
    assert "kernel /boot/xen.gz" in menu, "a hypervisor is no kernel"
    assert f"module /boot/vmlinuz-2.6.26-xen root=/dev/sda1 {KERNEL}" in menu
    assert "S0:2345:respawn:/sbin/agetty -L ttyS0 115200 vt100" in legacy.text("etc/inittab")
    assert legacy.text("etc/securetty") == "tty1\nttyS0\n"
    assert legacy.run(Task.LOOK).changed is False
    legacy.run(Task.UNDO)
    assert legacy.files() == before


def test_a_grub_conf_that_speaks_on_another_line_speaks_on_ours(guest: Guest) -> None:
    guest.file("boot/grub/grub.conf", SERIAL_MENU)
    guest.run(Task.CHANGE)
    menu = guest.text("boot/grub/grub.conf").splitlines()
    assert menu[:5] == ["#serial --unit=1 --speed=9600", "#terminal serial", SERIAL, menu[3], "title A"]
    assert menu[5].endswith("console=ttyS0,9600"), "the kernel's own console is left"


def test_a_generator_that_fails_leaves_everything_as_it_was(debian: Guest) -> None:
    debian.file("broken", "")
    before = debian.files()
    with pytest.raises(Refusal) as no:
        debian.run(Task.CHANGE)
    assert (no.value.code, no.value.params["message"]) == (
        "PREPARE_GENERATOR_FAILED",
        "cannot find a device for /",
    )
    assert debian.files() == before


def test_what_cannot_be_written_is_said_and_nothing_is_changed(debian: Guest) -> None:
    debian.file("etc/default/grub.d", "a file where a directory should be")
    before = debian.files()
    for task in (Task.LOOK, Task.CHANGE):
        with pytest.raises(Refusal, match="PREPARE_READ_ONLY"):
            debian.run(task)
    assert debian.files() == before


def test_a_change_that_was_cut_off_is_ended_by_the_next_one(debian: Guest) -> None:
    before = debian.files()
    debian.run(Task.CHANGE)
    (debian.root / KEPT.lstrip("/") / "done").unlink()
    debian.file("boot/grub/grub.cfg", "half of it")
    assert debian.run(Task.CHANGE).kept
    assert debian.text("boot/grub/grub.cfg").startswith("terminal=serial console")
    debian.run(Task.UNDO)
    assert debian.files() == before


def test_what_somebody_has_edited_since_stays_his(legacy: Guest) -> None:
    legacy.run(Task.CHANGE)
    legacy.file("boot/grub/menu.lst", "title mine\n")
    answer = legacy.run(Task.UNDO)
    assert answer.yours == ("/boot/grub/menu.lst",)
    assert legacy.text("boot/grub/menu.lst") == "title mine\n"
    assert legacy.text("etc/securetty") == "tty1\n", "the rest is undone"


def test_no_grub_and_no_linux_are_said(guest: Guest) -> None:
    with pytest.raises(Refusal, match="PREPARE_NO_GRUB"):
        guest.run(Task.LOOK)
    guest.program("uname", "#!/bin/sh\necho FreeBSD\n")
    with pytest.raises(Refusal, match="PREPARE_NOT_LINUX"):
        guest.run(Task.LOOK)


def test_an_encrypted_disk_is_told_of_and_encrypted_swap_is_not(debian: Guest) -> None:
    debian.file("etc/crypttab", "# none\nswap /dev/vda2 /dev/urandom swap\n")
    assert not debian.run(Task.LOOK).encrypted
    debian.file("etc/crypttab", "root UUID=1 none luks\n")
    assert debian.run(Task.LOOK).encrypted


def test_an_answer_that_makes_no_sense_is_none() -> None:
    whole = "::loader=debian\n::changes\n+a\n::end\n"
    assert read(whole).changes == "+a"
    for said in (
        "",
        "hello",
        "::loader=debian\n",
        "::loader=lilo\n::changes\n::end",
        whole[:-6],
        "::refused=because\n",
    ):
        with pytest.raises(Refusal, match="GUEST_AGENT_ANSWER_ILLEGAL"):
            read(said)
    assert "\x1b" not in read("::changes\n+\x1b[31mred\n::end\n").changes
