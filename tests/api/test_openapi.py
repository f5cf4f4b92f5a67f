"""The OpenAPI document: of every address, true to what is answered, and held against requests that are made from it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from tests.actions.runs import up
from tests.api.caller import BASE, VNC_ID, Caller
from tests.examples import examples
from vms.actions import affinity, affinity_labels, bookmarks, create, edit, external, logins, permissions, tags
from vms.api.openapi.operations import METHODS, entity_of
from vms.api.urls import ROUTES
from vms.domain.changes import Changes
from vms.domain.guest import GuestAddress, GuestUser, Source, Told
from vms.domain.parts import Watchdog
from vms.models import VM, Host, Role, User

pytestmark = pytest.mark.django_db

# A 500 is no answer that the document has, and so an undocumented status.
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# What makes a document one that can be done, now and then.
SENSE: dict[str, Any] = {
    "cluster": {"name": "Default"},
    "template": {"name": "Blank"},
    "data_center": {"name": "Default"},
    "vm": {"name": "web"},
    "role": {"name": "UserRole"},
    "user": {"name": "alice"},
    "protocol": "vnc",
    "description": "words",
}


@pytest.fixture
def everything(vm: VM, headless_vm: VM, host: Host, admin: User) -> None:
    """One of everything that can be told."""
    edit.edit(vm, Changes(machine={"watchdog": Watchdog()}), by=admin)
    shop = tags.create("shop", by=admin)
    tags.attach(shop, vm, by=admin)
    bookmarks.create("bare", "Vms: headless = true", by=admin)
    template = create.template("golden", vm=vm, by=admin)
    create.pool("row", cluster=vm.cluster, template=template, by=admin)
    create.instance_type("sized", by=admin)
    label = affinity_labels.create("blue", vms=[vm], hosts=[host], by=admin)
    members = {"vms": [vm], "hosts": [host], "vm_labels": [label], "host_labels": [label]}
    affinity.create("apart", cluster=vm.cluster, hosts_rule="positive", **members, by=admin)
    role = Role.objects.get(name="UserRole")
    for on in (vm, template, vm.cluster, vm.cluster.data_center, None):
        permissions.grant(admin, role, on, by=admin)
    job = external.add_job("backing up", by=admin)
    external.add_step(job, "reading", by=admin)
    external.add_event("a backup", about=vm, by=admin)
    running = up(vm, host, by=admin)
    running.addresses = (GuestAddress(address="10.0.0.5", source=Source.AGENT, mac="52:54:00:00:00:01"),)
    running.guest = Told(agent_version="7.2", users=(GuestUser(name="root"),))
    running.console_user, running.fqdn = admin, "web.example.org"
    running.save(update_fields=[*VM.GUEST_FIELDS, "console_user"])


def addresses(api: Caller) -> Iterator[tuple[str, dict[str, str]]]:
    """Every address with ids that are there, as far as there are any."""
    known: dict[str, str] = {}
    for path, _view in ROUTES:
        words: dict[str, str] = {}
        for match in re.finditer(r"\{(\w+)\}", path):
            before = path[: match.start()].rstrip("/").format(**words)
            if match[1] == "console":
                words["console"] = VNC_ID
                continue
            if before not in known:
                rows = api.get(f"/{before}").tree if match[1] != "job" else {}
                each = next((each for each in rows.values() if isinstance(each, list)), [{"id": str(uuid4())}])
                known[before] = next((row["id"] for row in each if row.get("name") == "web"), each[0]["id"])
            words[match[1]] = known[before]
        yield path, words


@pytest.fixture
def schema() -> Any:
    """The document as it is served, loaded by a program that makes requests of it."""
    return schemathesis.openapi.from_wsgi(f"{BASE}/openapi.json", get_wsgi_application())


def test_every_address_and_method_is_described_and_nothing_else_is(client: Client) -> None:
    told = client.get(f"{BASE}/openapi.json").json()
    described = {(path, method) for path, there in told["paths"].items() for method in there if method != "parameters"}
    served = {(f"/{path}", method) for path, view in ROUTES for method in METHODS if hasattr(view.cls, method)}
    assert described == served
    ids = [there[method]["operationId"] for there in told["paths"].values() for method in there.keys() & set(METHODS)]
    assert len(ids) == len(set(ids))
    assert "graphics_consoles" in told["components"]["schemas"]["vm"]["properties"]


def test_the_documentation_names_every_resource() -> None:
    told = (Path(__file__).parents[2] / "docs" / "rest.md").read_text()
    words = {path.partition("/")[0] for path, _view in ROUTES} - {""}
    assert {word for word in words if word not in told} == set()


def test_people_read_it_as_pages_without_logging_in(client: Client, admin: User) -> None:
    document = client.get(f"{BASE}/openapi.json").json()
    index = client.get("/ovirt-engine/apidoc/").content.decode()
    for tag in document["tags"]:
        address = f"/ovirt-engine/apidoc/{tag['name']}/"
        page = client.get(address).content.decode()
        assert f'href="{address}"' in index
        assert [path for path in paths_of(document, tag["name"]) if f"<code>{path}</code>" not in page] == []
    vms = client.get("/ovirt-engine/apidoc/vms/").content.decode()
    assert all(f"<code>{path}</code>" in vms for path in ("display/video_type", "graphics_consoles", "vm/os/kernel"))
    assert client.get("/ovirt-engine/apidoc/nonsense/").status_code == 404


def paths_of(document: dict[str, Any], tag: str) -> list[str]:
    return [
        path
        for path, there in document["paths"].items()
        if any(tag in operation["tags"] for method, operation in there.items() if method != "parameters")
    ]


def test_what_is_told_is_what_the_document_says(everything: None, schema: Any, admin: User) -> None:
    api, told = Caller(admin, "json"), 0
    headers = {"Authorization": f"Bearer {api.token}"}
    views = dict(ROUTES)
    for path, words in addresses(api):
        if not hasattr(views[path].cls, "get"):
            continue
        operation, links = schema[f"/{path}"]["GET"], getattr(entity_of(views[path]), "links", ())
        # With all that hangs on it in place, which costs the check no more.
        query = {"follow": ",".join(link.rel for link in links), "current": "true"} if links else {}
        case = operation.Case(path_parameters=words, query=query, headers={"Accept": "application/json"})
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)
        told += answer.status_code == 200
    assert told > 100


def test_requests_made_from_the_document_are_answered_as_it_says(everything: None, schema: Any, admin: User) -> None:
    token, there = f"Bearer {logins.log_in(admin)[0]}", dict(addresses(Caller(admin, "json")))
    for found in schema.get_all_operations():
        operation = found.ok()
        ask(operation, there[operation.path.strip("/")], token)


def ask(operation: Any, words: dict[str, str], token: str) -> None:
    """Some requests of one kind, half of them about what is there; what they change is taken back each time."""

    @examples(2)
    @given(case=operation.as_strategy(), known=st.booleans(), language=st.sampled_from(["json", "xml"]))
    def some(case: Any, known: bool, language: str) -> None:
        if known:
            case.path_parameters = words
            if isinstance(case.body, dict):
                case.body = {"name": uuid4().hex, **SENSE, **case.body}
        with transaction.atomic():
            answer = case.call(headers={"Authorization": token, "Accept": f"application/{language}"})
            case.validate_response(answer, checks=CHECKS)
            transaction.set_rollback(True)

    some()
