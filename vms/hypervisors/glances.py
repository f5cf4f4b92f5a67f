"""Looks at the domains of a libvirt host: a quick one at all, which mostly finds everything as it was and costs little
more than asking, and one at a whole one."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

import libvirt

from vms.domain.hosts import Ended, Observation
from vms.domain.lifecycle import Status
from vms.libvirtxml.adopt import console_of
from vms.libvirtxml.observe import observe

from .base import Glance
from .domains import ENDINGS, STATUSES, definition_of, held_up


class Glances:
    """`rebooted` are the machines whose guests ended their run with a reboot, as far as somebody saw it."""

    def __init__(self, rebooted: AbstractSet[UUID]) -> None:
        self._rebooted = rebooted
        self._told: object = None
        self._last: Mapping[UUID, Glance] = {}

    def look(self, connection: Any) -> Mapping[UUID, Glance]:
        """Every domain with its state; the very mapping of the last time where nothing has changed since."""
        stats = connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
        saved = {one.UUID() for one in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)}
        states = [(domain.UUID(), told["state.state"], told["state.reason"]) for domain, told in stats]
        told = (states, saved, set(self._rebooted))
        if told != self._told:
            self._last = {UUID(bytes=key): self.one(key, state, why, saved=key in saved) for key, state, why in states}
            self._told = told
        return self._last

    def one(self, key: bytes, state: int, reason: int, *, saved: bool) -> Glance:
        """What state and reason mean for a domain."""
        status = STATUSES.get(state, Status.UNKNOWN)
        if status != Status.DOWN:
            return Glance(status)
        if saved:  # the reason does not tell: a daemon that is started anew has forgotten it
            return Glance(Status.SUSPENDED, Ended.SAVED)
        if reason == libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN and UUID(bytes=key) in self._rebooted:
            return Glance(status, Ended.REBOOT)
        return Glance(status, ENDINGS.get(reason, Ended.UNKNOWN))

    def whole(self, domain: Any) -> Observation:
        """Everything about one domain."""
        machine = UUID(bytes=domain.UUID())
        state, reason = domain.state()
        glance = self.one(domain.UUID(), state, reason, saved=bool(domain.hasManagedSaveImage()))
        live = domain.XMLDesc()
        seen = observe(live)
        running = glance.status != Status.DOWN and glance.status != Status.SUSPENDED
        return Observation(
            id=machine,
            name=seen.name,
            status=glance.status,
            ended=glance.ended or held_up(domain, state, reason),
            run=seen.run if running else None,
            endpoints=seen.endpoints if running else (),
            machine=seen.machine,
            addresses=seen.addresses if running else {},
            cold_reboot=running and seen.cold_reboot,
            agent=running and seen.agent,
            console=console_of(live) if running else None,
            definition=definition_of(domain),
        )
