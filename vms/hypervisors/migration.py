"""Live migration over libvirt: the engine is connected to both hosts and leads it, so they need not know each other.

Whoever leads may die at any moment. libvirt then ends what it has begun: the guest that was coming in is destroyed, the
one that was leaving goes on; only between the last two steps it leaves a decision to us, which `_settle` makes.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import libvirt
from lxml import etree

from vms.domain.errors import Refusal
from vms.libvirtxml.elements import PARSER

from .base import Progress
from .connections import Connections
from .domains import forget_board

LOOK_EVERY: Final = 0.5  # seconds between two looks at how far a job is
SETTLES_WITHIN: Final = 10.0  # seconds that a job of a leader who died may take to end

_FLAGS: Final = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    | libvirt.VIR_MIGRATE_AUTO_CONVERGE  # a guest that writes faster than the network carries is slowed down
    | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
)
_ITS_OWN: Final = (libvirt.VIR_DOMAIN_PAUSED_MIGRATION, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
_SECRETS: Final = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is otherwise at the target: where it is reached, where screens listen (empty for both: as its URI and the
    source have it), the paths that files have there, by those at the source, and whether our own storage, which both
    hosts have, holds the disks: libvirt knows that of network file systems alone."""

    address: str
    listen: str
    files: Mapping[str, str]
    shared: bool


def move(
    machine: UUID,
    source: Connections,
    target: Connections,
    arrival: "Arrival",
    progress: Progress,
    *,
    paused: bool,
) -> None:
    """Have a running domain go on at the target."""
    here = _settle(_find(source.mine(), machine), _find(target.mine(), machine))
    if here is None:
        return
    left = here.XMLDesc(_SECRETS | libvirt.VIR_DOMAIN_XML_INACTIVE) if here.isPersistent() else ""
    params = _parameters(here, arrival, urlsplit(target.location.uri).hostname)
    flags = _FLAGS | (libvirt.VIR_MIGRATE_PAUSED if paused else 0)
    flags |= libvirt.VIR_MIGRATE_UNSAFE if arrival.shared else 0

    def carry_over() -> None:
        # Connections of its own: the call takes as long as the memory is large, and others ask meanwhile.
        source.mine().lookupByUUID(machine.bytes).migrate3(target.mine(), params, flags)

    try:
        followed(here, carry_over, progress)
    except libvirt.libvirtError as error:
        for side in (source, target):  # whichever is gone says so
            with side.refusals():
                side.mine().getLibVersion()
        raise Refusal("HYPERVISOR_REFUSED", None, host=source.name, message=str(error)) from error
    if left:
        forget_board(source.mine(), left)


def followed(domain: Any, call: Callable[[], None], progress: Progress) -> None:
    """Wait for a long call on a domain and tell how far it is; call it off as soon as `progress` says so."""
    outcome: Future[None] = Future()
    threading.Thread(target=_settled, args=(outcome, call), name="libvirt-long", daemon=True).start()
    wanted, most = True, 0
    while True:
        try:
            return outcome.result(LOOK_EVERY)
        except TimeoutError:
            most = max(most, _percent(domain))
            if not progress(most):
                wanted = False
                _abort(domain)
        except libvirt.libvirtError as error:
            if not wanted:
                raise Refusal("JOB_CANCELLED") from error
            raise


def _settled(outcome: "Future[None]", call: Callable[[], None]) -> None:
    try:
        call()
        outcome.set_result(None)
    except BaseException as error:  # noqa: BLE001  # who waits for the outcome is told
        outcome.set_exception(error)


def _settle(here: Any, there: Any) -> Any:
    """What is left to move: the domain at its source, after whatever somebody died over has been put right; None when
    it runs at the target."""
    leaves, arrived = _is_active(here), _is_active(there)
    if leaves:
        _end_earlier(here)
        arrived = _is_active(there)
    if leaves and arrived and _waits(here):
        here.destroy()  # it was let go, and only its end was not confirmed
        leaves = False
    if not leaves and arrived:
        if here is not None and here.isPersistent():
            here.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        if _waits(there):
            there.resume()
        return None
    if not leaves:
        raise Refusal("HYPERVISOR_REFUSED", None, message="domain is not running")
    if _waits(here):
        here.resume()
    return here


def _end_earlier(domain: Any) -> None:
    """Have a job end that nobody leads any more."""
    until = time.monotonic() + SETTLES_WITHIN
    while domain.isActive() and domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE and time.monotonic() < until:
        _abort(domain)
        time.sleep(0.1)


def _abort(domain: Any) -> None:
    with contextlib.suppress(libvirt.libvirtError):  # it has just ended
        domain.abortJob()


def _waits(domain: Any) -> bool:
    """Whether a migration has paused it, rather than a person."""
    state, reason = domain.state()
    return state == libvirt.VIR_DOMAIN_PAUSED and reason in _ITS_OWN


def _is_active(domain: Any) -> bool:
    return domain is not None and bool(domain.isActive())


def _percent(domain: Any) -> int:
    with contextlib.suppress(libvirt.libvirtError):
        told = domain.jobStats()
        if total := told.get("data_total", 0):
            done = total - told.get("data_remaining", total)
            return min(99, int(100 * done / total))
    return 0


def _find(connection: Any, machine: UUID) -> Any:
    try:
        return connection.lookupByUUID(machine.bytes)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _parameters(domain: Any, arrival: Arrival, hostname: str | None) -> dict[str, Any]:
    params: dict[str, Any] = {}  # without an address the target says its own name, which the source may not know
    if address := arrival.address or hostname:
        params[libvirt.VIR_MIGRATE_PARAM_URI] = f"tcp://[{address}]" if ":" in address else f"tcp://{address}"
    live, inactive = domain.XMLDesc(_SECRETS), domain.XMLDesc(_SECRETS | libvirt.VIR_DOMAIN_XML_INACTIVE)
    if (there := _at(live, arrival, screens=True)) != live:
        params[libvirt.VIR_MIGRATE_PARAM_DEST_XML] = there
    if domain.isPersistent() and (there := _at(inactive, arrival, screens=False)) != inactive:
        params[libvirt.VIR_MIGRATE_PARAM_PERSIST_XML] = there
    return params


def _at(xml: str, arrival: Arrival, *, screens: bool) -> str:
    """Domain XML with the files where the target has them and the screens where they listen there; the very text where
    that changes nothing."""
    domain, changed = etree.fromstring(xml.encode(), PARSER), False
    for element in domain.iter("kernel", "initrd", "source"):
        if element.text in arrival.files:
            element.text, changed = arrival.files[element.text or ""], True
        for name in ("file", "dev"):
            if (path := element.get(name)) in arrival.files:
                element.set(name, arrival.files[str(path)])
                changed = True
    listening = [*domain.iterfind("devices/graphics[@listen]"), *domain.iterfind("devices/graphics/listen[@address]")]
    for element in listening if screens and arrival.listen else ():
        name = "listen" if element.tag == "graphics" else "address"
        changed = changed or element.get(name) != arrival.listen
        element.set(name, arrival.listen)
    return etree.tostring(domain, encoding="unicode") if changed else xml
