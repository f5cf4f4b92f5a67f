"""Hosts elsewhere by SSH and by TLS: what their administrator does for it, what is said of each mistake, and a headless
machine that is started and talked to there.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.engine.conftest import ended, fresh
from tests.factories import machine, person
from tests.hypervisors import obedient, transports
from tests.hypervisors.conftest import real_libvirt, wait_until
from tests.hypervisors.hosts import NET, NetworkedDaemon, two_hosts
from tests.hypervisors.transports import Authority, known
from tests.needs import need
from tests.stories.engines import database_at, engines
from tests.stories.lines import AtTheLine
from vms.actions import hosts, power
from vms.domain.console import Console, Offer
from vms.domain.parts import Boot
from vms.models import VM, Cluster, Host, HostStatus, User

__all__ = ["real_libvirt"]

pytestmark = [pytest.mark.hypervisor, pytest.mark.guests]

ROOT = Path(__file__).parents[2]
NOTICED_WITHIN = 5.0  # seconds
_SHORT = 4.0  # seconds; a daemon does not start with a certificate that has expired


@dataclass
class World:
    """Two hosts, the first with an SSH server, both with certificates, and the engine's user's ~/.ssh."""

    home: Path
    by_ssh: NetworkedDaemon
    by_tls: NetworkedDaemon
    authority: Authority
    dot_ssh: Path
    entering: Sequence[str]

    @property
    def ssh(self) -> str:
        return f"qemu+ssh://root@{self.by_ssh.address}/system?keyfile={self.home}/key"

    @property
    def tls(self) -> str:
        return f"qemu+tls://{self.by_tls.address}/system?pkipath={self.home}/pki"

    def knows(self, key: str) -> None:
        """The engine's user takes this key for the host's."""
        (self.dot_ssh / "known_hosts").write_text(known(self.by_ssh.address, self.home / key) if key else "")

    def why(self, *uris: str) -> list[str]:
        """Why each of these cannot be reached, as a driver of the engine's user says."""
        words = [*self.entering, sys.executable, "-m", "tests.hypervisors.opening", *uris]
        told = subprocess.run(words, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True)
        return json.loads(told.stdout)  # type: ignore[no-any-return]


@pytest.fixture
def world(real_libvirt: None) -> Iterator[World]:
    need(None if Path(transports.SSHD).exists() else "openssh-server is not installed")
    home, authority = Path(tempfile.mkdtemp(prefix="hw-")), Authority("ours")
    for number in (1, 2):
        authority.issue(home / "server", f"host{number}", f"{NET}.{number}")
    (home / "server" / "cacert.pem").write_bytes(authority.certificate)
    authority.client(home / "pki")
    keys = [transports.key(home / name) for name in ("host-key", "key", "other-key")]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        by_ssh, by_tls = stack.enter_context(two_hosts(home, transports.over_tls(home / "server")))
        dot_ssh, entering = stack.enter_context(transports.ssh_of_its_own(home))
        stack.enter_context(transports.ssh_server(by_ssh, keys[0], keys[1]))
        _look_at_qemu(by_ssh)
        yield World(home, by_ssh, by_tls, authority, dot_ssh, entering)


def _look_at_qemu(daemon: NetworkedDaemon) -> None:
    """A daemon does so once, for seconds, and remembers what it saw."""
    import libvirt

    libvirt.open(daemon.uri).getDomainCapabilities(None, "x86_64", "q35", "qemu", 0)


