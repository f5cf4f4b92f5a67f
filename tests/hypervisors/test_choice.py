"""Which hypervisor is chosen where: the system's, a private one, somebody's session, or none and why."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_django import Settings

from vms import runtime
from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec
from vms.domain.runonce import Run
from vms.hypervisors.memory import MemoryHypervisor
from vms.hypervisors.private import PrivateDaemon
from vms.models import Host

ALL = ("qemu-system-x86_64", "libvirtd")


@pytest.fixture
def machine_with(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Callable[..., None]:
    """Pretend what is installed here, whose socket answers, and who we are."""
    settings.DATA_DIR = tmp_path

    def pretend(*programs: str, root: bool = True, sockets: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(runtime, "SYSTEM_SOCKETS", sockets)
        monkeypatch.setattr("shutil.which", lambda name, **_: f"/usr/sbin/{name}" if name in programs else None)
        monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)

    return pretend


def test_without_a_system_daemon_root_gets_a_private_one_and_others_their_session(
    machine_with: Callable[..., None], tmp_path: Path
) -> None:
    machine_with(*ALL, root=True)
    assert runtime._choose() == runtime.PRIVATE
    (tmp_path / "hypervisor").unlink()
    machine_with(*ALL, root=False)
    assert runtime._choose() == runtime.SESSION


def test_a_choice_is_kept_for_the_machines_that_run_there(machine_with: Callable[..., None]) -> None:
    machine_with(*ALL, root=True)
    assert runtime._choose() == runtime.PRIVATE
    machine_with(root=False)
    assert runtime._choose() == runtime.PRIVATE


@pytest.mark.parametrize(("installed", "missing"), [((), "qemu-system-x86"), (ALL[:1], "libvirt-daemon")])
def test_what_is_missing_is_named_as_its_package(
    machine_with: Callable[..., None], installed: tuple[str, ...], missing: str, tmp_path: Path
) -> None:
    machine_with(*installed)
    with pytest.raises(Refusal, match="HYPERVISOR_PACKAGE_MISSING") as refused:
        runtime._choose()
    assert refused.value.params == {"package": missing}
    assert not (tmp_path / "hypervisor").exists(), "once it is installed the choice is open again"


def test_a_daemon_is_found_that_is_on_nobodys_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On Debian ordinary users have no /usr/sbin on theirs."""
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin/some-daemon").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert not runtime._installed("some-daemon")
    monkeypatch.setattr(runtime, "SYSTEM_PROGRAMS", (str(tmp_path / "sbin"),))
    assert runtime._installed("some-daemon")


def test_without_the_binding_a_host_says_so_when_it_is_opened(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.HYPERVISOR = "auto"
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    driver = runtime.hypervisor_for(Host(name="local"))
    with pytest.raises(Refusal, match="HYPERVISOR_PACKAGE_MISSING") as refused:
        driver.open(lambda _event: None)
    assert refused.value.params == {"package": "libvirt-python"}
    with pytest.raises(Refusal):
        driver.start(Run(base=MachineSpec(id=uuid4(), name="faked")))


def test_the_memory_hypervisor_is_chosen_by_name_alone(settings: Settings) -> None:
    settings.HYPERVISOR = "memory"
    assert type(runtime.hypervisor_for(Host(name="local"))) is MemoryHypervisor
    settings.HYPERVISOR = "auto"
    assert type(runtime.hypervisor_for(Host(name="local"))) is not MemoryHypervisor
    assert type(runtime.hypervisor_for(Host(name="other", uri="qemu+ssh://other/system"))) is not MemoryHypervisor


@pytest.mark.hypervisor
def test_a_system_daemon_that_answers_is_preferred(
    machine_with: Callable[..., None], private_daemon: PrivateDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(*ALL, sockets=(str(private_daemon.home / "run/libvirt-sock"),))
    monkeypatch.setattr(runtime, "SYSTEM", private_daemon.uri)
    assert runtime._choose() == private_daemon.uri


@pytest.mark.hypervisor
def test_a_system_daemon_that_does_not_let_us_in_is_not_preferred(
    machine_with: Callable[..., None], tmp_path: Path, real_libvirt: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's listens to everybody, and then asks polkit whether somebody may manage it."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def hang_up() -> None:
            while True:
                try:
                    listening.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        machine_with(*ALL, sockets=(str(path),), root=False)
        monkeypatch.setattr(runtime, "SYSTEM", f"qemu+unix:///system?socket={path}")
        assert runtime._choose() == runtime.SESSION
        listening.shutdown(socket.SHUT_RDWR)  # ends the thread


def test_a_socket_that_nobody_listens_on_is_no_daemon(machine_with: Callable[..., None], tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(dead))
    machine_with(*ALL, sockets=(str(dead), str(tmp_path / "none")))
    assert runtime._choose() == runtime.PRIVATE
