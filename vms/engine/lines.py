"""The engine's hold on the serial broker: starts it, tells it where hosts are, has it there before guests speak."""

import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

from vms.domain.hosts import Observation
from vms.domain.runonce import Run
from vms.domain.transcript import Retention
from vms.hypervisors.base import Hypervisor, Progress
from vms.wire import serial
from vms.wire.protocol import short_address

from . import recorder

logger = logging.getLogger(__name__)

ANSWERS_WITHIN: Final = 3.0  # seconds; a machine starts without its log rather than not at all
STARTS_WITHIN: Final = 5.0


class SerialLines:
    """One connection to the broker, made anew when it is lost; every call is bounded and none fails its caller."""

    def __init__(self, run_dir: Path, logs: Path, retention: Retention = recorder.KEPT) -> None:
        self._run_dir, self.logs, self._retention = run_dir, logs, retention
        self._guard = threading.Lock()
        self._line: socket.socket | None = None
        self._hosts: dict[UUID, Mapping[str, str]] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self, hosts: Mapping[UUID, Mapping[str, str]]) -> bool:
        """Have a broker run that knows these hosts; True when it is another than before and has to be told of runs."""
        with self._guard:
            if not hosts:
                return False
            anew = self._line is None and self._connect()
            for host, at in hosts.items():
                if self._line is not None and self._hosts.get(host) != at:
                    self._hosts[host] = at
                    self._send(host=str(host), at=dict(at))
            return anew

    def knows(self, host: UUID) -> bool:
        """Whether a broker is at work that has been told of this host."""
        with self._guard:
            return self._line is not None and host in self._hosts

    def wants(self, host: UUID | None, run: Run) -> bool:
        """Whether anybody is to hear the first words of a run."""
        if host not in self._hosts or not run.spec.console.serial:
            return False
        return run.spec.console.recorded or bool(self._ask("wanted", wanted=str(run.base.id)))

    def attach(self, host: UUID, machine: UUID, *, record: bool, fresh: bool) -> None:
        """Have the broker at a machine's line: before its first word (`fresh`), or again in a run that goes on."""
        told = {"attach": str(machine), "at": str(host), "written": record, "fresh": fresh}
        if not self._ask("attached", **told):
            logger.warning("machine %s runs without anybody at its serial line", machine)

    def record(self, host: UUID, machine: UUID) -> None:
        """Have the broker write down a run that goes on, as soon as it can: nobody waits for a host that hangs."""
        with self._guard:
            self._send(record=str(machine), at=str(host))

    def close(self) -> None:
        """The engine goes; a broker that people use waits a little for the next one."""
        with self._guard:
            self._send(goodbye=True)
            self._drop()

    def _ask(self, answer: str, **told: Any) -> Any:
        with self._guard:
            if not self._send(**told):
                return None
            frames, deadline = serial.Frames(), time.monotonic() + ANSWERS_WITHIN
            try:
                while self._line is not None and time.monotonic() < deadline:
                    piece = self._line.recv(4096)
                    if not piece:
                        break
                    for said in frames.feed(piece):
                        if isinstance(said, dict) and answer in said:
                            return said[answer]
            except OSError as error:
                logger.warning("the serial broker does not answer: %s", error)
            self._drop()
            return None

    def _send(self, **told: Any) -> bool:
        if self._line is None:
            return False
        try:
            self._line.sendall(serial.control(**told))
        except OSError:
            self._drop()
            return False
        return True

    def _connect(self) -> bool:
        if self._open():
            return True
        if self._process is None or self._process.poll() is not None:
            # Of its own session: what ends the engine, a terminal's Ctrl-C included, does not end it.
            words = [sys.executable, "-m", "vms.engine.broker", str(self._run_dir), str(self.logs)]
            kept = [str(self._retention.runs), str(self._retention.days)]
            self._process = subprocess.Popen([*words, *kept], start_new_session=True)
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._open():
                return True
            time.sleep(0.05)
        return False

    def _open(self) -> bool:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(ANSWERS_WITHIN)
        try:
            with short_address(self._run_dir / serial.SOCKET_NAME) as address:
                line.connect(address)
            line.sendall(serial.control(engine=True))
        except OSError:
            line.close()
            return False
        self._line, self._hosts = line, {}
        return True

    def _drop(self) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.close()
            self._line = None


class _Heard:
    """A driver whose machines begin with somebody at their serial line; every other verb is the driver's own."""

    def __init__(self, hypervisor: Hypervisor, lines: SerialLines, host: UUID) -> None:
        self._hypervisor, self._lines, self._host = hypervisor, lines, host

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._hypervisor, verb)

    def start(self, run: Run, **more: Any) -> Observation:
        return self._begin(partial(self._hypervisor.start, **more), run)

    def start_own(self, run: Run) -> Observation:
        return self._begin(self._hypervisor.start_own, run)

    def _begin(self, start: Callable[..., Observation], run: Run) -> Observation:
        if not self._lines.wants(self._host, run):
            return start(run)
        # Paused until the broker is at the line: else the firmware's first words are lost.
        started = start(run, paused=True)
        self._lines.attach(self._host, run.base.id, record=run.spec.console.recorded, fresh=True)
        return started if run.spec.start_paused else self._hypervisor.resume(run.base.id)

    def migrate(self, machine: UUID, to: Hypervisor, progress: Progress, **where: str) -> Observation:
        there = cast(_Heard, to)
        run = before.run if (before := self._hypervisor.observe(machine)) else None
        listens = run is not None and there._lines.wants(there._host, run)
        arrived = self._hypervisor.migrate(machine, there._hypervisor, progress, paused=listens, **where)
        if run is not None and listens:  # paused until the broker is at the line there: it is to miss no word
            self._lines.attach(there._host, machine, record=run.spec.console.recorded, fresh=False)
        return arrived

    def remove(self, machine: UUID) -> None:
        self._hypervisor.remove(machine)
        recorder.forget(self._lines.logs, machine)


def heard(hypervisor: Hypervisor, lines: SerialLines, host: UUID) -> Hypervisor:
    """The driver of a host, with the broker at the lines of what it starts."""
    return cast(Hypervisor, _Heard(hypervisor, lines, host))
