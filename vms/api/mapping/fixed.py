"""What clients ask for and no table holds: the operating systems, an icon, settings, and what there is none of yet."""

import base64
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from vms.api.document import Node, Tree
from vms.domain.console import Level
from vms.domain.machine import CPU_SHARES, PRIORITY
from vms.domain.osinfo import OPERATING_SYSTEMS, OperatingSystem
from vms.domain.parts import CPUS
from vms.models import ActionGroup
from vms.models.machines import BLANK

from .devices import bare
from .entity import Entity
from .fields import TEXT, Field, Reference, Schema, Telling, Type, list_of, object_of
from .people import AUTHZ, DOMAIN_ID

_NAMESPACE: Final = UUID("6f0c5a0e-5d0c-4a52-9d8a-0d2b3f9a7c11")


@dataclass(frozen=True, slots=True)
class Fixed:
    """One thing that is always there."""

    pk: Any
    told: Tree


def _system(system: OperatingSystem) -> Fixed:
    told = {"name": system.key, "description": system.name, "architecture": "x86_64", "tpm_support": "supported"}
    return Fixed(uuid5(_NAMESPACE, f"os/{system.key}"), told)


# A screen on a stand, for lists that show a picture beside each machine.
_PICTURE: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="120" viewBox="0 0 150 120">'
    '<rect x="15" y="12" width="120" height="78" rx="6" fill="#4d5258"/>'
    '<rect x="22" y="19" width="106" height="64" fill="#d1d1d1"/><path d="M60 90h30v12h15v6H45v-6h15z" fill="#4d5258"/>'
    "</svg>"
)
ICON_ID: Final = uuid5(_NAMESPACE, "icon/default")
ICONS: Final = (Fixed(ICON_ID, {"media_type": "image/svg+xml", "data": base64.b64encode(_PICTURE.encode()).decode()}),)

_OPTIONS: Final = {
    "MaxNumOfVmCpus": CPUS,
    "MaxNumOfVmSockets": CPUS,
    "MaxNumOfCpuPerSocket": CPUS,
    "MaxNumOfThreadsPerCpu": CPUS,
    "MaxVmNameLength": 64,
    "VmPriorityMaxValue": PRIORITY[1],
    "CpuSharesMaximum": CPU_SHARES[1],
    "ClientModeVncDefault": "NoVnc",
    "ClientModeSpiceDefault": "Native",
    "ClientModeConsoleDefault": "vnc",
    "DefaultGeneralTimeZone": "Etc/GMT",
    "DefaultWindowsTimeZone": "GMT Standard Time",
    "UserSessionTimeOutInterval": 30,
    "SpiceUsbAutoShare": "true",
    "WebSocketProxy": "Off",
}


# The pictures of whatever has one; portals show them beside it.
ICONS_OF: Final = tuple(Field(f"{size}_icon", Reference("icons"), lambda _it: ICON_ID) for size in ("large", "small"))


def _option(name: str, value: object) -> Fixed:
    return Fixed(name, {"name": name, "values": str(value)})


class _Values(Type):
    """The values of a setting; of each there is one, for all levels."""

    def schema(self) -> Schema:
        return list_of("system_option_value", object_of(value=TEXT.schema(), version=TEXT.schema()))

    def tell(self, value: str, telling: Telling) -> Node:
        return {"system_option_value": [{"value": value, "version": "general"}]}


def _fixed(name: str, collection: str, plural: str, *members: str, more: tuple[Field, ...] = ()) -> Entity:
    own = tuple(Field(member, TEXT, lambda it, member=member: it.told.get(member)) for member in members)  # type: ignore[misc]
    return Entity(name=name, collection=collection, plural=plural, own=(*own, *more))


_OF_SYSTEM: Final = ("name", "description", "architecture", "tpm_support")
SYSTEM: Final = _fixed("operating_system", "operatingsystems", "operating_systems", *_OF_SYSTEM, more=ICONS_OF)
ICON: Final = _fixed("icon", "icons", "icons", "media_type", "data")
OPTION: Final = Entity(
    name="system_option",
    collection="options",
    plural="system_options",
    own=(
        Field("name", TEXT, lambda it: it.told["name"]),
        Field("values", _Values(), lambda it: it.told["values"]),
    ),
)
DOMAIN: Final = _fixed("domain", "domains", "domains", "name")
POLICY: Final = _fixed("scheduling_policy", "schedulingpolicies", "scheduling_policies", "name", "description")
POLICY_ID: Final = uuid5(_NAMESPACE, "schedulingpolicy/most-memory-left")


class _Permits(Type):
    """What roles may grant; a permit's name is its id."""

    def schema(self) -> Schema:
        return list_of("permit", object_of(id=TEXT.schema(), name=TEXT.schema()))

    def tell(self, value: tuple[str, ...], telling: Telling) -> Node:
        return {"permit": [{"id": name, "name": name} for name in value]}


LEVEL: Final = Entity(
    name="cluster_level",
    collection="clusterlevels",
    plural="cluster_levels",
    own=(Field("permits", _Permits(), lambda it: it.told["permits"]),),
)
_LEVELS: Final = tuple(Fixed(level.value, {"permits": tuple(ActionGroup.values)}) for level in Level)

FIXED: Final[tuple[tuple[Entity, tuple[Fixed, ...]], ...]] = (
    (SYSTEM, tuple(_system(each) for each in OPERATING_SYSTEMS.values())),
    (ICON, ICONS),
    (LEVEL, _LEVELS),
    (OPTION, tuple(_option(*each) for each in _OPTIONS.items())),
    (DOMAIN, (Fixed(DOMAIN_ID, {"name": AUTHZ}),)),
    (POLICY, (Fixed(POLICY_ID, {"name": "most_memory_left", "description": "The host with the most memory left"}),)),
)
ROOT_TAG: Final = Fixed(BLANK, {"name": "root", "description": "above all tags"})
TAG_AT_THE_TOP: Final = _fixed("tag", "tags", "tags", "name", "description")
# What the product does not have yet; there truly is none of it.
NONE_YET: Final = (
    *(bare("disk_profile", "diskprofiles"), bare("network_filter", "networkfilters")),
    bare("group", "groups"),
)
