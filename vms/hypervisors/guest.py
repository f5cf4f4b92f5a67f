"""The demonstration guest: the distribution's kernel and an initramfs around busybox, made where they are needed.

It needs no disk and 128 MiB, and has what a console wants to be tried on: a shell on the serial line and one on
the screen, DHCP, power-off by the ACPI button, and a reboot.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import logging
import lzma
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .cpio import Archive

__all__ = ["CMDLINE", "MEMORY_MIB", "GuestFiles", "GuestUnavailable", "build"]

log = logging.getLogger(__name__)

# The last console is /dev/console; a machine that lacks one of the two boots all the same.
CMDLINE: Final = "console=tty0 console=ttyS0 quiet panic=1"
MEMORY_MIB: Final = 128  # 72 was the least that booted; UEFI needs 160 and is safe with 192

KERNEL_PACKAGES: Final = ("linux-image-cloud-amd64", "linux-image-amd64")
INSTALLED_KERNELS: Final = Path("/boot")
INSTALLED_MODULES: Final = Path("/lib/modules")
BUSYBOX_PACKAGE: Final = "busybox-static"
AGENT: Final = "qemu-ga"
AGENT_PACKAGE: Final = "qemu-guest-agent"
PATIENCE: Final = 600  # seconds for a download
APPLETS: Final = frozenset({"acpid", "init", "insmod", "ip", "mount", "poweroff", "reboot", "sh", "udhcpc"})
MODULES: Final = (
    *("virtio_pci", "virtio_net", "virtio_balloon", "virtio_rng", "virtio_console", "evdev", "button"),
    *("virtio_blk", "virtio_scsi", "sd_mod"),
)
NEEDED_MODULES: Final = frozenset({"virtio_pci", "virtio_net", "evdev", "button"})

INIT: Final = r"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /bin /sbin /tmp /run /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev 2>/dev/null
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
while read -r module; do insmod "/modules/$module" 2>/dev/null; done </modules/order
[ "$(hostname)" = "(none)" ] && hostname headless-guest
: >/etc/inittab
# A UART that is not there has type 0: its line cannot be opened, and init would try again for ever.
[ "$(cat /sys/class/tty/ttyS0/type 2>/dev/null || echo 0)" = 0 ] || echo "ttyS0::respawn:-/bin/sh" >>/etc/inittab
[ -e /sys/class/tty/hvc0 ] && echo "hvc0::respawn:-/bin/sh" >>/etc/inittab
echo "tty1::respawn:-/bin/sh" >>/etc/inittab
echo "::respawn:/bin/acpid -f -l /dev/null" >>/etc/inittab
echo "::ctrlaltdel:/bin/reboot" >>/etc/inittab
[ -x /sbin/qemu-ga ] && grep -q org.qemu.guest_agent /sys/class/virtio-ports/*/name 2>/dev/null &&
    echo "::respawn:/bin/agent" >>/etc/inittab
echo "::sysinit:/etc/start" >>/etc/inittab
exec /bin/init
"""
START: Final = r"""#!/bin/sh
ip link set lo up
say HEADLESS-GUEST-UP
for path in /sys/class/net/*; do
    link=${path##*/}
    [ "$link" = lo ] && continue
    ip link set "$link" up
    udhcpc -q -t 20 -T 1 -i "$link" -s /etc/lease >/dev/null 2>&1 &
done
"""
LEASE: Final = r"""#!/bin/sh
case $1 in
deconfig)
    ip addr flush dev "$interface"
    ip link set "$interface" up
    ;;
bound | renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/${mask:-24}" dev "$interface"
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; done
    : >/etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done
    [ "$1" = bound ] && say "HEADLESS-GUEST-UP $interface $ip"
    ;;
esac
"""
SAY: Final = r"""#!/bin/sh
for line in ttyS0 hvc0 tty1; do
    [ "$line" = ttyS0 ] && [ "$(cat /sys/class/tty/ttyS0/type 2>/dev/null || echo 0)" = 0 ] && continue
    [ -e "/sys/class/tty/$line" ] && printf '%s\n' "$*" >"/dev/$line"
done
true
"""
RUN_AGENT: Final = r"""#!/bin/sh
for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" = org.qemu.guest_agent.0 ] &&
        exec /sbin/qemu-ga -m virtio-serial -p "/dev/${port##*/}" -t /run >/dev/null 2>&1
done
"""
# What the agent calls to switch off or reboot.
SHUTDOWN: Final = r"""#!/bin/sh
case $* in *-r*) reboot -f ;; *) poweroff -f ;; esac
"""
OS_RELEASE: Final = 'ID=headless-guest\nNAME="Headless guest"\nPRETTY_NAME="Guest to try consoles on (busybox)"\n'
PROFILE: Final = r"""export PATH=/bin HOME=/root PS1='\h:\w# '
cd
echo "A guest to try consoles on. Nothing is kept; poweroff and reboot are obeyed."
"""
# Nothing is written anywhere, so there is nothing to wait for.
POWER_BUTTON: Final = "#!/bin/sh\nsay Power button: switching off\npoweroff -f\n"
SCRIPTS: Final = {
    "init": INIT,
    "etc/start": START,
    "etc/lease": LEASE,
    "bin/say": SAY,
    "etc/acpi/PWRF/00000080": POWER_BUTTON,
    "bin/agent": RUN_AGENT,
    "sbin/shutdown": SHUTDOWN,
}


