"""From the settings to drivers: which hypervisor a host has and how fast it can be. Imported by the engine only."""

import importlib.util
import json
import logging
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from vms.domain.errors import Refusal
from vms.hypervisors.accelerator import cache_key, probe
from vms.hypervisors.base import Hypervisor
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import Host

if TYPE_CHECKING:
    from vms.hypervisors.libvirt import Location

logger = logging.getLogger(__name__)

SYSTEM: Final = "qemu:///system"
SESSION: Final = "qemu:///session"
PRIVATE: Final = "private"
# Where the system's QEMU, which runs as another user, may go.
SYSTEM_STORAGE: Final = Path("/var/lib/libvirt/headless-webadmin-storage")
SYSTEM_SOCKETS: Final = ("/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock")
SYSTEM_PROGRAMS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")
EMULATOR: Final = "qemu-system-x86_64"
# Program → the Debian package that brings it, where the names differ.
_PACKAGES: Final = {"libvirtd": "libvirt-daemon", "unshare": "util-linux", "mount": "util-linux"}


def hypervisor_for(host: Host) -> Hypervisor:
    """The driver of a host; one whose software is missing is given all the same, and says so when it is opened."""
    uri = settings.HYPERVISOR if host.uri == "auto" else host.uri
    if uri == "memory":
        return MemoryHypervisor(forgetful=True)
    if importlib.util.find_spec("libvirt") is None:
        return _Missing("libvirt-python")
    from vms.hypervisors.libvirt import LibvirtHypervisor  # an extra: it has no wheel

    return LibvirtHypervisor(_locator(host, uri), host.name)


class _Missing(MemoryHypervisor):
    """In place of a hypervisor whose software is not installed: opening it names the package."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self._package = package
        self.unplug()  # so that nothing is ever faked

    def open(self, listener: object) -> None:
        raise Refusal("HYPERVISOR_PACKAGE_MISSING", None, package=self._package)


def _locator(host: Host, uri: str) -> "Callable[[], Location]":
    from vms.hypervisors.bootfiles import LocalFiles, PoolFiles
    from vms.hypervisors.libvirt import Location

    def locate() -> Location:
        chosen = _choose() if uri == "auto" else uri
        kind, reason = accelerator(local=uri == "auto" or chosen.startswith("qemu:///"))
        private = chosen == PRIVATE
        return Location(
            uri=_private_uri() if private else chosen,
            files=(LocalFiles if private or chosen == SESSION else PoolFiles)(settings.BOOT_DIR),
            storage=settings.DATA_DIR / "storage" if private or chosen == SESSION else SYSTEM_STORAGE,
            accelerator=kind,
            accelerator_reason=reason,
            username=host.username,
            password=host.password,
            networks=settings.NETWORKS == "auto",
        )

    return locate


def _choose() -> str:
    """The system daemon where it answers, else the user's session, else as root a daemon of our own.

    A choice is kept: another daemon would not know the machines that run on the first.
    """
    kept = settings.DATA_DIR / "hypervisor"
    if kept.exists():
        return kept.read_text().strip()
    if not _installed(EMULATOR):
        raise Refusal("HYPERVISOR_PACKAGE_MISSING", None, package="qemu-system-x86")
    if any(_answers(path) for path in SYSTEM_SOCKETS) and _lets_us_in(SYSTEM):
        chosen = SYSTEM
    elif not _installed("libvirtd"):
        raise Refusal("HYPERVISOR_PACKAGE_MISSING", None, package="libvirt-daemon")
    else:
        chosen = SESSION if os.geteuid() != 0 else PRIVATE
    kept.write_text(f"{chosen}\n")
    logger.info("hypervisor: %s (kept in %s)", chosen, kept)
    return chosen


def _private_uri() -> str:
    from vms.hypervisors.private import DaemonUnavailable, PrivateDaemon

    try:
        return PrivateDaemon(settings.DATA_DIR / "libvirt").start()
    except DaemonUnavailable as error:
        if error.code == "program_missing":
            program = error.params["program"]
            raise Refusal("HYPERVISOR_PACKAGE_MISSING", None, package=_PACKAGES.get(program, program)) from error
        raise Refusal("HOST_NOT_RESPONDING", None, host="private libvirtd", message=str(error)) from error


def _answers(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(path)
    except OSError:
        return False
    return True


def _lets_us_in(uri: str) -> bool:
    """Whether a daemon that listens would obey too: Debian's listens to everybody and asks polkit afterwards."""
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    driver = LibvirtHypervisor(lambda: Location(uri=uri, files=LocalFiles(settings.BOOT_DIR)))
    try:
        driver.open(lambda _event: None)
    except Refusal as refusal:
        logger.info("the system's libvirt does not let us in: %s", refusal.params)
        return False
    driver.close()
    return True


def _installed(program: str) -> bool:
    """Whether a program is there; a daemon is nothing that ordinary users have on their path."""
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_PROGRAMS))) is not None


def accelerator(*, local: bool) -> tuple[str, str]:
    """`kvm` or `qemu` (emulation) with the reason; timed once for each kernel and QEMU, for KVM may be a trap.

    A host elsewhere cannot be timed from here: emulation, unless the settings say kvm.
    """
    if settings.ACCELERATOR != "auto" or not local:
        return ("kvm" if settings.ACCELERATOR == "kvm" else "qemu"), f"ACCELERATOR={settings.ACCELERATOR}"
    cache, key = settings.DATA_DIR / "accelerator.json", cache_key()
    known = _read(cache)
    if key not in known:
        found = probe("auto")
        told = ", ".join(f"{name} {value}" for name, value in found.params.items())
        known = {key: [found.kind, f"{found.reason} ({told})" if told else found.reason]}
        cache.write_text(json.dumps(known))
    kind, reason = known[key]
    return kind, reason


def _read(path: Path) -> dict[str, list[str]]:
    try:
        content: dict[str, list[str]] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content
