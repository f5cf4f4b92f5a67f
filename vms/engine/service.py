"""The engine as a whole: one per installation, its watchers and workers, and an orderly end."""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connections

from vms.actions import hosts, jobs, many, passes, reports, screens
from vms.actions._audit import chain
from vms.domain.errors import Refusal
from vms.hypervisors.base import Hypervisor
from vms.models import Host, Job

from .door import Door
from .requests import Requests
from .watcher import Busy, Watcher
from .worker import carry_out

logger = logging.getLogger(__name__)

WORKERS: Final = 4
FALLBACK: Final = 1.0  # seconds after which a worker looks for jobs although nobody woke it
HOUSEKEEPING: Final = 1.0


class AnotherEngine(Exception):
    """This installation's engine runs already."""


class Engine:
    """Runs until `stop()`; `hypervisor_for` gives the driver of a host."""

    def __init__(self, run_dir: Path, hypervisor_for: Callable[[Host], Hypervisor]) -> None:
        self._run_dir = run_dir
        self._hypervisor_for = hypervisor_for
        self._owner = f"engine-{os.getpid()}"
        self._busy = Busy()
        self._jobs_at_hand: set[UUID] = set()
        self._stopping = threading.Event()
        self._bell = threading.Condition()
        self._rings = 0
        self._watchers: dict[UUID, Watcher] = {}
        self._requests = Requests(self._driver)

    def run(self) -> None:
        """Take the lock, carry on what an engine before left behind, and work until stopped."""
        with self._alone():
            left = jobs.reclaim(self._owner)
            logger.info("engine %s: %d jobs left behind are queued again", self._owner, left)
            hosts.ensure_one()
            workers = [self._thread(f"work-{number}", self._work_once) for number in range(WORKERS)]
            workers.append(self._thread("many", self._deal_with_many))
            door = Door(self._run_dir, self.wake, self._requests.answers)
            door.open()
            self._follow_hosts()
            for worker in workers:
                worker.start()
            try:
                self._keep_house()
            finally:
                self._close(door, workers)

    def wake(self) -> None:
        """A job has been recorded: have the workers look."""
        with self._bell:
            self._rings += 1
            self._bell.notify_all()

    def stop(self) -> None:
        """Finish the jobs at hand and end; machines run on."""
        self._stopping.set()
        self.wake()

    def _driver(self, host: UUID) -> Hypervisor:
        """The driver of a host that answers; refused for one that does not."""
        watcher = self._watchers.get(host)
        if watcher is None or not watcher.ready.is_set():
            raise Refusal("HOST_NOT_RESPONDING", None, host=watcher.host.name if watcher else str(host))
        return watcher.hypervisor

    def _follow_hosts(self) -> None:
        """Watch the hosts that have been added, and leave those that have been removed."""
        known = {host.pk: host for host in Host.objects.all()}
        for key in known.keys() - self._watchers.keys():
            self._watchers[key] = Watcher(known[key], self._hypervisor_for(known[key]), self._busy, self.wake)
            self._watchers[key].start()
        for key in self._watchers.keys() - known.keys():
            self._watchers.pop(key).stop()

    def _close(self, door: Door, workers: list[threading.Thread]) -> None:
        self.stop()
        door.close()
        self._requests.close()
        for worker in workers:
            worker.join(timeout=30)
        for watcher in self._watchers.values():
            watcher.stop()
            watcher.join(timeout=10)
        reports.engine_stopped(watcher.host for watcher in self._watchers.values())

    def _thread(self, name: str, work: Callable[[], bool]) -> threading.Thread:
        return threading.Thread(target=self._work, args=(work,), name=name, daemon=True)

    def _work(self, work: Callable[[], bool]) -> None:
        while not self._stopping.is_set():
            seen = self._rings
            try:
                busy = work()
            except Exception:  # a worker that ended would be missed only when all four have
                logger.exception("a job could not be taken, or its outcome not be recorded")
                busy = False
                close_old_connections()
            if not busy:
                self._rest(seen)
        connections.close_all()

    def _rest(self, seen: int) -> None:
        with self._bell:
            self._bell.wait_for(lambda: self._rings != seen or self._stopping.is_set(), FALLBACK)

    def _work_once(self) -> bool:
        ready = {key: watcher for key, watcher in list(self._watchers.items()) if watcher.ready.is_set()}
        job = jobs.claim(self._owner, ready)
        if job is None or job.host_id is None:
            return False
        watcher = ready[job.host_id]
        with self._at_hand(job), self._busy.lock(job.machine):
            answered = carry_out(job, watcher.hypervisor)
        if not answered:
            watcher.doubt()
        return True

    def _deal_with_many(self) -> bool:
        """One job over many machines at a time, which holds up no job of a single one."""
        job = jobs.claim_many(self._owner)
        if job is None:
            return False
        with self._at_hand(job):
            while many.carry_on(job) and not self._stopping.is_set():
                pass
        return True

    @contextmanager
    def _at_hand(self, job: Job) -> Iterator[None]:
        """Only what a worker is at is kept from being queued again when its lease runs out."""
        self._jobs_at_hand.add(job.pk)
        try:
            yield
        finally:
            self._jobs_at_hand.discard(job.pk)

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING):
            try:
                self._follow_hosts()
                jobs.extend(self._owner, self._jobs_at_hand.copy())
                jobs.expire()
                screens.follow()
                passes.expire()
                if jobs.reclaim() + jobs.ask_again():
                    self.wake()
                chain()
            except DatabaseError:
                logger.exception("housekeeping: the database does not answer")
                close_old_connections()

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