class GuestUnavailable(Exception):
    """The guest cannot be built, for the reason `code`, with `params` for its sentence."""

    def __init__(self, code: str, **params: str) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        return f"{self.code} {self.params}" if self.params else self.code


@dataclass(frozen=True)
class GuestFiles:
    """What a machine boots the guest from."""

    kernel: Path
    initrd: Path


@dataclass(frozen=True)
class _Kernel:
    image: Path
    modules: Path  # lib/modules/VERSION


def build(target: Path) -> GuestFiles:
    """Put the guest's kernel and initramfs into the directory `target`, unless they are there and current.

    Raises GuestUnavailable, and leaves nothing half made, when no kernel or busybox can be had.
    """
    target = target.absolute()
    files = GuestFiles(target / "kernel", target / "initrd")
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _only_one(target / "lock"):
            if _recorded(target) != _identity(files):
                _make(files, target)
    except OSError as failed:
        raise GuestUnavailable("not_written", target=str(target), detail=str(failed)) from failed
    return files


def _make(files: GuestFiles, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="building-", dir=target) as scratch:
        kernel = _kernel(Path(scratch))
        busybox = _busybox(Path(scratch))
        image, initrd = Path(scratch) / "kernel", Path(scratch) / "initrd"
        initrd.write_bytes(_initramfs(busybox.read_bytes(), _modules(kernel.modules), _agent(Path(scratch))))
        shutil.copyfile(kernel.image, image)
        (target / "made").unlink(missing_ok=True)
        for source, destination in ((image, files.kernel), (initrd, files.initrd)):
            source.chmod(0o644)  # a hypervisor with an account of its own reads them
            source.replace(destination)
    (target / "made").write_text(json.dumps(_identity(files)))
    log.info("built the demonstration guest in %s", target)


def _identity(files: GuestFiles) -> dict[str, str | int]:
    """Describe a current build: the hash of its recipe, which is this file, and the sizes of what it made."""
    sizes = {path.name: path.stat().st_size if path.exists() else 0 for path in (files.kernel, files.initrd)}
    return {"recipe": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(), **sizes}


def _recorded(target: Path) -> object:
    with contextlib.suppress(OSError, ValueError):
        return json.loads((target / "made").read_text())
    return None


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in lock.parent.glob("building-*"):  # of a build that was killed
            shutil.rmtree(left, ignore_errors=True)
        yield


def _kernel(scratch: Path) -> _Kernel:
    """Fetch the distribution's kernel, or take the one that this machine boots from."""
    try:
        return _kernel_in(_fetched(scratch, KERNEL_PACKAGES))
    except GuestUnavailable as refused:
        for image in sorted(INSTALLED_KERNELS.glob("vmlinuz-*"), reverse=True):
            modules = INSTALLED_MODULES / image.name.removeprefix("vmlinuz-")
            if modules.is_dir() and os.access(image, os.R_OK):
                log.info("took the installed kernel %s (%s)", image, refused)
                return _Kernel(image, modules)
        raise


def _kernel_in(root: Path) -> _Kernel:
    images = sorted(root.glob("boot/vmlinuz-*"))
    modules = sorted(path for base in ("lib", "usr/lib") for path in root.glob(f"{base}/modules/*") if path.is_dir())
    if not images or not modules:
        raise GuestUnavailable("package_holds_no_kernel", package=root.name)
    return _Kernel(images[-1], modules[-1])


def _busybox(scratch: Path) -> Path:
    """Find a busybox that needs no shared library, fetching the distribution's where none is installed."""
    found = shutil.which("busybox")
    if found is not None and _usable(Path(found)):
        return Path(found)
    root = _fetched(scratch, (BUSYBOX_PACKAGE,))
    for path in (root / "bin/busybox", root / "usr/bin/busybox"):
        if path.is_file() and _usable(path):
            return path
    raise GuestUnavailable("busybox_unusable", package=BUSYBOX_PACKAGE)


def _usable(busybox: Path) -> bool:
    if not _is_static(busybox.read_bytes()):
        return False
    return frozenset(_output(str(busybox), "--list").split()) >= APPLETS


def _is_static(program: bytes) -> bool:
    """Tell whether a 64-bit ELF program names no interpreter, as only dynamic ones do."""
    if program[:5] != b"\x7fELF\x02":
        return False
    start, size, count = (*struct.unpack_from("<Q", program, 32), *struct.unpack_from("<HH", program, 54))
    kinds = [struct.unpack_from("<I", program, start + size * index)[0] for index in range(count)]
    return 3 not in kinds  # PT_INTERP


