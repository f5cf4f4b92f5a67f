"""One deed, every door: whichever door makes a machine headless and back, what is stored in the end is the same."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final

import pytest
from django.test import Client
from django.urls import reverse

from tests.api.caller import VNC_ID, Caller
from tests.factories import headless, machine, person
from tests.web.browser import controls, ticked
from vms.actions import create, edit
from vms.domain.changes import Changes
from vms.models import (
    VM,
    Cluster,
    DataCenter,
    Host,
    InstanceType,
    Permission,
    Pool,
    Role,
    Scope,
    Template,
    User,
)

pytestmark = pytest.mark.django_db

KINDS: Final[dict[str, Any]] = {"vm": VM, "template": Template, "pool": Pool, "instance_type": InstanceType}
MEMORY: Final = 2048  # MiB
DOORS: Final = ("rest-xml", "rest-json", "webadmin", "userportal", "admin")
# UserPortal makes machines, and templates of them; the other kinds are the administrators'.
OFFERED: Final = [(door, kind) for door in DOORS for kind in KINDS if door != "userportal" or kind == "vm"]


def state(row: Any) -> dict[str, Any]:
    """All that is stored of a machine's shape, its devices included; not whose it is and what it is called."""
    row = type(row).objects.get(pk=row.pk)
    spec, console = row.spec, row.console
    # Dialogs offer a card on the first network; programs ask for one when they want it (as with oVirt).
    devices = row.devices.filter(scope=Scope.CONFIGURED).exclude(kind="interface").order_by("position")
    return {
        "memory": spec.memory,
        "cpu": spec.cpu,
        "graphics": console.graphics,
        "video": console.video,
        "serial": console.serial,
        "usb": console.usb,
        "sound": console.sound,
        "heads": console.heads,
        "keyboard": console.keyboard,
        "devices": [(kind, model, _shape(params)) for kind, model, params in devices.values_list(*_DEVICE)],
    }


_DEVICE: Final = ("kind", "model", "params")


def _shape(params: dict[str, Any]) -> dict[str, Any]:
    """A device's parameters but its address on the network, which no other machine has."""
    return {key: value for key, value in params.items() if key != "mac"}


class Actions:
    """The reference: the actions themselves."""

    def __init__(self, kind: str, cluster: Cluster, by: User) -> None:
        self.kind, self.by = kind, by
        places: dict[str, dict[str, Any]] = {"vm": {"cluster": cluster}, "pool": {"cluster": cluster, "size": 1}}
        self.at = places.get(kind, {})

    def make(self) -> Any:
        changes = Changes(machine={"memory": MEMORY}, console=lambda console, _offer: replace(console, serial=True))
        return getattr(create, self.kind)("reference", **self.at, changes=changes, by=self.by)

    def make_headless(self, row: Any) -> None:
        edit.edit(row, Changes(console=headless), by=self.by)

    def bring_back(self, row: Any) -> None:
        edit.edit(row, Changes(console=lambda console, offer: console.as_graphical(offer)), by=self.by)


class Rest:
    """Programs: consoles are removed and added one by one; a pool has no such collection and is told its display."""

    COLLECTIONS: ClassVar = {
        "vm": "/vms",
        "template": "/templates",
        "pool": "/vmpools",
        "instance_type": "/instancetypes",
    }
    ROOTS: ClassVar = {"vm": "vm", "template": "template", "pool": "vm_pool", "instance_type": "instance_type"}

    def __init__(self, language: str, kind: str, by: User) -> None:
        self.api, self.kind = Caller(by, language), kind
        self.path, self.root = self.COLLECTIONS[kind], self.ROOTS[kind]

    def make(self) -> Any:
        shape = {"memory": MEMORY * 1024 * 1024, "console": {"enabled": True}}
        place = {"cluster": {"name": "Default"}, "template": {"name": "Blank"}}
        trees: dict[str, dict[str, Any]] = {
            "vm": {"name": "made", **place, **shape},
            "pool": {"name": "made", "size": 1, **place, "vm": shape},
            "template": {"name": "made"},
            "instance_type": {"name": "made", **shape},
        }
        tree = trees[self.kind]
        if self.kind == "template":  # programs make them of machines alone
            source = self.api.post("/vms", "vm", {"name": "source", **place, **shape})
            tree["vm"] = {"id": source.at("id")}
        answer = self.api.post(self.path, self.root, tree)
        assert answer.status == 201, answer.text
        return KINDS[self.kind].objects.get(pk=answer.at("id"))

    def make_headless(self, row: Any) -> None:
        if self.kind == "pool":
            answer = self.api.put(f"{self.path}/{row.pk}", self.root, {"vm": {"graphics_consoles": {}}})
        else:
            answer = self.api.delete(f"{self.path}/{row.pk}/graphicsconsoles/{VNC_ID}")
        assert answer.status == 200, answer.text

    def bring_back(self, row: Any) -> None:
        if self.kind == "pool":
            answer = self.api.put(f"{self.path}/{row.pk}", self.root, {"display": {"type": "vnc"}})
        else:
            answer = self.api.post(f"{self.path}/{row.pk}/graphicsconsoles", "graphics_console", {"protocol": "vnc"})
        assert answer.status in {200, 201}, answer.text


