"""Programs in the system on disks of a machine that is off: what is found there, and that whatever happens a disk is as
it was or wholly changed. guestfish's part is played by a program that answers as it does.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hypervisors.conftest import wait_until
from tests.needs import need
from vms.domain.errors import Refusal
from vms.hypervisors import appliance, offline
from vms.hypervisors.offline import OnDisk, run_offline

# Reads commands, answers from a list, and does to the images what it is told to do.
FISH = (
    f"#!{sys.executable} -IS\n"
    + """
import json, pathlib, subprocess, sys, time
here = pathlib.Path(__file__).parent
answers = json.loads((here / "answers").read_text())
images = []
for line in sys.stdin:
    command = line.strip().removeprefix("-")
    word = command.split()[0]
    with (here / "asked").open("a") as asked:
        asked.write(command.replace(command[5:] if word == "echo" else "", "") + "\\n")
    if word == "echo":
        print(command[5:], flush=True)
    elif word == "add-drive":
        images.append(command.split()[1])
    elif word == "command":
        for image in images:
            subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -q -P 7 0 4k", image], check=True)
    said = answers.get(command, answers.get(word, ""))
    if said == "hang":
        with open(images[0]):
            time.sleep(600)
    elif said:
        print(said, flush=True)
"""
)
SOUND: dict[str, str] = {
    "list-filesystems": "/dev/sda1: ext4\n/dev/sda2: swap",
    "tune2fs-l": "Filesystem features: has_journal needs_recovery\nFilesystem state: clean",
    "inspect-os": "/dev/sda1",
    "inspect-get-type": "linux",
    "inspect-get-mountpoints": "/: /dev/sda1",
    "command": "::loader=debian",
}
PLAYED = ("qemu-img", "qemu-io", "qemu-system-x86_64", "setpriv", "stdbuf")
ERROR = "*stdin*:7: libguestfs: error: "


class Bench:
    """A disk, and a guestfish that answers as it is told."""

    def __init__(self, place: Path) -> None:
        self.programs = place / "bin"
        self.programs.mkdir()
        (self.programs / "guestfish").write_text(FISH)
        (self.programs / "guestfish").chmod(0o755)
        self.disk = place / "disk.raw"
        self.disk.write_bytes(b"\1" * 1024 * 1024)
        self.place = place / "a run"
        self.wanted = True

    def answers(self, **said: str) -> None:
        told = SOUND | {word.replace("_", "-"): text for word, text in said.items()}
        (self.programs / "answers").write_text(json.dumps(told))

    @property
    def asked(self) -> list[str]:
        return (self.programs / "asked").read_text().splitlines()

    @property
    def untouched(self) -> bool:
        return self.disk.read_bytes() == b"\1" * 1024 * 1024

    @property
    def changed(self) -> bool:
        return self.disk.read_bytes()[:4096] == b"\7" * 4096

    def run(self, *, write: bool = True) -> str:
        disks = [OnDisk(self.disk, "raw")]
        return run_offline(self.place, disks, "echo", write=write, emulated=True, progress=lambda _percent: self.wanted)

    def no(self) -> Refusal:
        """What it is refused with; the disk is as it was, and nothing is left behind."""
        with pytest.raises(Refusal) as refused:
            self.run()
        assert self.untouched
        assert not self.place.exists()
        return refused.value


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    missing = [program for program in PLAYED if shutil.which(program) is None]
    need(f"{', '.join(missing)} is not installed" if missing else None)
    made = Bench(tmp_path)
    monkeypatch.setenv("PATH", f"{made.programs}{os.pathsep}{os.environ['PATH']}")
    made.answers()
    return made


def test_a_look_leaves_the_disk_as_it_was_and_a_change_does_not(bench: Bench) -> None:
    assert (bench.run(write=False), bench.untouched) == ("::loader=debian", True)
    assert (bench.run(), bench.changed) == ("::loader=debian", True)
    assert not bench.place.exists()
    assert bench.asked.index("mount /dev/sda1 /") < bench.asked.index("upload program /.headless-webadmin")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"list_filesystems": "/dev/sda1: ext4\n/dev/sda2: swsuspend"}, "OFFLINE_HIBERNATED"),
        ({"tune2fs_l": "Filesystem state: clean with errors"}, "OFFLINE_FILE_SYSTEM"),
        ({"tune2fs_l": "Filesystem state: not clean"}, "OFFLINE_FILE_SYSTEM"),
        ({"inspect_os": "", "list_partitions": "/dev/sda1", "vfs_type": "crypto_LUKS"}, "OFFLINE_ENCRYPTED"),
        ({"inspect_os": "", "vfs_type": f"{ERROR}vfs_type: no such device"}, "OFFLINE_NOT_LINUX"),
        ({"inspect_get_type": "windows", "inspect_get_product_name": "Windows 11"}, "OFFLINE_NOT_LINUX"),
        ({"inspect_os": "/dev/sda1\n/dev/sda2"}, "OFFLINE_SEVERAL"),
        ({"mount": f"{ERROR}mount: wrong fs type"}, "OFFLINE_FILE_SYSTEM"),
        ({"upload": f"{ERROR}upload: Read-only file system"}, "PREPARE_READ_ONLY"),
        ({"run": f"{ERROR}guestfs_launch failed."}, "OFFLINE_FAILED"),
        ({"command": f"{ERROR}/bin/sh: not found"}, "OFFLINE_FAILED"),
        ({"umount_all": f"{ERROR}umount: input/output error"}, "OFFLINE_FAILED"),
    ],
)
def test_what_is_found_is_said_and_nothing_is_changed(bench: Bench, said: dict[str, str], code: str) -> None:
    bench.answers(**said)
    assert bench.no().code == code


def test_a_disk_that_somebody_writes_to_is_left_alone(bench: Bench) -> None:
    drive = f"file={bench.disk},format=raw,if=virtio"
    asks = ["qemu-io", "-f", "raw", "-c", "read 0 512", str(bench.disk)]
    other = ["qemu-system-x86_64", "-accel", "tcg", "-S", "-display", "none", "-monitor", "none", "-drive", drive]
    with subprocess.Popen(other, stdin=subprocess.DEVNULL) as writer:
        try:
            wait_until(lambda: subprocess.run(asks, capture_output=True, check=False).returncode)
            assert bench.no().code == "OFFLINE_DISK_IN_USE"
        finally:
            writer.kill()


def test_names_that_a_guest_chose_to_run_something_here_are_none(bench: Bench) -> None:
    bench.answers(inspect_get_mountpoints="/: /dev/sda1\n/data|touch x: /dev/sda2\n/srv;!reboot: /dev/sda3")
    bench.run()
    assert [line for line in bench.asked if line.startswith("mount")] == ["mount /dev/sda1 /"]
    bench.answers(inspect_os="/dev/sda1|reboot")
    with pytest.raises(Refusal, match="OFFLINE_FAILED"):
        bench.run()


def nobody_has(place: Path) -> bool:
    return not any(appliance._has_open(pid, place) for pid in appliance._others())


def test_an_appliance_that_hangs_is_given_up_and_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.answers(inspect_os="hang")
    monkeypatch.setattr(offline, "WITHIN", 1.5)
    assert bench.no().code == "OFFLINE_HANGS"
    assert nobody_has(bench.place)


def test_what_nobody_wants_any_more_is_called_off(bench: Bench) -> None:
    bench.answers(command="hang")
    bench.wanted = False
    assert bench.no().code == "JOB_CANCELLED"


def died(bench: Bench, monkeypatch: pytest.MonkeyPatch, where: Callable[[Any], bool]) -> None:
    """The engine dies where a tool is about to be called; nothing that it would tidy up is."""
    tool = offline._tool

    def dies(*command: str) -> None:
        if where(command):
            raise KeyboardInterrupt
        tool(*command)

    with monkeypatch.context() as patch:
        patch.setattr(offline, "_tool", dies)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            bench.run()


def test_an_engine_that_died_before_anything_was_written_begins_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    died(bench, monkeypatch, lambda command: "create" in command)
    assert bench.untouched
    assert (bench.run(), bench.changed) == ("::loader=debian", True)


def test_an_engine_that_died_while_it_wrote_ends_that(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    died(bench, monkeypatch, lambda command: "commit" in command)
    assert bench.untouched
    launches = bench.asked.count("run")
    assert (bench.run(), bench.changed) == ("::loader=debian", True)
    assert bench.asked.count("run") == launches, "what was to be written was there"


def test_nothing_is_written_where_it_would_not_have_room(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "ROOM", 2**60)
    assert bench.no().code == "STORAGE_FULL"


def test_a_look_takes_no_longer_than_it_has_to(bench: Bench) -> None:
    begun = time.monotonic()
    bench.run(write=False)
    assert time.monotonic() - begun < 10 * appliance.POLL


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SUPERMIN_KERNEL", "LIBGUESTFS_PATH"):
        monkeypatch.delenv(variable, raising=False)
    kernels, modules, programs = tmp_path / "boot", tmp_path / "modules", tmp_path / "bin"
    for directory in (kernels, modules, programs):
        directory.mkdir()
    monkeypatch.setattr(appliance, "KERNELS", kernels)
    monkeypatch.setattr(appliance, "MODULES", modules)
    monkeypatch.setenv("PATH", str(programs))
    assert appliance.why_none() == "program"
    for name in appliance.PROGRAMS:
        (programs / name).touch(mode=0o755)
    (kernels / "vmlinuz-6.1").touch()
    assert appliance.why_none() == "kernel", "it has no modules"
    (modules / "6.1").mkdir()
    assert appliance.why_none() == ""
