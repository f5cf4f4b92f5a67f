"""One engine over two real hosts: a headless machine moves there and back, its serial console with it, and a daemon
that hangs is told in time."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.engine.conftest import Running, comes_to, ended, eventually, fresh
from tests.factories import headless, machine
from tests.hypervisors import obedient
from tests.hypervisors.conftest import guest_files, real_libvirt
from tests.hypervisors.hosts import NetworkedDaemon, two_hosts
from tests.stories.lines import AtTheLine
from vms.actions import migration, power
from vms.domain.console import Console, Offer
from vms.domain.parts import Boot
from vms.engine import recorder
from vms.hypervisors import guest
from vms.models import VM, Cluster, Host, HostStatus, User

__all__ = ["guest_files", "real_libvirt"]

pytestmark = [pytest.mark.hypervisor, pytest.mark.guests]

TOLD_WITHIN = 5.0  # seconds
PROMPT = ":/root# "


@pytest.fixture
def hosts(
    real_libvirt: None,
    db: None,
    cluster: Cluster,
    settings: Settings,
    guest_files: guest.GuestFiles,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[tuple[Host, NetworkedDaemon], ...]]:
    """Two hosts that are up, each with its daemon, and an engine over them."""
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    boot = tmp_path_factory.mktemp("two-hosts")
    obedient.write_to(boot)
    shutil.copy(guest_files.kernel, boot / "kernel")
    shutil.copy(guest_files.initrd, boot / "initrd")

    def driver(host: Host) -> Any:
        return LibvirtHypervisor(lambda: Location(uri=host.uri, files=LocalFiles(boot)), host.name)

    with two_hosts(boot) as daemons:
        made = [Host.objects.create(name=each.name, cluster=cluster, uri=each.over_tcp) for each in daemons]
        engine = Running(Path(settings.RUN_DIR), driver)
        try:
            eventually(lambda: not Host.objects.exclude(status=HostStatus.UP).exists(), "both hosts are up")
            yield tuple(zip(made, daemons, strict=True))
        finally:
            engine.stop()


def test_a_machine_moves_there_and_back_and_a_daemon_that_hangs_is_told(
    hosts: tuple[tuple[Host, NetworkedDaemon], ...], admin: User
) -> None:
    (here, daemon), (there, _other) = hosts
    vm = machine("moving", by=admin, console=headless, memory=64, boot=Boot(kernel=obedient.NAME), hosts=())
    Host.objects.filter(pk=there.pk).update(maintenance=True)
    ended(power.start(vm, by=admin))
    Host.objects.filter(pk=there.pk).update(maintenance=False)
    assert comes_to(vm, "up").host == here
    for target in (there, here):
        assert ended(migration.migrate(fresh(vm), to=target, by=admin)).state == "finished"
        moved = comes_to(vm, "up")
        assert (moved.host, moved.running_graphics, moved.drift) == (target, "", False)

    os.kill(daemon.pid or 0, signal.SIGSTOP)
    try:
        stopped = time.monotonic()
        elsewhere = machine("elsewhere", by=admin, console=headless, memory=64, hosts=(there.pk,))
        assert ended(power.start(elsewhere, by=admin)).state == "finished", "the other host does not notice"
        eventually(lambda: fresh(here).status == HostStatus.NON_RESPONSIVE, "the hang is told")
        assert time.monotonic() - stopped <= TOLD_WITHIN
        assert fresh(vm).status == "unknown"
    finally:
        os.kill(daemon.pid or 0, signal.SIGCONT)
    goes_on = time.monotonic()
    eventually(lambda: fresh(here).status == HostStatus.UP, "it is back")
    assert time.monotonic() - goes_on <= TOLD_WITHIN
    assert comes_to(VM.objects.get(pk=vm.pk), "up").host == here


def with_serial(_console: Console, _offer: Offer) -> Console:
    return Console(serial=True).as_headless()


def counted(said: str) -> list[int]:
    """The numbers that the guest has said, each in a line of its own."""
    return [int(number) for number in re.findall(r"^n=([0-9]+)\r?$", said, re.MULTILINE)]


def test_a_serial_console_goes_on_where_its_machine_goes_and_loses_no_word(
    hosts: tuple[tuple[Host, NetworkedDaemon], ...], admin: User, settings: Settings
) -> None:
    (here, _), (there, _other) = hosts
    spec = Boot(kernel="kernel", initrd="initrd", parameters=guest.CMDLINE)
    vm = machine("speaking", by=admin, console=with_serial, memory=guest.MEMORY_MIB, boot=spec, hosts=())
    Host.objects.filter(pk=there.pk).update(maintenance=True)
    ended(power.start(vm, by=admin))
    Host.objects.filter(pk=there.pk).update(maintenance=False)
    line = AtTheLine(Path(settings.RUN_DIR), comes_to(vm, "up"))
    try:
        line.hears(PROMPT, 90)
        line.types("i=0; while :; do i=$((i+1)); echo n=$i; sleep 0.01; done\r")
        line.hears("n=50\r\n")
        for target in (there, here):
            assert ended(migration.migrate(fresh(vm), to=target, by=admin)).state == "finished"
            assert comes_to(vm, "up").host == target
            line.hears(f"n={counted(line.said)[-1] + 50}\r\n")
        line.types("\x03echo still-typed-at\r")
        line.hears("\nstill-typed-at\r\n")
        numbers = counted(line.said)
        assert numbers == list(range(1, numbers[-1] + 1)), "no word is lost, and none comes twice"
        written = recorder.heard(Path(settings.RUN_DIR).parent / "serial", vm.pk, 10_000_000, since=0)
        assert written is not None
        assert counted(written.text) == numbers
    finally:
        line.hang_up()
