"""Whether this engine is the one that leads, as far as it can be sure."""

import time

from vms.actions import leading


class Leadership:
    """The lease as one engine holds it; sure of it no longer than it lasts, whatever stops the engine meanwhile."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._sure_until = 0.0

    @property
    def held(self) -> bool:
        return time.monotonic() < self._sure_until

    def take(self) -> bool:
        """Take or keep it; False while another engine leads. A database that does not answer raises."""
        asked = time.monotonic()
        leads = leading.lead(self._owner)
        self._sure_until = asked + leading.LEASE.total_seconds() if leads else 0.0
        return leads

    def resign(self) -> None:
        """Another one may lead from now on."""
        self._sure_until = 0.0
        leading.resign(self._owner)
