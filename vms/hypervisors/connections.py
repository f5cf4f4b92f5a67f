"""Connections to one libvirt daemon, each wait for it bounded, and libvirt's no turned into ours.

One connection receives events, every thread that calls has one of its own: a call that hangs on one QEMU stalls the
others of its connection (measured). Keepalive bounds every wait for a daemon to four seconds.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final
from weakref import WeakSet

import libvirt

from vms.domain.errors import Refusal
from vms.domain.secret import Secret

from .bootfiles import BootFiles
from .reach import brief, dialled, knock, why_not

logger = logging.getLogger(__name__)

KEEPALIVE: Final = (1, 3)  # seconds between questions, unanswered ones before the connection counts as dead
OPENS_WITHIN: Final = 4.0  # seconds for a new connection, which no keepalive guards yet
# Seconds after which another attempt is made though one still hangs: a host that was switched off and on again knows
# nothing of that, and nobody tells ssh for hours. So many hang at once, each for so long as it counts.
AGAIN_AFTER: Final = 10.0
HANGING: Final = 8
COUNTS: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a host's hypervisor is and how to use it; `accelerator` is `kvm` or `qemu`, decided beforehand, for what
    libvirt advertises may be unusable; `storage` is the directory for what nobody has chosen one for. Without
    `networks` none of ours is tried there."""

    uri: str
    files: BootFiles
    storage: Path = Path("/var/lib/libvirt/headless-webadmin-storage")
    accelerator: str = "qemu"
    accelerator_reason: str = ""
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    networks: bool = False


class Connections:
    """Opens what a driver needs of a host and keeps it until the host is lost or left.

    `locate` is asked at each opening: it may have to start a daemon first.
    """

    def __init__(self, locate: Callable[[], Location], name: str) -> None:
        self.name = name
        self._locate = locate
        self._location: Location | None = None
        self._events: Any = None
        self._threads = threading.local()
        self._generation = 0
        self._opened: WeakSet[Any] = WeakSet()  # that of a thread which has ended goes with it
        self._lock = threading.Lock()
        self._lost = threading.Event()
        self._hanging: list[tuple[Future[Any], float]] = []

    def open(self, when_lost: Callable[[], None]) -> Any:
        """The connection for events, anew; `when_lost` is called from libvirt's thread when it breaks."""
        _run_event_loop()
        self.close()
        location = self._location = self._locate()
        try:
            events = self._connect(location)
        except Refusal as no:
            said = str(no.params.get("message", ""))
            if why := why_not(location.uri, said):
                told = brief(said)
                raise Refusal("HOST_OUT_OF_REACH", None, host=self.name, host_why=why, message=told) from no
            raise
        self._lost.clear()
        self._events = events
        events.registerCloseCallback(self._closed, when_lost)
        return events

    def close(self) -> None:
        with self._lock:
            opened, self._opened, self._events = [*self._opened, self._events], WeakSet(), None
            self._generation += 1
        for connection in filter(None, opened):
            with contextlib.suppress(libvirt.libvirtError):
                connection.close()

    @property
    def alive(self) -> bool:
        return self._events is not None and not self._lost.is_set()

    def wait_until_lost(self, seconds: float) -> bool:
        """False when the host is still there after so long."""
        return self._lost.wait(seconds)

    @property
    def location(self) -> Location:
        if self._location is None:
            raise Refusal("HOST_NOT_RESPONDING", None, host=self.name)
        return self._location

    def mine(self) -> Any:
        """This thread's own connection, opened anew after the host was lost."""
        if not self.alive:
            raise Refusal("HOST_NOT_RESPONDING", None, host=self.name)
        mine = getattr(self._threads, "connection", None)
        if mine is None or self._threads.generation != self._generation or not is_alive(mine):
            mine = self._threads.connection = self._connect(self.location)
            self._threads.generation = self._generation
            with self._lock:
                self._opened.add(mine)
        return mine

    @contextlib.contextmanager
    def refusals(self) -> Iterator[None]:
        """libvirt's no becomes ours: the host does not answer, or it answers and refuses in its own words."""
        try:
            yield
        except libvirt.libvirtError as error:
            mine = getattr(self._threads, "connection", None)
            if not self.alive or mine is None or not is_alive(mine) or error.get_error_domain() == _RPC:
                raise Refusal("HOST_NOT_RESPONDING", None, host=self.name, message=str(error)) from error
            raise Refusal("HYPERVISOR_REFUSED", None, host=self.name, message=str(error)) from error

    def _connect(self, location: Location) -> Any:
        def answer(asked: list[Any], _: Any) -> int:
            answers = {
                libvirt.VIR_CRED_AUTHNAME: location.username,
                libvirt.VIR_CRED_PASSPHRASE: location.password.reveal(),
            }
            for credential in asked:
                credential[4] = answers.get(credential[0], "")
            return 0

        def attempt() -> Any:
            knock(location.uri)
            return libvirt.openAuth(dialled(location.uri), [_CREDENTIALS, answer, None], 0)

        try:
            connection = self._open_in_time(attempt)
        except (libvirt.libvirtError, OSError, TimeoutExpired) as error:
            raise Refusal("HOST_NOT_RESPONDING", None, host=self.name, message=str(error)) from error
        connection.setKeepAlive(*KEEPALIVE)
        return connection

    def _open_in_time(self, attempt: Callable[[], Any]) -> Any:
        """Open within `OPENS_WITHIN`: a daemon that is stopped takes a connection and then says nothing, for ever.

        An attempt that hangs is left alone, and for a while no other is begun.
        """
        began = time.monotonic()
        with self._lock:
            self._hanging = [(one, at) for one, at in self._hanging if not one.done() and began - at < COUNTS]
            if self._hanging and (len(self._hanging) >= HANGING or began - self._hanging[-1][1] < AGAIN_AFTER):
                raise TimeoutError("no connection: an earlier attempt still hangs")
            opened: Future[Any] = Future()
        threading.Thread(target=_settle, args=(opened, attempt), name="libvirt-open", daemon=True).start()
        try:
            return opened.result(OPENS_WITHIN)
        except TimeoutError as error:
            with self._lock:
                self._hanging.append((opened, began))
            raise TimeoutError(f"no connection within {OPENS_WITHIN:.0f} seconds") from error

    def _closed(self, _connection: Any, _reason: int, when_lost: Callable[[], None]) -> None:
        self._lost.set()
        when_lost()


def is_alive(connection: Any) -> bool:
    """Whether a connection stands."""
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:
        return False


def _settle(outcome: "Future[Any]", attempt: Callable[[], Any]) -> None:
    try:
        outcome.set_result(attempt())
    except (libvirt.libvirtError, OSError, TimeoutExpired) as error:
        outcome.set_exception(error)


_RPC: Final = libvirt.VIR_FROM_RPC
_CREDENTIALS: Final = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]

_loop_started = threading.Lock()
_loop: threading.Thread | None = None


def _run_event_loop() -> None:
    """Start libvirt's event loop, once a process and before the first connection."""
    global _loop
    with _loop_started:
        if _loop is not None:
            return
        libvirt.registerErrorHandler(_quiet, None)
        libvirt.virEventRegisterDefaultImpl()
        _loop = threading.Thread(target=_turn, name="libvirt-events", daemon=True)
        _loop.start()


def _turn() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _quiet(_context: Any, error: Any) -> None:
    """libvirt prints every error on stderr otherwise; ours are raised and told where they belong."""
    logger.debug("libvirt: %s", error)
