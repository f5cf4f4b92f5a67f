"""Changing what a machine was made of: its instance type, its template, its pool."""

from dataclasses import replace

import pytest

from tests.actions.runs import fresh
from tests.actions.shapes import GRAPHICAL_NOW, HEADLESS_NOW
from tests.factories import headless
from vms.actions import create
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import VNC, Video
from vms.domain.errors import Refusal
from vms.models import VM, Cluster, Host, InstanceType, Pool, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


# -- instance types and templates


@pytest.fixture
def small_and_dark(admin: User) -> InstanceType:
    return create.instance_type("Dark", changes=Changes(machine={"memory": 512}, console=headless), by=admin)


def test_choosing_another_instance_type_inherits_anew(vm: VM, admin: User, small_and_dark: InstanceType) -> None:
    after = edit(vm, Changes(attributes={"instance_type": small_and_dark}), by=admin)
    assert (after.memory, after.console.headless, after.instance_type) == (512, True, small_and_dark)


def test_what_is_named_besides_wins(vm: VM, admin: User, small_and_dark: InstanceType) -> None:
    changes = Changes(
        attributes={"instance_type": small_and_dark},
        machine={"memory": 2000},
        console=lambda console, offer: console.as_graphical(offer),
    )
    after = edit(vm, changes, by=admin)
    assert (after.memory, after.console.graphics) == (2000, VNC)


def test_keeping_the_instance_type_inherits_nothing(vm: VM, admin: User, small_and_dark: InstanceType) -> None:
    edit(vm, Changes(attributes={"instance_type": small_and_dark}), by=admin)
    edit(vm, Changes(console=lambda console, offer: console.as_graphical(offer)), by=admin)
    after = edit(vm, Changes(attributes={"instance_type": small_and_dark, "comment": "same"}), by=admin)
    assert after.console.graphics == VNC


def test_leaving_the_instance_type_keeps_what_it_gave(vm: VM, admin: User, small_and_dark: InstanceType) -> None:
    edit(vm, Changes(attributes={"instance_type": small_and_dark}), by=admin)
    after = edit(vm, Changes(attributes={"instance_type": None}), by=admin)
    assert (after.instance_type, after.memory, after.console.headless) == (None, 512, True)


def test_toggling_headless_keeps_the_instance_type(vm: VM, admin: User, small_and_dark: InstanceType) -> None:
    edit(vm, Changes(attributes={"instance_type": small_and_dark}), by=admin)
    assert edit(vm, GRAPHICAL_NOW, by=admin).instance_type == small_and_dark


def test_an_instance_type_that_becomes_headless_leaves_its_machines_as_they_are(
    admin: User, cluster: Cluster, host: Host
) -> None:
    chosen = create.instance_type("Plain", by=admin)
    vm = create.vm("web", cluster=cluster, instance_type=chosen, by=admin)
    edit(chosen, HEADLESS_NOW, by=admin)
    assert not fresh(vm).console.headless


def test_a_template_that_becomes_headless_leaves_its_machines_as_they_are(
    admin: User, cluster: Cluster, host: Host
) -> None:
    source = create.template("golden", cluster=cluster, by=admin)
    vm = create.vm("web", cluster=cluster, template=source, by=admin)
    edit(source, HEADLESS_NOW, by=admin)
    assert not fresh(vm).console.headless


@pytest.fixture
def versions(admin: User, cluster: Cluster, host: Host) -> tuple[Template, Template]:
    """A template with VNC and its second version, which is headless."""
    first = create.template("golden", cluster=cluster, by=admin)
    second = Template(cluster=cluster, base=first, version_number=2)
    second.spec = replace(first.spec, id=second.pk, memory=3000, console=first.console.as_headless())
    second.save()
    return first, second


def test_another_version_of_the_template_brings_its_display_with_its_devices(
    admin: User, cluster: Cluster, versions: tuple[Template, Template]
) -> None:
    """oVirt copies the devices without the display and fails (engine-behaviour 8)."""
    first, second = versions
    vm = create.vm("web", cluster=cluster, template=first, by=admin)
    after = edit(vm, Changes(attributes={"template": second}), by=admin)
    assert (after.console.headless, after.memory) == (True, 3000)
    back = edit(after, Changes(attributes={"template": first}), by=admin)
    assert (back.console.graphics, back.console.video) == (VNC, Video.VGA)


def test_the_instance_type_still_wins_over_another_version(
    admin: User, cluster: Cluster, versions: tuple[Template, Template]
) -> None:
    first, second = versions
    chosen = create.instance_type("Plain", changes=Changes(machine={"memory": 640}), by=admin)
    vm = create.vm("web", cluster=cluster, template=first, instance_type=chosen, by=admin)
    after = edit(vm, Changes(attributes={"template": second}), by=admin)
    assert (after.memory, after.console.graphics) == (640, VNC)


def test_a_template_of_another_family_is_refused(
    admin: User, cluster: Cluster, versions: tuple[Template, Template]
) -> None:
    vm = create.vm("web", cluster=cluster, template=versions[0], by=admin)
    other = create.template("other", cluster=cluster, by=admin)
    with pytest.raises(Refusal, match="ILLEGAL_VALUE") as refused:
        edit(vm, Changes(attributes={"template": other}), by=admin)
    assert (refused.value.field, fresh(vm).template) == ("template", versions[0])


def test_blank_keeps_its_name(admin: User) -> None:
    blank = Template.objects.get()
    with pytest.raises(Refusal, match="BUILT_IN") as refused:
        edit(blank, Changes(machine={"name": "White"}), by=admin)
    assert refused.value.field == "name"
    assert edit(blank, HEADLESS_NOW, by=admin).console.headless


# -- machines of a pool


@pytest.fixture
def pooled(admin: User, cluster: Cluster, host: Host) -> VM:
    return create.pool("desk", cluster=cluster, by=admin).vms.get()


@pytest.mark.parametrize("changes", [HEADLESS_NOW, Changes(machine={"memory": 2000})])
def test_a_machine_of_a_pool_has_no_shape_of_its_own(pooled: VM, admin: User, changes: Changes) -> None:
    with pytest.raises(Refusal, match="VM_IN_POOL"):
        edit(pooled, changes, by=admin)


def test_a_machine_of_a_pool_takes_a_comment(pooled: VM, admin: User) -> None:
    assert edit(pooled, Changes(attributes={"comment": "broken mouse"}), by=admin).comment == "broken mouse"


@pytest.mark.parametrize("name", ["template", "instance_type"])
def test_a_machine_of_a_pool_inherits_from_its_pool_alone(
    pooled: VM, admin: User, small_and_dark: InstanceType, name: str
) -> None:
    second = Template(name="Blank", base=Template.objects.get(), version_number=2)
    second.save()
    new = {"template": second, "instance_type": small_and_dark}[name]
    with pytest.raises(Refusal, match="VM_IN_POOL"):
        edit(pooled, Changes(attributes={name: new}), by=admin)


def test_editing_a_pool_leaves_the_machines_it_has(pooled: VM, admin: User) -> None:
    assert pooled.pool is not None
    edit(pooled.pool, HEADLESS_NOW, by=admin)
    assert (Pool.objects.get().console.headless, fresh(pooled).console.headless) == (True, False)
