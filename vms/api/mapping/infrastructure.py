"""Where machines run: data centers, clusters and hosts; only read here."""

from typing import Any, Final

from django.db.models import QuerySet

from vms.models import Cluster, DataCenter, Host, User
from vms.routes import is_administrator

from .entity import Entity, Link, related
from .fields import BOOLEAN, NUMBER, SIZE, TEXT, Field, Reference
from .types import HOST_STATUS


def _version(cluster: Cluster, part: int) -> int:
    return int(cluster.level.split(".")[part])


def _memory(host: Host) -> int | None:
    offered = host.capabilities
    return offered.memory if offered else None


def _empty(_row: Any) -> str:
    return ""


def _clusters(user: User) -> QuerySet[Cluster]:
    return Cluster.objects.visible_to(user)


def _hosts(user: User) -> QuerySet[Host]:
    """Hosts are the administrators' affair."""
    rows = Host.objects.filter(cluster__in=Cluster.objects.visible_to(user).values("pk"))
    return rows if is_administrator(user) else rows.none()


CLUSTER: Final = Entity(
    name="cluster",
    collection="clusters",
    plural="clusters",
    own=(
        Field("name", TEXT, lambda it: it.name),
        Field("description", TEXT, lambda it: it.description),
        Field("comment", TEXT, _empty),
        Field("cpu/architecture", TEXT, lambda _it: "x86_64"),
        Field("data_center", Reference("datacenters"), lambda it: it.data_center_id),
        Field("version/major", NUMBER, lambda it: _version(it, 0)),
        Field("version/minor", NUMBER, lambda it: _version(it, 1)),
    ),
    rows=_clusters,
)

DATA_CENTER: Final = Entity(
    name="data_center",
    collection="datacenters",
    plural="data_centers",
    own=(
        Field("name", TEXT, lambda it: it.name),
        Field("description", TEXT, lambda it: it.description),
        Field("comment", TEXT, _empty),
        Field("local", BOOLEAN, lambda _it: False),
        Field("status", TEXT, lambda _it: "up"),
    ),
    rows=lambda user: DataCenter.objects.visible_to(user),
    links=(Link(rel="clusters", entity=CLUSTER, items=related(_clusters, "data_center_id")),),
)

HOST: Final = Entity(
    name="host",
    collection="hosts",
    plural="hosts",
    own=(
        Field("name", TEXT, lambda it: it.name),
        Field("description", TEXT, _empty),
        Field("comment", TEXT, _empty),
        Field("status", HOST_STATUS, lambda it: it.status),
        Field("memory", SIZE, _memory),
        Field("cluster", Reference("clusters"), lambda it: it.cluster_id),
    ),
    rows=_hosts,
)
