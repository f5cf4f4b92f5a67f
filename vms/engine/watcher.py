"""Watches one host: events as they come, a quick look every other second, everything anew after a lost connection."""

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connections

from vms.actions import domains, guests, reports, screens, statistics, storage
from vms.domain.disks import Room
from vms.domain.errors import Refusal
from vms.domain.guest import Guest
from vms.domain.hosts import Observation
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.domain.statistics import Counters
from vms.hypervisors.base import Event, Glance, Hypervisor, Screen, Store
from vms.models import Host, Image, StorageDomain

from .borrowing import give_back
from .hands import Hands
from .surveyor import Surveyor

logger = logging.getLogger(__name__)

WORKERS: Final = 4  # jobs of one host that are carried out at once
MOVERS: Final = 2  # migrations away from one host at once (oVirt does as many): more share the same network
GLANCE_EVERY: Final = 2.0  # seconds; cheap: 0.2 s for 5,000 machines
LOOK_EVERY: Final = 60.0  # everything in full, in case an event was lost
RETRY_AFTER: Final = (0.5, 2.0)  # first and longest pause between attempts to reach a host
_TALK: Final = frozenset({Status.UP, Status.PAUSED})  # who can be asked
CATCH_UP_AFTER: Final = 0.1  # seconds until a machine is looked at that a job was at work on when it was to be


class Busy:
    """Which machines a job is at work on: a look at one of them waits until the job has told its own outcome."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: defaultdict[UUID, threading.Lock] = defaultdict(threading.Lock)

    def lock(self, machine: UUID) -> threading.Lock:
        with self._guard:
            return self._locks[machine]

    def abandon(self, machine: UUID) -> None:
        """Whoever is at work on it hangs, and is not waited for any more."""
        with self._guard:
            self._locks.pop(machine, None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was told when a machine was asked: by its hypervisor, and by its guest."""

    machine: UUID
    guest: Guest
    counters: Counters


