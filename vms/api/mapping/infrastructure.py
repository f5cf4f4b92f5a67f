"""Where machines run: data centers, clusters and hosts; only read here."""

from functools import partial
from typing import Any, Final

from vms.models import Cluster, DataCenter, Host
from vms.search.visible import visible

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
    rows=partial(visible, Cluster),
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
    rows=partial(visible, DataCenter),
    links=(Link(rel="clusters", entity=CLUSTER, items=related(partial(visible, Cluster), "data_center_id")),),
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
    rows=partial(visible, Host),
)
