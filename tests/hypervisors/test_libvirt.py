"""What only a real libvirt shows: definitions below runs, refused starts, firmware, an ordinary user."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.consoles import rfb
from tests.hypervisors import obedient
from tests.hypervisors.conftest import wait_until
from tests.hypervisors.obeying import boot_dir, daemon, driver, machine, opened, with_vnc
from tests.hypervisors.screen import enter
from tests.needs import need
from vms.domain.console import Console, Protocol
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import Run
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.hypervisors import private
from vms.hypervisors.base import Event, Screen
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.observe import observe

__all__ = ["boot_dir", "daemon", "driver", "opened"]

ROOT = Path(__file__).parents[2]


# -- the real thing


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


# -- an ordinary user

AS_NOBODY = """
import os, sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4
from vms.domain.console import Console
from vms.domain.firmware import Firmware
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
        assert done.stdout.splitlines() == ["paused vnc"] * len(Firmware), done.stderr
    finally:
        for pid_file in (home / "own/run").rglob("libvirtd.pid"):
            os.kill(int(pid_file.read_text()), signal.SIGTERM)
        shutil.rmtree(home, ignore_errors=True)
