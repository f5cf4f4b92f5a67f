"""WebAdmin's sections, as one table."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

from vms.messages import Text

from . import kinds, places

_ICONS: Final = {"vm": "fa-server", "template": "fa-stamp", "pool": "fa-layer-group", "instance_type": "fa-ruler"}
_PLACES: Final = {"data_center": "fa-building", "cluster": "fa-object-group", "host": "fa-hdd"}


@dataclass(frozen=True)
class Section:
    """One entry of the menu; `current` when the page is in there."""

    title: Text
    url: str
    icon: str
    current: bool


def sections(request: HttpRequest) -> list[Section]:
    """Every section with its address."""
    entries = [(kind.title, kind.at(request)["list"], _ICONS[kind.name]) for kind in kinds.KINDS]
    entries += [(place.title, place.at("list"), _PLACES[place.name]) for place in places.PLACES]
    return [Section(title, url, icon, request.path.startswith(url)) for title, url, icon in entries]