def test_what_keeps_the_engine_from_a_host_is_told(world: World) -> None:
    home, tls, other = world.home, world.tls, Authority("other")
    world.knows("")
    assert world.why(world.ssh) == ["ssh_key_unknown"]
    world.knows("other-key")
    assert world.why(world.ssh) == ["ssh_key_changed"]
    world.knows("host-key")
    nobody = f"{NET}.254"
    untrusting = other.client(home / "untrusting", trusts=other)
    world.authority.issue(untrusting, "client")
    shutil.copy(home / "pki/cacert.pem", other.client(home / "strange") / "cacert.pem")
    expected = {
        world.ssh: "",
        world.ssh.replace("/key", "/other-key"): "ssh_refused",
        world.ssh.replace("/key", "/no-key"): "ssh_own_key_missing",
        world.ssh.replace("root@", "stranger@"): "ssh_refused",
        world.ssh.replace(world.by_ssh.address, world.by_tls.address): "port_closed",
        world.ssh.replace(world.by_ssh.address, f"{world.by_ssh.address}:16509"): "ssh_not_there",
        world.ssh.replace(world.by_ssh.address, "nowhere.invalid"): "name_unknown",
        tls: "",
        tls.replace(world.by_tls.address, nobody): "port_closed",
        tls.replace(world.by_tls.address, f"{world.by_tls.address}:16509"): "tls_not_there",
        tls.replace("qemu+tls", "qemu+tcp").replace("/system", ":16514/system").partition("?")[0]: "not_libvirt",
        tls.replace("/pki", "/nowhere"): "tls_files_missing",
        tls.replace("/pki", "/strange"): "tls_own_untrusted",
        tls.replace("/pki", "/untrusting"): "tls_own_untrusted",
    }
    assert dict(zip(expected, world.why(*expected), strict=True)) == expected
    (silent,) = world.why(f"qemu+tcp://{NET}.77/system")
    assert silent.startswith("HOST_NOT_RESPONDING"), "nobody is there, or somebody who says nothing"

    world.authority.client(home / "pki", until=-2)
    assert world.why(tls) == ["tls_own_expired"]
    other.client(home / "pki", trusts=other)
    assert world.why(tls) == ["tls_untrusted"], "both sides in order, and strangers to each other"
    world.authority.client(home / "pki")
    assert _served(world, f"{NET}.99", until=1) == ["tls_other_name"]
    assert _served(world, world.by_tls.address, until=_SHORT / 86400) == ["tls_expired"]

    world.by_ssh.stop()
    assert world.why(world.ssh) == ["libvirt_not_there"]


def _served(world: World, address: str, until: float) -> list[str]:
    """Why the second host cannot be reached with such a certificate, once that has had the time to expire."""
    world.by_tls.stop()
    world.authority.issue(world.home / "server", "host2", address, until=until)
    begins = time.monotonic()
    world.by_tls.start()
    over = begins + _SHORT + 1.5  # certificates know whole seconds
    wait_until(lambda: time.monotonic() > over, 2 * _SHORT, "the end of the certificate")
    return world.why(world.tls)


def with_serial(_console: Console, _offer: Offer) -> Console:
    return Console(serial=True).as_headless()


@pytest.fixture
def database(world: World, migrated_file: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    shutil.copy(migrated_file, world.home / "db.sqlite3")
    with django_db_blocker.unblock(), database_at(url := f"sqlite:///{world.home}/db.sqlite3"):
        yield url


def test_a_headless_machine_is_started_and_talked_to_over_ssh_and_over_tls(world: World, database: str) -> None:
    cluster, admin = Cluster.objects.get(name="Default"), person("admin", role="SuperUser")
    world.knows("")
    by_ssh = hosts.create("by-ssh", cluster=cluster, uri=world.ssh, by=admin)
    by_tls = hosts.create("by-tls", cluster=cluster, uri=world.tls, by=admin)
    with engines(world.home, database, 1, world.entering) as (engine,):
        engine.start()
        wait_until(lambda: fresh(by_tls).status == HostStatus.UP, 30, "the host is up by TLS")
        wait_until(lambda: fresh(by_ssh).status == HostStatus.NON_RESPONSIVE, 10, "the host is not, by SSH")
        assert fresh(by_ssh).reason["params"]["host_why"] == "ssh_key_unknown"
        world.knows("host-key")
        put_right = time.monotonic()
        wait_until(lambda: fresh(by_ssh).status == HostStatus.UP, 30, "the host is up by SSH")
        assert time.monotonic() - put_right <= 2 * NOTICED_WITHIN  # a busy machine takes longer than an idle one
        for host in (by_ssh, by_tls):
            _lives_and_is_heard(_started(host, admin), engine.home / "run")
            hosts.deactivate(host, by=admin)
            assert fresh(host).shown_status == HostStatus.MAINTENANCE


def _lives_and_is_heard(vm: VM, run_dir: Path) -> None:
    """It says that it is up, echoes what is typed, and powers off when it is told to; which is seen."""
    line = AtTheLine(run_dir, vm)
    line.hears(obedient.UP)
    line.types(obedient.ANYTHING)
    line.hears(obedient.ANYTHING)
    line.types(obedient.POWER_OFF)
    wait_until(lambda: fresh(vm).status == "down", 10, "the guest's own power-off")
    line.hang_up()


def _started(host: Host, by: User) -> VM:
    vm = machine(host.name, by=by, console=with_serial, memory=64, boot=Boot(kernel=obedient.NAME), hosts=(host.pk,))
    assert ended(power.start(vm, by=by)).state == "finished"
    wait_until(lambda: fresh(vm).status == "up", 10, "it is up")
    return fresh(vm)  # type: ignore[no-any-return]