def _fetched(scratch: Path, names: Sequence[str]) -> Path:
    """Download and unpack the first of the packages that the package lists know; neither step needs root."""
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise GuestUnavailable("program_missing", program=tool)
    real = next(filter(None, map(_real_package, names)), None)
    if real is None:
        raise GuestUnavailable("package_unknown", package=" ".join(names))  # lists are empty before `apt-get update`
    root = scratch / real
    root.mkdir()
    # As root apt-get would hand the download to an account that may not write here.
    _run(["apt-get", "--option", "APT::Sandbox::User=root", "--quiet", "download", real], root, package=real)
    for archive in root.glob("*.deb"):
        _run(["dpkg-deb", "--extract", str(archive), str(root)], root, package=real)
    return root


def _real_package(name: str) -> str | None:
    """Resolve a package that only names the current kernel into that kernel's own."""
    if not _output("apt-cache", "show", "--no-all-versions", name).strip():
        return None
    kernels = re.findall(r"^\s*Depends: (linux-image-\d\S*)$", _output("apt-cache", "depends", name), re.MULTILINE)
    return str(kernels[0]) if kernels else name


def _output(*command: str) -> str:
    return _call(command, Path("/")).stdout


def _run(command: Sequence[str], folder: Path, *, package: str) -> None:
    done = _call(command, folder)
    if done.returncode != 0:
        detail = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise GuestUnavailable("package_not_fetched", package=package, detail=detail)


def _call(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GuestUnavailable("program_hangs", program=command[0], seconds=str(PATIENCE)) from None


def _modules(folder: Path) -> dict[str, bytes]:
    """Collect the guest's modules and what they depend on, in the order in which they load."""
    available = {_module_name(path): path for path in folder.glob("kernel/**/*.ko*")}
    listed = folder / "modules.builtin"
    built_in = {_module_name(Path(line)) for line in listed.read_text().split()} if listed.exists() else set()
    missing = NEEDED_MODULES - available.keys() - built_in
    if missing:
        raise GuestUnavailable("module_missing", module=" ".join(sorted(missing)), kernel=folder.name)
    ordered: dict[str, bytes] = {}

    def load(name: str) -> None:
        if name in ordered or name not in available:
            return
        module = _unpacked(available[name])
        for depended in _depends(module):
            load(depended)
        ordered[name] = module

    for name in MODULES:
        load(name)
    return ordered


def _module_name(path: Path) -> str:
    return path.name.partition(".ko")[0].replace("-", "_")


def _unpacked(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".ko":
        return path.read_bytes()
    raise GuestUnavailable("module_compression_unknown", module=path.name)


def _depends(module: bytes) -> list[str]:
    found = re.search(rb"\0depends=([\w,-]*)\0", module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def _agent(scratch: Path) -> dict[str, bytes]:
    """QEMU's guest agent with the libraries that it needs, by their paths; nothing where it cannot be had."""
    try:
        installed = shutil.which(AGENT)
        program = Path(installed) if installed else _fetched(scratch, (AGENT_PACKAGE,)) / "usr/sbin" / AGENT
        needed = re.findall(r"^\s*(?:\S+ => )?(/\S+) \(", _output("ldd", str(program)), re.MULTILINE)
        return {path.lstrip("/"): Path(path).read_bytes() for path in needed} | {f"sbin/{AGENT}": program.read_bytes()}
    except (GuestUnavailable, OSError) as refused:
        log.info("the guest goes without an agent: %s", refused)
        return {}


def _initramfs(busybox: bytes, modules: dict[str, bytes], agent: dict[str, bytes]) -> bytes:
    order = "".join(f"{name}.ko\n" for name in modules).encode()
    folders = ["bin", "dev", "etc", "etc/acpi", "etc/acpi/PWRF", "modules", "proc", "root", "run", "sbin", "sys", "tmp"]
    archive = Archive()
    for folder in folders:
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, busybox)
    for name, script in SCRIPTS.items():
        archive.add(name, stat.S_IFREG | 0o755, script.encode())
    for folder in sorted({str(parent) for name in agent for parent in Path(name).parents} - {".", "sbin"}):
        archive.add(folder, stat.S_IFDIR | 0o755)
    for name, content in agent.items():
        archive.add(name, stat.S_IFREG | 0o755, content)
    archive.add("etc/os-release", stat.S_IFREG | 0o644, OS_RELEASE.encode())
    archive.add("etc/profile", stat.S_IFREG | 0o644, PROFILE.encode())
    archive.add("modules/order", stat.S_IFREG | 0o644, order)
    for name, module in modules.items():
        archive.add(f"modules/{name}.ko", stat.S_IFREG | 0o644, module)
    return gzip.compress(archive.finished(), mtime=0)
