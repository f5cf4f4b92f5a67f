"""libvirt's ways to ask about a running guest, and its flat answers as our values."""

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import libvirt
import libvirt_qemu

from vms.domain.errors import Refusal
from vms.domain.guest import (
    MANY,
    FileSystem,
    Guest,
    GuestAddress,
    GuestUser,
    Source,
    System,
    Told,
    Zone,
    text,
    valid_address,
)

from .base import HEARD, Ran

ANSWERS_WITHIN: Final = 3  # seconds for each of the agent's answers
BEGINS_WITHIN: Final = 10  # seconds: a guest that is busy takes its time to run anything
LOOKS_EVERY: Final = 0.3  # seconds between two looks whether a program has ended
# Red Hat's agents come so: guest-exec is on the list of what they refuse.
_NO_PROGRAM: Final = re.compile(r"Failed to (execute|create)|No such file|cannot find the (file|path)")
_FAILED: Final = re.compile(r"agent command|parse JSON|malformed", re.IGNORECASE)
_FORBIDS: Final = re.compile(r"has been disabled|CommandNotFound|has not been found|not allowed")

# What there is instead of an answer.
SILENT: Final = frozenset(
    {
        libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
        libvirt.VIR_ERR_AGENT_UNSYNCED,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
        libvirt.VIR_ERR_OPERATION_INVALID,
    }
)
_SOURCES: Final = {
    Source.AGENT: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
    Source.LEASE: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
    Source.ARP: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
}

Info = Mapping[str, Any]


def ask(domain: Any, *, arp: bool) -> Guest:
    """Ask the guest's agent, and the host about its addresses; `arp` where the host can tell from its neighbours."""
    told = _agent_told(domain)
    others = [source for source in Source if source != Source.AGENT and (arp or source != Source.ARP)]
    sources = ([Source.AGENT] if told is not None else []) + others
    answers = {source: _addresses(domain, source) for source in sources}
    addresses = {source: answer for source, answer in answers.items() if answer is not None}
    if told is None:
        return Guest(addresses=addresses)
    version = _version(domain)
    return Guest(agent=True, fqdn=text(told.get("hostname", "")), told=_told(told, version), addresses=addresses)


def knows_neighbours(domain: Any) -> bool:
    """Whether the host's table of neighbours can be read: libvirt 9.0 cannot read that of a newer kernel (measured)."""
    return _addresses(domain, Source.ARP) is not None


def begin(domain: Any, command: Sequence[str]) -> bool:
    """Have the agent run a program, and do not wait for its end; False where no agent answers."""
    program, *arguments = command
    asked = {"execute": "guest-exec", "arguments": {"path": program, "arg": arguments}}
    try:
        libvirt_qemu.qemuAgentCommand(domain, json.dumps(asked), ANSWERS_WITHIN, 0)
    except libvirt.libvirtError as error:
        if error.get_error_code() in SILENT:
            return False
        raise
    return True


def run(domain: Any, command: Sequence[str], within: float) -> Ran:
    """Run a program in the guest and wait for its end; everything that an agent might say instead is a refusal."""
    program, *arguments = command
    until = time.monotonic() + within
    asked = {"path": program, "arg": arguments, "capture-output": True}
    try:
        begun = _execute(domain, "guest-exec", asked)
    except Refusal as no:
        if _NO_PROGRAM.search(str(no.params)):
            return Ran(127, text(no.params["message"]))
        raise
    pid = begun.get("pid")
    if not isinstance(pid, int):
        raise Refusal("GUEST_AGENT_ANSWER_ILLEGAL", None, message=text(begun))
    while time.monotonic() < until:
        try:
            state = _execute(domain, "guest-exec-status", {"pid": pid})
        except Refusal as no:
            if no.code != "GUEST_AGENT_SILENT":  # a busy guest is silent for a while
                raise
            state = {}
        if state.get("exited"):
            return _ran(state)
        time.sleep(LOOKS_EVERY)
    raise Refusal("GUEST_PROGRAM_HANGS", None, seconds=round(within))


