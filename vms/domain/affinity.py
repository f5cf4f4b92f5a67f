"""Affinity: which machines run together or apart, on which hosts, and what a place of one of them would break."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

PRIORITY: Final = (0.0, 1_000_000.0)
NAME_LENGTH: Final = 255


class Polarity(StrEnum):
    """Whether what a rule names attracts or repels; oVirt's words."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    DISABLED = "disabled"


class Broken(StrEnum):
    """What is wrong with a machine's place, by the code that it is refused with."""

    APART = "AFFINITY_FAILED_POSITIVE"
    TOGETHER = "AFFINITY_FAILED_NEGATIVE"
    ELSEWHERE = "AFFINITY_FAILED_HOSTS_POSITIVE"
    SHUNNED = "AFFINITY_FAILED_HOSTS_NEGATIVE"
    UNLABELLED = "AFFINITY_FAILED_LABEL"
    COMPANION = "AFFINITY_FAILED_COMPANION"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a group: an enforcing one holds always, the other is a wish."""

    polarity: Polarity = Polarity.DISABLED
    enforcing: bool = True

    @property
    def positive(self) -> bool:
        return self.polarity == Polarity.POSITIVE

    @property
    def negative(self) -> bool:
        return self.polarity == Polarity.NEGATIVE


@dataclass(frozen=True, slots=True)
class Group:
    """Machines and hosts with a rule among the machines and one between machines and hosts.

    What labels stand for is among them already; a `label` by itself is a group, too, that ties its machines to its
    hosts.
    """

    name: str
    vms: frozenset[UUID]
    hosts: frozenset[UUID] = frozenset()
    vms_rule: Rule = field(default_factory=Rule)
    hosts_rule: Rule = field(default_factory=Rule)
    priority: float = 1.0
    label: bool = False

    @property
    def ties(self) -> bool:
        """Whether machines have to keep to its hosts; a group without hosts is not finished, a label without is."""
        return self.hosts_rule.positive and bool(self.hosts or self.label)


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that a machine breaks on a host; `others` are the machines that it is about."""

    what: Broken
    group: Group
    enforcing: bool
    others: frozenset[UUID] = frozenset()
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Enforcing rules that no placement can keep: the groups that say so, and the machines that they are about."""

    groups: tuple[str, ...]
    vms: frozenset[UUID]
    hosts: bool  # no host is left, rather than together and apart at once


@dataclass(frozen=True, slots=True)
class Affinity:
    """The groups of a cluster, and the host where each of their machines runs or is about to."""

    groups: tuple[Group, ...] = ()
    where: Mapping[UUID, UUID] = field(default_factory=dict)

    def of(self, vm: UUID) -> Iterator[Group]:
        """The groups that a machine is in."""
        return (group for group in self.groups if vm in group.vms)

    def breaches(self, vm: UUID, host: UUID) -> list[Breach]:
        """What a machine breaks on a host."""
        return [breach for group in self.of(vm) for breach in self._breaches(group, vm, host)]

    def forbids(self, vm: UUID, host: UUID) -> Breach | None:
        """The enforcing rule for which a machine may not be on a host; None where it may.

        A host that its companions may not be on is none for it either: they would have to follow.
        """
        if found := next((breach for breach in self.breaches(vm, host) if breach.enforcing), None):
            return found
        together = self.company(vm)
        others = self.without(together)
        for companion in sorted(together - {vm}):
            for breach in others.breaches(companion, host):
                if breach.enforcing:
                    return Breach(Broken.COMPANION, breach.group, True, frozenset({companion}))
        return None

    def cost(self, vm: UUID, host: UUID) -> float:
        """How much a place displeases the wishes; the higher a group's priority, the more it weighs."""
        wishes = (breach for breach in self.breaches(vm, host) if not breach.enforcing)
        return sum((1 + breach.group.priority) * breach.weight for breach in wishes)

    def company(self, vm: UUID) -> frozenset[UUID]:
        """The machines that have to run where a machine runs, itself among them."""
        return company(self.groups, vm)

    def broken(self) -> dict[UUID, list[Breach]]:
        """What each machine breaks where it is."""
        machines = {vm for group in self.groups for vm in group.vms} & self.where.keys()
        found = {vm: self.breaches(vm, self.where[vm]) for vm in sorted(machines)}
        return {vm: breaches for vm, breaches in found.items() if breaches}

    def without(self, vms: Iterable[UUID]) -> Self:
        """The same while these machines are nowhere."""
        gone = set(vms)
        return replace(self, where={vm: host for vm, host in self.where.items() if vm not in gone})

    def placed(self, vm: UUID, host: UUID) -> Self:
        """The same with a machine on a host."""
        return replace(self, where={**self.where, vm: host})

    def _breaches(self, group: Group, vm: UUID, host: UUID) -> Iterator[Breach]:
        if wrong := _wrong_host(group, host):
            yield Breach(wrong, group, group.hosts_rule.enforcing)
        rule, at = group.vms_rule, {other: self.where[other] for other in group.vms - {vm} if other in self.where}
        if rule.negative and host in at.values():
            others = frozenset(other for other, place in at.items() if place == host)
            yield Breach(Broken.TOGETHER, group, rule.enforcing, others, len(others))
        # Of a group that is torn apart already, the place of most counts.
        if rule.positive and at and host not in _most(at.values()):
            home = _most(at.values())
            others = frozenset(other for other, place in at.items() if place in home)
            yield Breach(Broken.APART, group, rule.enforcing, others, sum(place != host for place in at.values()))


