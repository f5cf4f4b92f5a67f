"""Whether a machine has a graphical console to open, and why not."""

from dataclasses import dataclass
from enum import StrEnum

from .console import HEADLESS, Console, Graphics


class ConsoleState(StrEnum):
    """Where a graphical console stands (the words are Cockpit's)."""

    MISSING = "missing"
    INACTIVE = "inactive"
    PENDING = "pending"
    ACTIVE = "active"


class NoConsole(StrEnum):
    """Why there is no graphical console to open."""

    HEADLESS = "headless"
    HEADLESS_THIS_RUN = "headless_this_run"
    NOT_RUNNING = "not_running"
    RESTART_NEEDED = "restart_needed"


@dataclass(frozen=True, slots=True)
class GraphicalAccess:
    """The answer to "Console": its state, what can be opened, and the reason when nothing can."""

    state: ConsoleState
    protocols: Graphics = HEADLESS
    reason: NoConsole | None = None


def graphical_access(
    configured: Console, running: Console | None, *, reachable: bool, once: bool = False
) -> GraphicalAccess:
    """What happens on "Console": `running` is what the present run shows, `reachable` whether its status allows it,
    `once` whether the run is a Run Once."""
    if running is not None and running.graphics and reachable:
        return GraphicalAccess(ConsoleState.ACTIVE, running.graphics)
    if running is None or running.graphics:
        if configured.headless and running is None:
            return GraphicalAccess(ConsoleState.MISSING, reason=NoConsole.HEADLESS)
        return GraphicalAccess(ConsoleState.INACTIVE, reason=NoConsole.NOT_RUNNING)
    if configured.headless:
        return GraphicalAccess(ConsoleState.MISSING, reason=NoConsole.HEADLESS)
    reason = NoConsole.HEADLESS_THIS_RUN if once else NoConsole.RESTART_NEEDED
    return GraphicalAccess(ConsoleState.PENDING, reason=reason)
