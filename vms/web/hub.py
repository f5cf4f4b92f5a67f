"""One hub in each web process: it reads what has changed and tells every open page what its reader may see of it.

What has changed stands in a short table, so that nothing is lost while a connection is away; an `Alarm` says when to
look there.
"""

import asyncio
import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import DatabaseError, close_old_connections, connections
from django.db.models import UUIDField
from django.utils import timezone

from vms.models import Change, User
from vms.search.languages import LANGUAGES
from vms.search.visible import visible

from .alarm import Alarm

logger = logging.getLogger(__name__)

CHECKED: Final = 5.0  # seconds after which it is asked anew whether a reader is still logged in
ALIVE: Final = 15.0  # seconds of silence after which a page is told that the line is open
MOST, MOST_OF_ONE = 500, 20  # open pages of a process, and of one person
_BEHIND: Final = 1000  # numbers that a transaction may have taken before others and shows after them
# What of it somebody may see is said by its searches; events, whose ids are numbers, come with what they are about.
_MODELS: Final[dict[str, type[Any]]] = {
    model._meta.model_name or "": model for model in LANGUAGES if isinstance(model._meta.pk, UUIDField)
}

Told = dict[str, list[str]]


@dataclass(eq=False)
class Stream:
    """One open page: what it has yet to be told; None ends it."""

    user: UUID
    session: str
    loop: asyncio.AbstractEventLoop
    waiting: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    ended: bool = False
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, told: Told) -> None:
        for kind, keys in told.items():
            self.waiting[kind].update(keys)
        self.bell.set()

    def end(self) -> None:
        self.ended = True
        self.bell.set()

    async def events(self) -> AsyncIterator[str]:
        """What goes over the line, as server-sent events."""
        yield "retry: 2000\n\n"
        while not self.ended:
            try:
                await asyncio.wait_for(self.bell.wait(), ALIVE)
            except TimeoutError:
                yield ": open\n\n"
                continue
            self.bell.clear()
            told, self.waiting = {kind: sorted(keys) for kind, keys in self.waiting.items()}, defaultdict(set)
            if told:
                yield f"event: changed\ndata: {json.dumps(told)}\n\n"


class Hub:
    """Reads while somebody listens, and rests otherwise."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._streams: set[Stream] = set()
        self._thread: threading.Thread | None = None
        self.reads = threading.Event()  # whatever changes from now on is passed on

    def join(self, user: UUID, session: str, loop: asyncio.AbstractEventLoop) -> Stream | None:
        """A line for one more page; None when there are too many."""
        with self._guard:
            mine = sum(stream.user == user for stream in self._streams)
            if len(self._streams) >= MOST or mine >= MOST_OF_ONE:
                return None
            stream = Stream(user, session, loop)
            self._streams.add(stream)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
                self._thread.start()
        return stream

    def leave(self, stream: Stream) -> None:
        with self._guard:
            self._streams.discard(stream)

    def _run(self) -> None:
        alarm = Alarm()
        try:
            alarm.hang()  # before the first look: what comes in between rings
            self._serve(alarm)
        finally:
            alarm.close()
            connections.close_all()

    def _serve(self, alarm: Alarm) -> None:
        reader, checked = None, time.monotonic()
        while streams := self._listening():
            try:
                reader = reader or Reader()
                self.reads.set()
                self._pass_on(reader.fresh(), streams)
                if time.monotonic() > checked + CHECKED:
                    checked = time.monotonic()
                    self._end_strangers(streams)
            except DatabaseError:
                logger.exception("the hub: the database does not answer")
                close_old_connections()
                time.sleep(1)
            alarm.wait(lambda: bool(self._streams))

    def _listening(self) -> set[Stream]:
        """The open pages; when there is none, the thread is given up in the same breath."""
        with self._guard:
            if not self._streams:
                self._thread = None
            return set(self._streams)

    def _pass_on(self, changes: list[tuple[str, UUID]], streams: Iterable[Stream]) -> None:
        if not changes:
            return
        readers: dict[UUID, list[Stream]] = defaultdict(list)
        for stream in streams:
            readers[stream.user].append(stream)
        for user in User.objects.filter(pk__in=readers, is_active=True):
            if told := seen_by(user, changes):
                for stream in readers[user.pk]:
                    _call(stream, stream.tell, told)

    def _end_strangers(self, streams: set[Stream]) -> None:
        keys = {stream.session for stream in streams}
        there = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
        valid = set(there.values_list("session_key", flat=True))
        readers = User.objects.filter(pk__in={stream.user for stream in streams}, is_active=True)
        active = set(readers.values_list("pk", flat=True))
        for stream in streams:
            if stream.session not in valid or stream.user not in active:
                _call(stream, stream.end)


class Reader:
    """Gives each change once, in whatever order transactions show them."""

    def __init__(self) -> None:
        self._last = Change.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self._seen = set(Change.objects.filter(pk__gt=self._last - _BEHIND).values_list("pk", flat=True))

    def fresh(self) -> list[tuple[str, UUID]]:
        """What has changed since the last time."""
        rows = Change.objects.filter(pk__gt=self._last - _BEHIND).values_list("pk", "kind", "key")
        found = [row for row in rows if row[0] not in self._seen]
        if found:
            self._seen |= {row[0] for row in found}
            self._last = max(self._last, *(row[0] for row in found))
            self._seen = {key for key in self._seen if key > self._last - _BEHIND}
        return [(kind, key) for _pk, kind, key in found]


def seen_by(user: User, changes: Iterable[tuple[str, UUID]]) -> Told:
    """The changed rows that somebody may see, by kind."""
    keys: dict[str, set[UUID]] = defaultdict(set)
    for kind, key in changes:
        if kind in _MODELS:
            keys[kind].add(key)
    told: Told = {}
    for kind, wanted in keys.items():
        if found := visible(_MODELS[kind], user).filter(pk__in=wanted).values_list("pk", flat=True):
            told[kind] = [str(key) for key in found]
    return told


def _call(stream: Stream, act: Any, *given: Any) -> None:
    try:
        stream.loop.call_soon_threadsafe(act, *given)
    except RuntimeError:  # its loop has ended with the server
        stream.ended = True


HUB: Final = Hub()
