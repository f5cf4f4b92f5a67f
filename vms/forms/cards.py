"""The network cards of a new machine, a row for each: on which profile it is to be, as the template hands it down."""

from dataclasses import replace
from typing import Any, Final

from vms.actions import nics
from vms.actions.nics import Card
from vms.domain.machine import NICS
from vms.domain.networks import Nic, NicModel, next_card_name
from vms.models import Cluster, Template, User, VnicProfile
from vms.models.networks import MANAGEMENT

from .parts import Values

CARDS: Final = tuple(f"nic{number}" for number in range(1, NICS + 1))
NOT_THERE, NO_NETWORK = "", "none"


class CardRows:
    """What the rows offer and show; one more than there are cards, until there are as many as can be."""

    def __init__(self, template: Template, cluster: Cluster | None, by: User) -> None:
        self.handed_down = nics.copies(template)
        self.profiles = {str(each.pk): each for each in nics.usable(cluster, by)}

    def inherited(self) -> list[str]:
        """What the template hands down; a machine of one without cards begins with one on the network of all."""
        if self.handed_down:
            return [str(card.profile.pk) if card.profile else NO_NETWORK for card in self.handed_down]
        own = [key for key, each in self.profiles.items() if each.network.name == each.name == MANAGEMENT]
        return own[:1]

    def drawn(self, values: list[str]) -> Values:
        """The rows with their values; what was chosen last is followed by an empty one."""
        while values and values[-1] == NOT_THERE:
            values = values[:-1]
        return dict(zip(CARDS, [*values, NOT_THERE], strict=False))

    def chosen(self, values: Values) -> list[Card]:
        """The cards that rows stand for: those of the template with another network, and new ones."""
        found: list[Card] = []
        for number, name in enumerate(CARDS):
            value = values.get(name) or NOT_THERE
            if value != NOT_THERE:
                card = self.handed_down[number] if number < len(self.handed_down) else Card()
                found.append(replace(card, profile=self.profiles.get(value)))
        return found

    def described(self, values: Values) -> tuple[Nic, ...]:
        """The cards as parts of the machine that the dialog describes; their addresses are chosen when it is made."""
        described: list[Nic] = []
        for card in self.chosen(values):
            profile: VnicProfile | None = card.profile
            name = card.name or next_card_name(nic.name for nic in described)
            wire = profile.network.wire if profile else None
            model = NicModel(card.model)
            described.append(Nic(mac="", name=name, model=model, linked=card.linked, plugged=card.plugged, wire=wire))
        return tuple(described)


def posted(data: Any, prefix: Any) -> list[str] | None:
    """What rows say, as they were posted or are given; None where they say nothing."""
    said = [data.get(prefix(name)) for name in CARDS]
    return [str(value or NOT_THERE) for value in said] if any(value is not None for value in said) else None
