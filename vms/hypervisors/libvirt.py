"""libvirt's QEMU driver: the only place that imports libvirt.

One connection receives events, every thread that calls has one of its own: a call that hangs on one QEMU stalls the
others of its connection (measured). Keepalive bounds every wait for a daemon to four seconds.
"""

import contextlib
import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import libvirt
import libvirt_qemu
from lxml import etree

from vms.domain.console import Firmware
from vms.domain.console import Protocol as GraphicsProtocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities, Ended, Observation
from vms.domain.lifecycle import Status
from vms.domain.runonce import Run
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.libvirtxml.observe import observe
from vms.libvirtxml.ticket import ticketed
from vms.libvirtxml.write import NVRAM, write

from .base import Event, Glance, Listener, Screen
from .bootfiles import BootFiles

logger = logging.getLogger(__name__)

KEEPALIVE: Final = (1, 3)  # seconds between questions, unanswered ones before the connection counts as dead
OPENS_WITHIN: Final = 4.0  # seconds for a new connection, which no keepalive guards yet
SETTLED: Final = 2.0  # seconds without another reset after which a firmware is taken to be through with them

_STATUS: Final = {
    libvirt.VIR_DOMAIN_RUNNING: Status.UP,
    libvirt.VIR_DOMAIN_BLOCKED: Status.UP,
    libvirt.VIR_DOMAIN_PAUSED: Status.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: Status.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: Status.POWERING_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: Status.DOWN,
    libvirt.VIR_DOMAIN_CRASHED: Status.DOWN,
}
_ENDED: Final = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: Ended.GUEST,
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: Ended.STOPPED,
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: Ended.CRASHED,
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: Ended.CRASHED,
    libvirt.VIR_DOMAIN_SHUTOFF_SAVED: Ended.SAVED,
}
AGENT_ANSWERS_WITHIN: Final = 5  # seconds
_NO_AGENT: Final = {
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
    libvirt.VIR_ERR_AGENT_UNSYNCED,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
    libvirt.VIR_ERR_OPERATION_INVALID,
}
_GONE: Final = {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a host's hypervisor is and how to use it; `accelerator` is `kvm` or `qemu`, decided beforehand, for what
    libvirt advertises may be unusable."""

    uri: str
    files: BootFiles
    accelerator: str = "qemu"
    accelerator_reason: str = ""
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


class LibvirtHypervisor:
    """One host; see `base.Hypervisor` for what each verb promises.

    `locate` is asked at each opening: it may have to start a daemon first.
    """

    def __init__(self, locate: Callable[[], Location], name: str = "") -> None:
        self._locate = locate
        self._name = name
        self._location: Location | None = None
        self._events: Any = None
        self._threads = threading.local()
        self._generation = 0
        self._opened: list[Any] = []
        self._lock = threading.Lock()
        self._lost = threading.Event()
        self._rebooted: set[UUID] = set()
        self._screens = _Screens()
        self._resets: dict[UUID, float] = {}
        self._hanging: Future[Any] | None = None
        self._capabilities: Capabilities | None = None

    # -- the contract

    def open(self, listener: Listener) -> None:
        _run_event_loop()
        self.close()
        location = self._location = self._locate()
        with self._refusals():
            events = self._connect(location)
            self._lost.clear()
            self._events, self._screens = events, _Screens()
            events.registerCloseCallback(self._closed, listener)
            for kind in (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT):
                events.domainEventRegisterAny(None, kind, self._told, (kind, listener))
            events.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS, self._screens.told, listener)
            # Life-cycle events cannot tell a guest's reboot from its power-off when both end the run; QEMU's can.
            with contextlib.suppress(libvirt.libvirtError):
                libvirt_qemu.qemuMonitorEventRegister(events, None, "SHUTDOWN", _shut_down, self._rebooted, 0)

    def close(self) -> None:
        with self._lock:
            opened, self._opened, self._events = [*self._opened, self._events], [], None
            self._generation += 1
        for connection in filter(None, opened):
            with contextlib.suppress(libvirt.libvirtError):
                connection.close()

    @property
    def alive(self) -> bool:
        return self._events is not None and not self._lost.is_set()

    def capabilities(self) -> Capabilities:
        with self._refusals():
            connection, location = self._connection(), self._here
            self._capabilities = _capabilities(connection, location.accelerator, location.accelerator_reason)
            return self._capabilities

    def start(self, run: Run) -> Observation:
        with self._refusals():
            connection = self._connection()
            domain = self._find(run.base.id)
            if domain is not None and domain.isActive():
                return self._started_before(domain, run)
            self._rebooted.discard(run.base.id)
            host = self._capabilities or self.capabilities()
            files = {
                name: self._here.files.path(connection, name) for name in {*run.base.boot.files, *run.spec.boot.files}
            }
            if domain is not None:
                _make_ready(domain, run.base.name)
            nvram = _variables(connection)
            defined = connection.defineXML(write(run.base, host, boot_file=files.__getitem__, nvram=nvram))
            flags = libvirt.VIR_DOMAIN_START_PAUSED if run.spec.start_paused else 0
            try:
                started = write(run.spec, host, boot_file=files.__getitem__, nvram=nvram, run=run)
                connection.createXML(started, flags)
            except libvirt.libvirtError:
                if self._alive(connection):
                    if defined.isActive():  # another start was quicker
                        return self._started_before(defined, run)
                    if domain is None:
                        defined.undefineFlags(_UNDEFINE)
                raise
            return self._observation(defined)

    def resume(self, machine: UUID) -> Observation:
        with self._refusals():
            domain = self._get(machine)
            state, _reason = domain.state()
            if state == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()
            elif not domain.isActive():
                if not domain.hasManagedSaveImage():
                    raise Refusal("HYPERVISOR_REFUSED", None, message="there is no saved state to go on from")
                self._rebooted.discard(machine)
                domain.create()
            return self._observation(domain)

    def shutdown(self, machine: UUID) -> None:
        with self._refusals():
            self._get(machine).shutdown()

    def stop(self, machine: UUID) -> None:
        with self._refusals():
            domain = self._find(machine)
            if domain is None:
                return
            with _already(_GONE):
                domain.destroy()
            with _already(_GONE):
                if domain.hasManagedSaveImage():
                    domain.managedSaveRemove()

    def reboot(self, machine: UUID) -> None:
        with self._refusals():
            self._get(machine).reboot()

    def reset(self, machine: UUID) -> None:
        with self._refusals():
            domain = self._get(machine)
            cold = observe(domain.XMLDesc()).cold_reboot
            if cold:  # else QEMU takes the reset for a reboot that ends the run (measured)
                _on_reboot(domain, cold=False)
            self._resets[machine] = time.monotonic()
            domain.reset()
            if cold:
                self._wait_for_firmware(machine)
                _on_reboot(domain, cold=True)

    def suspend(self, machine: UUID) -> None:
        with self._refusals():
            domain = self._get(machine)
            if domain.isActive() or not domain.hasManagedSaveImage():
                domain.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)

    def set_cold_reboot(self, machine: UUID, cold: bool) -> None:
        with self._refusals():
            domain = self._get(machine)
            if cold:
                self._wait_for_firmware(machine)
            _on_reboot(domain, cold=cold)

    def set_ticket(self, machine: UUID, ticket: Ticket) -> None:
        with self._refusals():
            domain = self._get(machine)
            device = ticketed(domain.XMLDesc(), ticket, now=datetime.now(UTC)) if domain.isActive() else None
            if device is None:
                raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=ticket.protocol.upper())
            domain.updateDeviceFlags(device, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def in_guest(self, machine: UUID, command: Sequence[str]) -> bool:
        program, *arguments = command
        asked = {"execute": "guest-exec", "arguments": {"path": program, "arg": arguments}}
        with self._refusals():
            domain = self._get(machine)
            try:
                libvirt_qemu.qemuAgentCommand(domain, json.dumps(asked), AGENT_ANSWERS_WITHIN, 0)
            except libvirt.libvirtError as error:
                if error.get_error_code() in _NO_AGENT:
                    return False
                raise
        return True

    def remove(self, machine: UUID) -> None:
        with self._refusals():
            domain = self._find(machine)
            if domain is None:
                return
            if domain.isActive():
                raise Refusal("HYPERVISOR_REFUSED", None, message="domain is active")
            domain.undefineFlags(_UNDEFINE)

    def observe(self, machine: UUID) -> Observation | None:
        with self._refusals():
            domain = self._find(machine)
            try:
                return self._observation(domain) if domain is not None else None
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return None
                raise

    def glance(self) -> Mapping[UUID, Glance]:
        with self._refusals():
            connection = self._connection()
            told = connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
            saved = {one.UUID() for one in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)}
            return {
                UUID(bytes=domain.UUID()): self._glance(
                    domain, stats["state.state"], stats["state.reason"], saved=domain.UUID() in saved
                )
                for domain, stats in told
            }

    # -- inside

    @property
    def _here(self) -> Location:
        if self._location is None:
            raise Refusal("HOST_NOT_RESPONDING", None, host=self._name)
        return self._location

    def _connect(self, location: Location) -> Any:
        def answer(asked: list[Any], _: Any) -> int:
            answers = {
                libvirt.VIR_CRED_AUTHNAME: location.username,
                libvirt.VIR_CRED_PASSPHRASE: location.password.reveal(),
            }
            for credential in asked:
                credential[4] = answers.get(credential[0], "")
            return 0

        try:
            connection = self._open_in_time(lambda: libvirt.openAuth(location.uri, [_CREDENTIALS, answer, None], 0))
        except (libvirt.libvirtError, TimeoutError) as error:
            raise Refusal("HOST_NOT_RESPONDING", None, host=self._name, message=str(error)) from error
        connection.setKeepAlive(*KEEPALIVE)
        return connection

    def _open_in_time(self, attempt: Callable[[], Any]) -> Any:
        """Open within `OPENS_WITHIN`: a daemon that is stopped takes a connection and then says nothing, for ever.

        An attempt that hangs is left alone, and until it ends no other is begun.
        """
        with self._lock:
            if self._hanging is not None and not self._hanging.done():
                raise TimeoutError("an earlier attempt to connect still hangs")
            opened: Future[Any] = Future()
        threading.Thread(target=_settle, args=(opened, attempt), name="libvirt-open", daemon=True).start()
        try:
            return opened.result(OPENS_WITHIN)
        except TimeoutError as error:
            with self._lock:
                self._hanging = opened
            raise TimeoutError(f"no connection within {OPENS_WITHIN:.0f} seconds") from error

    def _connection(self) -> Any:
        """This thread's own connection, opened anew after the host was lost."""
        if not self.alive:
            raise Refusal("HOST_NOT_RESPONDING", None, host=self._name)
        mine = getattr(self._threads, "connection", None)
        if mine is None or self._threads.generation != self._generation or not self._alive(mine):
            mine = self._threads.connection = self._connect(self._here)
            self._threads.generation = self._generation
            with self._lock:
                self._opened.append(mine)
        return mine

    def _closed(self, _connection: Any, _reason: int, listener: Listener) -> None:
        self._lost.set()
        listener(Event(None))

    def _told(self, _connection: Any, domain: Any, *details: Any) -> None:
        kind, listener = details[-1]
        machine, rebooted = UUID(bytes=domain.UUID()), kind == libvirt.VIR_DOMAIN_EVENT_ID_REBOOT
        if rebooted:
            self._resets[machine] = time.monotonic()
        elif details[0] == libvirt.VIR_DOMAIN_EVENT_STARTED:
            self._rebooted.discard(machine)
            self._resets.pop(machine, None)
        listener(Event(machine, rebooted=rebooted))

    def _find(self, machine: UUID) -> Any:
        try:
            return self._connection().lookupByUUID(machine.bytes)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise

    def _get(self, machine: UUID) -> Any:
        domain = self._find(machine)
        if domain is None:
            raise Refusal("HYPERVISOR_REFUSED", None, message="the host does not know this machine")
        return domain

    def _wait_for_firmware(self, machine: UUID) -> None:
        """Wait until a reset is followed by no other for a while: SeaBIOS on q35 adds up to six of its own (measured),
        and the first of them would end a run that a reboot ends."""
        while (rest := self._resets.get(machine, -SETTLED) + SETTLED - time.monotonic()) > 0:
            if self._lost.wait(rest):
                return

    def _started_before(self, domain: Any, run: Run) -> Observation:
        observation = self._observation(domain)
        if observation.run is None or observation.run.job != run.job:
            raise Refusal("HYPERVISOR_REFUSED", None, message="the machine is running already")
        return observation

    def _observation(self, domain: Any) -> Observation:
        machine = UUID(bytes=domain.UUID())
        state, reason = domain.state()
        glance = self._glance(domain, state, reason, saved=bool(domain.hasManagedSaveImage()))
        seen = observe(domain.XMLDesc())
        running = glance.status != Status.DOWN and glance.status != Status.SUSPENDED
        return Observation(
            id=machine,
            name=seen.name,
            status=glance.status,
            ended=glance.ended,
            run=seen.run if running else None,
            endpoints=seen.endpoints if running else (),
            machine=seen.machine,
            addresses=seen.addresses if running else {},
            cold_reboot=running and seen.cold_reboot,
        )

    def _glance(self, domain: Any, state: int, reason: int, *, saved: bool) -> Glance:
        status = _STATUS.get(state, Status.UNKNOWN)
        if status != Status.DOWN:
            return Glance(status)
        if saved:  # the reason does not tell: a daemon that is started anew has forgotten it
            return Glance(Status.SUSPENDED, Ended.SAVED)
        if reason == libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN and UUID(bytes=domain.UUID()) in self._rebooted:
            return Glance(status, Ended.REBOOT)
        return Glance(status, _ENDED.get(reason, Ended.UNKNOWN))

    @staticmethod
    def _alive(connection: Any) -> bool:
        try:
            return bool(connection.isAlive())
        except libvirt.libvirtError:
            return False

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """libvirt's no becomes ours: the host does not answer, or it answers and refuses in its own words."""
        try:
            yield
        except libvirt.libvirtError as error:
            mine = getattr(self._threads, "connection", None)
            if not self.alive or mine is None or not self._alive(mine) or error.get_error_domain() == _RPC:
                raise Refusal("HOST_NOT_RESPONDING", None, host=self._name, message=str(error)) from error
            raise Refusal("HYPERVISOR_REFUSED", None, host=self._name, message=str(error)) from error


def _settle(outcome: "Future[Any]", attempt: Callable[[], Any]) -> None:
    try:
        outcome.set_result(attempt())
    except libvirt.libvirtError as error:
        outcome.set_exception(error)


_RPC: Final = libvirt.VIR_FROM_RPC
_CREDENTIALS: Final = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
_UNDEFINE: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def _make_ready(domain: Any, name: str) -> None:
    """An inactive domain takes the machine's name and loses a saved state that a later start would go on from."""
    if domain.hasManagedSaveImage():
        domain.managedSaveRemove()
    if domain.name() != name:
        domain.rename(name)


def _on_reboot(domain: Any, *, cold: bool) -> None:
    action = libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY if cold else libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART
    domain.setLifecycleAction(libvirt.VIR_DOMAIN_LIFECYCLE_REBOOT, action, libvirt.VIR_DOMAIN_AFFECT_LIVE)


@contextlib.contextmanager
def _already(codes: set[int]) -> Iterator[None]:
    """What is done already is no error."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise


def _variables(connection: Any) -> str:
    """The directory in which the daemon at hand keeps firmware variables."""
    if not connection.getURI().endswith("/session"):
        return NVRAM
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return str(Path(configuration) / "libvirt" / "qemu" / "nvram")


# -- events


class _Screens:
    """How many people are at the graphical consoles of each machine, as far as this connection saw them come."""

    def __init__(self) -> None:
        self._there: Counter[UUID] = Counter()

    def told(self, _connection: Any, domain: Any, phase: int, *details: Any) -> None:
        """Count somebody who has got in, not one who has only knocked; tell of the first and after the last."""
        listener, machine = details[-1], UUID(bytes=domain.UUID())
        if phase == libvirt.VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE:
            self._there[machine] += 1
            listener(Event(machine, screen=Screen.ENTERED))
        elif phase == libvirt.VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT and self._there[machine]:
            self._there[machine] -= 1
            if not self._there[machine]:
                del self._there[machine]
                listener(Event(machine, screen=Screen.LEFT))


def _shut_down(_connection: Any, domain: Any, *details: Any) -> None:
    rebooted = details[-1]
    if '"guest-reset"' in str(details[-2]):
        rebooted.add(UUID(bytes=domain.UUID()))


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


# -- what a host offers


def _capabilities(connection: Any, accelerator: str, reason: str) -> Capabilities:
    told = etree.fromstring(connection.getDomainCapabilities(None, "x86_64", "q35", accelerator, 0).encode())
    host = etree.fromstring(connection.getCapabilities().encode())
    machines = host.iterfind("guest/arch[@name='x86_64']/machine")
    info = connection.getInfo()
    version = connection.getVersion()
    graphics = _values(told, "devices/graphics", "type")
    return Capabilities(
        accelerator=accelerator,
        accelerator_reason=reason,
        graphics=frozenset(protocol for protocol in GraphicsProtocol if protocol.value in graphics),
        videos=frozenset(_values(told, "devices/video", "modelType")),
        firmwares=frozenset(
            {Firmware.BIOS, Firmware.UEFI} if "efi" in _values(told, "os", "firmware") else {Firmware.BIOS}
        ),
        machine=told.findtext("machine") or "q35",
        cpus=info[2],
        memory=info[1],
        hypervisor=f"QEMU {version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}",
        emulator=told.findtext("path") or "",
        cpu_models=frozenset(model.text or "" for model in told.iterfind("cpu/mode[@name='custom']/model")),
        machines=frozenset(name for name in (machine.text or "" for machine in machines) if name.startswith("pc-q35-")),
        # A daemon of one user's has no control groups, and refuses what needs them (libvirt: qemuProcessStart).
        schedules=not connection.getURI().endswith("/session"),
        uuid=host.findtext("host/uuid") or "",
    )


def _values(told: Any, path: str, name: str) -> set[str]:
    return {value.text or "" for value in told.iterfind(f"{path}/enum[@name='{name}']/value")}
