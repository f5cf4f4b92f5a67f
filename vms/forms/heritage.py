"""Where the value of a field comes from, and the way back to what is inherited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from vms.domain.console import Offer
from vms.domain.machine import MachineSpec
from vms.messages import Text

from .console import CONSOLE_FIELDS
from .parts import Values, fields_of, plain, values_of


@dataclass(frozen=True)
class Source:
    """Something that hands down parts of its machine; `label` names it."""

    label: str
    spec: MachineSpec
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where one value comes from; an own one can be reset to what `inherited` tells."""

    label: str
    own: bool
    inherited: str


@dataclass(frozen=True)
class Heirloom:
    """What one field inherits, and from which source."""

    source: str
    value: object


def handed_down(sources: Iterable[Source], offer: Offer) -> dict[str, Heirloom]:
    """Field → what it inherits; a later source wins over an earlier one."""
    heirlooms: dict[str, Heirloom] = {}
    for source in sources:
        values = values_of(source.spec, offer)
        names = (*fields_of(source.parts), *(CONSOLE_FIELDS if "console" in source.parts else ()))
        heirlooms |= {name: Heirloom(source.label, values[name]) for name in names}
    return heirlooms


def origin(heirloom: Heirloom, value: object, told: str) -> Origin:
    """Where a value comes from, given what its field would inherit; `told` is that in people's words."""
    own = plain(value) != plain(heirloom.value)
    return Origin(_("own value") if own else heirloom.source, own, told)


def fits(values: Values, heirlooms: Mapping[str, Heirloom], names: Iterable[str]) -> bool:
    """Whether the values of these fields are those that are inherited."""
    return all(plain(values[name]) == plain(heirlooms[name].value) for name in names)


def in_words(field: object, value: object) -> Text:
    """A value of a field as a person would say it."""
    if isinstance(value, bool) or str(value) in {"True", "False"}:
        return _("on") if str(value) == "True" else _("off")
    choices: Mapping[str, Text] = {str(key): label for key, label in getattr(field, "choices", ())}
    if isinstance(value, list):
        return ", ".join(str(choices.get(each, each)) for each in value) or _("any")
    return choices.get(plain(value), plain(value)) or _("nothing")
