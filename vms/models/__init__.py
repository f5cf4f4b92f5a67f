"""What the database remembers; a row exposes its value and accepts one, and never decides."""

from .affinity import AffinityGroup, AffinityLabel
from .audit import AuditEvent, Dismissal
from .changes import Change
from .consoles import ConsoleChoice, ConsoleKind, ConsolePass, ConsoleSession
from .devices import Device, Scope
from .domains import Domain
from .hardware import Hardware
from .infrastructure import Cluster, DataCenter, Host, HostStatus
from .jobs import ACTIVE, Job, JobState, Step
from .keys import PublicKey
from .labels import Bookmark, Tag
from .leadership import Leadership
from .machines import VM, InstanceType, Template
from .networks import ClusterNetwork, MacPool, Network, VmNic, VnicProfile
from .pools import Pool, PoolType
from .preparations import Preparation
from .savings import Saving
from .screenshots import Screenshot
from .statistics import Statistic
from .storage import (
    Disk,
    DiskAttachment,
    DiskContent,
    DiskStatus,
    Image,
    Snapshot,
    SnapshotKind,
    SnapshotStatus,
    StorageDomain,
    StorageStatus,
)
from .texts import SearchText
from .transfers import Transfer
from .users import ActionGroup, Permission, Role, RolePermit, Token, User

__all__ = [
    "ACTIVE",
    "VM",
    "ActionGroup",
    "AffinityGroup",
    "AffinityLabel",
    "AuditEvent",
    "Bookmark",
    "Change",
    "Cluster",
    "ClusterNetwork",
    "ConsoleChoice",
    "ConsoleKind",
    "ConsolePass",
    "ConsoleSession",
    "DataCenter",
    "Device",
    "Disk",
    "DiskAttachment",
    "DiskContent",
    "DiskStatus",
    "Dismissal",
    "Domain",
    "Hardware",
    "Host",
    "HostStatus",
    "Image",
    "InstanceType",
    "Job",
    "JobState",
    "Leadership",
    "MacPool",
    "Network",
    "Permission",
    "Pool",
    "PoolType",
    "Preparation",
    "PublicKey",
    "Role",
    "RolePermit",
    "Saving",
    "Scope",
    "Screenshot",
    "SearchText",
    "Snapshot",
    "SnapshotKind",
    "SnapshotStatus",
    "Statistic",
    "Step",
    "StorageDomain",
    "StorageStatus",
    "Tag",
    "Template",
    "Token",
    "Transfer",
    "User",
    "VmNic",
    "VnicProfile",
]
