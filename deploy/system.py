"""Look for what set-up cannot bring itself, install it where it may, and else say what will not work without it.

    system.py ensure GROUP...   install what is missing, or say in one sentence what will not work; always succeeds
    system.py check GROUP...    succeed when nothing is missing

It runs before there is a virtual environment, so it uses the standard library alone. Packages carry Debian's names;
each is looked for by what it brings, so that a QEMU of another origin counts too.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

# An ordinary user's path on Debian lacks the places of the daemons.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
PACKAGE_LISTS = Path("/var/lib/apt/lists")
# Debian's packages of servers start them at once; the tests only want the programs. What keeps each from it by
# Debian's own means; what is in STAYS keeps it from the next boot, too.
QUIETLY = {
    "postgresql": ("/etc/postgresql-common/createcluster.d/headless-webadmin.conf", "create_main_cluster = false\n"),
    "openssh-server": (
        "/etc/ssh/sshd_not_to_be_run",
        "for tests alone; remove this to have it run\n",
    ),
}
STAYS = {"openssh-server"}


@dataclass(frozen=True)
class Need:
    """A Debian package, and the program or file pattern that shows it is there."""

    package: str
    sign: str

    @property
    def missing(self) -> bool:
        """Tell whether neither this package nor another one brought the sign."""
        if self.sign.startswith("/"):
            return not any(Path("/").glob(self.sign.removeprefix("/")))
        return shutil.which(self.sign, path=SEARCH_PATH) is None


@dataclass(frozen=True)
class Group:
    """Packages that serve one purpose, and what a person cannot do without them."""

    without: str
    needs: tuple[Need, ...]

    def missing(self) -> list[str]:
        """Name the packages that are not there."""
        return [need.package for need in self.needs if need.missing]


GROUPS = {
    "python": Group(
        "no virtual environment can be made",
        (Need("python3-venv", sysconfig.get_path("stdlib") + "/ensurepip/__init__.py"),),
    ),
    "hypervisor": Group(
        "no machine can be started (the interface works)",
        (
            Need("libvirt-daemon", "libvirtd"),
            Need("libvirt-daemon-driver-qemu", "/usr/lib*/*/libvirt/connection-driver/libvirt_driver_qemu.so"),
            Need("libvirt-clients", "virsh"),
            Need("qemu-system-x86", "qemu-system-x86_64"),
            Need("qemu-utils", "qemu-img"),
        ),
    ),
    "binding": Group(
        "libvirt-python cannot be built and no machine be started (the interface works)",
        (
            Need("libvirt-dev", "/usr/include/libvirt/libvirt.h"),
            Need("pkg-config", "pkg-config"),
            Need("gcc", "gcc"),
            Need("libc6-dev", "/usr/include/stdio.h"),
            Need("python3-dev", sysconfig.get_path("include") + "/Python.h"),
        ),
    ),
    "sdk": Group(
        "oVirt's SDK for Python cannot be built and its tests are left out",
        (
            Need("libxml2-dev", "/usr/include/libxml2/libxml/xmlreader.h"),
            Need("gcc", "gcc"),
            Need("libc6-dev", "/usr/include/stdio.h"),
            Need("python3-dev", sysconfig.get_path("include") + "/Python.h"),
        ),
    ),
    "firmware": Group("no UEFI machine can be started", (Need("ovmf", "/usr/share/OVMF/OVMF_CODE*.fd"),)),
    "tpm": Group("no machine can have a TPM", (Need("swtpm", "swtpm"), Need("swtpm-tools", "swtpm_setup"))),
    "network": Group(
        "no virtual network can be started",
        (Need("dnsmasq-base", "dnsmasq"), Need("iptables", "iptables")),
    ),
    "guest": Group(
        "the small Linux guest of the demo cannot be built",
        # Both busybox packages bring /bin/busybox, but only the static one runs alone in an initramfs.
        (Need("busybox-static", "/usr/share/doc/busybox-static"), Need("cpio", "cpio")),
    ),
    "database": Group(
        "the tests on PostgreSQL are left out",
        (Need("postgresql", "/usr/lib/postgresql/*/bin/postgres"),),
    ),
    "ssh": Group(
        "the tests of the SSH door and of hosts by SSH are left out",
        (Need("openssh-client", "ssh-keygen"), Need("openssh-server", "sshd")),
    ),
    "distribution": Group(
        "the tests with a real distribution in a machine are left out",
        (Need("mmdebstrap", "mmdebstrap"), Need("e2fsprogs", "debugfs")),
    ),
    "offline": Group(
        "no machine can be prepared for headless on its disks while it is off",
        # The appliance boots a kernel of this machine's, with its modules; a container has none.
        (Need("guestfish", "guestfish"), Need("linux-image-cloud-amd64", "/boot/vmlinuz-*")),
    ),
    "browser": Group(
        "the browser stories are left out",
        (Need("chromium", "/usr/bin/chromium"), Need("fonts-dejavu-core", "/usr/share/fonts/truetype/dejavu/*.ttf")),
    ),
}


def main(arguments: list[str]) -> int:
    """Serve the command line described above."""
    match arguments:
        case ["ensure", *names] if names and set(names) <= GROUPS.keys():
            ensure([GROUPS[name] for name in names])
            return 0
        case ["check", *names] if names and set(names) <= GROUPS.keys():
            return int(any(GROUPS[name].missing() for name in names))
        case _:
            print(f"usage: system.py ensure|check GROUP...   groups: {' '.join(GROUPS)}", file=sys.stderr)
            return 2


def ensure(groups: list[Group]) -> None:
    """Install what the groups miss, in one go; say in one sentence what is missing still and what that costs."""
    packages = [package for group in groups for package in group.missing()]
    if not packages:
        return
    reason = install(packages)
    losses = [f"without {_listed(still)} {group.without}" for group in groups if (still := group.missing())]
    if losses:
        print(f"Not everything will work, since {reason}: {'; '.join(losses)}.", file=sys.stderr)


def install(packages: list[str]) -> str:
    """Install Debian packages and answer why some of them may be missing still."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get here"
    if (become := _become_root()) is None:
        return "installing packages takes root or a password-less sudo"
    print(f"Installing {', '.join(packages)} by apt-get ...", flush=True)
    apt = [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    add = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    quietly = {package: QUIETLY[package] for package in packages if package in QUIETLY}
    for path, text in quietly.values():
        _write_as(become, Path(path), text)
    try:
        if not any(PACKAGE_LISTS.glob("*_Packages*")):
            _run([*apt, "update"])
        complaint = _run(add)
        if complaint and not _run([*apt, "update"]):
            complaint = _run(add)
    finally:
        for package in quietly.keys() - STAYS:
            _run([*become, "rm", "-f", quietly[package][0]])
    return f"apt-get says: {complaint}" if complaint else "apt-get brought something else"


def _become_root() -> list[str] | None:
    """Give the words to put before a command that needs root, or None where there is no right to it."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not _run(["sudo", "-n", "true"]):
        return ["sudo", "-n"]
    return None


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _write_as(become: list[str], path: Path, text: str) -> None:
    _run([*become, "mkdir", "-p", str(path.parent)])
    _run([*become, "tee", str(path)], text)


def _run(command: list[str], text: str = "") -> str:
    """Run a command quietly and return its last complaint, or nothing when it succeeded."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
    return lines[-1] if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
