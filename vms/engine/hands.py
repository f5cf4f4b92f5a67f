"""Threads that work for one host; one that hangs is given up and replaced, and holds up neither others nor the end."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from .borrowing import give_back

SPARE: Final = 8  # threads that may hang at one host before it is left alone

T = TypeVar("T")
Work = Callable[[], Any]


class Hands:
    """A few threads, each of which keeps a driver's connection; they begin when there is something to do.

    `on_free` is called whenever one has become free.
    """

    def __init__(self, name: str, number: int, on_free: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._number = number
        self._on_free = on_free
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Work] | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._threads = 0
        self._at_work: set[Future[Any]] = set()
        self._given_up: set[Future[Any]] = set()

    @property
    def free(self) -> int:
        """How many more could begin at once."""
        with self._guard:
            hanging = len(self._given_up)
            return 0 if hanging >= SPARE else self._number - (len(self._at_work) - hanging)

    def do(self, work: Callable[[], T]) -> "Future[T]":
        """Have it done as soon as a hand is free; the future has its outcome."""
        outcome: Future[T] = Future()
        with self._guard:
            self._at_work.add(outcome)
            wanted = min(self._number, len(self._at_work) - len(self._given_up)) + len(self._given_up)
            if self._threads < min(wanted, self._number + SPARE):
                self._threads += 1
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
        self._waiting.put((outcome, work))
        return outcome

    def give_up(self, outcome: "Future[Any]") -> None:
        """Nobody waits for it any more: it may hang for ever, and others take its thread's place."""
        with self._guard:
            if outcome.cancel() or outcome.done():
                self._at_work.discard(outcome)
            elif outcome in self._at_work:
                self._given_up.add(outcome)

    def close(self) -> None:
        """Begin nothing more; what is under way is not waited for."""
        with self._guard:
            for outcome in self._at_work:
                outcome.cancel()
            for _ in range(self._threads):
                self._waiting.put(None)

    def _run(self) -> None:
        while (given := self._waiting.get()) is not None:
            outcome, work = given
            if outcome.set_running_or_notify_cancel():
                try:
                    outcome.set_result(work())
                except BaseException as error:  # noqa: BLE001  # who waits for the outcome is told
                    outcome.set_exception(error)
            with self._guard:
                self._at_work.discard(outcome)
                if replaced := outcome in self._given_up:
                    self._given_up.discard(outcome)
                    self._threads -= 1
            give_back()
            self._on_free()
            if replaced:
                return
        with self._guard:
            self._threads -= 1
