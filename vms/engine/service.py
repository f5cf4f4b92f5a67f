"""The engine as a whole: it leads or stands by, follows the hosts, has jobs carried out, and ends in good order."""

import fcntl
import hashlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connections

from vms.actions import hosts, jobs, many, passes, preparations, prestarting, reports, screens, transfers, uploads
from vms.actions._audit import chain
from vms.actions._changes import forget
from vms.domain.errors import Refusal
from vms.domain.transcript import Retention
from vms.hypervisors.base import Event, Hypervisor
from vms.models import Host, Job

from .borrowing import give_back
from .doctor import Doctor
from .door import Door
from .hands import Hands
from .leadership import Leadership
from .lines import SerialLines, heard
from .recorder import KEPT
from .requests import Requests
from .watcher import Busy, Watcher
from .worker import carry_out, limit

logger = logging.getLogger(__name__)

FALLBACK: Final = 1.0  # seconds after which jobs are looked for although nobody woke the engine
HOUSEKEEPING: Final = 1.0
POLITE: Final = 30.0  # seconds that jobs at hand get to end when the engine does


class AnotherEngine(Exception):
    """This installation's engine runs already."""


@dataclass(frozen=True, slots=True)
class AtHand:
    """A job that is being carried out, by which watcher's hands, until when it may take."""

    job: Job
    watcher: Watcher
    outcome: "Future[Any]"
    until: float


