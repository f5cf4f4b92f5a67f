"""What libvirt tells by itself: passed on to a listener, and remembered where a later look could not tell it."""

import contextlib
import time
from collections import Counter
from typing import Any
from uuid import UUID

import libvirt
import libvirt_qemu

from .base import Event, Listener, Screen


class Happenings:
    """What happened on one host: `rebooted` are the machines whose guests ended their run with a reboot, `resets` tells
    when each was last reset (a monotonic time)."""

    def __init__(self) -> None:
        self.rebooted: set[UUID] = set()
        self.resets: dict[UUID, float] = {}

    def follow(self, connection: Any, listener: Listener) -> None:
        """Tell the listener of everything from now on, from libvirt's thread."""
        for kind, told in (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lived),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._reset),
            (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, self._changed),
            (libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS, _Screens().told),
        ):
            connection.domainEventRegisterAny(None, kind, told, listener)
        # Life-cycle events cannot tell a guest's reboot from its power-off when both end the run; QEMU's can.
        with contextlib.suppress(libvirt.libvirtError):
            libvirt_qemu.qemuMonitorEventRegister(connection, None, "SHUTDOWN", _shut_down, self.rebooted, 0)

    def _lived(self, _connection: Any, domain: Any, kind: int, _detail: int, listener: Listener) -> None:
        machine = UUID(bytes=domain.UUID())
        if kind == libvirt.VIR_DOMAIN_EVENT_STARTED:
            self.rebooted.discard(machine)
            self.resets.pop(machine, None)
        listener(Event(machine))

    def _changed(self, _connection: Any, domain: Any, *details: Any) -> None:
        listener: Listener = details[-1]
        listener(Event(UUID(bytes=domain.UUID())))

    def _reset(self, _connection: Any, domain: Any, listener: Listener) -> None:
        machine = UUID(bytes=domain.UUID())
        self.resets[machine] = time.monotonic()
        listener(Event(machine, rebooted=True))


class _Screens:
    """How many people are at the graphical consoles of each machine, as far as this connection saw them come."""

    def __init__(self) -> None:
        self._there: Counter[UUID] = Counter()

    def told(self, _connection: Any, domain: Any, phase: int, *details: Any) -> None:
        """Count somebody who has got in, not one who has only knocked; tell of the first and after the last."""
        listener, machine = details[-1], UUID(bytes=domain.UUID())
        if phase == libvirt.VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE:
            self._there[machine] += 1
            listener(Event(machine, screen=Screen.ENTERED))
        elif phase == libvirt.VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT and self._there[machine]:
            self._there[machine] -= 1
            if not self._there[machine]:
                del self._there[machine]
                listener(Event(machine, screen=Screen.LEFT))


def _shut_down(_connection: Any, domain: Any, *details: Any) -> None:
    rebooted = details[-1]
    if '"guest-reset"' in str(details[-2]):
        rebooted.add(UUID(bytes=domain.UUID()))
