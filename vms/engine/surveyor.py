"""Asks the running machines of one host, each in its turn, what takes long to tell; no answer holds up anybody else."""

import logging
import threading
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final
from uuid import UUID

from vms.domain.errors import Refusal

logger = logging.getLogger(__name__)

EVERY: Final = 60.0  # seconds between two questions to one machine
DEADLINE: Final = 5.0  # seconds after which a machine that is asked counts as hanging
WORKERS: Final = 2  # threads that ask, each over a connection of its own
HANGING: Final = 8  # as many more take the place of those that hang

Ask = Callable[[UUID], None]


class Surveyor:
    """Calls `ask` for each machine that `follow` names, in threads of its own and spread over the cycle.

    A call that hangs (its machine's QEMU is stopped, say) keeps its thread; another one takes its place, up to a limit.
    Whoever owns it tells who runs, and stops it.
    """

    def __init__(self, name: str, ask: Ask) -> None:
        self._name = name
        self._ask = ask
        self._turn = threading.Condition()
        self._due: dict[UUID, float] = {}
        self._asked: dict[UUID, float] = {}
        self._threads = 0
        self._stopping = False

    def follow(self, machines: AbstractSet[UUID]) -> None:
        """These run now: newcomers get a turn within the cycle, those that have gone get none."""
        with self._turn:
            for gone in self._due.keys() - machines:
                del self._due[gone]
            now = time.monotonic()
            for new in machines - self._due.keys():
                self._due[new] = now + _share(new) * EVERY
            self._hire()
            self._turn.notify_all()

    def soon(self, machine: UUID) -> None:
        """It is this machine's turn now: something has changed."""
        with self._turn:
            self._due[machine] = time.monotonic()
            self._hire()
            self._turn.notify_all()

    def stop(self) -> None:
        """Ask nobody any more; a call that hangs is left to itself."""
        with self._turn:
            self._stopping = True
            self._turn.notify_all()

    @property
    def hanging(self) -> set[UUID]:
        """The machines that have not answered within the deadline."""
        with self._turn:
            return self._late()

    def _late(self) -> set[UUID]:
        limit = time.monotonic() - DEADLINE
        return {machine for machine, since in self._asked.items() if since < limit}

    def _hire(self) -> None:
        wanted = min(WORKERS, len(self._due)) + min(len(self._late()), HANGING)
        while self._threads < wanted and not self._stopping:
            self._threads += 1
            threading.Thread(target=self._work, name=f"survey-{self._name}", daemon=True).start()

    def _work(self) -> None:
        while (machine := self._next()) is not None:
            try:
                self._ask(machine)
            except Refusal as refusal:
                logger.debug("machine %s was not asked: %s", machine, refusal)
            except Exception:  # a thread that ended would be missed only when all have
                logger.exception("machine %s could not be asked", machine)
            finally:
                self._answered(machine)

    def _next(self) -> UUID | None:
        """The machine whose turn it is, once it is; None at the end."""
        with self._turn:
            while not self._stopping:
                waiting = {one: due for one, due in self._due.items() if one not in self._asked}
                first = min(waiting, key=waiting.__getitem__, default=None)
                now = time.monotonic()
                if first is not None and waiting[first] <= now:
                    self._asked[first] = now
                    self._due[first] = now + EVERY
                    return first
                self._turn.wait(waiting[first] - now if first is not None else None)
            self._threads -= 1
            return None

    def _answered(self, machine: UUID) -> None:
        with self._turn:
            del self._asked[machine]
            self._turn.notify()


def _share(machine: UUID) -> float:
    """A fraction of one that is always the same for a machine, so that an engine that starts asks not all at once."""
    return machine.int % 1009 / 1009
