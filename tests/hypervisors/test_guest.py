"""The demonstration guest: made from what there is, whole or not at all, and it does what a console wants."""

import gzip
import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.hypervisors.conftest import SerialLine, wait_until
from vms.hypervisors import guest
from vms.hypervisors.guest import GuestFiles, GuestUnavailable, build
from vms.hypervisors.private import PrivateDaemon

Unpacked = dict[str, tuple[int, bytes]]


def unpack(initrd: Path) -> Unpacked:
    """Read a compressed cpio archive of the form "newc": name to mode and content."""
    data = gzip.decompress(initrd.read_bytes())
    entries: Unpacked = {}
    at = 0
    while at < len(data):
        assert data[at : at + 6] == b"070701"
        mode, size, length = (int(data[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in (1, 6, 11))
        name = data[at + 110 : at + 110 + length - 1].decode()
        start = (at + 110 + length + 3) & ~3
        entries[name] = (mode, data[start : start + size])
        at = (start + size + 3) & ~3
    return entries


@pytest.fixture
def busybox(guest_files: GuestFiles) -> bytes:
    """A busybox that the guest can use."""
    return unpack(guest_files.initrd)["bin/busybox"][1]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leave nothing on the path but what a test puts there, nor a kernel on this machine."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(guest, "INSTALLED_KERNELS", tmp_path / "boot")
    monkeypatch.setattr(guest, "INSTALLED_MODULES", tmp_path / "modules")

    def put(**contents: str | bytes) -> None:
        for name, content in contents.items():
            path = folder / name.replace("_", "-")
            path.write_bytes(content if isinstance(content, bytes) else f"#!/bin/sh\n{content}\n".encode())
            path.chmod(0o755)

    return put


def install_a_kernel(folder: Path, version: str = "6.1.0-test", modules: frozenset[str] = guest.NEEDED_MODULES) -> None:
    """Make a machine that boots from a kernel of its own."""
    (folder / "boot").mkdir(exist_ok=True)
    (folder / "boot" / f"vmlinuz-{version}").write_bytes(b"kernel " + version.encode())
    drivers = folder / "modules" / version / "kernel/drivers"
    drivers.mkdir(parents=True)
    for name in modules:
        (drivers / f"{name}.ko").write_bytes(b"\0depends=virtio-ring\0")
    (drivers / "virtio_ring.ko").write_bytes(b"\0depends=\0")


def with_an_interpreter(program: bytes) -> bytes:
    """Turn one program header of a 64-bit ELF file into that which names a dynamic linker."""
    (start,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    last = start + size * (count - 1)
    return program[:last] + struct.pack("<I", 3) + program[last + 4 :]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestWhatIsMade:
    def test_the_kernel_is_one(self, guest_files: GuestFiles) -> None:
        assert guest_files.kernel.read_bytes()[0x202:0x206] == b"HdrS"  # Linux's boot protocol

    def test_everybody_may_read_the_files(self, guest_files: GuestFiles) -> None:
        modes = [path.stat().st_mode & 0o777 for path in (guest_files.kernel, guest_files.initrd)]

        assert modes == [0o644, 0o644]

    def test_the_initramfs_starts_its_own_init(self, guest_files: GuestFiles) -> None:
        entries = unpack(guest_files.initrd)

        assert entries["init"][0] == stat.S_IFREG | 0o755
        assert entries["dev/console"][0] == stat.S_IFCHR | 0o600
        assert list(entries)[-1] == "TRAILER!!!"

    def test_modules_load_after_what_they_depend_on(self, guest_files: GuestFiles) -> None:
        order = unpack(guest_files.initrd)["modules/order"][1].decode().split()

        assert order.index("virtio.ko") < order.index("virtio_net.ko")
        assert order.index("failover.ko") < order.index("net_failover.ko") < order.index("virtio_net.ko")

    def test_a_current_guest_is_left_alone(
        self, guest_files: GuestFiles, programs: Callable[..., None], tmp_path: Path
    ) -> None:
        target = tmp_path / "guest"
        shutil.copytree(guest_files.kernel.parent, target)

        assert build(target).kernel.read_bytes() == guest_files.kernel.read_bytes()

    @pytest.mark.parametrize("damaged", ["kernel", "initrd", "made"])
    def test_a_damaged_guest_is_made_anew(
        self, damaged: str, programs: Callable[..., None], busybox: bytes, tmp_path: Path
    ) -> None:
        programs(busybox=busybox)
        install_a_kernel(tmp_path)
        files = build(tmp_path / "guest")
        whole = files.initrd.read_bytes()
        (tmp_path / "guest" / damaged).write_bytes(b"half")

        build(tmp_path / "guest")

        assert files.kernel.read_bytes() == b"kernel 6.1.0-test"
        assert files.initrd.read_bytes() == whole
        assert left(tmp_path / "guest") == {"kernel", "initrd", "made", "lock"}


class TestWhereThereIsNoPackage:
    def test_the_newest_installed_kernel_is_taken(
        self, programs: Callable[..., None], busybox: bytes, tmp_path: Path
    ) -> None:
        programs(busybox=busybox)
        install_a_kernel(tmp_path, "6.1.0-1-test")
        install_a_kernel(tmp_path, "6.1.0-2-test")

        files = build(tmp_path / "guest")

        assert files.kernel.read_bytes() == b"kernel 6.1.0-2-test"
        assert "modules/virtio_net.ko" in unpack(files.initrd)

    def test_a_kernel_without_what_the_guest_needs_is_refused(
        self, programs: Callable[..., None], busybox: bytes, tmp_path: Path
    ) -> None:
        programs(busybox=busybox)
        install_a_kernel(tmp_path, modules=guest.NEEDED_MODULES - {"virtio_net"})

        with pytest.raises(GuestUnavailable) as refused:
            build(tmp_path / "guest")

        assert refused.value.code == "module_missing"
        assert refused.value.params["module"] == "virtio_net"

    def test_a_busybox_that_needs_libraries_is_not_taken(
        self, programs: Callable[..., None], busybox: bytes, tmp_path: Path
    ) -> None:
        programs(busybox=with_an_interpreter(busybox))
        install_a_kernel(tmp_path)

        with pytest.raises(GuestUnavailable) as refused:
            build(tmp_path / "guest")

        assert refused.value.code == "program_missing"  # of apt-get, which would have fetched another

    @pytest.mark.parametrize(
        ("scripts", "code", "named"),
        [
            ({}, "program_missing", "apt-get"),
            ({"apt_get": "", "apt_cache": "", "dpkg_deb": ""}, "package_unknown", "linux-image-cloud-amd64"),
            (
                {"apt_get": "echo 'E: Unable to fetch' >&2; exit 100", "apt_cache": "echo Package", "dpkg_deb": ""},
                "package_not_fetched",
                "E: Unable to fetch",
            ),
            ({"apt_get": "", "apt_cache": "echo Package", "dpkg_deb": ""}, "package_holds_no_kernel", "linux-image"),
        ],
    )
    def test_a_refusal_names_what_is_missing_and_leaves_nothing(
        self, scripts: dict[str, str], code: str, named: str, programs: Callable[..., None], tmp_path: Path
    ) -> None:
        programs(**scripts)

        with pytest.raises(GuestUnavailable) as refused:
            build(tmp_path / "guest")

        assert refused.value.code == code
        assert named in " ".join(refused.value.params.values())
        assert left(tmp_path / "guest") == {"lock"}

    def test_a_failed_attempt_spoils_nothing(
        self, programs: Callable[..., None], busybox: bytes, tmp_path: Path
    ) -> None:
        programs(busybox=busybox)
        install_a_kernel(tmp_path)
        files = build(tmp_path / "guest")
        (tmp_path / "guest/made").write_text("{}")  # as an older recipe would have it
        shutil.rmtree(tmp_path / "boot")

        with pytest.raises(GuestUnavailable):
            build(tmp_path / "guest")

        assert files.kernel.read_bytes() == b"kernel 6.1.0-test"
        assert gzip.decompress(files.initrd.read_bytes()).startswith(b"070701")

    def test_what_a_killed_build_left_is_removed(
        self, programs: Callable[..., None], busybox: bytes, tmp_path: Path
    ) -> None:
        programs(busybox=busybox)
        install_a_kernel(tmp_path)
        (tmp_path / "guest/building-killed/deep").mkdir(parents=True)

        build(tmp_path / "guest")

        assert "building-killed" not in left(tmp_path / "guest")

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(GuestUnavailable) as refused:
            build(tmp_path / "file")

        assert refused.value.code == "not_written"
        assert refused.value.params["target"] == str(tmp_path / "file")


def boot(daemon: PrivateDaemon, files: GuestFiles, devices: str = "") -> Any:
    """Start the guest without a display."""
    import libvirt

    return libvirt.open(daemon.uri).createXML(
        f"""<domain type='qemu'><name>guest-{uuid4()}</name><memory unit='MiB'>{guest.MEMORY_MIB}</memory>
        <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{files.kernel}</kernel><initrd>{files.initrd}</initrd>
        <cmdline>{guest.CMDLINE}</cmdline></os><features><acpi/></features>
        <devices><serial type='pty'/><interface type='user'><model type='virtio'/></interface>{devices}</devices>
        </domain>""",
        0,
    )


@pytest.mark.hypervisor
class TestRunning:
    def test_it_talks_has_an_address_and_obeys_the_power_button(
        self, private_daemon: PrivateDaemon, guest_files: GuestFiles
    ) -> None:
        domain = boot(private_daemon, guest_files)
        with SerialLine(domain) as line:
            line.expect("HEADLESS-GUEST-UP", 90)
            line.expect("headless-guest:/root# ")
            wait_until(lambda: "HEADLESS-GUEST-UP eth0 10.0.2.15" in line.text, what="the address")

            assert line.ask("echo $((6 * 7))") == "42"
            assert line.ask("cat /sys/bus/pci/devices/*/class | grep -c ^0x03") == "0", "it has no display"
            domain.shutdown()
            line.wait_for_end()

        wait_until(lambda: private_daemon.guests == [], what="the guest's end")

    @pytest.mark.guests
    def test_it_reboots(self, private_daemon: PrivateDaemon, guest_files: GuestFiles) -> None:
        domain = boot(private_daemon, guest_files)
        with SerialLine(domain) as line:
            line.expect("10.0.2.15", 90)
            line.send("reboot")
            line.expect("reboot: Restarting system")
            line.expect("10.0.2.15", 120)
        domain.destroy()

    @pytest.mark.guests
    @pytest.mark.parametrize("video", ["vga", "virtio", "qxl"])
    def test_it_shows_its_shell_on_a_screen(
        self, video: str, private_daemon: PrivateDaemon, guest_files: GuestFiles
    ) -> None:
        screen = f"<graphics type='vnc'><listen type='none'/></graphics><video><model type='{video}'/></video>"
        domain = boot(private_daemon, guest_files, screen)
        with SerialLine(domain) as line:
            line.expect("10.0.2.15", 90)
            # The text screen's memory: every second byte is a character.
            shown = line.ask("cat /dev/vcs1")
        domain.destroy()

        assert "HEADLESS-GUEST-UP" in shown
        assert "headless-guest:/root# " in shown


def test_the_target_may_be_named_relatively(
    programs: Callable[..., None], busybox: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(busybox=busybox)
    install_a_kernel(tmp_path)
    monkeypatch.chdir(tmp_path)

    files = build(Path("guest"))

    assert files.kernel == tmp_path / "guest/kernel"
    assert files.initrd.is_absolute()
