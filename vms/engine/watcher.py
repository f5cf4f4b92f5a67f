"""Watches one host: events as they come, a quick look every other second, everything anew after a lost connection."""

import logging
import queue
import threading
import time
from collections import defaultdict
from typing import Final
from uuid import UUID

from django.db import DatabaseError

from vms.actions import reports
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.hypervisors.base import Event, Hypervisor
from vms.models import Host

logger = logging.getLogger(__name__)

GLANCE_EVERY: Final = 2.0  # seconds; cheap: 0.2 s for 5,000 machines
LOOK_EVERY: Final = 60.0  # everything in full, in case an event was lost
RETRY_AFTER: Final = (0.5, 5.0)  # first and longest pause between attempts to reach a host


class Busy:
    """Which machines a job is at work on: a look at one of them waits until the job has told its own outcome."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: defaultdict[UUID, threading.Lock] = defaultdict(threading.Lock)

    def lock(self, machine: UUID) -> threading.Lock:
        with self._guard:
            return self._locks[machine]


class Watcher(threading.Thread):
    """Keeps the database's picture of a host true; `ready` while its hypervisor answers."""

    def __init__(self, host: Host, hypervisor: Hypervisor, busy: Busy) -> None:
        super().__init__(name=f"watch-{host.name}", daemon=True)
        self.host = host
        self.hypervisor = hypervisor
        self.ready = threading.Event()
        self._busy = busy
        self._events: queue.Queue[Event] = queue.Queue()
        self._stopping = threading.Event()
        self._pause = RETRY_AFTER[0]

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._connect()
                self._watch()
            except Refusal as refusal:
                self._lost(refusal)
            except DatabaseError:
                logger.exception("host %s: the database does not answer", self.host.name)
                self._stopping.wait(1)
            except Exception:
                logger.exception("host %s: watching failed", self.host.name)
                self._lost(Refusal("ENGINE_FAILED"))
        self.hypervisor.close()

    def stop(self) -> None:
        """End the thread; machines run on."""
        self._stopping.set()
        self._events.put(Event(None))

    def told(self, event: Event) -> None:
        """Called by the driver from a thread of its own."""
        self._events.put(event)

    def _connect(self) -> None:
        if self.hypervisor.alive:
            return
        self.hypervisor.open(self.told)
        capabilities = self.hypervisor.capabilities()
        reports.host_seen(self.host, capabilities)
        self._pause = RETRY_AFTER[0]
        logger.info("host %s: %s, %s", self.host.name, capabilities.hypervisor, capabilities.accelerator)

    def _watch(self) -> None:
        self._look_at_all(fully=True)
        self.ready.set()
        looked = glanced = time.monotonic()
        while self.hypervisor.alive and not self._stopping.is_set():
            try:
                event = self._events.get(timeout=max(0.0, glanced + GLANCE_EVERY - time.monotonic()))
            except queue.Empty:
                fully = time.monotonic() - looked > LOOK_EVERY
                self._look_at_all(fully=fully)
                glanced = time.monotonic()
                looked = glanced if fully else looked
                continue
            if event.machine is not None:
                self._look_at(event.machine, rebooted=event.rebooted)
        if not self._stopping.is_set():
            raise Refusal("HOST_NOT_RESPONDING", None, host=self.host.name)

    def _look_at_all(self, *, fully: bool) -> None:
        there, believed = self.hypervisor.glance(), reports.expected(self.host)
        for machine, glance in there.items():
            changed = believed.get(machine, Status.DOWN) != glance.status
            if changed or (fully and glance.status not in NOT_RUNNING):
                self._look_at(machine)
        for machine in believed.keys() - there.keys():
            if believed[machine] != Status.DOWN:
                self._missing(machine)

    def _look_at(self, machine: UUID, *, rebooted: bool = False) -> None:
        lock = self._busy.lock(machine)
        if not lock.acquire(blocking=False):
            return  # the job that is at work on it observes it when it is done
        try:
            observation = self.hypervisor.observe(machine)
            if observation is not None:
                reports.machine_seen(self.host, observation, rebooted=rebooted)
        finally:
            lock.release()

    def _missing(self, machine: UUID) -> None:
        lock = self._busy.lock(machine)
        if lock.acquire(blocking=False):
            try:
                if self.hypervisor.observe(machine) is None:
                    reports.machine_missing(self.host, machine)
            finally:
                lock.release()

    def _lost(self, refusal: Refusal) -> None:
        self.ready.clear()
        try:
            reports.host_lost(self.host, refusal)
        except DatabaseError:
            logger.exception("host %s: its loss could not be recorded", self.host.name)
        self.hypervisor.close()
        self._stopping.wait(self._pause)
        self._pause = min(self._pause * 2, RETRY_AFTER[1])
