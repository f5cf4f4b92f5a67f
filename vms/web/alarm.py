"""What wakes the hub: PostgreSQL's own notifications, or a bell between the processes of this machine on SQLite.

Where neither works it looks by itself, twice a second; nothing is lost, for what has changed is read from a table.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import DatabaseError, connection

from vms.wire.bell import Bell

logger = logging.getLogger(__name__)

CHANNEL: Final = "vms_changed"  # as in the trigger of migration 0009
HEARD: Final = 5.0  # seconds between two looks of a hub that would be woken
DEAF: Final = 0.5  # and of one that would not
GATHER: Final = 0.01  # what changes together is told together
_SLICE: Final = 0.25  # seconds after which it is asked whether anybody still listens
_TRIED: Final = 1.0  # seconds within which a notification to oneself has to come
_AGAIN: Final = 60.0  # seconds after which it is tried again to be woken


class _Rings(Protocol):
    def open(self) -> None: ...

    def wait(self, seconds: float) -> bool: ...

    def close(self) -> None: ...


class Notifications:
    """A connection of one's own that listens; a pool that hands connections round in between would hear nothing."""

    def __init__(self) -> None:
        self._own: Any = None

    def open(self) -> None:
        """Listen; a `DatabaseError` where nothing is heard."""
        if self._own is not None:
            return
        own: Any = connection.copy()
        own.settings_dict["OPTIONS"].pop("pool", None)
        own.connect()
        self._own = own
        own.connection.execute(f"LISTEN {CHANNEL}")
        own.connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
        if not self.wait(_TRIED):
            raise DatabaseError("the database passes on no notifications")

    def wait(self, seconds: float) -> bool:
        with self._own.wrap_database_errors:
            return any(True for _ in self._own.connection.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()


class Alarm:
    """Waits until something has changed, or until it is time to look anyway."""

    def __init__(self) -> None:
        self._rings: _Rings = Notifications() if connection.vendor == "postgresql" else Bell(settings.RUN_DIR)
        self._deaf_until = 0.0

    def hang(self) -> bool:
        """Whether it would be heard from now on; where not, that is tried again after a while."""
        if time.monotonic() < self._deaf_until:
            return False
        try:
            self._rings.open()
        except (OSError, DatabaseError) as error:
            self._fall(error)
            return False
        return True

    def wait(self, listening: Callable[[], bool]) -> None:
        """Come back when it has rung, when it is time, or when nobody is listening any more."""
        if not self.hang():
            time.sleep(DEAF)
            return
        until = time.monotonic() + HEARD
        try:
            while time.monotonic() < until and listening():
                if self._rings.wait(_SLICE):
                    time.sleep(GATHER)
                    return
        except (OSError, DatabaseError) as error:
            self._fall(error)

    def close(self) -> None:
        self._rings.close()

    def _fall(self, error: Exception) -> None:
        logger.warning("the hub is not told of changes and looks by itself: %s", error)
        self._deaf_until = time.monotonic() + _AGAIN
        try:
            self._rings.close()
        except (OSError, DatabaseError):
            logger.debug("the bell was down already", exc_info=True)
