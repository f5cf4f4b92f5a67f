"""Nonsense in every field of every table: refused or taken, but never a failure of the server."""

from dataclasses import fields
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.caller import VNC_ID, Caller
from tests.examples import examples
from vms.actions import create, power
from vms.api.mapping import instance_type, template, vm, vm_pool
from vms.api.mapping.console import Wish
from vms.api.mapping.entity import Entity
from vms.domain.console import Console
from vms.domain.machine import MachineSpec
from vms.models import VM, User

pytestmark = pytest.mark.django_db

ENTITIES: dict[str, Entity] = {
    entity.collection: entity for entity in (each.ENTITY for each in (vm, template, instance_type, vm_pool))
}
PATHS = sorted(
    {field.path for entity in ENTITIES.values() for field in entity.fields} | {"vm", "vm/display", "nonsense"}
)
SMALL = st.sampled_from(
    [
        "",
        "vnc",
        "spice",
        "qxl",
        "bochs",
        "true",
        "false",
        "0",
        "1",
        "4",
        "-1",
        "web",
        "Blank",
        "Default",
        "Tiny",
        VNC_ID,
    ]
)
VALUE: st.SearchStrategy[Any] = st.recursive(
    SMALL | st.text(max_size=8) | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["id", "href", "name", "protocol", "graphics_console", "display", "type"]), inner
        )
    ),
    max_leaves=3,
)
BODY = st.dictionaries(st.sampled_from(PATHS), VALUE, max_size=6)
NONSENSE = examples(15)


def tree_of(body: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in body.items():
        *outer, name = path.split("/")
        place = tree
        for step in outer:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        place[name] = value
    return tree


@pytest.fixture
def rows(vm: VM, admin: User) -> dict[str, str]:
    """One row of each kind."""
    made = {
        "vms": vm,
        "templates": create.template("golden", vm=vm, by=admin),
        "instancetypes": create.instance_type("sized", by=admin),
        "vmpools": create.pool("row", cluster=vm.cluster, by=admin),
    }
    return {kind: str(row.pk) for kind, row in made.items()}


@pytest.mark.parametrize("kind", list(ENTITIES))
@NONSENSE
@given(body=BODY)
def test_nonsense_changes_or_is_refused(rows: dict[str, str], admin: User, kind: str, body: dict[str, Any]) -> None:
    answer = Caller(admin, "json").put(f"/{kind}/{rows[kind]}", ENTITIES[kind].name, tree_of(body))
    assert answer.status in {200, 400, 404, 409}, (body, answer.text)


@pytest.mark.parametrize("kind", list(ENTITIES))
@NONSENSE
@given(body=BODY)
def test_nonsense_is_made_or_refused(rows: dict[str, str], admin: User, kind: str, body: dict[str, Any]) -> None:
    tree = {"name": uuid4().hex, "cluster": {"name": "Default"}, "template": {"name": "Blank"}, "vm": {"name": "web"}}
    answer = Caller(admin, "json").post(f"/{kind}", ENTITIES[kind].name, {**tree, **tree_of(body)})
    assert answer.status in {201, 400, 409}, (body, answer.text)


@pytest.mark.parametrize("action", ["start", "clone", "ticket", "stop"])
@NONSENSE
@given(inner=VALUE, body=BODY)
def test_an_action_with_nonsense_is_done_or_refused(
    vm: VM, admin: User, action: str, inner: Any, body: dict[str, Any]
) -> None:
    for tree in ({"vm": inner, "pause": inner}, {"vm": tree_of(body)}):
        answer = Caller(admin, "json").post(f"/vms/{vm.pk}/{action}", "action", tree)
        assert answer.status in {200, 400, 409}, (tree, answer.text)
        if answer.status == 200 and action == "start":
            power.stop(vm, by=admin)  # calls it off, so that the next example starts a machine that is off


def test_every_field_of_a_machine_can_be_said_and_is_told() -> None:
    said = {field.to for field in vm.FIELDS if field.to}
    parts = {target.partition(".")[0] for target in said}
    machine = {field.name for field in fields(MachineSpec)}
    # Given by the place, chosen by the first start, or hanging on the machine with an address of its own.
    elsewhere = {"id", "level", "machine", "addresses", "nics", "disks", "watchdog", "console"}
    hosts = {"hosts"} if "reference.hosts" in said else set()
    reached = {name for name in machine if f"machine.{name}" in said or name in parts} | hosts
    assert machine - elsewhere == reached - elsewhere
    consoles = {f"console.{field.name}" for field in fields(Wish)} - {"console.shown"}
    assert consoles == {target for target in said if target.startswith("console.")}
    ours = {"console.reconnect": "allow_reconnect", "console.proxy": "spice_proxy"}
    wishes = {field.name.removeprefix("wants_") for field in fields(Console)} - {"before"}
    assert wishes == {ours.get(target, target.removeprefix("console.")) for target in consoles - {"console.type"}}
