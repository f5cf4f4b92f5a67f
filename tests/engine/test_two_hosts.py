"""One engine over two real hosts: a headless machine moves there and back, and a daemon that hangs is told in time."""

import os
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
from tests.hypervisors.conftest import real_libvirt
from tests.hypervisors.hosts import NetworkedDaemon, two_hosts
from vms.actions import migration, power
from vms.domain.parts import Boot
from vms.models import VM, Cluster, Host, HostStatus, User

__all__ = ["real_libvirt"]

pytestmark = [pytest.mark.hypervisor, pytest.mark.guests]

TOLD_WITHIN = 5.0  # seconds


@pytest.fixture
def hosts(
    real_libvirt: None, db: None, cluster: Cluster, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[tuple[Host, NetworkedDaemon], ...]]:
    """Two hosts that are up, each with its daemon, and an engine over them."""
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    boot = tmp_path_factory.mktemp("two-hosts")
    obedient.write_to(boot)

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
