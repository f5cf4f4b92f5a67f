"""A libvirt that a test may do anything to, drivers over it, and machines whose guest obeys."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.hypervisors import obedient
from vms.domain.console import SPICE_AND_VNC, Console
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.hypervisors.private import PrivateDaemon


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
