"""Closes open consoles when the right, the session or the console goes: one question for all of a process's."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.db import DatabaseError

from vms.actions import passes
from vms.beside import in_thread

logger = logging.getLogger(__name__)

# Seconds between two looks; a console is to be closed within one.
EVERY: Final = 0.5


class Guard:
    """Watches the consoles that one event loop serves; it looks only while there are any."""

    def __init__(self) -> None:
        self._open: dict[UUID, tuple[str, asyncio.Future[str]]] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, console: UUID, session_key: str) -> "Iterator[asyncio.Future[str]]":
        """While inside, the future is given the reason when the console is to be closed."""
        closing: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._open[console] = session_key, closing
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        try:
            yield closing
        finally:
            del self._open[console]
            closing.cancel()

    async def _look(self) -> None:
        while self._open:
            try:
                verdicts = await in_thread(passes.watch, {key: session for key, (session, _) in self._open.items()})
            except DatabaseError:  # nobody can be asked; whoever has a console keeps it meanwhile
                logger.exception("open consoles: the database does not answer")
                verdicts = {}
            for console, reason in verdicts.items():
                closing = self._open.get(console, (None, None))[1]
                if closing is not None and not closing.done():
                    closing.set_result(reason)
            await asyncio.sleep(EVERY)
