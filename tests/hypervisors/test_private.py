"""The private daemon: it disturbs nobody, is found again, and its guests outlive it."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.hypervisors.conftest import wait_until
from vms.hypervisors import private
from vms.hypervisors.private import DaemonUnavailable, PrivateDaemon

HOST_FOLDERS = [Path("/run/libvirt"), Path("/var/lib/libvirt"), Path("/var/log/libvirt"), Path("/etc/libvirt")]


def connect(daemon: PrivateDaemon) -> Any:
    import libvirt

    libvirt.registerErrorHandler(lambda *_: None, None)
    return libvirt.open(daemon.uri)


def a_guest(daemon: PrivateDaemon, name: str = "guest") -> int:
    """Start a guest that costs nothing, for it is paused; return its QEMU's process id."""
    import libvirt

    connect(daemon).createXML(
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>",
        libvirt.VIR_DOMAIN_START_PAUSED,
    )
    return int((daemon.home / "run/qemu" / f"{name}.pid").read_text())


def names(daemon: PrivateDaemon) -> list[str]:
    return [domain.name() for domain in connect(daemon).listAllDomains()]


def alive(pid: int) -> bool:
    """Whether a process lives; one whose end nobody has taken note of does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def daemon(real_libvirt: None, tmp_path: Path) -> Iterator[PrivateDaemon]:
    """A daemon that a test may do anything to; not started yet."""
    made = PrivateDaemon(tmp_path / "home")
    yield made
    made.stop(guests=True)


@pytest.mark.hypervisor
class TestStarting:
    def test_it_answers_at_its_uri(self, daemon: PrivateDaemon) -> None:
        uri = daemon.start()

        assert daemon.running
        assert uri == daemon.uri
        assert connect(daemon).getType() == "QEMU"

    def test_a_second_start_finds_the_living_daemon(self, daemon: PrivateDaemon) -> None:
        daemon.start()
        first = daemon.pid

        PrivateDaemon(daemon.home).start()

        assert daemon.pid == first

    def test_many_engines_at_once_start_one_daemon(self, daemon: PrivateDaemon) -> None:
        uris: list[str] = []
        engines = [threading.Thread(target=lambda: uris.append(PrivateDaemon(daemon.home).start())) for _ in range(8)]

        for engine in engines:
            engine.start()
        for engine in engines:
            engine.join()

        journal = (daemon.home / "log/libvirtd.log").read_text()
        assert uris == [daemon.uri] * 8
        assert journal.count("libvirt version:") == 1

    def test_it_outlives_the_killed_process_that_started_it(self, daemon: PrivateDaemon) -> None:
        script = (
            "import os, sys, pathlib; from vms.hypervisors.private import PrivateDaemon;"
            "PrivateDaemon(pathlib.Path(sys.argv[1])).start(); os.kill(os.getpid(), 9)"
        )

        done = subprocess.run([sys.executable, "-c", script, str(daemon.home)], check=False)

        assert done.returncode == -signal.SIGKILL
        assert daemon.running

    def test_it_keeps_its_identity(self, daemon: PrivateDaemon) -> None:
        daemon.start()
        before = connect(daemon).getCapabilities().partition("<uuid>")[2][:36]
        daemon.stop()
        daemon.start()

        assert connect(daemon).getCapabilities().partition("<uuid>")[2][:36] == before

    def test_a_daemon_that_fails_says_why(self, daemon: PrivateDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private, "QEMU_CONF", 'user = "an-account-of-nobody"\n')

        with pytest.raises(DaemonUnavailable) as refused:
            daemon.start()

        assert refused.value.code == "daemon_failed"
        assert not daemon.running

    def test_a_missing_libvirt_is_named(
        self, daemon: PrivateDaemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(private, "SYSTEM_PATH", str(tmp_path))

        with pytest.raises(DaemonUnavailable) as refused:
            daemon.start()

        assert (refused.value.code, refused.value.params) == ("program_missing", {"program": "libvirtd"})


def test_an_ordinary_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(DaemonUnavailable) as refused:
        PrivateDaemon(tmp_path / "home").start()

    assert refused.value.code == "not_root"
    assert not (tmp_path / "home").exists()


@pytest.mark.hypervisor
def test_a_home_that_its_own_mounts_would_hide_is_refused(real_libvirt: None) -> None:
    home = Path("/var/lib/libvirt") / f"headless-{uuid4()}"

    with pytest.raises(DaemonUnavailable) as refused:
        PrivateDaemon(home).start()

    assert refused.value.code == "home_would_be_hidden"
    assert not home.exists()


@pytest.mark.hypervisor
class TestDisturbingNobody:
    def test_two_daemons_share_nothing(self, daemon: PrivateDaemon, private_daemon: PrivateDaemon) -> None:
        daemon.start()
        a_guest(daemon, "same-name")
        a_guest(private_daemon, "same-name")

        daemon.stop(guests=True)

        assert private_daemon.running
        assert names(private_daemon) == ["same-name"]
        connect(private_daemon).lookupByName("same-name").destroy()

    def test_the_host_sees_neither_its_mounts_nor_its_files(self, daemon: PrivateDaemon) -> None:
        before = {folder: set(folder.glob("*")) for folder in HOST_FOLDERS}

        daemon.start()
        a_guest(daemon)

        assert str(daemon.home) not in Path("/proc/self/mountinfo").read_text()
        assert {folder: set(folder.glob("*")) for folder in HOST_FOLDERS} == before

    def test_only_root_may_talk_to_it(self, daemon: PrivateDaemon) -> None:
        daemon.start()

        sockets = list((daemon.home / "run").glob("libvirt*sock*"))

        assert sockets
        assert [path for path in sockets if path.stat().st_mode & 0o077] == []


@pytest.mark.hypervisor
class TestDyingAndComingBack:
    @pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
    def test_a_guest_outlives_the_daemon_and_is_found_again(self, daemon: PrivateDaemon, death: signal.Signals) -> None:
        daemon.start()
        guest = a_guest(daemon)
        pid = daemon.pid
        assert pid is not None

        os.kill(pid, death)
        wait_until(lambda: daemon.pid is None, what="the daemon's end")
        daemon.start()

        assert daemon.pid != pid
        assert daemon.guests == [guest]
        assert names(daemon) == ["guest"]
        connect(daemon).lookupByName("guest").resume()

    def test_a_polite_stop_leaves_the_guests(self, daemon: PrivateDaemon) -> None:
        daemon.start()
        guest = a_guest(daemon)

        daemon.stop()

        assert not daemon.running
        assert alive(guest)

    def test_a_stop_with_guests_leaves_no_process(self, daemon: PrivateDaemon) -> None:
        daemon.start()
        guest, pid = a_guest(daemon), daemon.pid
        assert pid is not None
        reaper = int(Path(f"/proc/{guest}/stat").read_text().rpartition(")")[2].split()[1])
        assert "reaper.py" in Path(f"/proc/{reaper}/cmdline").read_text()

        daemon.stop(guests=True)

        wait_until(lambda: not any(map(alive, (guest, pid, reaper))), what="the end of all three")

    def test_a_stop_without_a_daemon_does_nothing(self, daemon: PrivateDaemon) -> None:
        daemon.stop(guests=True)

        assert not daemon.running

    def test_numbers_of_an_earlier_boot_are_not_believed(self, daemon: PrivateDaemon) -> None:
        # libvirtd kills the process that has the number of a guest which it cannot reach.
        daemon.start()
        guest = a_guest(daemon)
        daemon.stop()
        state = (daemon.home / "run/qemu/guest.xml").read_text()
        os.kill(guest, signal.SIGKILL)
        wait_until(lambda: daemon.guests == [], what="the guest's end")
        with subprocess.Popen(["sleep", "60"]) as innocent:
            (daemon.home / "run/qemu/guest.xml").write_text(state.replace(f"pid='{guest}'", f"pid='{innocent.pid}'"))
            (daemon.home / "run/boot").write_text("another boot")

            daemon.start()

            assert names(daemon) == []
            assert innocent.poll() is None
            innocent.kill()


@pytest.mark.hypervisor
class TestLongPaths:
    @pytest.fixture
    def deep(self, real_libvirt: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateDaemon]:
        """A daemon whose sockets have names too long for the kernel."""
        with tempfile.TemporaryDirectory() as short:
            monkeypatch.setattr(tempfile, "tempdir", short)
            made = PrivateDaemon(tmp_path / ("deep/" * 30))
            yield made
            made.stop(guests=True)

    def test_a_deep_home_gets_a_short_name(self, deep: PrivateDaemon) -> None:
        deep.start()
        a_guest(deep)

        assert names(deep) == ["guest"]

    def test_a_short_name_that_others_may_change_is_refused(self, deep: PrivateDaemon) -> None:
        (Path(tempfile.gettempdir()) / f"headless-{os.geteuid()}").mkdir(mode=0o755)

        with pytest.raises(DaemonUnavailable) as refused:
            deep.start()

        assert refused.value.code == "short_path_taken"
        (Path(tempfile.gettempdir()) / f"headless-{os.geteuid()}").rmdir()
