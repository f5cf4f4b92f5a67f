"""What domain XML says is there, whoever wrote it."""

import json
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from vms.domain.console import Protocol
from vms.domain.document import run_from_document
from vms.domain.hosts import Endpoint
from vms.domain.runonce import Run

from .elements import PARSER
from .write import NAMESPACE

AGENT: Final = "org.qemu.guest_agent.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The facts of one domain XML: `addresses` by device alias; `headless` as libvirt's own devices say it; `agent`
    is connected."""

    name: str
    machine: str
    run: Run | None
    endpoints: tuple[Endpoint, ...]
    graphics: tuple[str, ...]
    videos: tuple[str, ...]
    cold_reboot: bool
    agent: bool
    addresses: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def headless(self) -> bool:
        """No graphics, and no video but the model none."""
        return not self.graphics and all(model == "none" for model in self.videos)


def observe(xml: str) -> Seen:
    """Read domain XML, live or persistent."""
    domain = etree.fromstring(xml.encode(), PARSER)
    return Seen(
        name=domain.findtext("name") or "",
        machine=next((system.get("machine") or "" for system in domain.iterfind("os/type")), ""),
        run=_run(domain),
        endpoints=tuple(_endpoints(domain)),
        graphics=tuple(graphics.get("type") or "" for graphics in domain.iterfind("devices/graphics")),
        videos=tuple(model.get("type") or "" for model in domain.iterfind("devices/video/model")),
        cold_reboot=domain.findtext("on_reboot") == "destroy",
        agent=domain.find(f"devices/channel/target[@name='{AGENT}'][@state='connected']") is not None,
        addresses=_addresses(domain),
    )


def _run(domain: etree._Element) -> Run | None:
    carried = domain.find(f"metadata/{{{NAMESPACE}}}run")
    if carried is None or not carried.text:
        return None
    try:
        return run_from_document(json.loads(carried.text))
    except ValueError:
        return None


def _endpoints(domain: etree._Element) -> list[Endpoint]:
    found = []
    for graphics in domain.iterfind("devices/graphics"):
        port, tls_port = int(graphics.get("port") or -1), int(graphics.get("tlsPort") or -1)
        protocol = graphics.get("type") or ""
        if protocol not in set(Protocol) or (port < 0 and tls_port < 0):
            continue
        address = graphics.get("listen") or "127.0.0.1"
        found.append(Endpoint(protocol=Protocol(protocol), address=address, port=port, tls_port=tls_port))
    return found


def _addresses(domain: etree._Element) -> dict[str, dict[str, str]]:
    found = {}
    for device in domain.iterfind("devices/*"):
        alias, address = device.find("alias"), device.find("address")
        if alias is not None and address is not None:
            found[alias.get("name") or ""] = {str(key): str(value) for key, value in address.attrib.items()}
    return found