class Engine:
    """Runs until `stop()`; `hypervisor_for` gives the driver of a host.

    One of a `run_dir` runs at all (the others are turned away), and of those over one database one leads: the others
    stand by until its lease has run out.
    """

    def __init__(
        self,
        run_dir: Path,
        hypervisor_for: Callable[[Host], Hypervisor],
        logs: Path | None = None,
        retention: Retention = KEPT,
    ) -> None:
        self._run_dir = run_dir
        self._hypervisor_for = hypervisor_for
        # The same for the engine that comes after this one: it need not wait for the lease of a predecessor, for the
        # lock says that it is dead.
        where = hashlib.blake2b(str(run_dir.absolute()).encode(), digest_size=6).hexdigest()
        self._owner = f"{socket.gethostname()[:48]} {where}"
        self._leadership = Leadership(self._owner)
        self._busy = Busy()
        self._at_hand: dict[UUID, AtHand] = {}
        self._many: set[UUID] = set()
        self._stopping = threading.Event()
        self._bell = threading.Condition()
        self._rings = 0
        self._watchers: dict[UUID, Watcher] = {}
        self._requests = Requests(self._driver)
        self._lines = SerialLines(run_dir, logs or run_dir.parent / "serial", retention)

    def run(self) -> None:
        """Take the lock, and lead whenever no other engine does, until stopped."""
        with self._alone():
            door = Door(self._run_dir, self.wake, self._requests.answers)
            door.open()
            try:
                while not self._stopping.is_set():
                    if self._leads():
                        self._lead()
                    else:
                        self._stopping.wait(HOUSEKEEPING)
            finally:
                door.close()
                self._requests.close()
                self._lines.close()

    def wake(self) -> None:
        """A job has been recorded: look for it."""
        with self._bell:
            self._rings += 1
            self._bell.notify_all()

    def stop(self) -> None:
        """Finish the jobs at hand and end; machines run on."""
        self._stopping.set()
        self.wake()

    def _leads(self) -> bool:
        try:
            return self._leadership.take()
        except DatabaseError:
            logger.exception("the database does not answer")
            close_old_connections()
            return self._leadership.held

    def _lead(self) -> None:
        """Carry on what an engine before left behind, and work until stopped or until another engine leads."""
        left = jobs.reclaim(self._owner)
        logger.info("engine %s leads: %d jobs left behind are queued again", self._owner, left)
        hosts.ensure_one()
        uploads.tidy()
        self._follow_hosts()
        works = {"dispatch": self._hand_out, "many": self._deal_with_many}
        threads = [threading.Thread(target=self._work, args=(work,), name=name) for name, work in works.items()]
        doctor = Doctor(self._ready, self._lines.logs)
        for thread in (*threads, doctor):
            thread.daemon = True
            thread.start()
        try:
            self._keep_house()
        finally:
            doctor.stop()
            self._stand_down(threads)

    def _driver(self, host: UUID) -> Hypervisor:
        """The driver of a host that answers; refused for one that does not."""
        if not self._leadership.held:
            raise Refusal("ENGINE_NOT_RUNNING")
        watcher = self._watchers.get(host)
        if watcher is None or not watcher.ready.is_set():
            raise Refusal("HOST_NOT_RESPONDING", None, host=watcher.host.name if watcher else str(host))
        return watcher.hypervisor

    def _heard(self, host: UUID) -> Hypervisor:
        """The driver of another host that answers, with the broker at the lines of what comes there."""
        return heard(self._driver(host), self._lines, host)

    def _ready(self) -> dict[UUID, Hypervisor]:
        """The drivers of the hosts that answer."""
        watchers = list(self._watchers.items())
        return {key: watcher.hypervisor for key, watcher in watchers if watcher.ready.is_set()}

    def _follow_hosts(self) -> None:
        """Watch the hosts that have been added, and leave those that have been removed."""
        known = {host.pk: host for host in Host.objects.all()}
        for key, watcher in list(self._watchers.items()):
            if key in known and watcher.host.uri != known[key].uri:  # it has moved: watched anew at its new address
                self._watchers.pop(key).stop()
        for key in known.keys() - self._watchers.keys():
            self._watchers[key] = Watcher(known[key], self._hypervisor_for(known[key]), self._busy, self.wake)
            self._watchers[key].start()
        for key in self._watchers.keys() - known.keys():
            self._watchers.pop(key).stop()

    def _stand_down(self, threads: list[threading.Thread]) -> None:
        """Leave the hosts, jobs at hand first; tell so, and let another engine lead, unless one does already."""
        leads = self._leadership.held
        self.wake()
        for thread in threads:
            thread.join(timeout=POLITE)
        self._finish()
        for watcher in self._watchers.values():
            watcher.stop()
        for watcher in self._watchers.values():
            watcher.join(timeout=10)
        watched, self._watchers, self._at_hand = list(self._watchers.values()), {}, {}
        if leads:
            try:
                reports.engine_stopped(watcher.host for watcher in watched)
                self._leadership.resign()
            except DatabaseError:
                logger.exception("the end could not be recorded")
        logger.info("engine %s leads no more", self._owner)

    def _finish(self) -> None:
        """Wait until the jobs at hand are done; an engine that was deposed leaves them to the one that leads."""
        given = time.monotonic() + POLITE
        while self._at_hand and self._stopping.is_set() and time.monotonic() < given:
            time.sleep(0.02)
            try:
                self._tidy()
            except DatabaseError:
                logger.exception("a job that hangs could not be given up")

    # -- jobs

    def _work(self, work: Callable[[], bool]) -> None:
        while not self._stopping.is_set() and self._leadership.held:
            seen = self._rings
            try:
                while work():
                    pass
            except Exception:  # a thread that ended would be missed only when somebody looks
                logger.exception("a job could not be taken, or its outcome not be recorded")
                close_old_connections()
            self._rest(seen)
        connections.close_all()

    def _rest(self, seen: int) -> None:
        give_back()
        with self._bell:
            self._bell.wait_for(lambda: self._rings != seen or self._stopping.is_set(), FALLBACK)

    def _hand_out(self) -> bool:
        """Give the first job to the hands of its host; False when there is none, or no hand is free for it."""
        if self._stopping.is_set() or not self._leadership.held:
            return False
        ready = {key: each for key, each in list(self._watchers.items()) if each.ready.is_set()}
        able = [key for key, each in ready.items() if each.hands.free > 0]
        job = jobs.claim(self._owner, able, moving=[key for key, each in ready.items() if each.movers.free > 0])
        if job is None or job.host_id is None:
            return False
        watcher = ready[job.host_id]
        outcome = self._hands_for(job, watcher).do(lambda: self._carry_out(job, watcher))
        self._at_hand[job.pk] = AtHand(job, watcher, outcome, time.monotonic() + limit(job))
        return True

    def _hands_for(self, job: Job, watcher: Watcher) -> Hands:
        return watcher.movers if job.verb in jobs.LONG else watcher.hands

    def _deal_with_many(self) -> bool:
        """One job over many machines at a time, which holds up no job of a single one."""
        if self._stopping.is_set() or not self._leadership.held:
            return False
        job = jobs.claim_many(self._owner)
        if job is None:
            return False
        self._many = {job.pk}
        try:
            while many.carry_on(job) and not self._stopping.is_set():
                pass
        finally:
            self._many = set()
        return True

    def _carry_out(self, job: Job, watcher: Watcher) -> None:
        try:
            if not self._lines.knows(watcher.host.pk):  # an engine that has just begun: its first start is heard, too
                self._keep_lines()
            with self._busy.lock(job.machine):
                answered = carry_out(job, heard(watcher.hypervisor, self._lines, watcher.host.pk), self._heard)
            if not answered:
                watcher.doubt()
        except Exception:
            logger.exception("the outcome of job %s could not be recorded", job.pk)
            close_old_connections()

    def _tidy(self) -> None:
        """Forget the jobs that are done, and give up those whose hypervisor hangs."""
        for each in list(self._at_hand.values()):
            if each.outcome.done():
                del self._at_hand[each.job.pk]
            elif time.monotonic() > each.until:
                self._give_up(each)

    def _give_up(self, late: AtHand) -> None:
        logger.error("job %s hangs and is given up", late.job)
        del self._at_hand[late.job.pk]
        self._hands_for(late.job, late.watcher).give_up(late.outcome)
        self._busy.abandon(late.job.machine)
        jobs.fail(late.job, Refusal("MACHINE_NOT_RESPONDING", None, name=late.job.machine_name))
        late.watcher.told(Event(late.job.machine))

    def _keep_house(self) -> None:
        while self._leads() and not self._stopping.wait(HOUSEKEEPING):
            try:
                self._tidy()
                self._follow_hosts()
                self._keep_lines()
                jobs.extend(self._owner, [*self._at_hand, *self._many])
                jobs.expire()
                screens.follow()
                passes.expire()
                preparations.advance()
                transfers.expire()
                if jobs.reclaim() + jobs.ask_again() + prestarting.keep():
                    self.wake()
                chain()
                forget()
            except DatabaseError:
                logger.exception("housekeeping: the database does not answer")
                close_old_connections()

    def _keep_lines(self) -> None:
        """Have a serial broker at work; one that was started anew is told of the runs that it writes down."""
        hosts = {key: at for key, driver in self._ready().items() if (at := driver.serial_at())}
        if self._lines.keep(hosts):
            for host, machine in reports.recorded(hosts):
                self._lines.record(host, machine)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self._run_dir / "engine.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise AnotherEngine(f"an engine runs already on {self._run_dir}") from error
        with lock:
            yield
