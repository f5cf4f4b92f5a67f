"""The fields `affinity_group` and `affinity_label` of machines and hosts."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from vms.domain.search import Condition
from vms.models import AffinityGroup, AffinityLabel

from .fields import Asked, Field, alike


@dataclass(frozen=True)
class _Labelled(Field):
    """The labels that are on a row."""

    owner: str

    def equal(self, condition: Condition, asked: Asked) -> Q:
        through = getattr(AffinityLabel, f"{self.owner}s").through
        held = through.objects.filter(alike("affinitylabel__name", condition.value.parts, asked))
        return Q(pk__in=held.values(self.owner))


@dataclass(frozen=True)
class _Grouped(Field):
    """The groups that a row is in, by itself or by one of its labels; only those that may be seen."""

    owner: str

    def equal(self, condition: Condition, asked: Asked) -> Q:
        meant = asked.visible(AffinityGroup).filter(alike("name", condition.value.parts, asked)).values("pk")
        own = getattr(AffinityGroup, f"{self.owner}s").through.objects.filter(affinitygroup__in=meant)
        named = getattr(AffinityGroup, f"{self.owner}_labels").through.objects.filter(affinitygroup__in=meant)
        worn = getattr(AffinityLabel, f"{self.owner}s").through.objects
        # Of a group in another cluster a label stands for nothing here.
        there = asked.visible(AffinityGroup).filter(pk__in=meant).values("cluster")
        by_label = worn.filter(affinitylabel__in=named.values("affinitylabel"), **{f"{self.owner}__cluster__in": there})
        # One set of rows, and no "or" of two: PostgreSQL would read the whole table through for that.
        return Q(pk__in=own.values(self.owner).union(by_label.values(self.owner)))


def affinity_of(model: type[Any]) -> dict[str, Field]:
    """The fields of machines or of hosts."""
    owner = str(model._meta.model_name)
    return {"affinity_group": _Grouped(owner), "affinity_label": _Labelled(owner)}
