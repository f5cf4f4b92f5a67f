"""Every type that has an address of its own, by the word in its path."""

from typing import Final

from . import (
    affinity,
    infrastructure,
    instance_type,
    labels,
    networks,
    people,
    records,
    storage,
    template,
    transfers,
    vm,
    vm_pool,
)
from .entity import Entity

COLLECTIONS: Final[dict[str, Entity]] = {
    entity.collection: entity
    for entity in (
        affinity.LABEL,
        infrastructure.CLUSTER,
        infrastructure.DATA_CENTER,
        infrastructure.HOST,
        instance_type.ENTITY,
        labels.BOOKMARK,
        labels.TAG,
        networks.MAC_POOL,
        networks.NETWORK,
        networks.VNIC_PROFILE,
        people.PERMISSION,
        people.ROLE,
        people.USER,
        records.EVENT,
        records.JOB,
        storage.DISK,
        storage.STORAGE_DOMAIN,
        template.ENTITY,
        transfers.ENTITY,
        vm.ENTITY,
        vm_pool.ENTITY,
    )
}
