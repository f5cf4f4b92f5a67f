"""oVirt's words for our values, and the types that only machines have."""

from collections.abc import Mapping
from typing import Any, Final

from vms.api.document import Node
from vms.api.faults import invalid
from vms.domain.access import Rating
from vms.domain.changes import AS_CLUSTER
from vms.domain.console import Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.lifecycle import Status
from vms.domain.machine import VmType
from vms.models import HostStatus, JobState

from .console import consoles
from .fields import ABSENT, Schema, Type, Words, list_of, object_of

PROTOCOL: Final = Words({protocol.value: protocol for protocol in (Protocol.VNC, Protocol.SPICE)})
VIDEO: Final = Words({video.value: video for video in Video})
VM_TYPE: Final = Words({kind.value: kind for kind in VmType})
_FIRMWARES: Final = {
    "q35_sea_bios": Firmware.BIOS,
    "q35_ovmf": Firmware.UEFI,
    "q35_secure_boot": Firmware.SECURE,
    "i440fx_sea_bios": Firmware.I440FX,
}
CLUSTER_FIRMWARE: Final = Words(_FIRMWARES)
# Nobody is told the default: a machine has what its cluster had when it was chosen, as in oVirt.
FIRMWARE: Final = Words({**_FIRMWARES, "cluster_default": AS_CLUSTER})
VM_STATUS: Final = Words(
    {
        **{status.value: status for status in Status if not status.value.startswith(("migrating", "image_illegal"))},
        "migrating": Status.MIGRATING_FROM,
    }
)
RATING: Final = Words({rating.value: rating for rating in Rating})
HOST_STATUS: Final = Words({status.value: status for status in HostStatus})
JOB_STATUS: Final = Words(
    {
        "started": JobState.STARTED,
        "finished": JobState.FINISHED,
        "failed": JobState.FAILED,
        "aborted": JobState.ABORTED,
    }
)


class _Consoles(Type):
    """The whole set of graphics consoles inside a machine; ours, oVirt's engine does not read it.

    A list with an address is a link that a client's library has put there (ovirtsdk4 does so with whatever it has
    read), so it says nothing.
    """

    def schema(self) -> Schema:
        told = "the whole set of consoles; an empty one is headless (ours, beyond oVirt)"
        return {**list_of("graphics_console", object_of(protocol=PROTOCOL.schema())), "description": told}

    def read(self, node: Node, path: str) -> Any:
        if node == "":
            return consoles(())
        if not isinstance(node, Mapping):
            raise invalid(path, "…", "a list of graphics_console")
        if "href" in node:
            return ABSENT
        listed = node.get("graphics_console", [])
        return consoles(read_protocol(each, path) for each in (listed if isinstance(listed, list) else [listed]))


def read_protocol(node: Node, path: str) -> Protocol:
    """The protocol of one console that a client describes; refused without one."""
    if isinstance(node, Mapping) and node.get("protocol"):
        protocol: Protocol = PROTOCOL.read(node["protocol"], f"{path}.protocol")
        return protocol
    if node == "" or isinstance(node, Mapping):
        raise Refusal("ACTION_TYPE_FAILED_GRAPHIC_TYPE_MUST_BE_SPECIFIED", "protocol")
    raise invalid(path, "…", "a graphics_console")


CONSOLES: Final = _Consoles()
