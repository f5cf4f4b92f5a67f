"""Follows machines that boot: reads what their serial lines say, looks at what they use, and tells what it means."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connections

from vms.actions import boots
from vms.actions.boots import Booting
from vms.domain.doctor import HEARD, Diagnosis, Signs, diagnose
from vms.domain.statistics import Counters
from vms.hypervisors.base import Hypervisor

from . import recorder
from .hands import Hands

logger = logging.getLogger(__name__)

EVERY: Final = 1.0  # seconds between two looks at all that boots
AFTERWARDS: Final = 4.0  # seconds after its last word in which a loader still reads what it has announced
ASKED: Final = 5.0  # seconds after which a machine that is asked what it uses counts as hanging
KNOCKS_EVERY: Final = 5.0  # seconds between two attempts to reach an SSH server
SSH: Final = 22
PATIENCE: Final = 1.0  # seconds for an SSH server to say its name

Drivers = Callable[[], dict[UUID, Hypervisor]]


@dataclass
class Patient:
    """What is remembered of one boot between two looks."""

    last: Counters | None = None
    still: Counters | None = None  # as they were when a disk was last seen to have been read, or at the first look
    still_since: float = 0.0
    read_at: float | None = None
    asked: "Future[Counters] | None" = None
    asked_at: float = 0.0
    knocked: float = 0.0
    answers_since: float | None = None

    @property
    def busy(self) -> float | None:
        """Processors used since nothing is read any more."""
        if self.still is None or self.last is None:
            return None
        seconds = (self.last.at - self.still.at).total_seconds()
        return (self.last.cpu - self.still.cpu) / seconds if seconds > 0 else None

    def measured(self, now: Counters, at: float) -> None:
        """Compare with the time before: whether a disk was read since."""
        before, self.last = self.last, now
        if before is not None and now.disk != before.disk:
            self.read_at = at
        if before is None or now.disk != before.disk:
            self.still, self.still_since = now, at


class Doctor(threading.Thread):
    """Looks at all young boots every second; a machine that does not answer holds up nobody.

    `drivers` gives those of the hosts that answer; `logs` is where the broker writes serial lines down; `clock` tells
    the seconds since 1970.
    """

    def __init__(self, drivers: Drivers, logs: Path, clock: Callable[[], float] = time.time) -> None:
        super().__init__(name="doctor", daemon=True)
        self._drivers, self._logs, self._clock = drivers, logs, clock
        self._patients: dict[tuple[UUID, float], Patient] = {}
        self._hands = Hands("doctor", 2)
        self._knocking = Hands("knock", 2)
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(EVERY):
            try:
                self.look()
            except DatabaseError:
                logger.exception("the doctor's findings cannot be recorded")
                close_old_connections()
            except Exception:
                logger.exception("a boot could not be followed")
        self.close()
        connections.close_all()

    def stop(self) -> None:
        self._stopping.set()

    def close(self) -> None:
        """Ask and knock no more; what is under way is not waited for."""
        self._hands.close()
        self._knocking.close()

    def look(self) -> None:
        """One look at every machine that boots."""
        drivers = self._drivers()
        if not drivers:
            return
        seen = {}
        for booting in boots.followed(drivers.keys()):
            key = (booting.machine, booting.since.timestamp())
            seen[key] = patient = self._patients.get(key) or Patient()
            self._examine(booting, patient, drivers[booting.host])
        self._patients = seen

    def _examine(self, booting: Booting, patient: Patient, driver: Hypervisor) -> None:
        if booting.address and not booting.ssh:
            self._knock(booting, patient)
        known, since, now = booting.diagnosis, booting.since.timestamp(), self._clock()
        heard = recorder.heard(self._logs, booting.machine, HEARD, since=since)
        if heard is None:
            return  # nobody listens to its line
        spoke = max(heard.at, since)
        if not booting.answers:
            patient.answers_since = None
        elif patient.answers_since is None:
            patient.answers_since = now
        signs = Signs(
            age=now - since,
            quiet=now - spoke,
            still=now - patient.still_since if patient.still else 0.0,
            read=patient.read_at is not None and patient.read_at > spoke + AFTERWARDS,
            busy=patient.busy,
            answers=booting.answers,
            answering=now - (patient.answers_since or now),
            screen=booting.screen,
        )
        found = diagnose(heard.text, signs)
        if not found.finding.settled:
            self._measure(booting, patient, driver)
        if known is None or (found.finding, found.words) != (known.finding, known.words):
            self._tell(booting, found)

    def _tell(self, booting: Booting, found: Diagnosis) -> None:
        if boots.diagnosed(booting, found):
            logger.info("machine %s after %d s: %s", booting.machine, found.after, found.finding)

    def _measure(self, booting: Booting, patient: Patient, driver: Hypervisor) -> None:
        """Take what was measured since, and ask anew; one that hangs is given up, and not asked again."""
        if patient.asked is None:
            machine = booting.machine
            patient.asked, patient.asked_at = self._hands.do(lambda: driver.measure(machine)), self._clock()
        elif patient.asked.done():
            with suppress(Exception):  # a refusal: it has ended, or its host does not answer
                patient.measured(patient.asked.result(), self._clock())
            patient.asked = None
        elif self._clock() > patient.asked_at + ASKED:
            self._hands.give_up(patient.asked)

    def _knock(self, booting: Booting, patient: Patient) -> None:
        """See whether an SSH server answers at the guest's address, as far as this machine reaches it."""
        if self._clock() < patient.knocked + KNOCKS_EVERY:
            return
        patient.knocked = self._clock()
        self._knocking.do(lambda: _knock(booting))


def _knock(booting: Booting) -> None:
    try:
        with socket.create_connection((booting.address, SSH), timeout=PATIENCE) as line:
            answers = line.recv(4) == b"SSH-"
    except OSError:
        return
    try:
        if answers:
            boots.ssh_answered(booting)
    finally:
        connections.close_all()
