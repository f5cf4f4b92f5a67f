"""Values of a machine in people's words: the same in General, in what is pending, and when somebody is asked back."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from vms.domain.osinfo import OPERATING_SYSTEMS
from vms.models import Disk
from vms.models.choices import (
    BOOT_DEVICES,
    DISCONNECT_ACTIONS,
    FIRMWARES,
    MIGRATIONS,
    RECORDINGS,
    RNG_SOURCES,
    SERIAL_POLICIES,
    SIGN_ONS,
    VM_TYPES,
    WATCHDOG_ACTIONS,
)

_CHOICES: Final[Mapping[str, Mapping[str, Any]]] = {
    "firmware": dict(FIRMWARES),
    "vm_type": dict(VM_TYPES),
    "migration": dict(MIGRATIONS),
    "disconnect_action": dict(DISCONNECT_ACTIONS),
    "sso": dict(SIGN_ONS),
    "recording": dict(RECORDINGS),
    "watchdog": dict(WATCHDOG_ACTIONS),
    "os": {key: system.name for key, system in OPERATING_SYSTEMS.items()},
}


def told(key: str, value: Any) -> str:
    """A value of `MachineSpec.shape()`, or of a part of the machine, by its key."""
    if isinstance(value, bool):
        return _("Enabled") if value else _("Disabled")
    if key in _SPECIAL and value not in (None, ""):
        return _SPECIAL[key](value)
    if value in (None, "", (), "None"):
        return _("None")
    if key in _CHOICES:
        return str(_CHOICES[key][str(value)])
    return str(value)


def _memory(mib: int) -> str:
    return f"{mib} MiB" if mib else _("as the memory size")


def _cpu(topology: tuple[int, int, int]) -> str:
    sockets, cores, threads = topology
    return f"{sockets * cores * threads} ({sockets}:{cores}:{threads})"


def _serial_number(told: tuple[str, str]) -> str:
    policy, value = told
    return value or str(dict(SERIAL_POLICIES)[str(policy)])


def _boot_devices(order: str) -> str:
    names = dict(BOOT_DEVICES)
    return " → ".join(str(names[device]) for device in order.split(","))


def _rng(limits: tuple[Any, ...]) -> str:
    if not limits:
        return _("None")
    source, amount, period = limits
    name = dict(RNG_SOURCES)[str(source)]
    if amount is None:
        return str(name)
    if period is None:
        return _("%(source)s, at most %(bytes)s bytes in a period") % {"source": name, "bytes": amount}
    limit = {"source": name, "bytes": amount, "period": period}
    return _("%(source)s, at most %(bytes)s bytes in %(period)s ms") % limit


def _properties(told: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in told) or _("None")


def _cd(file: str) -> str:
    """A CD on storage by its disk's name, a file of the boot library by its own."""
    try:
        disk = Disk.objects.filter(pk=UUID(file)).first()
    except ValueError:
        return file
    return disk.name if disk else file


def _disks(told: tuple[tuple[UUID, str, bool, bool], ...]) -> str:
    names = dict(Disk.objects.filter(pk__in=[each[0] for each in told]).values_list("pk", "name"))
    return ", ".join(names.get(each[0], str(each[0])) for each in told)


_SPECIAL: Final[Mapping[str, Callable[[Any], str]]] = {
    "cd": _cd,
    "disks": _disks,
    **dict.fromkeys(("memory", "maximum_memory", "guaranteed_memory"), _memory),
    "cpu": _cpu,
    "serial_number": _serial_number,
    "boot_devices": _boot_devices,
    "rng": _rng,
    "custom_properties": _properties,
    "cpu_shares": lambda shares: str(shares) if shares else _("as the host weighs it"),
}
