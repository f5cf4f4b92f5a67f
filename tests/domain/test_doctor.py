"""What a boot has come to is told from real traces: each finding by its sign, and no hang where there is none.

The traces in `traces/` were taken second by second from QEMU, on a machine with much else to do, with the guests of
`tests.distribution`: age in seconds, seconds of processor used, requests to read from disks, what the serial line said.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from vms.domain.doctor import HANG, Diagnosis, Finding, Signs, diagnose
from vms.domain.statistics import Counters
from vms.engine.doctor import AFTERWARDS, Patient

BEGIN: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
TRACES: Final = Path(__file__).with_name("traces")
# Trace → what is found on the way, in this order and nothing else.
LABELS: Final = {
    "console-on-kernel-alone-headless": (Finding.BOOTING, Finding.GRUB_SILENT, Finding.GRUB_HANGS),
    "debian-serial": (Finding.BOOTING, Finding.LOG_IN),
    "debian-serial-one-slow-cpu": (Finding.BOOTING, Finding.LOG_IN),
    "emergency": (Finding.BOOTING, Finding.EMERGENCY),
    "grub-graphics-headless": (Finding.BOOTING, Finding.GRUB_SILENT, Finding.GRUB_HANGS),
    "grub-graphics-with-screen": (Finding.BOOTING, Finding.ON_SCREEN),
    "grub-menu-waits": (Finding.BOOTING, Finding.MENU_WAITS),
    "kernel-says-nothing": (Finding.BOOTING, Finding.KERNEL_SILENT),
    "boot-loop": (Finding.BOOTING, Finding.BOOT_LOOP),
    "initramfs-shell": (Finding.BOOTING, Finding.NO_ROOT),
    "grub-shell": (Finding.BOOTING, Finding.GRUB_SHELL),
    "no-disk": (Finding.BOOTING, Finding.NO_BOOT_DEVICE),
    "panic": (Finding.BOOTING, Finding.PANIC),
    "uefi-linux": (Finding.BOOTING,),  # of which the first word took a minute, and a kernel that is still at it
    "uefi-no-disk": (Finding.BOOTING, Finding.FIRMWARE_SHELL),
}


def looks(name: str) -> Iterator[tuple[str, Signs]]:
    """What the doctor sees of a trace, once a second."""
    said, spoke, read, watch = "", 0.0, None, Patient()
    for age, cpu, reads, heard in json.loads((TRACES / f"{name}.json").read_text()):
        said += heard
        spoke = age if heard else spoke
        watch.measured(Counters(at=BEGIN + timedelta(seconds=age), cpu=cpu, disk=reads), age)
        read = watch.read_at
        yield (
            said,
            Signs(
                age=age,
                quiet=age - spoke,
                still=age - watch.still_since,
                read=read is not None and read > spoke + AFTERWARDS,
                busy=watch.busy,
                screen="with-screen" in name,
            ),
        )


def course(name: str) -> list[Finding]:
    """What is found in a trace, each once after the other."""
    found: list[Finding] = []
    for said, signs in looks(name):
        finding = diagnose(said, signs).finding
        if not found or found[-1] is not finding:
            found.append(finding)
    return found


@pytest.mark.parametrize("name", LABELS)
def test_a_real_boot_is_found_for_what_it_is(name: str) -> None:
    assert course(name) == list(LABELS[name])


def test_every_trace_has_its_label() -> None:
    assert {path.stem for path in TRACES.glob("*.json")} == set(LABELS)


def test_no_boot_that_goes_on_is_ever_called_a_hang() -> None:
    for name in LABELS:
        if Finding.GRUB_HANGS not in LABELS[name]:
            assert not set(course(name)) & {Finding.GRUB_HANGS, Finding.GRUB_SILENT}


WELCOME: Final = (
    "SeaBIOS (version 1.16.2)\r\n\r\nBooting from Hard Disk...\r\nGRUB loading.\r\nWelcome to GRUB!\r\n\r\n"
)
HUNG: Final = Signs(age=HANG + 15, quiet=HANG + 5, still=HANG + 5, busy=1.0)


def finding(said: str, signs: Signs) -> Finding:
    return diagnose(said, signs).finding


def test_grub_that_hangs_says_reads_and_answers_nothing_and_takes_a_processor() -> None:
    assert finding(WELCOME, HUNG) is Finding.GRUB_HANGS
    otherwise = {
        "it has just spoken": replace(HUNG, quiet=2.0),
        "its disk is read": replace(HUNG, still=1.0),
        "its disk was read since": replace(HUNG, read=True),
        "nobody has measured": replace(HUNG, busy=None),
        "a hidden menu may still end": replace(HUNG, quiet=HANG - 5, still=HANG - 5),
        "its processor rests": replace(HUNG, busy=0.03),
        "its agent answers": replace(HUNG, answers=True),
        "its screen may show a menu": replace(HUNG, screen=True),
    }
    assert [why for why, signs in otherwise.items() if finding(WELCOME, signs) is Finding.GRUB_HANGS] == []


def test_legacy_grub_hangs_alike() -> None:
    said = "SeaBIOS (version 1.16.2)\r\nGRUB Loading stage1.5.\r\n\r\nGRUB loading, please wait...\r\n"
    assert finding(said, HUNG) is Finding.GRUB_HANGS


def test_a_line_that_says_nothing_is_given_time() -> None:
    for quiet, expected in ((60, Finding.BOOTING), (100, Finding.NOTHING_HEARD)):
        assert finding("", Signs(age=quiet, quiet=quiet, still=quiet, busy=0.05)) is expected
    assert finding("", Signs(age=100, quiet=100, answers=True)) is Finding.ANSWERS


KERNEL: Final = WELCOME + "Loading Linux 6.1 ...\r\nLoading initial ramdisk ...\r\n"


def test_a_kernel_that_says_nothing_is_slow_until_it_has_come_up() -> None:
    """Its agent answers seconds before a log-in is there, and on a busy host a boot takes minutes."""
    reads = Signs(age=200, quiet=190, still=1, read=True, busy=1.0)
    for signs in (
        replace(reads, age=60, quiet=50, answers=True, answering=11),
        reads,
        replace(reads, still=20, busy=0.9),
        replace(reads, still=20, busy=None),
    ):
        assert finding(KERNEL, signs) is Finding.BOOTING, signs
    for signs in (
        replace(reads, age=60, quiet=50, answers=True, answering=40),
        replace(reads, still=20, busy=0.05),
        replace(reads, age=400, quiet=390),
    ):
        assert finding(KERNEL, signs) is Finding.KERNEL_SILENT, signs
    assert finding(KERNEL, replace(reads, read=False, still=190)) is Finding.STANDS_STILL


def test_the_words_of_a_panic_are_told() -> None:
    said = "[    2.134567] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n"
    told = diagnose(said, Signs(age=7, quiet=1))
    assert (told.finding, told.words) == (Finding.PANIC, "VFS: Unable to mount root fs on unknown-block(0,0)")


def test_a_reboot_begins_anew() -> None:
    came_up = WELCOME + "Loading Linux 6.1 ...\r\n\r\ndebian login: "
    assert finding(came_up, Signs(age=60, quiet=1)) is Finding.LOG_IN
    assert finding(came_up + "\r\n" + WELCOME, Signs(age=90, quiet=1)) is Finding.BOOTING
    assert finding(came_up + "\r\n" + WELCOME, HUNG) is Finding.GRUB_HANGS


def test_a_guest_that_begins_again_and_again_is_in_a_loop_unless_it_comes_up() -> None:
    assert finding(WELCOME * 3, Signs(age=60, quiet=1)) is Finding.BOOTING
    assert finding(WELCOME * 4, Signs(age=80, quiet=1)) is Finding.BOOT_LOOP
    came_up = WELCOME * 4 + "\r\ndebian login: "
    assert finding(came_up, Signs(age=80, quiet=1)) is Finding.LOG_IN
    assert finding(came_up + "\r\n" + WELCOME * 3, Signs(age=90, quiet=1)) is Finding.BOOTING, "it came up in between"
    panics = f"{WELCOME}Kernel panic - not syncing: VFS: no root\r\nRebooting in 1 seconds..\r\n" * 4
    told = diagnose(panics, Signs(age=90, quiet=1))
    assert (told.finding, told.words) == (Finding.BOOT_LOOP, "VFS: no root")


def test_a_shell_without_a_log_in_counts_as_one() -> None:
    assert finding("HEADLESS-GUEST-UP\r\n~ # ", Signs(age=9, quiet=1)) is Finding.LOG_IN
    over = "headless-guest:/root# \x1b[6n[    4.570863] IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready\r\n"
    for said in (
        over,
        "root@debian:~# \r\n[   90.1] usb 1-1: new device\r\n",
        "~ # \r\n[    4.1] random: crng init\r\n",
    ):
        assert finding(KERNEL + said, Signs(age=200, quiet=190, answers=True, answering=180)) is Finding.LOG_IN, said
    for said in ("Progress: 50 # of 100\r\n", "error: file /boot/x not found $ \r\n"):
        assert finding(said, Signs(age=9, quiet=1)) is Finding.BOOTING, said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("error: unknown filesystem.\r\nEntering rescue mode...\r\ngrub rescue> ", Finding.GRUB_SHELL),
        ("Loading Linux 6.1 ...\r\nGave up waiting for root.\r\n(initramfs) ", Finding.NO_ROOT),
        ("You are in emergency mode. After logging in, type\r\nGive root password for maintenance", Finding.EMERGENCY),
        ("UEFI Interactive Shell v2.2\r\nShell> ", Finding.FIRMWARE_SHELL),
    ],
)
def test_what_waits_for_commands_is_told_apart_after_a_pause(said: str, expected: Finding) -> None:
    assert finding(said, Signs(age=40, quiet=1)) is Finding.BOOTING
    assert finding(said, Signs(age=60, quiet=20, still=20)) is expected


def test_anything_may_be_said() -> None:
    for said in ("", "\x00" * 10, "\x1b]0;title\x07\x1b[2J", "\ufffd" * 100_000, "login: " * 20_000, "\r" * 100_000):
        assert isinstance(diagnose(said, Signs(age=5, quiet=1)), Diagnosis)


def test_only_what_stands_still_has_cures() -> None:
    for each in Finding:
        told = Diagnosis(finding=each)
        assert bool(told.cures) or each in {Finding.BOOTING, Finding.LOG_IN}
        assert each.needs_attention or not each.alarming