def company(groups: Iterable[Group], vm: UUID) -> frozenset[UUID]:
    """The machines that enforcing rules keep together with a machine, itself among them."""
    bound = [group.vms for group in groups if group.vms_rule.positive and group.vms_rule.enforcing]
    found, before = frozenset({vm}), frozenset[UUID]()
    while found != before:
        before, found = found, found.union(*(vms for vms in bound if vms & found))
    return found


def contradiction(groups: Iterable[Group]) -> Contradiction | None:
    """What no placement can keep of the enforcing rules; None where all can be kept, as far as the groups tell.

    A rule about hosts that names none is not finished, and contradicts nothing yet.
    """
    known, seen = tuple(groups), set[UUID]()
    for vm in sorted({vm for group in known for vm in group.vms}):
        if vm in seen:
            continue
        together = company(known, vm)
        seen |= together
        if found := _torn(known, together) or _homeless(known, together):
            return found
    return None


def _torn(groups: tuple[Group, ...], together: frozenset[UUID]) -> Contradiction | None:
    for group in groups:
        rule = group.vms_rule
        if rule.negative and rule.enforcing and len(both := group.vms & together) > 1:
            joining = [
                each.name
                for each in groups
                if each.vms_rule.positive and each.vms_rule.enforcing and each.vms & together
            ]
            return Contradiction((group.name, *joining), both, hosts=False)
    return None


def _homeless(groups: tuple[Group, ...], together: frozenset[UUID]) -> Contradiction | None:
    told = [each for each in groups if each.vms & together and each.hosts_rule.enforcing and each.hosts]
    tying = [each for each in told if each.hosts_rule.positive]
    shunning = [each for each in told if each.hosts_rule.negative]
    if not tying:
        return None
    left = frozenset.intersection(*(each.hosts for each in tying))
    if left - frozenset[UUID]().union(*(each.hosts for each in shunning)):
        return None
    return Contradiction(tuple(each.name for each in (*tying, *shunning)), together, hosts=True)


def _wrong_host(group: Group, host: UUID) -> Broken | None:
    if group.ties and host not in group.hosts:
        return Broken.UNLABELLED if group.label else Broken.ELSEWHERE
    return Broken.SHUNNED if group.hosts_rule.negative and host in group.hosts else None


def _most(hosts: Iterable[UUID]) -> frozenset[UUID]:
    """The hosts that are named most often."""
    counted = Counter(hosts)
    return frozenset(host for host, count in counted.items() if count == max(counted.values()))
