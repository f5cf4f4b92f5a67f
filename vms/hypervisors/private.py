"""A libvirt daemon of our own: it shares nothing with the host's, and its guests outlive it and us.

libvirtd reads its paths from the build, not from its configuration. A mount namespace in which those five
paths are directories of ours gives it a configuration, sockets and a state that no other daemon sees.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

__all__ = ["DaemonUnavailable", "PrivateDaemon"]

log = logging.getLogger(__name__)

MOUNTS: Final = {
    "run": Path("/run/libvirt"),
    "lib": Path("/var/lib/libvirt"),
    "log": Path("/var/log/libvirt"),
    "cache": Path("/var/cache/libvirt"),
    "etc": Path("/etc/libvirt"),
}
SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SOCKET_PATH_LIMIT: Final = 107  # bytes, sun_path of unix(7) less its final NUL
LOG_LIMIT: Final = 4 * 1024 * 1024  # bytes of the daemon's log, looked at before each start
# Nothing inherited: a service manager's LISTEN_FDS would be taken for libvirtd's own. And no system bus: there the
# names of guests, and the firewall, are shared with every other daemon.
ENVIRONMENT: Final = {
    "PATH": SYSTEM_PATH,
    "LANG": "C.UTF-8",
    "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/libvirt/no-bus",
}
POLL: Final = 0.02  # seconds
ACCOUNT: Final = "libvirt-qemu"
AUTH_LIST: Final = struct.pack(
    ">7I", 28, 0x20008086, 1, 66, 0, 0, 0
)  # length, program, version, call; remote_protocol.x

REAPER: Final = str(Path(__file__).with_name("reaper.py"))
# Slave: what the host mounts later is seen inside, what is mounted inside is not seen outside.
NAMESPACE: Final = ("unshare", "--mount", "--propagation", "slave")
ENTER: Final = """
set -e
while [ "$1" != -- ]; do mount --bind -- "$1" "$2"; shift 2; done
shift
exec "$@"
"""

LIBVIRTD_CONF: Final = """\
host_uuid = "{host_uuid}"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
unix_sock_admin_perms = "0700"
listen_tls = 0
listen_tcp = 0
mdns_adv = 0
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""

# No control groups and no namespaces per guest: in a container they cannot be made. No virtlogd: it is a second
# daemon that would have to be kept alive. root, for the state is below directories of root's.
QEMU_CONF: Final = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""


class DaemonUnavailable(Exception):
    """A private daemon cannot be had, for the reason `code`, with `params` for its sentence."""

    def __init__(self, code: str, **params: str) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        return f"{self.code} {self.params}" if self.params else self.code