class Pages:
    """People: a box is ticked and un-ticked in the form that the browser holds."""

    NEW: ClassVar = {
        "vm": "/vms/new",
        "template": "/templates/new",
        "pool": "/pools/new",
        "instance_type": "/instance-types/new",
    }

    def __init__(self, kind: str, by: User, below: str = "") -> None:
        self.kind, self.below = kind, below
        self.client = Client()
        self.client.force_login(by)

    def make(self) -> Any:
        self._send(self.new, "serial", name="made", memory=str(MEMORY))
        return KINDS[self.kind].objects.get(name="made")

    def make_headless(self, row: Any) -> None:
        self._send(self.edit(row), "headless")

    def bring_back(self, row: Any) -> None:
        self._send(self.edit(row), headless=None)

    @property
    def new(self) -> str:
        return f"{self.below}{self.NEW[self.kind]}"

    def edit(self, row: Any) -> str:
        return f"{self.new.removesuffix('new')}{row.pk}/edit"

    def form(self, path: str) -> dict[str, Any]:
        return controls(self.client.get(path).content.decode(), path).data

    def _send(self, path: str, *on: str, **values: Any) -> None:
        answer = self.client.post(path, ticked(self.form(path), *on, **values))
        assert answer.status_code == 302, controls(answer.content.decode()).data


class Admin(Pages):
    """Django admin."""

    @property
    def new(self) -> str:
        return reverse(f"admin:vms_{KINDS[self.kind]._meta.model_name}_add")

    def edit(self, row: Any) -> str:
        return reverse(f"admin:vms_{row._meta.model_name}_change", args=[row.pk])

    def form(self, path: str) -> dict[str, Any]:
        # Its forms have no action: they are posted to where they came from. Devices are shown in forms of their own.
        form = self.client.get(path).context["adminform"].form
        shown = "".join(str(form[name]) for name in form.fields)
        return controls(shown).data


@pytest.fixture
def root(host: Host) -> User:
    """May do everything, behind every door."""
    return User.objects.create_superuser("root")


@pytest.fixture
def mia(host: Host, cluster: Cluster) -> User:
    """May make machines and templates, without an administrative role."""
    return person("mia", role="PowerUserRole", data_center=DataCenter.objects.get())


@pytest.fixture
def door(request: pytest.FixtureRequest, root: User, mia: User) -> Iterator[Any]:
    name, kind = request.param
    match name:
        case "rest-xml" | "rest-json":
            yield Rest(name.removeprefix("rest-"), kind, root)
        case "webadmin":
            yield Pages(kind, root)
        case "userportal":
            yield Pages(kind, mia, below="/portal")
        case "admin":
            yield Admin(kind, root)


@pytest.mark.parametrize("door", OFFERED, indirect=True, ids=[f"{name} {kind}" for name, kind in OFFERED])
def test_headless_and_back_ends_the_same_behind_every_door(door: Any, cluster: Cluster, root: User) -> None:
    reference = Actions(door.kind, cluster, root)
    expected, found = reference.make(), door.make()
    assert state(found) == state(expected)
    assert not found.console.headless
    for deed in ("make_headless", "bring_back", "make_headless"):
        getattr(reference, deed)(expected)
        getattr(door, deed)(type(found).objects.get(pk=found.pk))
        assert state(found) == state(expected)
        expected.refresh_from_db()
    assert type(found).objects.get(pk=found.pk).console.headless


@pytest.mark.parametrize("name", ["rest-xml", "rest-json", "webadmin", "userportal"])
def test_a_template_of_a_headless_machine_is_the_same_behind_every_door(name: str, root: User, mia: User) -> None:
    vm = machine("quiet", by=root, console=headless, memory=MEMORY)
    Permission.objects.create(user=mia, role=Role.objects.get(name="UserVmManager"), vm=vm)
    if name.startswith("rest"):
        tree = {"name": "copy", "vm": {"id": str(vm.pk)}}
        assert Caller(root, name.removeprefix("rest-")).post("/templates", "template", tree).status == 201
    else:
        below, by = {"webadmin": ("", root), "userportal": ("/portal", mia)}[name]
        Pages("vm", by)._send(f"{below}/vms/{vm.pk}/template", name="copy", accept_lockout="on")
    expected = create.template("reference", vm=vm, by=root)
    copy = Template.objects.get(name="copy")
    assert copy.console.headless
    assert state(copy) == state(expected)
