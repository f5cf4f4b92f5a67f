"""The documents of the door, whole, in both languages.

`UPDATE_GOLDEN=1 pytest tests/api/test_documents.py` writes the files anew; look at the difference before committing.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from vms.api.document import Document
from vms.api.faults import Fault
from vms.api.languages import JSON, XML
from vms.api.mapping import infrastructure, instance_type, records, template, vm, vm_pool
from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Telling
from vms.api.mapping.follow import items_of, tell_all, tell_one
from vms.api.mapping.root import Root, tell_root
from vms.api.renderers import write
from vms.domain.console import HEADLESS, SPICE_AND_VNC, VNC, Console, Video
from vms.domain.hosts import Capabilities
from vms.domain.runonce import Run, RunOnce
from vms.models import VM, AuditEvent, Cluster, DataCenter, Host, InstanceType, Job, Pool, Step, Template, User, VmNic

GOLDEN = Path(__file__).parent.parent / "golden" / "api"
WHEN = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
TELLING = Telling(base="/ovirt-engine/api")


def key(number: int) -> UUID:
    return UUID(int=number)


CENTER = DataCenter(id=key(1), name="Default", description="The default data center")
CLUSTER = Cluster(id=key(2), name="Default", description="The default cluster", data_center=CENTER)
HOST = Host(id=key(3), name="local", cluster=CLUSTER, status="up")
HOST.capabilities = Capabilities(memory=8192)
ADMIN = User(id=key(4), username="admin")
HEADLESS_CONSOLE = Console(graphics=HEADLESS, video=None, serial=True)


def a_vm(console: Console, **columns: Any) -> VM:
    row = VM(id=key(5), name="web", created_at=WHEN, cluster=CLUSTER, comment="a <word>", **columns)
    row.console = console
    return row


def running(configured: Console, once: RunOnce | None = None) -> VM:
    row = a_vm(configured, status="up", observed="up", host=HOST, started_at=WHEN, run_once=once is not None)
    run = row.run = Run(base=row.spec, once=once)
    row.endpoints = [
        {"protocol": protocol.value, "address": "127.0.0.1", "port": 5900 + number, "tls_port": -1}
        for number, protocol in enumerate(sorted(run.spec.console.graphics))
    ]
    return row


def with_a_card(row: VM) -> VM:
    card = VmNic(id=key(10), vm=row, name="nic1", mac="56:6f:00:00:00:01", profile_id=key(11))
    row._prefetched_objects_cache = {"cards": [card]}  # type: ignore[attr-defined]
    return row


def pending() -> VM:
    row = running(Console())
    row.memory, row.pending = 2048, True
    row.console = row.console.as_headless()
    return row


def of(model: Any, console: Console, **columns: Any) -> Any:
    row = model(id=key(6), name="golden", created_at=WHEN, **columns)
    row.console = console
    return row


def one(entity: Entity, row: Any, telling: Telling = TELLING) -> Document:
    return Document(entity.name, tell_one(entity, row, telling))


def consoles_of(entity: Entity, row: Any) -> Document:
    link = entity.links[0]
    items = items_of(link, row, TELLING)
    place = f"{TELLING.base}/{entity.collection}/{row.pk}/{link.rel}"
    told = tell_all(link.entity, items, TELLING, [place] * len(items))
    return Document(link.entity.plural, {link.entity.name: told})


def a_pool() -> Pool:
    pool: Pool = of(Pool, HEADLESS_CONSOLE, cluster=CLUSTER)
    pool.member_count = 3
    return pool


def a_job(**columns: Any) -> Job:
    told = {"id": key(7), "machine": key(5), "machine_name": "web", "verb": "start", "created_at": WHEN}
    return Job(**{**told, "created_by": ADMIN, **columns})


REFUSED = {"code": "HOST_NOT_RESPONDING", "params": {"host": "local"}}
EVENT = AuditEvent(
    id=8,
    at=WHEN,
    code="USER_STARTED_VM",
    actor=ADMIN,
    actor_name="admin",
    entity_kind="vm",
    entity_id=key(5),
    entity_name="web",
    params={"verb": "start"},
    correlation_id="abc",
)
SPICY = Console(graphics=SPICE_AND_VNC, video=Video.QXL, wants_usb=True, wants_sound=True, keyboard="de")

DOCUMENTS: dict[str, Callable[[], Document]] = {
    "api": lambda: Document(
        "api", tell_root(Root(str(key(9)), WHEN, ADMIN, {"vms": (3, 1), "hosts": (1, 1)}), TELLING)
    ),
    "vm-headless": lambda: one(vm.ENTITY, a_vm(HEADLESS_CONSOLE)),
    "vm-vnc": lambda: one(vm.ENTITY, a_vm(Console())),
    "vm-spice-and-vnc": lambda: one(vm.ENTITY, a_vm(SPICY)),
    "vm-running": lambda: one(vm.ENTITY, running(Console())),
    "vm-running-for-its-user": lambda: one(vm.ENTITY, running(Console()), replace(TELLING, filtered=True)),
    "vm-run-once-with-vnc": lambda: one(vm.ENTITY, running(HEADLESS_CONSOLE, RunOnce(graphics=VNC, video=Video.VGA))),
    "vm-run-once-headless": lambda: one(vm.ENTITY, running(Console(), RunOnce(graphics=HEADLESS))),
    "vm-pending": lambda: one(vm.ENTITY, pending()),
    "vm-next-run": lambda: one(vm.ENTITY, pending(), replace(TELLING, next_run=True)),
    "vm-followed": lambda: one(
        vm.ENTITY,
        with_a_card(running(SPICY)),
        replace(TELLING, current=True, follow={"graphicsconsoles": {}, "nics": {}}),
    ),
    "vms": lambda: Document("vms", {"vm": tell_all(vm.ENTITY, [a_vm(Console())], TELLING)}),
    "vms-none": lambda: Document("vms"),
    "template": lambda: one(template.ENTITY, of(Template, HEADLESS_CONSOLE, cluster=CLUSTER)),
    "template-version": lambda: one(
        template.ENTITY, of(Template, Console(), cluster=CLUSTER, base_id=key(1), version_number=2, version_name="two")
    ),
    "instance-type": lambda: one(instance_type.ENTITY, of(InstanceType, Console())),
    "vm-pool": lambda: one(vm_pool.ENTITY, a_pool()),
    "cluster": lambda: one(infrastructure.CLUSTER, CLUSTER),
    "data-center": lambda: one(infrastructure.DATA_CENTER, CENTER),
    "host": lambda: one(infrastructure.HOST, HOST),
    "job": lambda: one(records.JOB, a_job(state="waiting")),
    "job-failed": lambda: one(records.JOB, a_job(state="failed", error=REFUSED, finished_at=WHEN)),
    "step": lambda: one(records.STEP, Step(id=1, job=a_job(), number=1, name="start", at=WHEN, state="finished")),
    "event": lambda: one(records.EVENT, EVENT),
    "consoles-configured": lambda: consoles_of(vm.ENTITY, a_vm(SPICY)),
    "consoles-of-a-template": lambda: consoles_of(template.ENTITY, of(Template, Console(), cluster=CLUSTER)),
    "fault": lambda: Fault(409, "Operation Failed", "[There is a VNC console already.]").document(),
    "action-failed": lambda: Fault(409, "Operation Failed", "[It is “headless”.]").document(action=True),
}


def pretty_xml(document: Document) -> str:
    element = etree.fromstring(write(document, XML))
    etree.indent(element)
    return etree.tostring(element, encoding="unicode") + "\n"


def pretty_json(document: Document) -> str:
    return json.dumps(json.loads(write(document, JSON)), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(("language", "pretty"), [("xml", pretty_xml), ("json", pretty_json)])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_as_it_was(name: str, language: str, pretty: Callable[[Document], str]) -> None:
    path, text = GOLDEN / f"{name}.{language}", pretty(DOCUMENTS[name]())
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_every_golden_file_has_its_document() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(DOCUMENTS)


def test_only_machines_without_a_screen_lack_the_display() -> None:
    shown = {name: "display" in build().tree for name, build in DOCUMENTS.items() if name.startswith("vm-")}
    assert {name for name, there in shown.items() if not there} == {"vm-headless", "vm-next-run", "vm-pool"}
