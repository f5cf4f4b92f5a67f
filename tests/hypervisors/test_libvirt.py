"""What only a real libvirt shows: which daemon is chosen, how files get to it, and daemons that hang or die."""

import os
import queue
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from tests.consoles import rfb
from tests.hypervisors import obedient
from tests.hypervisors.conftest import SerialLine, wait_until
from tests.hypervisors.screen import enter
from tests.needs import need
from vms import runtime
from vms.domain.console import SPICE_AND_VNC, Console, Firmware, Protocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.hypervisors import private
from vms.hypervisors.base import Event, Screen
from vms.hypervisors.memory import MemoryHypervisor
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.observe import observe
from vms.models import Host

NOTICED_WITHIN = 5.0  # seconds
ROOT = Path(__file__).parents[2]


# -- which hypervisor is chosen


@pytest.fixture
def machine_with(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Callable[..., None]:
    """Pretend what is installed here, whose socket answers, and who we are."""
    settings.DATA_DIR = tmp_path

    def pretend(*programs: str, root: bool = True, sockets: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(runtime, "SYSTEM_SOCKETS", sockets)
        monkeypatch.setattr("shutil.which", lambda name, **_: f"/usr/sbin/{name}" if name in programs else None)
        monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)

    return pretend


ALL = ("qemu-system-x86_64", "libvirtd")


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


# -- the real thing


def machine(**parts: Any) -> MachineSpec:
    made = MachineSpec(
        id=uuid4(),
        name=f"real-{uuid4().hex[:8]}",
        memory=64,
        console=replace(Console().as_headless(), serial=True),
        boot=Boot(kernel=obedient.NAME),
    )
    return replace(made, **parts)


def with_vnc(spec: MachineSpec) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, spec.offer(spec.level, SPICE_AND_VNC))


@pytest.fixture
def boot_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "boot"
    folder.mkdir(exist_ok=True)
    obedient.write_to(folder)
    return folder


@pytest.fixture
def daemon(real_libvirt: None) -> Iterator[PrivateDaemon]:
    """A daemon that a test may do anything to."""
    home = Path(tempfile.mkdtemp(prefix="hw-"))
    made = PrivateDaemon(home)
    made.start()
    yield made
    made.stop(guests=True)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def opened() -> Iterator[Callable[..., Any]]:
    """Open a driver; closed with the test."""
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    drivers: list[LibvirtHypervisor] = []

    def open_(uri: Callable[[], str] | str, directory: Path, files: Any = LocalFiles) -> LibvirtHypervisor:
        boot_files = files(directory)
        driver = LibvirtHypervisor(lambda: Location(uri=uri if isinstance(uri, str) else uri(), files=boot_files), "h")
        driver.open(lambda _event: None)
        drivers.append(driver)
        return driver

    yield open_
    for driver in drivers:
        driver.close()


@pytest.fixture
def driver(opened: Callable[..., Any], daemon: PrivateDaemon, boot_dir: Path) -> Any:
    """A driver over a daemon that is started where it is not running."""
    return opened(daemon.start, boot_dir)


