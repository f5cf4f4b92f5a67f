"""What every test may ask for: people with their rights, machines, and a host that is up."""

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.factories import headless, machine, person
from vms.actions import reports
from vms.domain.hosts import Capabilities
from vms.models import VM, Cluster, Host, User


@pytest.fixture(autouse=True)
def _own_state(settings: Settings, tmp_path: Path) -> None:
    """No test touches the state of an installation, nor wakes its engine."""
    settings.RUN_DIR = tmp_path / "run"
    settings.BOOT_DIR = tmp_path / "boot"
    settings.STATIC_ROOT = tmp_path / "static"
    for directory in (settings.RUN_DIR, settings.BOOT_DIR, settings.STATIC_ROOT):
        directory.mkdir()
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def cluster(db: None) -> Cluster:
    return Cluster.objects.get(name="Default")


@pytest.fixture
def host(cluster: Cluster) -> Host:
    """A host that is up and offers everything."""
    made = Host.objects.create(name="local", cluster=cluster)
    reports.host_seen(made, Capabilities())
    return made


@pytest.fixture
def admin(db: None) -> User:
    """Runs the data centre."""
    return person("admin", role="SuperUser")


@pytest.fixture
def vm(admin: User, host: Host) -> VM:
    """A machine with a screen: VNC and VGA, as Blank hands down."""
    return machine("web", by=admin)


@pytest.fixture
def headless_vm(admin: User, host: Host) -> VM:
    """A machine without a screen."""
    return machine("db", by=admin, console=headless)


@pytest.fixture
def alice(vm: VM) -> User:
    """Owns `vm`."""
    return person("alice", role="UserVmManager", vm=vm)


@pytest.fixture
def bob(vm: VM) -> User:
    """May use `vm`."""
    return person("bob", role="UserRole", vm=vm)


@pytest.fixture
def carol(db: None) -> User:
    """Has no right at all and must be refused."""
    return person("carol")
