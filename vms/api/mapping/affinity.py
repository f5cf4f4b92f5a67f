"""Affinity groups of clusters, and affinity labels on machines and hosts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from vms.actions.affinity import affinity_of
from vms.api.document import Node
from vms.api.faults import invalid
from vms.domain.affinity import Polarity
from vms.models import VM, AffinityGroup, AffinityLabel, Cluster, Host
from vms.search.visible import visible

from .entity import MOST_IDS, Entity, Items, Link, of_each
from .fields import ABSENT, BOOLEAN, TEXT, Field, Reference, Schema, Telling, Type, list_of, listed


class _Decimal(Type):
    """A number with a fraction."""

    def schema(self) -> Schema:
        return {"type": "number"}

    def read(self, node: Node, path: str) -> Any:
        try:
            return float(node) if isinstance(node, str | int | float) and not isinstance(node, bool) else float("")
        except ValueError as error:
            raise invalid(path, node if isinstance(node, str) else "…", "a number") from error


class Members(Type):
    """Machines, hosts or labels in a list; one that has an address and nothing in it is a link that a client has
    read."""

    endless = True

    def __init__(self, collection: str, name: str) -> None:
        self._name, self._each = name, Reference(collection)

    def schema(self) -> Schema:
        return list_of(self._name, self._each.schema())

    def tell(self, value: Any, telling: Telling) -> Node:
        return {self._name: [self._each.tell(each, telling) for each in value]}

    def read(self, node: Node, path: str) -> Any:
        if isinstance(node, Mapping) and "href" in node and self._name not in node:
            return ABSENT
        refs = (self._each.read(each, f"{path}.{self._name}") for each in listed(node, self._name, path))
        return [ref for ref in refs if ref is not None]


# The members of groups: column, oVirt's word for the list, the collection, the word for one, what can be there, and the
# word in the address.
_MEMBERS: Final = (
    ("vms", "vms", "vms", "vm", VM, "vms"),
    ("hosts", "hosts", "hosts", "host", Host, "hosts"),
    ("vm_labels", "vm_labels", "affinitylabels", "affinity_label", AffinityLabel, "vmlabels"),
    ("host_labels", "host_labels", "affinitylabels", "affinity_label", AffinityLabel, "hostlabels"),
)
COLUMN_OF: Final = {rel: column for column, _list, _collection, _name, _model, rel in _MEMBERS}


def _seen(model: type[Any], telling: Telling) -> QuerySet[Any]:
    assert telling.user is not None
    return AffinityLabel.objects.all() if model is AffinityLabel else visible(model, telling.user).order_by("name")


def _inside(*columns: tuple[str, type[Any]]) -> Any:
    """Has rows know which of their members somebody sees: a query for each column."""

    def prefetch(rows: Sequence[Any], telling: Telling) -> None:
        seen = [Prefetch(column, _seen(model, telling)) for column, model in columns]
        for start in range(0, len(rows), MOST_IDS):
            prefetch_related_objects(list(rows[start : start + MOST_IDS]), *seen)

    return prefetch


def _member(name: str, collection: str) -> Entity:
    """A machine or host as what it is a member of tells it."""
    own = (Field("name", TEXT, lambda it: it.name),)
    return Entity(name=name, collection=collection, plural=collection, own=own)


# -- labels


def _on(column: str, model: type[Any]) -> Items:
    prefetch = _inside((column, model))

    def found(owners: Sequence[Any], telling: Telling) -> Mapping[Any, Sequence[Any]]:
        prefetch(owners, telling)
        return {label.pk: list(getattr(label, column).all()) for label in owners}

    return found


LABEL: Final = Entity(
    name="affinity_label",
    collection="affinitylabels",
    plural="affinity_labels",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("has_implicit_affinity_group", BOOLEAN, lambda it: it.implicit, "attribute.implicit"),
        Field("read_only", BOOLEAN, lambda _it: False),
        *(Field(name, Members(name, one), to=f"members.{name}") for name, one in (("vms", "vm"), ("hosts", "host"))),
    ),
    rows=lambda _user: AffinityLabel.objects.all(),
    links=(
        Link(rel="vms", entity=_member("vm", "vms"), items=_on("vms", VM)),
        Link(rel="hosts", entity=_member("host", "hosts"), items=_on("hosts", Host)),
    ),
)


def labels_of(model: type[Any]) -> Link:
    """The affinity labels of machines or of hosts."""
    owner = model._meta.model_name
    through = getattr(AffinityLabel, f"{owner}s").through

    def found(owners: Sequence[Any], _telling: Telling) -> Mapping[Any, Sequence[Any]]:
        by_owner: dict[Any, list[AffinityLabel]] = {}
        ids = [row.pk for row in owners]
        for start in range(0, len(ids), MOST_IDS):
            held = through.objects.filter(**{f"{owner}__in": ids[start : start + MOST_IDS]})
            for each in held.select_related("affinitylabel").order_by("affinitylabel__name"):
                by_owner.setdefault(getattr(each, f"{owner}_id"), []).append(each.affinitylabel)
        return by_owner

    return Link(rel="affinitylabels", entity=LABEL, items=found)


# -- groups


def _rule(name: str, which: str) -> tuple[Field, ...]:
    """A rule as oVirt says it: whether there is one, whether it attracts, and whether it is enforced."""
    polarity, enforcing = f"{which}_rule", f"{which}_enforcing"
    return (
        Field(f"{name}/enabled", BOOLEAN, lambda it: getattr(it, polarity) != Polarity.DISABLED, f"{polarity}.enabled"),
        Field(f"{name}/enforcing", BOOLEAN, lambda it: getattr(it, enforcing), f"{polarity}.enforcing"),
        Field(
            *(f"{name}/positive", BOOLEAN),
            *(lambda it: getattr(it, polarity) == Polarity.POSITIVE, f"{polarity}.positive"),
        ),
    )


def _of_clusters(clusters: Sequence[Cluster], telling: Telling) -> Mapping[Any, Sequence[Any]]:
    rows = list(AffinityGroup.objects.filter(cluster__in=[cluster.pk for cluster in clusters]).order_by("name"))
    _PREFETCH(rows, telling)
    by_cluster: dict[Any, list[AffinityGroup]] = {}
    for row in rows:
        by_cluster.setdefault(row.cluster_id, []).append(row)
    for cluster in clusters:
        groups = by_cluster.get(cluster.pk, [])
        broken = affinity_of(cluster).broken() if groups else {}
        names = {breach.group.name for found in broken.values() for breach in found if not breach.group.label}
        for group in groups:
            group.broken = group.name in names  # type: ignore[attr-defined]
    return by_cluster


_PREFETCH: Final = _inside(*((column, model) for column, _list, _collection, _name, model, _rel in _MEMBERS))

GROUP: Final = Entity(
    name="affinity_group",
    collection="affinitygroups",
    plural="affinity_groups",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("description", TEXT, lambda it: it.description, "attribute.description"),
        Field("priority", _Decimal(), lambda it: it.priority, "attribute.priority"),
        Field("broken", BOOLEAN, lambda it: it.broken),
        # The rule among machines as it was said before there was one about hosts; `vms_rule` beside them wins.
        Field("positive", BOOLEAN, lambda it: it.vms_rule == Polarity.POSITIVE, "legacy.positive"),
        Field("enforcing", BOOLEAN, lambda it: it.vms_enforcing, "legacy.enforcing"),
        *_rule("vms_rule", "vms"),
        *_rule("hosts_rule", "hosts"),
        Field("cluster", Reference("clusters"), lambda it: it.cluster_id),
        *(
            Field(
                *(inside, Members(collection, name)),
                lambda it, column=column: [each.pk for each in getattr(it, column).all()],  # type: ignore[misc]
                f"members.{column}",
            )
            for column, inside, collection, name, _model, _rel in _MEMBERS
        ),
    ),
    links=tuple(
        Link(
            rel=rel,
            entity=LABEL if model is AffinityLabel else _member(name, collection),
            items=of_each(lambda row, _telling, column=column: getattr(row, column).all()),  # type: ignore[misc]
            element=inside,
        )
        for column, inside, collection, name, model, rel in _MEMBERS
    ),
)
GROUPS: Final = Link(rel="affinitygroups", entity=GROUP, items=_of_clusters)