@pytest.mark.hypervisor
def test_run_once_lies_over_a_headless_definition_and_reverts(driver: Any, daemon: PrivateDaemon) -> None:
    import libvirt

    spec = machine()
    driver.start(Run(base=spec, once=with_vnc(spec), job=uuid4()))
    domain = libvirt.open(daemon.uri).lookupByUUID(spec.id.bytes)
    live, defined = observe(domain.XMLDesc()), observe(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    assert (live.graphics, live.headless, live.run is None) == (("vnc",), False, False)
    assert (defined.graphics, defined.headless, defined.run) == ((), True, None)
    assert domain.isPersistent()
    driver.stop(spec.id)
    after = observe(domain.XMLDesc())
    assert (after.headless, after.run) == (True, None)


@pytest.mark.hypervisor
def test_coming_to_a_screen_and_leaving_the_last_one_are_told(driver: Any, daemon: PrivateDaemon) -> None:
    import libvirt

    told: queue.Queue[Event] = queue.Queue()
    driver.open(told.put)
    spec = machine(console=Console())
    (where,) = driver.start(Run(base=spec, job=uuid4())).endpoints
    graphics = "<graphics type='vnc' port='{}' autoport='yes' passwd='open-me'><listen type='address' address='{}'/>"
    live = libvirt.open(daemon.uri).lookupByUUID(spec.id.bytes)
    live.updateDeviceFlags(f"{graphics.format(where.port, where.address)}</graphics>", libvirt.VIR_DOMAIN_AFFECT_LIVE)
    with pytest.raises(PermissionError):
        enter(where.address, where.port, "wrong")
    first, second = (enter(where.address, where.port, "open-me") for _ in range(2))
    first.close()
    second.close()
    screens = []
    while Screen.LEFT not in screens:
        event = told.get(timeout=10)
        screens += [event.screen] if event.screen else []
    assert screens == [Screen.ENTERED, Screen.ENTERED, Screen.LEFT]
    driver.stop(spec.id)


@pytest.mark.hypervisor
def test_a_guest_without_an_agent_runs_nothing(driver: Any) -> None:
    spec = machine()
    driver.start(Run(base=spec, job=uuid4()))
    assert not driver.in_guest(spec.id, ("loginctl", "lock-sessions"))
    driver.stop(spec.id)


@pytest.mark.hypervisor
def test_a_start_that_qemu_refuses_leaves_no_definition(driver: Any) -> None:
    spec = machine(memory=4 * 1024 * 1024)
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED") as refused:
        driver.start(Run(base=spec, job=uuid4()))
    assert "memory" in str(refused.value.params["message"])
    assert driver.observe(spec.id) is None


@pytest.mark.hypervisor
def test_a_start_that_qemu_refuses_leaves_a_definition_that_was_there(driver: Any) -> None:
    spec = machine()
    driver.start(Run(base=spec, job=uuid4()))
    driver.stop(spec.id)
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED"):
        driver.start(Run(base=replace(spec, memory=4 * 1024 * 1024), job=uuid4()))
    assert driver.observe(spec.id).status == Status.DOWN
    assert driver.start(Run(base=spec, job=uuid4())).status == Status.UP


@pytest.mark.hypervisor
def test_a_missing_boot_file_is_named_before_anything_is_done(driver: Any) -> None:
    spec = machine(boot=Boot(kernel=obedient.NAME, initrd="nowhere"))
    with pytest.raises(Refusal, match="BOOT_FILE_MISSING") as refused:
        driver.start(Run(base=spec, job=uuid4()))
    assert refused.value.params == {"file": "nowhere"}
    assert driver.observe(spec.id) is None


@pytest.mark.hypervisor
def test_a_name_that_another_machine_has_is_refused_in_libvirts_words(driver: Any) -> None:
    first = machine()
    driver.start(Run(base=first, job=uuid4()))
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED") as refused:
        driver.start(Run(base=machine(name=first.name), job=uuid4()))
    assert first.name in str(refused.value.params["message"])


@pytest.mark.hypervisor
def test_firmware_variables_follow_a_rename_and_go_with_the_machine(driver: Any, daemon: PrivateDaemon) -> None:
    spec = machine(firmware=Firmware.UEFI, start_paused=True)
    folder = daemon.home / "lib/qemu/nvram"
    driver.start(Run(base=spec, job=uuid4()))
    (variables,) = folder.iterdir()
    driver.stop(spec.id)
    mark = variables.stat().st_ino
    driver.start(Run(base=replace(spec, name=f"{spec.name}-renamed"), job=uuid4()))
    assert [path.stat().st_ino for path in folder.iterdir()] == [mark]
    driver.stop(spec.id)
    driver.remove(spec.id)
    assert list(folder.iterdir()) == []


@pytest.mark.hypervisor
def test_what_firmware_and_tpm_have_kept_stays_as_long_as_the_machine_has_them(
    driver: Any, daemon: PrivateDaemon
) -> None:
    need(None if driver.capabilities().tpm else "the host has no swtpm")
    spec = machine(firmware=Firmware.UEFI, tpm=True, start_paused=True)
    variables = daemon.home / f"lib/qemu/nvram/{spec.id}_VARS.fd"
    chip = daemon.home / f"lib/swtpm/{spec.id}/tpm2/tpm2-00.permall"

    def run(as_: MachineSpec) -> tuple[bool, bool]:
        """Whether the machine found what it had kept before; what it keeps now is marked anew."""
        driver.start(Run(base=as_, job=uuid4()))
        driver.stop(as_.id)
        found = tuple(path.exists() and path.read_bytes().endswith(b"kept") for path in (variables, chip))
        for path in filter(Path.exists, (variables, chip)):
            with path.open("r+b") as file:
                file.seek(-4, os.SEEK_END)
                file.write(b"kept") if path == variables else None
        return found[0], chip.exists()

    assert run(spec) == (False, True)
    kept = chip.read_bytes()
    assert run(spec) == (True, True)
    assert chip.read_bytes()[:64] == kept[:64], "the same chip"
    assert run(replace(spec, firmware=Firmware.SECURE)) == (False, True), "the keys of Secure Boot are enrolled anew"
    assert run(replace(spec, firmware=Firmware.SECURE, tpm=False)) == (True, False)
    assert run(replace(spec, firmware=Firmware.BIOS, tpm=False)) == (False, False)
    assert not variables.exists()
    run(spec)
    driver.remove(spec.id)
    assert not variables.exists()
    assert not chip.parent.parent.exists()


@pytest.mark.hypervisor
def test_a_ticket_opens_the_console_until_it_expires(driver: Any) -> None:
    run = Run(base=machine(console=Console()), job=uuid4())
    (console,) = driver.start(run).endpoints
    driver.set_ticket(run.base.id, Ticket.of(Protocol.VNC, Secret("brief"), seconds=2))
    assert rfb.lets_in(console.address, console.port, "brief")
    wait_until(lambda: not rfb.lets_in(console.address, console.port, "brief"), 5, "the end of the ticket")


# -- a daemon that hangs or dies


def refused_within(call: Callable[[], object]) -> tuple[str, float]:
    """The code that a call is refused with, and after how many seconds."""
    asked = time.monotonic()
    try:
        call()
    except Refusal as refusal:
        return refusal.code, time.monotonic() - asked
    return "", time.monotonic() - asked


@pytest.mark.hypervisor
def test_a_daemon_that_hangs_is_noticed_in_time_and_found_again(
    driver: Any, daemon: PrivateDaemon, opened: Callable[..., Any], boot_dir: Path
) -> None:
    spec = machine()
    run = Run(base=spec, job=uuid4())
    driver.start(run)
    pid = daemon.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        code, took = refused_within(lambda: driver.observe(spec.id))
        assert (code, took <= NOTICED_WITHIN) == ("HOST_NOT_RESPONDING", True), f"{code or 'answered'} after {took:.1f}"
        wait_until(lambda: not driver.alive, NOTICED_WITHIN, "the loss of the connection that tells events")
        # Whoever comes anew, and whoever asks from another thread, waits no longer either.
        code, took = refused_within(lambda: opened(daemon.uri, boot_dir))
        assert (code, took <= NOTICED_WITHIN) == ("HOST_NOT_RESPONDING", True), f"{code or 'answered'} after {took:.1f}"
    finally:
        os.kill(pid, signal.SIGCONT)
    driver.open(lambda _event: None)
    assert driver.observe(spec.id).run == run


@pytest.mark.hypervisor
def test_a_thread_whose_first_call_meets_a_hanging_daemon_waits_no_longer(driver: Any, daemon: PrivateDaemon) -> None:
    spec, outcomes = machine(), []
    driver.start(Run(base=spec, job=uuid4()))
    pid = daemon.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        first = threading.Thread(
            target=lambda: outcomes.append(refused_within(lambda: driver.observe(spec.id))), daemon=True
        )
        first.start()
        first.join(NOTICED_WITHIN + 1)
        assert [code for code, _took in outcomes] == ["HOST_NOT_RESPONDING"]
        assert outcomes[0][1] <= NOTICED_WITHIN
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.hypervisor
def test_a_daemon_that_is_killed_is_told_at_once_and_found_with_its_machines(
    driver: Any, daemon: PrivateDaemon
) -> None:
    spec = machine()
    run = Run(base=spec, once=with_vnc(spec), job=uuid4())
    before = driver.start(run)
    os.kill(daemon.pid or 0, signal.SIGKILL)
    wait_until(lambda: not driver.alive, 1, "the loss of the connection")
    assert refused_within(lambda: driver.observe(spec.id))[0] == "HOST_NOT_RESPONDING"
    back = time.monotonic()
    driver.open(lambda _event: None)
    seen = driver.observe(spec.id)
    assert time.monotonic() - back < NOTICED_WITHIN
    assert (seen.status, seen.run, seen.endpoints) == (Status.UP, run, before.endpoints)
    assert driver.start(run).run == run, "the start is not done again"


@pytest.mark.hypervisor
def test_a_machine_that_is_stopped_right_after_its_daemon_came_back_is_stopped(
    driver: Any, daemon: PrivateDaemon
) -> None:
    spec = machine()
    driver.start(Run(base=spec, job=uuid4()))
    os.kill(daemon.pid or 0, signal.SIGKILL)
    wait_until(lambda: not driver.alive, 1, "the loss of the connection")
    driver.open(lambda _event: None)
    driver.stop(spec.id)
    wait_until(lambda: driver.observe(spec.id).status == Status.DOWN, 5, "it is off")


@pytest.mark.hypervisor
def test_a_suspended_machine_is_still_suspended_for_a_daemon_that_was_started_anew(
    driver: Any, daemon: PrivateDaemon
) -> None:
    spec = machine()
    run = Run(base=spec, once=with_vnc(spec), job=uuid4())
    driver.start(run)
    driver.suspend(spec.id)
    daemon.stop()
    driver.open(lambda _event: None)
    assert driver.glance()[spec.id].status == Status.SUSPENDED
    seen = driver.observe(spec.id)
    assert (seen.status, seen.ended) == (Status.SUSPENDED, Ended.SAVED)
    assert driver.resume(spec.id).run == run


# -- files for a daemon that runs as somebody else


class StockDaemon(PrivateDaemon):
    """A daemon whose guests run as libvirt-qemu, which Debian lets open /dev/kvm.

    Where it may not and root may, libvirt 9.0 asks QEMU for its capabilities anew in every call (measured: 22 s each).
    """

    def _accounts(self) -> list[tuple[Path, Path]]:
        kvm, ours = Path("/dev/kvm"), self.home / "kvm"
        if kvm.exists() and not ours.exists():
            os.mknod(ours, stat.S_IFCHR, kvm.stat().st_rdev)
            ours.chmod(0o666)
        return [*super()._accounts(), *([(ours, kvm)] if kvm.exists() else [])]


@pytest.fixture
def stock_daemon(real_libvirt: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateDaemon]:
    """A daemon whose guests run as Debian's packages configure it."""
    kept = [line for line in private.QEMU_CONF.splitlines() if not line.startswith(("user", "group"))]
    monkeypatch.setattr(private, "QEMU_CONF", "\n".join(kept) + "\n")
    home = Path(tempfile.mkdtemp(prefix="hw-"))
    made = StockDaemon(home)
    made.start()
    yield made
    made.stop(guests=True)
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.hypervisor
def test_a_guest_that_runs_as_libvirt_qemu_boots_files_of_a_closed_directory(
    opened: Callable[..., Any], stock_daemon: PrivateDaemon, boot_dir: Path
) -> None:
    import libvirt

    from vms.hypervisors.bootfiles import PoolFiles

    boot_dir.chmod(0o700)
    driver = opened(stock_daemon.uri, boot_dir, PoolFiles)
    spec = machine()
    driver.start(Run(base=spec, job=uuid4()))
    (qemu,) = stock_daemon.guests
    assert Path(f"/proc/{qemu}").stat().st_uid != 0, "the point of the test"
    connection = libvirt.open(stock_daemon.uri)
    domain = connection.lookupByUUID(spec.id.bytes)
    line = SerialLine(domain)

    def echoes() -> bool:
        line.send(obedient.ANYTHING)
        return obedient.ANYTHING in line.text

    wait_until(echoes, what="the guest's echo")


@pytest.mark.hypervisor
def test_a_closed_directory_is_why_files_are_handed_over(
    opened: Callable[..., Any], stock_daemon: PrivateDaemon, boot_dir: Path
) -> None:
    boot_dir.chmod(0o700)
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED"):
        opened(stock_daemon.uri, boot_dir).start(Run(base=machine(), job=uuid4()))


@pytest.mark.hypervisor
def test_files_are_handed_over_once_whole_and_anew_when_they_change(daemon: PrivateDaemon, boot_dir: Path) -> None:
    import libvirt

    from vms.hypervisors.bootfiles import PoolFiles

    connection = libvirt.open(daemon.uri)
    folder = daemon.home / "lib/headless-webadmin"

    def handed_over() -> Path:
        return folder / Path(PoolFiles(boot_dir).path(connection, obedient.NAME)).name

    first = handed_over()
    assert first.read_bytes() == (boot_dir / obedient.NAME).read_bytes()
    written = first.stat().st_mtime_ns
    assert handed_over() == first
    assert first.stat().st_mtime_ns == written
    first.write_bytes(bytes(first.stat().st_size))  # as after a death in the middle of it
    assert handed_over().read_bytes() == (boot_dir / obedient.NAME).read_bytes()
    (boot_dir / obedient.NAME).write_bytes(b"another kernel")
    assert handed_over() != first
    assert handed_over().read_bytes() == b"another kernel"
    with pytest.raises(Refusal, match="BOOT_FILE_MISSING"):
        PoolFiles(boot_dir).path(connection, "nowhere")


# -- an ordinary user

AS_NOBODY = """
import os, sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4
from vms.domain.console import Console, Firmware
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import Run
from vms.hypervisors.bootfiles import LocalFiles
from vms.hypervisors.libvirt import LibvirtHypervisor, Location
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
driver = LibvirtHypervisor(lambda: Location(uri="qemu:///session", files=LocalFiles(Path(sys.argv[1]))))
driver.open(lambda event: None)
for firmware in Firmware:
    spec = MachineSpec(id=uuid4(), name=f"nobody-{firmware}", memory=64, firmware=firmware, start_paused=True,
        boot=Boot(kernel="obedient"), console=replace(Console(), serial=True))
    answer = driver.start(Run(base=spec, job=uuid4()))
    print(answer.status, *(endpoint.protocol for endpoint in answer.endpoints))
    driver.stop(spec.id)
    driver.remove(spec.id)
"""


@pytest.mark.hypervisor
def test_an_ordinary_user_has_machines_in_a_session(real_libvirt: None) -> None:
    home = Path(tempfile.mkdtemp(prefix="hw-"))
    obedient.write_to(home)
    home.chmod(0o755)
    for folder in (home / "own", home / "own/run"):
        folder.mkdir(mode=0o700)
        os.chown(folder, 65534, 65534)
    environment = {
        "PATH": private.SYSTEM_PATH,
        "HOME": str(home / "own"),
        "XDG_RUNTIME_DIR": str(home / "own/run"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(home)],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.splitlines() == ["paused vnc", "paused vnc"], done.stderr
    finally:
        for pid_file in (home / "own/run").rglob("libvirtd.pid"):
            os.kill(int(pid_file.read_text()), signal.SIGTERM)
        shutil.rmtree(home, ignore_errors=True)