class Watcher(threading.Thread):
    """Keeps the database's picture of a host true; `ready` while its hypervisor answers.

    `hands` carry out its jobs, `movers` those that take long; `on_ready` is told whenever the host answers anew or a
    hand is free.
    """

    def __init__(self, host: Host, hypervisor: Hypervisor, busy: Busy, on_ready: Callable[[], None]) -> None:
        super().__init__(name=f"watch-{host.name}", daemon=True)
        self.host = host
        self.hypervisor = hypervisor
        self.ready = threading.Event()
        self._busy = busy
        self._on_ready = on_ready
        self._put_off: dict[UUID, bool] = {}
        self._events: queue.Queue[Event | Answer] = queue.Queue()
        self.hands = Hands(f"work-{host.name}", WORKERS, on_ready)
        self.movers = Hands(f"move-{host.name}", MOVERS, on_ready)
        self._surveyor = Surveyor(host.name, self._ask)
        self._counters: dict[UUID, Counters] = {}
        self._connected: set[UUID] = set()  # machines whose guest agents are
        # What the host told when it last agreed with the database, and how far that was then.
        self._glanced: Mapping[UUID, Glance] = {}
        self._agreed: tuple[int, int] | None = None
        self._stopping = threading.Event()
        self._pause = RETRY_AFTER[0]
        self._looking: Future[None] | None = None

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._connect()
                self._watch()
            except Refusal as refusal:
                self._lost(refusal)
            except DatabaseError:
                logger.exception("host %s: the database does not answer", self.host.name)
                close_old_connections()
                self._stopping.wait(1)
            except Exception:
                logger.exception("host %s: watching failed", self.host.name)
                self._lost(Refusal("ENGINE_FAILED"))
        self._surveyor.stop()
        self.hands.close()
        self.movers.close()
        self.hypervisor.close()
        connections.close_all()

    def stop(self) -> None:
        """End the thread; machines run on."""
        self._stopping.set()
        self._events.put(Event(None))

    def doubt(self) -> None:
        """A call came to nothing because the host did not answer: no more jobs for it until it has been looked at."""
        self.ready.clear()
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
        self._look_at_everything()
        looked = glanced = time.monotonic()
        while self.hypervisor.alive and not self._stopping.is_set():
            event = self._next_event(glanced + GLANCE_EVERY)
            self._catch_up()
            if isinstance(event, Answer):
                self._note(event)
            elif event is not None and event.machine is not None:
                self._hear(event, event.machine)
            elif event is not None or time.monotonic() > looked + LOOK_EVERY:
                self._look_at_everything()
                looked = glanced = time.monotonic()
            elif time.monotonic() > glanced + GLANCE_EVERY:
                self._look_at_all(fully=False)
                glanced = time.monotonic()
        if not self._stopping.is_set():
            raise Refusal("HOST_NOT_RESPONDING", None, host=self.host.name)

    def _hear(self, event: Event, machine: UUID) -> None:
        if event.screen is not None:
            screens.seen(self.host, machine, left=event.screen == Screen.LEFT)
        else:
            self._look_at(machine, rebooted=event.rebooted)

    def _note(self, answer: Answer) -> None:
        guests.seen(self.host, answer.machine, answer.guest)
        before = self._counters.get(answer.machine)
        self._counters[answer.machine] = answer.counters
        statistics.counted(self.host, answer.machine, before, answer.counters)
        if before is not None:
            statistics.measured(self.host, answer.machine, before, answer.counters)

    def _ask(self, machine: UUID) -> None:
        """Called by the surveyor from threads of its own; what comes of it is written down by this one."""
        counters = self.hypervisor.measure(machine)
        self._events.put(Answer(machine, self.hypervisor.ask_guest(machine), counters))

    def _next_event(self, until: float) -> Event | Answer | None:
        give_back()
        if self._put_off:
            until = min(until, time.monotonic() + CATCH_UP_AFTER)
        try:
            return self._events.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None

    def _look_at_everything(self) -> None:
        if not self.hypervisor.alive:
            return
        self._look_at_all(fully=True)
        self.ready.set()
        self._on_ready()

    def _look_at_all(self, *, fully: bool) -> None:
        there, mark = self.hypervisor.glance(), reports.mark()
        if not fully and self._agreed == (id(there), mark):
            return  # neither side tells anything new since both agreed
        believed, agreed = reports.expected(self.host), True
        for machine, glance in there.items():
            changed = believed.get(machine, Status.DOWN) != glance.status
            agreed = agreed and not changed
            if changed or (fully and glance.status not in NOT_RUNNING):
                self._look_at(machine)
        for machine in believed.keys() - there.keys():
            if believed[machine] != Status.DOWN:
                agreed = False
                self._missing(machine)
        self._glanced, self._agreed = there, (id(there), mark) if agreed else None
        if fully:
            self._look_at_definitions(there.keys())
        if fully and (self._looking is None or self._looking.done()):
            self._looking = self.hands.do(self._look_at_storage)
        self._surveyor.follow({machine for machine in believed if machine in there and there[machine].status in _TALK})

    def _look_at_storage(self) -> None:
        """How much room is left; by another thread, for a server that hangs would hold this one up."""
        seen: list[tuple[StorageDomain, Room | Refusal]] = []
        store = self.hypervisor.store
        for domain in storage.to_look_at(self.host):
            try:
                room = store.open(domain.storage)
                gone = emptied(store, storage.sample(domain))
                seen.append((domain, Refusal("STORAGE_EMPTIED", None, name=domain.name) if gone else room))
            except Refusal as refusal:
                if refusal.code == "HOST_NOT_RESPONDING":
                    return
                seen.append((domain, refusal))
        storage.looked_at(seen)

    def _look_at(self, machine: UUID, *, rebooted: bool = False) -> None:
        lock = self._busy.lock(machine)
        if not lock.acquire(blocking=False):  # what a job is at work on is looked at when it is done
            self._put_off[machine] = rebooted or self._put_off.get(machine, False)
            return
        try:
            observation = self.hypervisor.observe(machine)
            if observation is not None:
                self._seen(observation, rebooted=rebooted)
            else:
                self._gone(machine)
        finally:
            lock.release()

    def _seen(self, observation: Observation, *, rebooted: bool) -> None:
        domains.seen(self.host, observation)
        ours = reports.machine_seen(self.host, observation, rebooted=rebooted)
        if ours and observation.agent and observation.id not in self._connected:
            self._surveyor.soon(observation.id)
        (self._connected.add if observation.agent else self._connected.discard)(observation.id)

    def _catch_up(self) -> None:
        put_off, self._put_off = self._put_off, {}
        for machine, rebooted in put_off.items():
            self._look_at(machine, rebooted=rebooted)

    def _missing(self, machine: UUID) -> None:
        lock = self._busy.lock(machine)
        if lock.acquire(blocking=False):
            try:
                if self.hypervisor.observe(machine) is None:
                    self._gone(machine)
            finally:
                lock.release()

    def _gone(self, machine: UUID) -> None:
        reports.machine_missing(self.host, machine)
        domains.gone(self.host, machine)

    def _look_at_definitions(self, there: AbstractSet[UUID]) -> None:
        """Whatever somebody changed while nobody looked, and what he has taken away."""
        known = domains.known(self.host)
        for machine, definition in self.hypervisor.definitions().items():
            if known.get(machine) != domains.digest(definition):
                self._look_at(machine)
        for machine in known.keys() - there:
            self._missing(machine)

    def _lost(self, refusal: Refusal) -> None:
        self.ready.clear()
        try:
            reports.host_lost(self.host, refusal)
        except DatabaseError:
            logger.exception("host %s: its loss could not be recorded", self.host.name)
            close_old_connections()
        self.hypervisor.close()
        give_back()
        self._stopping.wait(self._pause)
        self._pause = min(self._pause * 2, RETRY_AFTER[1])


def emptied(store: Store, sample: list[Image]) -> bool:
    """Whether not one of these images lies there: another file system, or none, is where they were."""
    for image in sample:
        try:
            store.used(replace(image.volume, backing=None))
        except Refusal as refusal:
            if refusal.code != "IMAGE_MISSING":
                raise
        else:
            return False
    return bool(sample)