class PrivateDaemon:
    """The libvirtd whose whole world lies below `home`; it and its guests go on when this process ends."""

    # What a daemon of another kind has otherwise: how its namespaces are entered, its options, lines of its settings.
    entering: Sequence[str] = NAMESPACE
    options: Sequence[str] = ()
    settings: str = ""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._run = self.home / "run"
        self._journal = self.home / "log" / "libvirtd.log"

    @property
    def uri(self) -> str:
        """The libvirt URI that reaches this daemon while it runs."""
        return f"qemu+unix:///system?socket={quote(str(self._socket))}"

    @property
    def running(self) -> bool:
        """Whether the daemon lives and answers within a second."""
        return self.pid is not None and self._answers()

    @property
    def pid(self) -> int | None:
        """The process id of the living daemon."""
        return _lock_holder(self._run / "libvirtd.pid")

    @property
    def guests(self) -> list[int]:
        """The process ids of the QEMUs that were started by this daemon or its predecessors and live."""
        files = (path for path in sorted(self._run.glob("qemu/*.pid")) if path.name != "driver.pid")
        holders = map(_lock_holder, files)
        return [pid for pid in holders if pid is not None]

    def start(self, timeout: float = 15) -> str:
        """Find the living daemon or start one that takes over the running guests; return its URI.

        Raises DaemonUnavailable within about `timeout` seconds when there is none to be had.
        """
        deadline = time.monotonic() + timeout
        libvirtd = _require("libvirtd", "unshare", "mount", "sh")
        hidden = next((target for target in MOUNTS.values() if self.home.is_relative_to(target)), None)
        if hidden is not None:
            raise DaemonUnavailable("home_would_be_hidden", home=str(self.home), below=str(hidden))
        with self._only_one(deadline):
            if self.pid is None:
                self._launch(libvirtd, deadline)
            if not _wait(lambda: self.running or self.pid is None, deadline):
                raise DaemonUnavailable("daemon_silent", log=str(self._journal))
            if self.pid is None:
                raise DaemonUnavailable("daemon_failed", detail=_last_line(self._journal.read_text(errors="replace")))
        return self.uri

    def stop(self, timeout: float = 10, *, guests: bool = False) -> None:
        """End the daemon, politely at first, and with `guests` every machine that it runs."""
        _end(lambda: self.pid, timeout)
        for pid in self.guests if guests else []:
            self._end_guest(pid, timeout)
        if self._alias().is_symlink():
            self._alias().unlink()

    def _end_guest(self, pid: int, timeout: float) -> None:
        _end(lambda: pid if pid in self.guests else None, timeout)

    def _launch(self, libvirtd: str, deadline: float) -> None:
        self._furnish()
        mounts = [(self.home / name, target) for name, target in MOUNTS.items()] + self._accounts()
        binds = [str(path) for pair in mounts for path in pair]
        # --daemon returns when the socket listens, and leaves a process that belongs to nobody.
        daemon = [
            libvirtd,
            "--daemon",
            "--config",
            "/etc/libvirt/libvirtd.conf",
            "--pid-file",
            "/run/libvirt/libvirtd.pid",
            *self.options,
        ]
        try:
            done = subprocess.run(
                [sys.executable, "-I", REAPER, *self.entering, "sh", "-c", ENTER, "sh", *binds, "--", *daemon],
                cwd="/",
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=max(deadline - time.monotonic(), 1),
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            _end(lambda: self.pid, 1)
            raise DaemonUnavailable("daemon_silent", log=str(self._journal)) from None
        if done.returncode != 0:
            raise DaemonUnavailable("daemon_failed", detail=_last_line(done.stderr or done.stdout))
        log.info("started a private libvirtd, pid %s, below %s", self.pid, self.home)

    def _furnish(self) -> None:
        self._forget_an_earlier_boot()
        for name, target in MOUNTS.items():
            (self.home / name).mkdir(mode=0o755, exist_ok=True)
            target.mkdir(mode=0o755, parents=True, exist_ok=True)  # a mount needs something to be mounted on
        self._configure(self.home / "etc")
        if self._journal.exists() and self._journal.stat().st_size > LOG_LIMIT:
            self._journal.replace(self._journal.with_suffix(".log.1"))

    def _configure(self, etc: Path) -> None:
        identity = etc / "host-uuid"
        if not identity.exists():
            _write(identity, str(uuid.uuid4()))
        settings = LIBVIRTD_CONF.format(host_uuid=identity.read_text().strip())
        _write(etc / "libvirtd.conf", self.settings + settings)
        _write(etc / "qemu.conf", QEMU_CONF)

    def _accounts(self) -> list[tuple[Path, Path]]:
        """Give the daemon the account that Debian's build looks up at its start, whatever qemu.conf says.

        The package libvirt-daemon-system makes that account; libvirt-daemon alone does not.
        """
        lists = (
            (Path("/etc/passwd"), f"{ACCOUNT}:x:64055:64055::/nonexistent:/usr/sbin/nologin\n"),
            (
                Path("/etc/group"),
                f"{ACCOUNT}:x:64055:\n",
            ),
        )
        mounts = []
        for path, entry in lists:
            known = path.read_text(errors="surrogateescape")
            if not known.startswith(f"{ACCOUNT}:") and f"\n{ACCOUNT}:" not in known:
                _write(self.home / path.name, known.rstrip("\n") + "\n" + entry)
                mounts.append((self.home / path.name, path))
        return mounts

    def _forget_an_earlier_boot(self) -> None:
        """Empty the run-time state when its process ids mean nothing any more.

        libvirtd takes it for granted that /run is empty after a boot: it would kill whatever process now has the
        number of a guest that it cannot reach.
        """
        mark = self._run / "boot"
        now = _boot()
        if mark.exists() and mark.read_text() == now:
            return
        if self._run.exists():
            shutil.rmtree(self._run)
        self._run.mkdir(mode=0o755)
        _write(mark, now)

    @contextlib.contextmanager
    def _only_one(self, deadline: float) -> Iterator[None]:
        """Keep a second engine from starting the same daemon meanwhile."""
        self.home.mkdir(mode=0o711, parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as file:
            if not _wait(lambda: _try_flock(file.fileno()), deadline):
                raise DaemonUnavailable("daemon_being_started", home=str(self.home))
            yield

    @property
    def _socket(self) -> Path:
        direct = self._run / "libvirt-sock"
        if len(os.fsencode(direct)) <= SOCKET_PATH_LIMIT:
            return direct
        return self._short_cut() / "libvirt-sock"

    def _alias(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"headless-{os.geteuid()}" / digest

    def _short_cut(self) -> Path:
        """A short name for a directory whose sockets would have names too long for the kernel."""
        alias = self._alias()
        with contextlib.suppress(FileExistsError):
            alias.parent.mkdir(mode=0o700)
        owner = alias.parent.lstat()
        # In a directory that anybody may write to, somebody else could have made it first.
        if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != os.geteuid() or owner.st_mode & 0o077:
            raise DaemonUnavailable("short_path_taken", path=str(alias.parent))
        with contextlib.suppress(FileExistsError):
            alias.symlink_to(self._run)
        return alias

    def _answers(self) -> bool:
        """Make the cheapest call of libvirt's protocol: a daemon that still starts listens, but does not answer."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(str(self._socket))
            client.sendall(AUTH_LIST)
            return len(client.recv(4096)) > 0
        return False


def _end(find: Callable[[], int | None], timeout: float) -> None:
    """Ask the process that `find` names to end, make it end after `timeout` seconds, and return when it is gone."""
    for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5.0)):
        pid = find()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _wait(lambda: find() is None, time.monotonic() + patience):
            return
    raise DaemonUnavailable("daemon_does_not_end", pid=str(find()))


def _lock_holder(pid_file: Path) -> int | None:
    """Tell which process holds libvirt's lock on its pid file: unlike the number in it, that cannot be out of date."""
    query = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock of fcntl(2), 64 bit
    try:
        with pid_file.open("rb") as file:
            kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, query))
    except FileNotFoundError:
        return None
    return None if kind == fcntl.F_UNLCK else int(pid)


def _boot() -> str:
    """Name the present life of the process table: the kernel's boot and, in a container, its first process."""
    started = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + " " + started


def _require(*programs: str) -> str:
    """Find every program and return the path of the first."""
    if os.geteuid() != 0:
        raise DaemonUnavailable("not_root")
    for program in programs:
        if shutil.which(program, path=SYSTEM_PATH) is None:
            raise DaemonUnavailable("program_missing", program=program)
    return str(shutil.which(programs[0], path=SYSTEM_PATH))


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(condition: Callable[[], bool], deadline: float) -> bool:
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, errors="surrogateescape")
    fresh.replace(path)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