def _execute(domain: Any, name: str, arguments: Info) -> dict[str, Any]:
    asked = json.dumps({"execute": name, "arguments": arguments})
    try:
        told = json.loads(libvirt_qemu.qemuAgentCommand(domain, asked, BEGINS_WITHIN, 0))["return"]
    except libvirt.libvirtError as error:
        if error.get_error_code() in SILENT:
            raise Refusal("GUEST_AGENT_SILENT") from error
        if _FORBIDS.search(str(error)):
            raise Refusal("GUEST_AGENT_FORBIDS") from error
        if _FAILED.search(str(error)):
            raise Refusal("GUEST_AGENT_ANSWER_ILLEGAL", None, message=text(error)) from error
        raise
    except (ValueError, LookupError, TypeError) as error:
        raise Refusal("GUEST_AGENT_ANSWER_ILLEGAL", None, message=text(error)) from error
    if not isinstance(told, dict):
        raise Refusal("GUEST_AGENT_ANSWER_ILLEGAL", None, message=text(told))
    return told


def _ran(state: Info) -> Ran:
    try:
        said = base64.b64decode(state.get("out-data") or "", validate=True)[:HEARD]
        return Ran(int(state.get("exitcode", -1)), said.decode(errors="replace").replace("\0", ""))
    except (ValueError, TypeError) as error:
        raise Refusal("GUEST_AGENT_ANSWER_ILLEGAL", None, message=text(error)) from error


def _agent_told(domain: Any) -> Info | None:
    """Everything that the agent can tell; None when none answers."""
    try:
        domain.agentSetResponseTimeout(ANSWERS_WITHIN)
        told: Info = domain.guestInfo(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() in SILENT:
            return None
        raise
    return told


def _version(domain: Any) -> str:
    """The agent's own version, which libvirt does not pass on."""
    try:
        answer = json.loads(libvirt_qemu.qemuAgentCommand(domain, '{"execute": "guest-info"}', ANSWERS_WITHIN, 0))
        return text(answer["return"]["version"], 40)
    except (libvirt.libvirtError, ValueError, LookupError, TypeError):
        return ""


def _addresses(domain: Any, source: Source) -> tuple[GuestAddress, ...] | None:
    """What one source tells; None when it cannot."""
    try:
        interfaces = domain.interfaceAddresses(_SOURCES[source])
    except libvirt.libvirtError:
        return None
    return tuple(_told_by(source, interfaces))[:MANY]


def _told_by(source: Source, interfaces: Mapping[str, Any]) -> Iterator[GuestAddress]:
    for name, interface in interfaces.items():
        for each in interface.get("addrs") or ():
            address = valid_address(each.get("addr"))
            if address and not address.startswith("127.") and address != "::1":
                mac = text(interface.get("hwaddr") or "", 17)
                yield GuestAddress(address=address, source=source, mac=mac, interface=text(name, 40))


def _told(info: Info, version: str) -> Told:
    """libvirt's typed parameters as they come: `user.0.name`, `fs.1.mountpoint`, `os.pretty-name`."""
    return Told(
        agent_version=version,
        system=System(
            name=text(info.get("os.pretty-name") or info.get("os.name") or ""),
            version=text(info.get("os.version") or info.get("os.version-id") or ""),
            distribution=text(info.get("os.id", "")),
            kernel=text(info.get("os.kernel-release", "")),
            architecture=text(info.get("os.machine", "")),
        ),
        zone=Zone(name=text(info.get("timezone.name", "")), offset=int(info.get("timezone.offset", 0))),
        users=tuple(_users(info)),
        filesystems=tuple(_filesystems(info)),
    )


def _users(info: Info) -> Iterator[GuestUser]:
    for part in _each(info, "user"):
        since = part.get("login-time")
        yield GuestUser(
            name=text(part.get("name", "")),
            domain=text(part.get("domain", "")),
            since=datetime.fromtimestamp(int(since) // 1000, UTC) if since and int(since) < _FAR else None,
        )


def _filesystems(info: Info) -> Iterator[FileSystem]:
    for part in _each(info, "fs"):
        yield FileSystem(
            path=text(part.get("mountpoint", "")),
            kind=text(part.get("fstype", ""), 40),
            total=part.get("total-bytes"),
            used=part.get("used-bytes"),
        )


_FAR: Final = 32_503_680_000_000  # milliseconds until the year 3000: a guest's clock may say anything


def _each(info: Info, kind: str) -> Iterator[Info]:
    """The parts of one kind, each without the number before its names."""
    for number in range(min(int(info.get(f"{kind}.count", 0)), MANY)):
        start = f"{kind}.{number}."
        yield {key.removeprefix(start): value for key, value in info.items() if key.startswith(start)}
