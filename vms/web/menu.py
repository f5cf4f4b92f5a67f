"""WebAdmin's sections, as one table."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from vms.messages import Text

from . import affinity, kinds, places, storage

_ICONS: Final = {"vm": "fa-server", "template": "fa-stamp", "pool": "fa-layer-group", "instance_type": "fa-ruler"}
_PLACES: Final = {
    "storage_domain": "fa-database",
    "disk": "fa-compact-disc",
    "data_center": "fa-building",
    "cluster": "fa-object-group",
    "host": "fa-hdd",
    "network": "fa-network-wired",
    "vnic_profile": "fa-ethernet",
    "mac_pool": "fa-barcode",
    "affinity_group": "fa-magnet",
    "affinity_label": "fa-bookmark",
}
_WHOLE: Final[tuple[tuple[str, Text, str], ...]] = (
    ("tags", _("Tags"), "fa-tags"),
    ("events", _("Events"), "fa-bell"),
    ("tasks", _("Tasks"), "fa-tasks"),
)


@dataclass(frozen=True)
class Section:
    """One entry of the menu; `current` when the page is in there."""

    title: Text
    url: str
    icon: str
    current: bool


def sections(request: HttpRequest) -> list[Section]:
    """Every section with its address."""
    entries: list[tuple[Text, str, str]] = [(_("Dashboard"), reverse("home"), "fa-tachometer-alt")]
    entries += [(kind.title, kind.at(request)["list"], _ICONS[kind.name]) for kind in kinds.KINDS]
    shown = (*places.PLACES, *affinity.AFFINITY, *storage.STORED)
    entries += [(place.title, place.at("list"), _PLACES[place.name]) for place in shown]
    entries += [(title, reverse(name), icon) for name, title, icon in _WHOLE]
    return [Section(title, url, icon, _is_in(request.path, url)) for title, url, icon in entries]


def _is_in(path: str, url: str) -> bool:
    return path.startswith(url) if url != "/" else path == url
