"""WebAdmin's sections, as one table."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from vms.messages import Text

from . import affinity, kinds, places, storage

_ICONS: Final = {
    "vm": "fa-server",
    "template": "fa-stamp",
    "pool": "fa-layer-group",
    "instance_type": "fa-ruler",
    "host": "fa-hdd",
    "cluster": "fa-object-group",
    "data_center": "fa-building",
    "network": "fa-network-wired",
    "vnic_profile": "fa-ethernet",
    "mac_pool": "fa-barcode",
    "affinity_group": "fa-magnet",
    "affinity_label": "fa-bookmark",
    "storage_domain": "fa-database",
    "disk": "fa-compact-disc",
}
# Pages that are about no kind of thing: address, title, icon.
_HOME: Final = ("home", _("Dashboard"), "fa-tachometer-alt")
_WHOLE: Final = (
    ("tags", _("Tags"), "fa-tags"),
    ("events", _("Events"), "fa-bell"),
    ("tasks", _("Tasks"), "fa-tasks"),
)
_COMPUTE: Final = (places.HOSTS, places.CLUSTERS, places.DATA_CENTERS)
_NETWORK: Final = (places.NETWORKS, places.PROFILES, places.MAC_POOLS)


@dataclass(frozen=True)
class Section:
    """One entry of the menu; `current` when the page is in there."""

    title: Text
    url: str
    icon: str
    current: bool


@dataclass(frozen=True)
class Group:
    """Sections that belong together, as oVirt's menu has them; the first has no title."""

    title: Text
    sections: list[Section]


def groups(request: HttpRequest) -> list[Group]:
    """The whole menu."""

    def section(title: Text, url: str, icon: str) -> Section:
        return Section(title, url, icon, _is_in(request.path, url))

    def of(*shown: places.PlaceKind) -> list[Section]:
        return [section(place.title, place.at("list"), _ICONS[place.name]) for place in shown]

    def whole(*pages: tuple[str, Text, str]) -> list[Section]:
        return [section(title, reverse(name), icon) for name, title, icon in pages]

    machines = [section(kind.title, kind.at(request)["list"], _ICONS[kind.name]) for kind in kinds.KINDS]
    return [
        Group("", whole(_HOME)),
        Group(_("Compute"), [*machines, *of(*_COMPUTE, *affinity.AFFINITY)]),
        Group(_("Network"), of(*_NETWORK)),
        Group(_("Storage"), of(*storage.STORED)),
        Group(_("Administration"), whole(*_WHOLE)),
    ]


def _is_in(path: str, url: str) -> bool:
    return path.startswith(url) if url != "/" else path == url
